import { describe, expect, it } from 'vitest'
import { alignFaces, rigidFields } from '../../lib/evaluate/protocols/alignFaces.js'
import { DenseModel } from '../../lib/evaluate/protocols/DenseModel.js'
import { likeliest, onSphere } from '../../lib/evaluate/protocols/likeliest.js'
import { shapeSpaceOf } from '../../lib/evaluate/protocols/ShapeSpace.js'
import { likeliestOnRoundSphere, nearest } from '../../lib/evaluate/protocols/sphereSolutions.js'
import { gram, Matrix, type MatrixLike, multiply, orthonormalise } from '../../lib/linear/index.js'
import { liftingOf, liftLatent } from '../../lib/model/lift.js'
import type { ModelData } from '../../lib/model/ModelData.js'
import { sphereToTangent, tangentToSphere } from '../../lib/model/sphere.js'
import { addScaled } from '../../lib/train/matrices.js'
import { randomMatrix } from '../fixtures/dense.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'
import { foldedTinyModel } from '../fixtures/foldedModel.js'
import { normals, normalVector } from '../fixtures/random.js'
import {
  decodeTiny,
  tinyFullModel,
  tinyGaussianModel,
  tinySphereModel,
  turnedSphereModel,
} from '../fixtures/tinyModel.js'

const MODES = 6
const reference = (data: ModelData) => Float64Array.from(data.mean)

/** [n,3N] of some latents, and expressions. */
function faces(
  data: ModelData,
  latents: readonly ArrayLike<number>[],
  expressions?: readonly number[][],
): Float32Array {
  return Float32Array.from(latents.flatMap((z, i) => Array.from(decodeTiny(data, z, expressions?.[i]))))
}

/** Displacements from the mean, where nothing moves rigidly. */
function displaced(data: ModelData, vertices: Float32Array): MatrixLike {
  const width = data.mean.length
  const rows = vertices.length / width
  return { rows, columns: width, data: vertices.map((value, i) => value - data.mean[i % width]) }
}

describe('alignFaces', () => {
  const data = tinyGaussianModel()
  const shape = reference(data)

  it('takes rigid motion out, and nothing else', () => {
    const [c, s] = [Math.cos(0.7), Math.sin(0.7)]
    const turned = Float32Array.from(shape, (_, i) => {
      const [x, y, z] = [0, 1, 2].map((a) => shape[i - (i % 3) + a]) as [number, number, number]
      return [c * x - s * z + 12, y - 30, s * x + c * z + 400][i % 3]!
    })
    const { rows, columns, data: left } = alignFaces(turned, shape)
    expect([rows, columns]).toEqual([1, shape.length])
    expect(Math.max(...left.map(Math.abs))).toBeLessThan(1e-3)
    const grown = Float32Array.from(shape, (value) => 1.05 * value)
    const squares = Float64Array.from(alignFaces(grown, shape).data).reduce((sum, value) => sum + value * value, 0)
    const centre = [0, 1, 2].map(
      (a) => shape.filter((_, i) => i % 3 === a).reduce((x, y) => x + y) / (shape.length / 3),
    )
    const expected = shape.reduce((sum, value, i) => sum + (0.05 * (value - centre[i % 3]!)) ** 2, 0)
    expect(squares).toBeCloseTo(expected, 3)
  })

  it('leaves small motions to six fields', () => {
    const fields = rigidFields(shape)
    const moved = shape.map((value, i) => value + 0.001 * fields[3 * shape.length + i]! + 0.002 * fields[i]!)
    const left = alignFaces(Float32Array.from(moved), shape).data
    expect(Math.max(...left.map(Math.abs))).toBeLessThan(2e-5)
  })
})

