import { describe, expect, it } from 'vitest'
import type { LabelledObservation } from '../../lib/corpus/TrainingData.js'
import type { FitResult } from '../../lib/fit/FitResult.js'
import type { Observation } from '../../lib/fit/Observation.js'
import { personPosterior } from '../../lib/fit/personPosterior.js'
import { gram, Matrix, multiply } from '../../lib/linear/index.js'
import type { ModelData } from '../../lib/model/ModelData.js'
import { SphereFaceModel } from '../../lib/model/SphereFaceModel.js'
import { Random } from '../../lib/random.js'
import { addScaled, block, diagonal } from '../../lib/train/matrices.js'
import { calibrateSchemes } from '../../lib/train/stage2/calibrateSchemes.js'
import { type Evidence, eliminate, evidenceOf, rotated, withPrior } from '../../lib/train/stage2/Evidence.js'
import { nextExpressionPrior, relaxedBounds } from '../../lib/train/stage2/expressionPrior.js'
import { foldMetric } from '../../lib/train/stage2/foldMetric.js'
import { mirrorMap } from '../../lib/train/stage2/mirrorMap.js'
import { evidenceOfPhoto, linearisePhoto } from '../../lib/train/stage2/photoEvidence.js'
import { recentre } from '../../lib/train/stage2/recentre.js'
import { dictionaryOf, landmarkRows } from '../../lib/train/stage2/ShapeDictionary.js'
import { evidenceOnPerson, type TwoCovariance, twoCovariance } from '../../lib/train/stage2/twoCovariance.js'
import { invert, randomMatrix } from '../fixtures/dense.js'
import { drawFace, see } from '../fixtures/observe.js'
import { rotationReference } from '../fixtures/reference.js'
import { decodeTiny, tinySphereModel } from '../fixtures/tinyModel.js'
import { MemoryContext } from '../fixtures/trainingData.js'

const t = { transposeA: true }

/** Largest difference, relative to the largest number. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length)
  let [difference, size] = [0, 0]
  for (let i = 0; i < a.length; i++) {
    difference = Math.max(difference, Math.abs(a[i]! - b[i]!))
    size = Math.max(size, Math.abs(b[i]!))
  }
  return difference / size
}

/** y = C x + noise of this covariance, as evidence on x, by dense inverses. */
function denseEvidence(C: Matrix, y: Matrix, covariance: Matrix): Evidence {
  const inverse = invert(covariance)
  const seen = multiply(C, inverse, t)
  return {
    information: multiply(seen, C),
    shift: multiply(seen, y).data,
    energy: multiply(y, multiply(inverse, y), t).at(0, 0),
  }
}

function expectSameEvidence(actual: Evidence, expected: Evidence, tolerance = 1e-10): void {
  expect(distance(actual.information.data, expected.information.data)).toBeLessThan(tolerance)
  expect(distance(actual.shift, expected.shift)).toBeLessThan(tolerance)
  expect(Math.abs(actual.energy - expected.energy)).toBeLessThan(tolerance * Math.max(1, expected.energy))
}

/** Columns side by side. */
function beside(...parts: Matrix[]): Matrix {
  return Matrix.from(
    Array.from({ length: parts[0]!.rows }, (_, i) => Float64Array.from(parts.flatMap((part) => [...part.row(i)]))),
  )
}

/** A + B C B^T */
function spreadBy(A: Matrix, B: Matrix, C: Matrix): Matrix {
  return addScaled(multiply(B, multiply(C, B, { transposeB: true })), 1, A)
}