describe('shapeSpaceOf', () => {
  it('finds the same directions, orthogonal and in order, however the latents are turned', () => {
    const [sphere, turned] = [shapeSpaceOf(tinySphereModel()), shapeSpaceOf(turnedSphereModel().data)]
    expect(sphere.fields.rows).toBe(MODES)
    const inner = multiply(sphere.fields, sphere.fields, { transposeB: true })
    for (let i = 0; i < MODES; i++) {
      expect(turned.variances[i]! / sphere.variances[i]!).toBeCloseTo(1, 4)
      if (i > 0) expect(sphere.variances[i]).toBeLessThanOrEqual(sphere.variances[i - 1]!)
      for (let j = 0; j < MODES; j++)
        expect(inner.at(i, j) / sphere.variances[0]!).toBeCloseTo(
          i === j ? sphere.variances[i]! / sphere.variances[0]! : 0,
          5,
        )
    }
    const { radius, scale } = liftingOf(MODES)
    for (const { metric } of [sphere, turned])
      metric!.data.forEach((value, i) => {
        expect(value).toBeCloseTo(i % (MODES + 1) === 0 ? (scale / radius) ** 2 : 0, 6)
      })
    expect(shapeSpaceOf(tinyGaussianModel()).metric).toBeUndefined()
  })

  it.each<[string, ModelData]>([
    ['of the same spread in all directions', tinySphereModel()],
    ['that photos have taught', foldedTinyModel()],
    ['that photos have taught, its mean anywhere', turnedSphereModel(2, foldedTinyModel()).data],
  ])('has the faces of the model %s, and its covariance', (_, data) => {
    const { mean, fields, spread, metric } = shapeSpaceOf(data)
    const D = fields.rows
    const normal = normals(4)
    for (let i = 0; i < 5; i++) {
      const x = normalVector(D, normal)
      const v = multiply(spread, new Matrix(D, 1, x)).data
      const decoded = decodeTiny(data, tangentToSphere(v, data.identityPriorMean!))
      const ours = multiply(new Matrix(1, D, onSphere(x, metric)), fields).data
      ours.forEach((value, k) => {
        expect(mean[k]! + value).toBeCloseTo(decoded[k]!, 4)
      })
    }
    const covariance = gram(spread.transpose())
    const K = data.identityCount
    const factor = new Matrix(K, K, Float64Array.from(data.identityPriorFactor!))
    const trace = (a: Matrix) => Array.from({ length: a.rows }, (_each, k) => a.at(k, k)).reduce((p, q) => p + q)
    expect(trace(covariance)).toBeCloseTo(trace(gram(factor)), 8)
    expect(trace(gram(covariance))).toBeCloseTo(trace(gram(gram(factor.transpose()))), 8)
  })

  it('refuses a sphere with a slack column', () => {
    const data = tinySphereModel()
    const basis = Float32Array.from(data.identityBasis)
    basis.set(basis.subarray(0, data.mean.length), MODES * data.mean.length)
    expectSfmError(() => shapeSpaceOf({ ...data, identityBasis: basis }), 'INVALID_MODEL', /slack column/)
  })
})

describe('quadratics on the near hemisphere', () => {
  const normal = normals(5)
  const s = Float64Array.from({ length: 8 }, (_, k) => 0.1 + 2 ** k)
  const b = Float64Array.from(s, (value) => value * 2 * normal())
  const radius = 3
  const quadratic = (u: Float64Array) =>
    u.reduce((sum, value, k) => sum + 0.5 * s[k]! * value * value - b[k]! * value, 0)

  const round = Matrix.identity(8)
  for (let k = 0; k < 8; k++) round.data[9 * k] = 1 / radius ** 2
  /** Spreads that differ by this factor, in directions of no relation to S, as long as the others on the average. */
  const uneven = (ratio: number) => {
    const axes = randomMatrix(8, 8, 7)
    const { basis } = orthonormalise(axes)
    const spreads = Float64Array.from({ length: 8 }, (_, k) => ratio ** (-k / 7))
    const mean = Math.hypot(...spreads) / Math.sqrt(8)
    const scaled = basis.data.map((value, i) => (value * spreads[i % 8]!) / (mean * radius))
    return gram(new Matrix(8, 8, scaled).transpose())
  }
  const squaredAngle = (x: Float64Array, metric: Matrix) =>
    multiply(new Matrix(1, 8, x), metric).data.reduce((sum, value, k) => sum + value * x[k]!, 0)
  const place = (x: Float64Array, metric: Matrix) => {
    const theta = Math.sqrt(squaredAngle(x, metric))
    return x.map((value) => (value * Math.sin(theta)) / theta)
  }
  const cost = (x: Float64Array, metric: Matrix) =>
    quadratic(place(x, metric)) + x.reduce((sum, value) => sum + 0.5 * value * value, 0)
  const slopeOf = (x: Float64Array, metric: Matrix, h = 1e-4) =>
    x.map((_, k) => {
      const at = (steps: number) =>
        cost(
          x.map((value, i) => value + (i === k ? steps * h : 0)),
          metric,
        )
      return (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * h)
    })

  const SPREADS: [string, Matrix][] = [
    ['round', round],
    ['as uneven as the embedded model', uneven(2.3)],
    ['as uneven as models may be', uneven(7.1)],
    ['of no use', uneven(100)],
  ]

  it.each(SPREADS)('have their likeliest point where the slope is 0 and all others cost more, %s', (_, metric) => {
    const x = likeliest(b, s, metric)
    expect(squaredAngle(x, metric)).toBeLessThan((Math.PI / 2) ** 2)
    for (const slope of slopeOf(x, metric)) expect(Math.abs(slope)).toBeLessThan(1e-8)
    const least = cost(x, metric)
    for (let i = 0; i < 300; i++) {
      const other = x.map((value) => value + 2 * normal())
      if (squaredAngle(other, metric) < (Math.PI / 2) ** 2) expect(cost(other, metric)).toBeGreaterThan(least)
    }
  })

  it.each(SPREADS)('have one likeliest point, from wherever one goes down, %s', (_, metric) => {
    const least = cost(likeliest(b, s, metric), metric)
    const within = (x: Float64Array, furthest: number) => {
      const theta = Math.sqrt(squaredAngle(x, metric))
      return theta > furthest ? x.map((value) => (value * furthest) / theta) : x
    }
    for (let i = 0; i < 10; i++) {
      let x = within(
        normalVector(8, normal).map((value) => 100 * value),
        0.15 * (i + 1),
      )
      let [at, length] = [cost(x, metric), 1]
      for (let steps = 0; steps < 3000 && length > 1e-12; steps++) {
        const slope = slopeOf(x, metric, 1e-6)
        const next = within(
          x.map((value, k) => value - (length * slope[k]!) / (1 + s[k]!)),
          1.57,
        )
        const nextCost = cost(next, metric)
        if (nextCost < at) [x, at, length] = [next, nextCost, 1.5 * length]
        else length /= 4
      }
      expect(at).toBeGreaterThan(least - 1e-9 * Math.abs(least))
      expect(at).toBeLessThan(least + 1e-3 * Math.abs(least))
    }
  })

  it.each([1e-3, 1, 1e3])(
    'have the secular equation’s solution on the round sphere, with information times %d',
    (much) => {
      const [more, seen] = [b.map((value) => much * value), s.map((value) => much * value)]
      const exact = likeliestOnRoundSphere(more, seen, radius)
      const found = likeliest(more, seen, round)
      // As it does for spreads that only just differ.
      const near = likeliest(more, seen, addScaled(round.copy(), 1e-12, uneven(5)))
      exact.forEach((value, k) => {
        expect(Math.abs(found[k]! - value)).toBeLessThan(1e-10 * Math.hypot(...exact))
        expect(near[k]).toBeCloseTo(value, 8)
      })
      exact.forEach((value, k) => {
        const theta = Math.hypot(...exact) / radius
        const u = (value * Math.sin(theta)) / theta
        const weight = theta / (Math.sin(theta) * Math.cos(theta))
        expect(((seen[k]! + weight) * u) / more[k]!).toBeCloseTo(1, 8)
      })
    },
  )

  it('are those of a Gaussian model on a sphere without end', () => {
    const flat = likeliest(b, s)
    flat.forEach((value, k) => {
      expect(value).toBeCloseTo(b[k]! / (s[k]! + 1), 12)
    })
    likeliest(b, s, addScaled(new Matrix(8, 8), 1e-12, uneven(3))).forEach((value, k) => {
      expect(value).toBeCloseTo(flat[k]!, 6)
    })
    const nothing = [Matrix.identity(8), uneven(4)].map((metric) => likeliest(new Float64Array(8), s, metric))
    for (const x of nothing) expect(Array.from(x)).toEqual(new Array(8).fill(0))
  })

  it('have their nearest point within the ball, on its edge where the free one is outside', () => {
    const free = nearest(b, s)
    expect(Math.hypot(...free)).toBeGreaterThan(1)
    expect(nearest(b, s, 1e3)).toEqual(free)
    const edge = nearest(b, s, 1)
    expect(Math.hypot(...edge)).toBeCloseTo(1, 10)
    for (let i = 0; i < 100; i++) {
      const other = edge.map((value) => value + 0.3 * normal())
      const length = Math.hypot(...other)
      expect(quadratic(other.map((value) => (length > 1 ? value / length : value)))).toBeGreaterThan(
        quadratic(edge) - 1e-9,
      )
    }
  })
})