describe('evidence', () => {
  const [rows, k, n] = [9, 3, 4]
  const nuisance = randomMatrix(rows, k, 1)
  const design = randomMatrix(rows, n, 2)
  const y = randomMatrix(rows, 1, 3)
  const precision = addScaled(gram(randomMatrix(5, k, 4)), 1, Matrix.identity(k))
  const mean = randomMatrix(k, 1, 5)

  it('is the squared residual of the rows, at any unknowns', () => {
    const { information, shift, energy } = evidenceOf(beside(design, y))
    const x = randomMatrix(n, 1, 6)
    const residual = addScaled(multiply(design, x), -1, y)
    const expected = multiply(residual, residual, t).at(0, 0)
    const actual =
      energy -
      2 * x.data.reduce((sum, v, i) => sum + v * shift[i]!, 0) +
      multiply(x, multiply(information, x), t).at(0, 0)
    expect(actual).toBeCloseTo(expected, 12)
  })

  it('is integrated over unknowns with a prior as normal distributions are', () => {
    const left = eliminate(withPrior(evidenceOf(beside(nuisance, design, y)), 0, precision, mean.data), k)
    const covariance = spreadBy(Matrix.identity(rows), nuisance, invert(precision))
    const centred = addScaled(y.copy(), -1, multiply(nuisance, mean))
    expectSameEvidence(left, denseEvidence(design, centred, covariance))
  })

  it('takes a diagonal prior of mean zero as numbers', () => {
    const both = evidenceOf(beside(nuisance, design, y))
    expectSameEvidence(withPrior(both, 1, [2, 3]), withPrior(both, 1, diagonal([2, 3]), [0, 0]))
    expect(both.information.at(1, 1)).toBe(withPrior(both, 1, [2, 3]).information.at(1, 1) - 2)
  })

  it('is the same with its unknowns in another order', () => {
    const turned = rotated(evidenceOf(beside(nuisance, design, y)), k)
    expectSameEvidence(turned, evidenceOf(beside(design, nuisance, y)), 1e-13)
  })
})

describe('evidence on a person', () => {
  it('has the photo’s own deviation integrated out', () => {
    const design = randomMatrix(7, 4, 10)
    const y = randomMatrix(7, 1, 11)
    const within = addScaled(gram(randomMatrix(6, 4, 12)), 0.5, Matrix.identity(4))
    const actual = evidenceOnPerson(evidenceOf(beside(design, y)), invert(within))
    expectSameEvidence(actual, denseEvidence(design, y, spreadBy(Matrix.identity(7), design, within)))
  })
})

describe('the two covariances', () => {
  const between = Matrix.from([
    [2, 0.6],
    [0.6, 0.5],
  ])
  const within = Matrix.from([
    [0.4, -0.3],
    [-0.3, 0.8],
  ])
  const mean = [1, -2]

  /** Photos of people with these covariances, each seen with a noise of 0.1. */
  function population(people: number, photos: number): Evidence[][] {
    const random = new Random(3)
    const draw = ({ data }: Matrix) => {
      const [a, b, c] = [data[0]!, data[1]!, data[3]!]
      const [x, z] = [random.normal(), random.normal()]
      return [Math.sqrt(a) * x, (b / Math.sqrt(a)) * x + Math.sqrt(c - (b * b) / a) * z]
    }
    return Array.from({ length: people }, () => {
      const person = draw(between)
      return Array.from({ length: photos }, () => {
        const own = draw(within)
        const y = mean.map((m, i) => m + person[i]! + own[i]! + 0.1 * random.normal())
        return evidenceOf(
          Matrix.from([
            [10, 0, 10 * y[0]!],
            [0, 10, 10 * y[1]!],
          ]),
        )
      })
    })
  }

  const flat = { mean: new Float64Array(2), between: Matrix.identity(2), within: Matrix.identity(2) }

  it('are found from many people', () => {
    const options = { rounds: 30, betweenWeight: 1, withinWeight: 1 }
    const found = twoCovariance(population(400, 4), flat, flat, options)
    expect(distance(found.between.data, between.data)).toBeLessThan(0.12)
    expect(distance(found.within.data, within.data)).toBeLessThan(0.12)
    expect(distance(found.mean, mean)).toBeLessThan(0.12)
  })

  it('stay near what was expected where few people are known', () => {
    const expected = { ...flat, between: diagonal([3, 4]), within: diagonal([5, 6]) }
    const options = { rounds: 4, betweenWeight: 1e6, withinWeight: 1e6 }
    const found = twoCovariance(population(3, 2), flat, expected, options)
    expect(distance(found.between.data, expected.between.data)).toBeLessThan(1e-4)
    expect(distance(found.within.data, expected.within.data)).toBeLessThan(1e-4)
  })

  it('never make what was seen less likely, from one round to the next', () => {
    const photos = population(25, 3)
    const options = { rounds: 1, betweenWeight: 0, withinWeight: 0 }
    let estimate: TwoCovariance = flat
    let before = Number.NEGATIVE_INFINITY
    for (let round = 0; round < 8; round++) {
      const likelihood = photos.reduce((sum, own) => sum + logLikelihood(own, estimate), 0)
      expect(likelihood).toBeGreaterThan(before)
      before = likelihood
      estimate = twoCovariance(photos, estimate, flat, options)
    }
  })

  /** log p of one person's photos, but for what does not depend on the estimate: by the joint normal distribution. */
  function logLikelihood(photos: readonly Evidence[], estimate: TwoCovariance): number {
    const n = 2 * photos.length
    const covariance = new Matrix(n, n)
    const y = new Matrix(n, 1)
    for (const [p, { shift }] of photos.entries())
      for (let i = 0; i < 2; i++) {
        y.data[2 * p + i] = shift[i]! / 100 - estimate.mean[i]!
        for (let q = 0; q < photos.length; q++)
          for (let j = 0; j < 2; j++)
            covariance.data[(2 * p + i) * n + 2 * q + j] =
              estimate.between.at(i, j) + (p === q ? estimate.within.at(i, j) + (i === j ? 0.01 : 0) : 0)
      }
    return -(logDeterminantOf(covariance) + multiply(y, multiply(invert(covariance), y), t).at(0, 0)) / 2
  }

  it('are as symmetric as the faces, once faces are as likely as their mirror images', () => {
    const mirror = diagonal([1, -1])
    const options = { rounds: 3, betweenWeight: 1, withinWeight: 1, mirror }
    const found = twoCovariance(population(30, 3), flat, flat, options)
    expect(found.mean[1]).toBeCloseTo(0, 12)
    expect(found.between.at(0, 1)).toBeCloseTo(0, 12)
    expect(found.within.at(0, 1)).toBeCloseTo(0, 12)
  })
})