describe('DenseModel', () => {
  const gaussian = tinyGaussianModel()
  const normal = normals(9)
  const latents = Array.from({ length: 12 }, () => Array.from(normalVector(MODES, normal)))
  const unseen = displaced(gaussian, faces(gaussian, latents))

  it('represents its own faces, whatever they are like, and others as well as its modes can', () => {
    const model = new DenseModel(gaussian, { reference: reference(gaussian) })
    const moments = model.moments(unseen)
    for (const error of model.bestFits(moments).errors) expect(error).toBeLessThan(1e-3)
    const errors = Array.from({ length: MODES }, (_, k) => model.bestFits(moments, k + 1))
    errors.forEach((fit, k) => {
      const residuals = model.residuals(unseen, fit)
      fit.errors.forEach((error, i) => {
        const direct = Math.sqrt(residuals.row(i).reduce((sum, value) => sum + value * value, 0) / gaussian.vertexCount)
        expect(error).toBeCloseTo(direct, 3)
        if (k > 0) expect(error).toBeLessThanOrEqual(errors[k - 1]!.errors[i]! + 1e-4)
      })
    })
    expect(errors[0]!.errors[0]).toBeGreaterThan(0.1)
  })

  it('reaches the same on the sphere, up to its edge', () => {
    const near = latents.map((g) => g.map((value) => 0.5 * value))
    const sphere = tinySphereModel()
    const model = new DenseModel(sphere, { reference: reference(sphere) })
    for (const error of model.bestFits(model.moments(displaced(gaussian, faces(gaussian, near)))).errors)
      expect(error).toBeLessThan(1e-3)
    const far = model.bestFits(model.moments(displaced(gaussian, faces(gaussian, [[60, 0, 0, 0, 0, 0]])))).errors[0]!
    expect(far).toBeGreaterThan(10)
  })

  it('reaches the same where spreads differ, up to its edge, and by the modes of its own principal components', () => {
    const data = foldedTinyModel()
    const D = data.identityCount - 1
    const model = new DenseModel(data, { reference: reference(data) })
    const points = Array.from({ length: 8 }, () => {
      const v = normalVector(D, normal)
      return tangentToSphere(
        v.map((value) => (1.4 * value) / Math.hypot(...v)),
        data.identityPriorMean!,
      )
    })
    const own = displaced(data, faces(data, points))
    const moments = model.moments(own)
    for (const error of model.bestFits(moments).errors) expect(error).toBeLessThan(1e-3)
    // Twice as far is no face of the model any more: the nearest is on the edge.
    const beyond = { ...own, data: Float32Array.from(own.data, (value) => 2 * value) }
    const edge = model.bestFits(model.moments(beyond))
    edge.errors.forEach((error, i) => {
      expect(error).toBeGreaterThan(0.5)
      const u = multiply(model.space.spread, new Matrix(D, 1, edge.coefficients.row(i).slice(0, D))).data
      expect(Math.hypot(...u)).toBeCloseTo(1, 6)
    })
    for (let k = 1; k < D; k++) {
      const some = model.bestFits(moments, k)
      some.errors.forEach((error, i) => {
        expect(error).toBeGreaterThanOrEqual(model.bestFits(moments, k + 1).errors[i]! - 1e-4)
        for (const left of some.coefficients.row(i).subarray(k, D)) expect(left).toBe(0)
      })
    }
  })

  it('does not mind where displacements are measured from', () => {
    const other = reference(gaussian).map((value, i) => value + Math.sin(i))
    const [a, b] = [reference(gaussian), other].map((from) => {
      const model = new DenseModel(gaussian, { reference: from, expressions: true })
      const vertices = faces(gaussian, latents)
      const rows = {
        rows: latents.length,
        columns: other.length,
        data: vertices.map((v, i) => v - from[i % from.length]!),
      }
      return model.identities(model.moments(rows), 0.5)
    })
    a!.data.forEach((value, i) => {
      expect(value).toBeCloseTo(b!.data[i]!, 4)
    })
  })

  it('finds the identity that went into a face, with expressions and all', () => {
    const expressions = latents.map((_, i) => [0.1 * (i % 3), 0.2, 0, 0.1])
    const data = tinyFullModel()
    const lifting = liftingOf(MODES)
    const small = latents.map((g) => g.map((value) => 0.4 * value))
    const points = small.map((g) => liftLatent(g, lifting))
    const scans = displaced(data, faces(data, points, expressions))
    const model = new DenseModel(data, { reference: reference(data), expressions: true, within: true })
    const place = new DenseModel(data, { reference: reference(data) })
    const exact = place.identities(place.moments(displaced(data, faces(data, points))), 1e-3)
    const found = model.identities(model.moments(scans), 1e-3)
    found.data.forEach((value, i) => {
      expect(value).toBeCloseTo(exact.data[i]!, 1)
    })
    // At the angle that the point of the sphere has, in standard deviations.
    small.forEach((g, i) => {
      const angle = Math.asin(Math.hypot(...g) / lifting.radius)
      expect(Math.hypot(...exact.row(i))).toBeCloseTo((angle * lifting.radius) / lifting.scale, 2)
    })
  })

  it.each<[string, ModelData]>([
    ['photos have taught the model', foldedTinyModel()],
    ['its mean is anywhere', turnedSphereModel(3, foldedTinyModel()).data],
  ])('finds the embedding that went into a face where %s, asymmetry and all', (_, data) => {
    const mean = data.identityPriorMean!
    const points = Array.from({ length: 6 }, () => {
      const v = normalVector(data.identityCount - 1, normal)
      return tangentToSphere(
        v.map((value) => (0.9 * value) / Math.hypot(...v)),
        mean,
      )
    })
    const vertices = faces(
      data,
      points,
      points.map((_each, i) => [0.1 * (i % 3), 0.2, 0, 0.1]),
    )
    // What is no identity: each face is a little crooked in its own way.
    const within = data.withinIdentityBasis as Float32Array
    expect(within.length).toBeGreaterThan(0)
    vertices.forEach((value, i) => {
      vertices[i] = value + 0.5 * normalAt(i, data.mean.length) * within[i % data.mean.length]!
    })
    const model = new DenseModel(data, { reference: reference(data), expressions: true, within: true })
    const found = model.embeddings(model.identities(model.moments(displaced(data, vertices)), 1e-3))
    points.forEach((z, i) => {
      sphereToTangent(z, mean).forEach((value, k) => {
        expect(found.at(i, k)).toBeCloseTo(value, 2)
      })
    })
  })

  it('finds the likeliest where spreads differ: where the slope of the whole problem is 0', () => {
    const data = foldedTinyModel()
    const [noise, width, D] = [0.9, data.mean.length, data.identityCount - 1]
    const [scan] = rowsOf(unseen.data as Float32Array, width) as [Float64Array]
    const model = new DenseModel(data, { reference: reference(data), expressions: true, within: true })
    const x = model.identities(model.moments({ rows: 1, columns: width, data: scan }), noise)
    const v = model.embeddings(x).row(0)
    const nuisances = [
      ...rowsOf(data.expressionBasis as Float32Array, width).map((row) => row.map((value) => 0.3 * value)),
      ...rowsOf(data.withinIdentityBasis as Float32Array, width),
      ...rowsOf(rigidFields(reference(data)), width),
    ]
    const weights = nuisances.map((_, p) => (p < nuisances.length - 6 ? noise * noise : 0))
    const rest = decodeTiny(data, [...new Array(D).fill(0), 0], data.expressionMean)
    /** In units of the noise, nuisances at their best for v. */
    const costAt = (at: Float64Array) => {
      const face = decodeTiny({ ...data, mean: Float32Array.from(rest) }, tangentToSphere(at, data.identityPriorMean!))
      const left = scan.map((value, i) => value + data.mean[i]! - face[i]!)
      const c = solve(nuisances, left, weights)
      const residual = left.map((value, i) => value - c.reduce((sum, each, p) => sum + each * nuisances[p]![i]!, 0))
      const prior = at.reduce((sum, value, k) => sum + (value / data.identityPriorFactor![k * (D + 2)]!) ** 2, 0)
      const square = residual.reduce((sum, value) => sum + value * value, 0)
      return (square + c.reduce((sum, each, p) => sum + weights[p]! * each * each, 0)) / noise ** 2 / 2 + prior / 2
    }
    expect(Math.hypot(...v)).toBeGreaterThan(0.3)
    const here = costAt(v)
    v.forEach((_, k) => {
      const step = 0.02 * data.identityPriorFactor![k * (D + 2)]!
      const [up, down] = [1, -1].map((sign) =>
        costAt(v.map((value, i) => (i === k ? value + sign * step : value))),
      ) as [number, number]
      // The vertex of the parabola through the three, in standard deviations.
      expect(0.02 * Math.abs((up - down) / (2 * (up + down - 2 * here)))).toBeLessThan(1e-3)
    })
  })

  it('expects expressions where the model has their mean', () => {
    const data = foldedTinyModel()
    const resting = displaced(
      data,
      faces(data, [[...new Array(data.identityCount - 1).fill(0), 1]], [[...data.expressionMean!]]),
    )
    const model = new DenseModel(data, { reference: reference(data), expressions: true, within: true })
    const found = model.identities(model.moments(resting), 2)
    expect(Math.max(...found.data.map(Math.abs))).toBeLessThan(1e-4)
  })

  it('finds the likeliest of a Gaussian model: where the slope of the whole problem is 0', () => {
    const noise = 0.7
    const model = new DenseModel(gaussian, { reference: reference(gaussian), expressions: true })
    const space = shapeSpaceOf(gaussian)
    const scan = unseen.data.subarray(0, unseen.columns) as Float32Array
    const x = model.identities(model.moments({ rows: 1, columns: unseen.columns, data: scan }), noise).row(0)
    // With x known, the rest is linear: its best fit by all columns, priors included, must not pull x anywhere.
    const columns = [
      ...rowsOf(space.fields.data, unseen.columns),
      ...rowsOf(gaussian.expressionBasis as Float32Array, unseen.columns).map((row) => row.map((v) => 0.3 * v)),
      ...rowsOf(rigidFields(space.mean), unseen.columns),
    ]
    const weights = columns.map((_, p) => (p < columns.length - 6 ? 1 : 0))
    const c = solve(
      columns,
      scan,
      weights.map((w) => w * noise * noise),
    )
    c.slice(0, MODES).forEach((value, k) => {
      expect(x[k]).toBeCloseTo(value, 3)
    })
  })

  it('tells the noise of scans', () => {
    const noisy = { ...unseen, data: Float32Array.from(unseen.data, (value) => value + 0.3 * normal()) }
    const model = new DenseModel(gaussian, { reference: reference(gaussian) })
    expect(model.noise(model.moments(noisy))).toBeGreaterThan(0.26)
    expect(model.noise(model.moments(noisy))).toBeLessThan(0.31)
  })
})

/** A number of its own for each face of so many coordinates. */
const normalAt = (i: number, width: number) => Math.cos(3 * Math.floor(i / width) + 1)

function rowsOf(data: Float32Array | Float64Array, width: number): Float64Array[] {
  return Array.from({ length: data.length / width }, (_, i) =>
    Float64Array.from(data.subarray(i * width, (i + 1) * width)),
  )
}

/** (C C^T + diag(weights))^-1 C y by Gaussian elimination. */
function solve(columns: Float64Array[], y: ArrayLike<number>, weights: number[]): number[] {
  const inner = (a: ArrayLike<number>, b: ArrayLike<number>) =>
    Array.from(a, (v, i) => v * b[i]!).reduce((p, q) => p + q, 0)
  const rows = columns.map((a, i) => [...columns.map((b, j) => inner(a, b) + (i === j ? weights[i]! : 0)), inner(a, y)])
  for (const [i, row] of rows.entries())
    for (const other of rows) {
      if (other === row) continue
      const factor = other[i]! / row[i]!
      for (let j = i; j < row.length; j++) other[j]! -= factor * row[j]!
    }
  return rows.map((row, i) => row.at(-1)! / row[i]!)
}