function logDeterminantOf(a: Matrix): number {
  const left = a.copy()
  let sum = 0
  for (let k = 0; k < a.rows; k++) {
    sum += Math.log(left.at(k, k))
    for (let i = k + 1; i < a.rows; i++) {
      const factor = left.at(i, k) / left.at(k, k)
      for (let j = k; j < a.rows; j++) left.data[i * a.rows + j]! -= factor * left.at(k, j)
    }
  }
  return sum
}

describe('the evidence of a photo', () => {
  const data = tinySphereModel()
  const dictionary = dictionaryOf(data)
  const scheme = data.schemes.get('tiny12')!
  const rows = landmarkRows(dictionary, data, scheme)
  const width = dictionary.size + data.expressionCount
  const offset = Float32Array.from({ length: 36 }, (_, i) => Math.sin(i))
  const OPTIONS = { noise: 1.5, focalStddev: 0.35, robust: false }

  /** Landmarks of the face (g, e), the offset not included. */
  const faceOf = (coefficients: ArrayLike<number>) =>
    Float64Array.from(rows.mean, (value, row) => {
      let sum = value
      for (let c = 0; c < width; c++) sum += coefficients[c]! * rows.columns[row * width + c]!
      return sum
    })

  const CAMERAS = {
    perspective: { type: 'perspective' as const, focal: 900, principal: [320, 240] as [number, number] },
    weak: { type: 'weak' as const, scale: 1.7, principal: [320, 240] as [number, number] },
  }

  /** Where the camera sees landmarks, in mm at the face's distance as the fit has it. */
  function seen(kind: keyof typeof CAMERAS, landmarks: ArrayLike<number>, pose: readonly number[]): Float64Array {
    const rotation = rotationReference(25, -8, 5)
    const turn = exponential(pose.slice(0, 3))
    const logFocal = pose[6]!
    const pixels: number[] = []
    for (let l = 0; l < scheme.count; l++) {
      const s = [0, 1, 2].map((a) => landmarks[3 * l + a]! + offset[3 * l + a]!)
      const turned = [0, 1, 2].map((a) => [0, 1, 2].reduce((sum, b) => sum + rotation[3 * a + b]! * s[b]!, 0))
      const again = [0, 1, 2].map((a) => [0, 1, 2].reduce((sum, b) => sum + turn[3 * a + b]! * turned[b]!, 0))
      const x = again.map((value, a) => value + [12, -20, 0][a]! + pose[3 + a]!)
      // The distance changes with the focal length: the scale of the face in the image stays.
      const depth = kind === 'weak' ? 1 : 1 + (x[2]! / 650) * Math.exp(-logFocal)
      pixels.push(x[0]! / depth, x[1]! / depth)
    }
    return Float64Array.from(pixels)
  }

  const pixelsPerMm = { perspective: 900 / 650, weak: 1.7 }

  function photoOf(kind: keyof typeof CAMERAS, coefficients: ArrayLike<number>, confidence?: number[]) {
    const camera = CAMERAS[kind]
    const truth = seen(kind, faceOf(coefficients), [0, 0, 0, 0, 0, 0, 0])
    const points = Array.from({ length: scheme.count }, (_, l) => [
      camera.principal[0] + pixelsPerMm[kind] * truth[2 * l]! + Math.cos(3 * l),
      camera.principal[1] + pixelsPerMm[kind] * truth[2 * l + 1]! + Math.sin(5 * l),
    ])
    const observation: Observation = { scheme: 'tiny12', points, ...(confidence && { confidence }) }
    const translation = [12, -20, kind === 'weak' ? 0 : 650]
    const result = { pose: { rotation: rotationReference(25, -8, 5), translation }, camera } as unknown as FitResult
    return { observation, result, points, camera }
  }

  const coefficients = Float64Array.from({ length: width }, (_, c) => 0.4 * Math.cos(2 * c + 1))
  const nothing = [0, 0, 0, 0, 0, 0, 0]

  describe.each(['perspective', 'weak'] as const)('of a %s camera', (kind) => {
    const { observation, result, points, camera } = photoOf(kind, coefficients)
    const face = faceOf(coefficients)
    const shape = Float32Array.from(face)
    const photo = linearisePhoto(observation, result, shape, rows, offset, OPTIONS)

    it('has the residuals of the fit, in mm', () => {
      const predicted = seen(kind, shape, nothing)
      const expected = points.flatMap(([x, y], l) => [
        (x! - camera.principal[0]) / pixelsPerMm[kind] - predicted[2 * l]!,
        (y! - camera.principal[1]) / pixelsPerMm[kind] - predicted[2 * l + 1]!,
      ])
      expect(distance(photo.residual, expected)).toBeLessThan(1e-9)
    })

    it('changes with the face as a perturbed face that is projected', () => {
      const step = 1e-3
      for (let l = 0; l < scheme.count; l++)
        for (let b = 0; b < 3; b++) {
          const [above, below] = [step, -step].map((change) => {
            const moved = Float64Array.from(shape)
            moved[3 * l + b]! += change
            return seen(kind, moved, nothing)
          })
          for (let a = 0; a < 2; a++) {
            const expected = (above![2 * l + a]! - below![2 * l + a]!) / (2 * step)
            expect(photo.projection[6 * l + 3 * a + b]!).toBeCloseTo(expected, 7)
          }
        }
    })

    it('changes with pose and focal length as a face that is moved', () => {
      const step = 1e-4
      for (let c = 0; c < 7; c++) {
        const [above, below] = [step, -step].map((change) => seen(kind, shape, nothing.with(c, change)))
        const expected = above!.map((value, i) => (value - below![i]!) / (2 * step))
        const actual = expected.map((_, row) => photo.pose[7 * row + c]!)
        for (const [row, value] of expected.entries()) expect(actual[row]!).toBeCloseTo(value, 4)
      }
    })

    it('says of (g, e) what the linear model of all of it says, pose integrated out', () => {
      const actual = evidenceOfPhoto(photo, rows, OPTIONS)
      // Everything by differences of projections, densely.
      const whiten = (column: Float64Array) => column.map((value, i) => value * photo.inverseDeviation[i >> 1]!)
      const slope = (at: (change: number) => Float64Array, step: number) => {
        const [above, below] = [at(step), at(-step)]
        return whiten(above.map((value, i) => (value - below[i]!) / (2 * step)))
      }
      const poses = Array.from({ length: 7 }, (_, c) =>
        slope((change) => seen(kind, shape, nothing.with(c, change)), 1e-4),
      )
      const columns = Array.from({ length: width }, (_, c) =>
        slope((change) => {
          const other = coefficients.slice()
          other[c]! += change
          return seen(kind, faceOf(other), nothing)
        }, 1e-3),
      )
      const design = Matrix.from(columns).transpose()
      // The fit predicts the columns times the coefficients that it has, to first order.
      const y = multiply(design, new Matrix(width, 1, coefficients.slice()))
      for (const [i, value] of whiten(photo.residual).entries()) y.data[i]! += value
      const pose = Matrix.from(poses).transpose()
      const all = withPrior(evidenceOf(beside(pose, design, y)), 0, [...new Array(6).fill(1e-9), 1 / 0.35 ** 2])
      const expected = schurComplement(all.information, all.shift, 7)
      expect(distance(actual.information.data, expected.information.data)).toBeLessThan(1e-4)
      expect(distance(actual.shift, expected.shift)).toBeLessThan(1e-4)
    })
  })

  function schurComplement(information: Matrix, shift: Float64Array, k: number) {
    const n = shift.length
    const across = block(information, [k, n], [0, k])
    const gained = multiply(across, invert(block(information, [0, k], [0, k])))
    const rest = addScaled(block(information, [k, n], [k, n]), -1, multiply(gained, across, { transposeB: true }))
    const lost = multiply(gained, new Matrix(k, 1, shift.slice(0, k))).data
    return { information: rest, shift: shift.slice(k).map((value, i) => value - lost[i]!) }
  }

  it('weighs landmarks by confidence and, if robust, by the loss of the fitter', () => {
    const confidence = Array.from({ length: scheme.count }, (_, l) => (l === 2 ? 0 : l === 4 ? 0.25 : 1))
    const { observation, result } = photoOf('weak', coefficients, confidence)
    const shape = Float32Array.from(faceOf(coefficients))
    const plain = linearisePhoto(observation, result, shape, rows, offset, OPTIONS)
    const robust = linearisePhoto(observation, result, shape, rows, offset, { ...OPTIONS, robust: true })
    expect(plain.landmarks).toEqual([0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    const deviation = (l: number) => OPTIONS.noise * rows.noiseFactors[l]!
    expect(plain.inverseDeviation[0]).toBeCloseTo(1 / deviation(0), 6)
    expect(plain.inverseDeviation[3]).toBeCloseTo(0.5 / deviation(4), 6)
    for (const i of plain.landmarks.keys()) {
      const squared =
        (plain.residual[2 * i]! ** 2 + plain.residual[2 * i + 1]! ** 2) / deviation(plain.landmarks[i]!) ** 2
      expect((robust.inverseDeviation[i]! / plain.inverseDeviation[i]!) ** 2).toBeCloseTo(6 / (4 + squared), 6)
    }
  })
})

/** The rotation by a vector, by Rodrigues' formula. */
function exponential([x, y, z]: number[]): number[] {
  const angle = Math.hypot(x!, y!, z!)
  const [s, c] = angle > 0 ? [Math.sin(angle) / angle, (1 - Math.cos(angle)) / angle ** 2] : [1, 0.5]
  const K = [0, -z!, y!, z!, 0, -x!, -y!, x!, 0]
  return K.map((value, i) => {
    const [row, column] = [Math.floor(i / 3), i % 3]
    const squared = [0, 1, 2].reduce((sum, k) => sum + K[3 * row + k]! * K[3 * k + column]!, 0)
    return (row === column ? 1 : 0) + s! * value + c! * squared
  })
}

describe('folding the metric in', () => {
  const data = tinySphereModel()
  const dictionary = dictionaryOf(data)
  const k = dictionary.size
  const statistics = {
    mean: randomMatrix(k, 1, 30, 0.2).data,
    between: addScaled(gram(randomMatrix(8, k, 31, 0.4)), 0.1, Matrix.identity(k)),
    within: addScaled(gram(randomMatrix(8, k, 32, 0.3)), 0.1, Matrix.identity(k)),
  }
  const folded = foldMetric(data, dictionary, statistics)
  const total = addScaled(statistics.between.copy(), 1, statistics.within)
  /** M a M^T */
  const inLatents = (a: Matrix) => multiply(multiply(folded.metric, a), folded.metric, { transposeB: true })

  it('preserves shapes: every face of the dictionary is one of the sphere', () => {
    // What divides latents of unit scale on the sphere: from the prior's spread, which the radius divides as well.
    const basisLength = Math.hypot(...folded.model.identityBasis.subarray(0, dictionary.mean.length))
    const column = invert(folded.metric).column(0)
    const shape = dictionary.mean.map((_, i) =>
      column.reduce((sum, value, r) => sum + value * dictionary.shapes[r * dictionary.mean.length + i]!, 0),
    )
    const radius = basisLength / Math.hypot(...shape)
    for (let face = 0; face < 5; face++) {
      const g = randomMatrix(k, 1, 40 + face)
      const less = addScaled(g.copy(), -1, new Matrix(k, 1, statistics.mean.slice()))
      const z = multiply(folded.metric, less).data.map((value) => value / radius)
      const sine = Math.hypot(...z)
      const actual = decodeTiny(folded.model, [...z, Math.sqrt(1 - sine ** 2)])
      const expected = Float64Array.from(dictionary.mean, (value, i) =>
        g.data.reduce(
          (sum, coefficient, r) => sum + coefficient * dictionary.shapes[r * dictionary.mean.length + i]!,
          value,
        ),
      )
      expect(sine).toBeLessThan(1)
      expect(distance(actual, expected)).toBeLessThan(1e-6)
    }
  })

  it('has latents that vary over photos by the share, independently, and that much of it is the person’s', () => {
    expect(distance(inLatents(total).data, diagonal(folded.shares).data)).toBeLessThan(1e-10)
    const own = diagonal(folded.shares.map((share) => share ** 2))
    expect(distance(inLatents(statistics.between).data, own.data)).toBeLessThan(1e-10)
    expect(folded.variances).toEqual(folded.shares)
  })

  it('writes prior and shares down in the model', () => {
    const { identityPriorFactor, identityPersonShare, identityCount: K } = folded.model
    expect(distance(identityPersonShare!.slice(0, k), folded.shares)).toBeLessThan(1e-6)
    const unit = identityPriorFactor![0]! / Math.sqrt(folded.shares[0]!)
    for (let i = 0; i < k; i++)
      for (let j = 0; j < K; j++)
        expect(identityPriorFactor![i * K + j]).toBeCloseTo(i === j ? unit * Math.sqrt(folded.shares[i]!) : 0, 6)
    expect([...folded.model.identityPriorMean!]).toEqual([...new Array(k).fill(0), 1])
  })

  it('keeps shares off zero where photos of a person differ more than people do', () => {
    const between = diagonal(new Float64Array(k).fill(1e-6))
    const { shares } = foldMetric(data, dictionary, { ...statistics, between })
    expect([...shares]).toEqual(new Array(k).fill(0.02))
  })
})

describe('the map that mirrors faces', () => {
  const data = tinySphereModel()
  const { mean, shapes, size } = dictionaryOf(data)
  const stride = mean.length
  const mirror = data.mirror!
  const reflect = (shape: ArrayLike<number>) =>
    Float32Array.from({ length: stride }, (_, i) => {
      const [v, axis] = [Math.floor(i / 3), i % 3]
      return (axis === 0 ? -1 : 1) * shape[3 * mirror[v]! + axis]!
    })

  it('is exact for a dictionary with the mirror image of each of its shapes', () => {
    const closed = new Float32Array((size + 1) * stride)
    closed.set(shapes)
    closed.set(reflect(shapes.subarray((size - 1) * stride)), size * stride)
    const map = mirrorMap({ mean, shapes: closed, size: size + 1 }, mirror)
    const g = randomMatrix(size + 1, 1, 50)
    const decode = ({ data: coefficients }: Matrix) =>
      Float64Array.from({ length: stride }, (_, i) =>
        coefficients.reduce((sum, value, c) => sum + value * closed[c * stride + i]!, 0),
      )
    expect(distance(decode(multiply(map, g)), reflect(decode(g)))).toBeLessThan(1e-5)
    expect(distance(multiply(map, map).data, Matrix.identity(size + 1).data)).toBeLessThan(1e-4)
    // The last two are each other's images.
    expect(map.at(size, size - 1)).toBeCloseTo(1, 4)
    expect(map.at(size - 1, size - 1)).toBeCloseTo(0, 4)
  })
})

describe('the prior of the expressions', () => {
  const shape = { precision: Matrix.identity(1), mean: new Float64Array(1) }

  it('has mean and spread of expressions that are seen exactly, drawn to the model’s as by thirty photos', () => {
    const expressions = [
      [0.1, -0.2],
      [0.5, 0.4],
      [0.3, 0.1],
    ]
    const photos = expressions.map(([a, b]) =>
      evidenceOf(
        Matrix.from([
          [1, 0, 0, 0],
          [0, 1e5, 0, 1e5 * a!],
          [0, 0, 1e5, 1e5 * b!],
        ]),
      ),
    )
    const start = [0.3, 0.2]
    const now = { mean: Float64Array.of(0, 0), stddev: Float64Array.of(0.3, 0.2) }
    const { mean, stddev } = nextExpressionPrior(photos, shape, now, start)
    for (let e = 0; e < 2; e++) {
      const values = expressions.map((each) => each[e]!)
      const average = values.reduce((sum, value) => sum + value, 0) / 3
      const squares = values.reduce((sum, value) => sum + (value - average) ** 2, 0)
      expect(mean[e]).toBeCloseTo(average, 6)
      expect(stddev[e]).toBeCloseTo(Math.sqrt((squares + 30 * start[e]! ** 2) / 33), 6)
    }
  })

  it('stays what it is where photos say nothing', () => {
    const silent = { information: new Matrix(3, 3), shift: new Float64Array(3), energy: 0 }
    const now = { mean: Float64Array.of(0.1, -0.3), stddev: Float64Array.of(0.3, 0.2) }
    const { mean, stddev } = nextExpressionPrior([silent, silent], shape, now, now.stddev)
    expect(distance(mean, now.mean)).toBeLessThan(1e-12)
    expect(distance(stddev, now.stddev)).toBeLessThan(1e-12)
  })

  it('takes what the face explains for no expression', () => {
    // The landmark moves by face and expression alike; the face varies far more.
    const photos = [1, 3].map((y) => evidenceOf(Matrix.from([[100, 100, 100 * y]])))
    const wide = { precision: diagonal([1e-4]), mean: new Float64Array(1) }
    const now = { mean: new Float64Array(1), stddev: Float64Array.of(0.3) }
    expect(Math.abs(nextExpressionPrior(photos, wide, now, [0.3]).mean[0]!)).toBeLessThan(1e-3)
  })

  it('lets bounds below rest as far as expressions spread, half of a full one at most', () => {
    const bounds = Float32Array.of(0, 1, 0, 1, -1, 1)
    expect([...relaxedBounds(bounds, [0.125, 0.4, 0.4])]).toEqual([-0.3125, 1, -0.5, 1, -1, 1])
  })
})

describe('recentring', () => {
  const context = new MemoryContext()

  /** How far the mean of the fitted faces is from the mean face, mm at the landmarks. */
  async function bias(data: ModelData, observations: readonly Observation[]): Promise<number> {
    using model = SphereFaceModel.fromData(data)
    const fitter = await model.createFitter()
    const expression = new Float32Array(data.expressionCount)
    const scheme = 'ibug68'
    const mean = await model.decode({ identity: data.identityPriorMean!, expression }, { scheme })
    const sum = new Float64Array(mean.length)
    for (const { identity } of await fitter.fit(observations)) {
      const shape = await model.decode({ identity, expression }, { scheme })
      for (let i = 0; i < sum.length; i++) sum[i]! += (shape[i]! - mean[i]!) / observations.length
    }
    return Math.hypot(...sum) / Math.sqrt(sum.length / 3)
  }

  it('moves the offsets until photos average to the mean face, and nothing else', async () => {
    const data = tinySphereModel()
    const scheme = data.schemes.get('ibug68')!
    // A detector that sees all faces longer than they are.
    const offset = Float32Array.from({ length: 3 * scheme.count }, () => 0)
    const biased = { ...data, schemes: new Map(data.schemes).set('ibug68', { ...scheme, offset }) }
    const camera = { type: 'perspective', focal: 1400, principal: [640, 360] } as const
    const observations = Array.from({ length: 24 }, (_, i): LabelledObservation => {
      const { observation } = see(data, 'ibug68', drawFace(data, 60 + i), { yaw: 8 * ((i % 5) - 2), camera })
      const points = (observation.points as number[][]).map(([x, y]) => [x!, y! + 0.03 * (y! - 360)])
      return { ...observation, points, subject: `${i >> 1}` }
    })
    const before = await bias(biased, observations)
    const moved = await recentre(biased, observations, context)
    expect(before).toBeGreaterThan(1)
    expect(await bias(moved, observations)).toBeLessThan(0.5 * before)
    expect({ ...moved, schemes: 0 }).toEqual({ ...biased, schemes: 0 })
    expect(moved.schemes.get('tiny12')).toEqual(biased.schemes.get('tiny12'))
  })
})

describe('calibrating schemes', () => {
  it('finds where a detector puts its landmarks, and which of them stray', async () => {
    const data = tinySphereModel()
    const random = new Random(4)
    const camera = { type: 'perspective', focal: 1400, principal: [640, 360] } as const
    // At 600 mm 7 pixels are 3 mm: the first landmark is always seen lower by as much, the second anywhere.
    const observations = Array.from({ length: 60 }, (_, i) => {
      const { observation } = see(data, 'ibug68', drawFace(data, 160 + i), { yaw: 6 * ((i % 5) - 2), camera })
      const points = (observation.points as number[][]).map(([x, y], l) => {
        const [dx, dy] = l === 0 ? [0, 7] : l === 1 ? [8 * random.normal(), 8 * random.normal()] : [0, 0]
        return [x! + dx! + 0.5 * random.normal(), y! + dy! + 0.5 * random.normal()]
      })
      return { ...observation, points }
    })
    const context = new MemoryContext()
    const calibrated = await calibrateSchemes(data, observations, 2, context)
    const { offset, reliability } = calibrated.schemes.get('ibug68')!
    const lengths = Array.from({ length: 68 }, (_, l) => Math.hypot(...offset!.subarray(3 * l, 3 * l + 3)))
    // Half of what is there in each of two rounds, and down is -Y.
    expect(offset![1]).toBeLessThan(-1.5)
    expect(offset![1]).toBeGreaterThan(-3.2)
    expect(lengths.indexOf(Math.max(...lengths))).toBe(0)
    expect(reliability![1]).toBeCloseTo(0.1, 6)
    expect([...reliability!].filter((value) => value > 0.5).length).toBeGreaterThan(20)
    expect(context.metrics.map(({ stage }) => stage)).toEqual(['calibration', 'calibration'])
    expect({ ...calibrated, schemes: 0 }).toEqual({ ...data, schemes: 0 })
  })
})

describe('what a photo says of the person', () => {
  const D = 5
  const design = randomMatrix(8, D, 70)
  const y = randomMatrix(8, 1, 71)
  const photo = evidenceOf(beside(design, y))
  const packed = ({ information, shift }: Pick<Evidence, 'information' | 'shift'>) => ({
    information: Float32Array.from(
      Array.from({ length: D }, (_, i) => [...information.row(i).subarray(0, i + 1)]).flat(),
    ),
    shift: Float32Array.from(shift),
  })
  const share = [0.9, 0.5, 0.1, 1, 0.02]
  const actual = personPosterior(packed(photo), share)
  const roots = diagonal(share.map(Math.sqrt))
  const own = diagonal(share.map((c) => 1 - c))
  const expected = denseEvidence(multiply(design, roots), y, spreadBy(Matrix.identity(8), design, own))

  it('has the photo’s own deviation integrated out, as normal distributions have', () => {
    expect(distance(actual.information, packed(expected).information)).toBeLessThan(1e-5)
    const scale = actual.shift[0]! / expected.shift[0]!
    expect(scale).toBeGreaterThan(0)
    expect(
      distance(
        actual.shift,
        expected.shift.map((value) => scale * value),
      ),
    ).toBeLessThan(1e-5)
  })

  it('has the length that is expected of it', () => {
    const covariance = invert(addScaled(expected.information.copy(), 1, Matrix.identity(D)))
    const estimate = multiply(covariance, new Matrix(D, 1, Float64Array.from(actual.shift))).data
    let trace = 0
    for (let i = 0; i < D; i++) trace += multiply(covariance, expected.information).at(i, i)
    expect(estimate.reduce((sum, value) => sum + value * value, 0)).toBeCloseTo(trace, 4)
  })

  it('is what it says of the photo where all is the person’s', () => {
    const whole = personPosterior(packed(photo), new Array(D).fill(1))
    expect(distance(whole.information, packed(photo).information)).toBeLessThan(1e-6)
  })

  it('is nothing where the photo says nothing', () => {
    const silent = { information: new Float32Array(15), shift: new Float32Array(D) }
    const { information, shift } = personPosterior(silent, share)
    expect(information.every((value) => value === 0)).toBe(true)
    expect(shift.every((value) => value === 0)).toBe(true)
  })
})
