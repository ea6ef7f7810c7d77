import { describe, expect, it } from 'vitest'
import type { FitterOptions } from '../../lib/fit/Fitter.js'
import type { Observation } from '../../lib/fit/Observation.js'
import { noiseFactors } from '../../lib/model/noiseFactors.js'
import { sphereToTangent, tangentToSphere } from '../../lib/model/sphere.js'
import { scansOnlyModel } from '../fixtures/models.js'
import { disturb, drawFace, type Face, isPresent, type Seen, see, type View } from '../fixtures/observe.js'
import { normals } from '../fixtures/random.js'
import { landmarkRows, median, rootMeanSquare, transformReference } from '../fixtures/reference.js'

/** A face in it is some 400 pixels high at this distance. */
const CAMERA = { type: 'perspective', focal: 1400, principal: [640, 360] } as const
const DISTANCE = 630
const FACES = 24

const model = await scansOnlyModel()
const { data } = model

/** A face of the prior, expression included. */
function priorFace(seed: number, bounded = true): Face {
  const face = drawFace(data, seed)
  const normal = normals(seed + 5000)
  return {
    identity: face.identity,
    expression: face.expression.map((_, e) => {
      const value = normal() * data.expressionStddev[e]!
      return bounded
        ? Math.min(data.expressionBounds[2 * e + 1]!, Math.max(data.expressionBounds[2 * e]!, value))
        : value
    }),
  }
}

const moderate = (i: number): Omit<View, 'camera'> => ({
  yaw: ((i * 37) % 100) - 50,
  pitch: ((i * 13) % 40) - 20,
  roll: ((i * 7) % 30) - 15,
})
const extreme = (i: number) => ({ ...moderate(i), yaw: i % 2 ? 75 : -75 })

function draw(scheme: string, view: (i: number) => Omit<View, 'camera'>, bounded = true, count = FACES): Seen[] {
  return Array.from({ length: count }, (_, i) =>
    see(data, scheme, priorFace(i, bounded), { distance: DISTANCE, ...view(i), camera: CAMERA }),
  )
}

async function fitAll(
  seen: readonly Seen[],
  options: FitterOptions,
  change: (o: Seen, i: number) => Partial<Observation>,
) {
  const fitter = await model.createFitter(options)
  return fitter.fit(seen.map((each, i) => ({ ...each.observation, ...change(each, i) })))
}

/** Root mean square distance of the neutral faces, in mm over all vertices. */
function neutralError({ identity }: { identity: ArrayLike<number> }, { face }: Seen): number {
  const [fitted, drawn] = [model.decodeSync({ identity }), model.decodeSync({ identity: face.identity })]
  return Math.sqrt(3) * rootMeanSquare(fitted.map((value, i) => value - drawn[i]!))
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

function angleBetween(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [difference, sum] = [0, 0]
  for (let i = 0; i < a.length; i++) {
    difference += (a[i]! - b[i]!) ** 2
    sum += (a[i]! + b[i]!) ** 2
  }
  return 2 * Math.atan2(Math.sqrt(difference), Math.sqrt(sum))
}

/** How far one rotation is from another, in degrees. */
function turnBetween(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const trace = Array.from(a).reduce((sum, value, i) => sum + value * b[i]!, 0)
  return (Math.acos(Math.min(1, Math.max(-1, (trace - 1) / 2))) * 180) / Math.PI
}

describe('exact landmarks', () => {
  it.each([
    ['mediapipe478, moderate poses', 'mediapipe478', moderate, {}],
    ['mediapipe478, 75 degrees of yaw', 'mediapipe478', extreme, {}],
    // Where 68 points hardly determine 100 modes the last hundredth of a pixel takes its time.
    ['ibug68, moderate poses', 'ibug68', moderate, { maxIterations: 300, costTolerance: 1e-9 }],
    ['ibug68, 75 degrees of yaw', 'ibug68', extreme, { maxIterations: 300, costTolerance: 1e-9 }],
  ] as const)('are met to 0.01 px: %s', async (_, scheme, view, options) => {
    const results = await fitAll(draw(scheme, view), options, () => ({ noise: 0.01 }))
    for (const result of results) {
      expect(result).toMatchObject({ status: 'converged', usable: true })
      expect(result.rmse).toBeLessThan(0.01)
    }
  })

  it('68 of them, mostly within the usual number of iterations as well', async () => {
    const results = await fitAll(draw('ibug68', moderate), {}, () => ({ noise: 0.01 }))
    expect(results.every(({ usable }) => usable)).toBe(true)
    expect(results.filter(({ rmse }) => rmse! < 0.01).length).toBeGreaterThanOrEqual(0.8 * FACES)
    expect(median(results.map(({ rmse }) => rmse!))).toBeLessThan(0.003)
  })

  it('of a dense scheme determine the neutral shape, be they in an image or of a scan', async () => {
    const seen = draw('mediapipe478', moderate)
    const image = await fitAll(seen, {}, () => ({ noise: 0.01 }))
    const scans = seen.map(({ landmarks, pose }) => {
      const points = transformReference(landmarks, pose)
      return Array.from({ length: 478 }, (_, l) => (l < 468 ? [...points.subarray(3 * l, 3 * l + 3)] : null))
    })
    const fitter = await model.createFitter()
    const solid = await fitter.fit(scans.map((points) => ({ scheme: 'mediapipe478', points, noise: 0.01 })))
    for (const [i, each] of seen.entries()) {
      expect(neutralError(image[i]!, each)).toBeLessThan(0.01)
      expect(neutralError(solid[i]!, each)).toBeLessThan(0.01)
      expect(turnBetween(image[i]!.pose.rotation, each.pose.rotation)).toBeLessThan(0.01)
      expect(turnBetween(solid[i]!.pose.rotation, each.pose.rotation)).toBeLessThan(0.01)
      // Pose and camera of the image are those that drew it.
      expect(image[i]!.pose.translation[2]! / DISTANCE).toBeCloseTo(1, 3)
    }
  })

  it('of a sparse scheme determine it as far as the posterior says', async () => {
    const seen = draw('ibug68', moderate)
    const results = await fitAll(seen, { maxIterations: 100 }, () => ({ noise: 0.01 }))
    const ratios = results.map((result, i) => {
      const angle = angleBetween(result.identity, seen[i]!.face.identity)
      return angle / result.identity_uncertainty!
    })
    for (const ratio of ratios) expect(ratio).toBeLessThan(2)
    expect(rootMeanSquare(ratios)).toBeLessThan(1.1)
    // Most of what 100 modes can do is seen by 68 landmarks: the mean face is some 6 mm off.
    const average = { identity: data.identityPriorMean! }
    const far = median(seen.map((each) => neutralError(average, each)))
    expect(median(results.map((result, i) => neutralError(result, seen[i]!)))).toBeLessThan(far / 3)
  })
})

describe('an unknown focal length', () => {
  it.each(['ibug68', 'mediapipe478'])('%s: is estimated along with everything else', async (scheme) => {
    const seen = draw(scheme, moderate)
    const unknown = { camera: { type: 'perspective' as const }, noise: 0.01 }
    const results = await fitAll(seen, { maxIterations: 200 }, () => unknown)
    const ratios = results.map(({ camera }) => (camera as { focal: number }).focal / CAMERA.focal)
    for (const result of results) {
      expect(result).toMatchObject({ status: 'converged', usable: true })
      expect(result.rmse).toBeLessThan(0.01)
    }
    const tolerance = scheme === 'ibug68' ? 0.35 : 0.01
    for (const ratio of ratios) expect(Math.abs(Math.log(ratio))).toBeLessThan(tolerance)
    expect(Math.abs(Math.log(median(ratios)))).toBeLessThan(tolerance / 5)
  })
})

/** Noise of a pixel on good landmarks, and of as much more on others as their reliability says. */
function noisy({ observation }: Seen, seed: number): Partial<Observation> {
  const factors = noiseFactors(data.schemes.get(observation.scheme)!)
  const points = disturb(observation.points, 1, seed).map((point, l) =>
    point === null
      ? null
      : point.map((value, a) => {
          const exact = observation.points[l]![a]!
          return exact + factors[l]! * (value - exact)
        }),
  )
  return { points, noise: 1 }
}

describe('landmarks with a pixel of noise', () => {
  it.each([
    ['least squares, no bounds', { robust: false, boundExpression: false }, false],
    ['as it comes', {}, true],
  ] as const)('leave the residual that is to be expected: %s', async (_, options, bounded) => {
    for (const view of [moderate, extreme]) {
      const seen = draw('ibug68', view, bounded, 120)
      const factors = noiseFactors(data.schemes.get('ibug68')!)
      const results = await fitAll(seen, options, noisy)
      // In units of each landmark's own noise.
      const squares = results.map(
        ({ residuals }) => rootMeanSquare(residuals.map((value, l) => value / factors[l]!)) ** 2,
      )
      // A few faces tell well enough how many parameters a face takes.
      const few = seen.filter((_, i) => i % 12 === 0)
      // An expression that stands at a bound may only go one way: half a parameter.
      const used = few.map((each) => (parametersUsed(each, 1, bounded) + parametersUsed(each, 1, false)) / 2)
      const expected = Math.sqrt((2 * 68 - mean(used)) / 68)
      expect(Math.abs(Math.sqrt(mean(squares)) / expected - 1)).toBeLessThan(0.05)
    }
  })

  it('leave the uncertainty that the posterior says', async () => {
    for (const scheme of ['ibug68', 'mediapipe478']) {
      const seen = draw(scheme, moderate)
      const results = await fitAll(seen, {}, noisy)
      const ratios = results.map(
        (result, i) => angleBetween(result.identity, seen[i]!.face.identity) / result.identity_uncertainty!,
      )
      expect(rootMeanSquare(ratios)).toBeGreaterThan(0.8)
      expect(rootMeanSquare(ratios)).toBeLessThan(1.15)
    }
  })

  it.each(['ibug68', 'mediapipe478'])('%s: need no tuning at 75 degrees of yaw', async (scheme) => {
    const seen = draw(scheme, extreme)
    for (const camera of [CAMERA, { type: 'perspective' as const }]) {
      const results = await fitAll(seen, {}, (each, i) => ({ points: disturb(each.observation.points, 1, i), camera }))
      for (const [i, result] of results.entries()) {
        expect(result).toMatchObject({ status: 'converged', usable: true })
        expect(result.rmse).toBeLessThan(2.5)
        expect(turnBetween(result.pose.rotation, seen[i]!.pose.rotation)).toBeLessThan(4)
        expect(Math.sign(result.pose.yaw)).toBe(i % 2 ? 1 : -1)
      }
    }
  })
})

/**
 * How many parameters a fit effectively spends on a face's landmarks, tr(H^-1 J^T J): the whole number for what the landmarks alone
 * determine, next to nothing for what the prior alone does. So many degrees of freedom the residuals lose.
 *
 * @param inside Leaves out the expressions that stand at a bound.
 */
function parametersUsed({ observation, face, pose, landmarks }: Seen, sigma: number, inside: boolean): number {
  const scheme = data.schemes.get(observation.scheme)!
  const { identity, expression } = landmarkRows(data, scheme)
  const factors = noiseFactors(scheme)
  const free = Array.from(face.expression.keys()).filter(
    (e) =>
      !inside ||
      (face.expression[e]! > data.expressionBounds[2 * e]! && face.expression[e]! < data.expressionBounds[2 * e + 1]!),
  )
  // d(identity)/d(normal coordinates), in units of the prior's standard deviation.
  const D = data.identityCount - 1
  const stddev = Math.sqrt(data.identityPriorFactor!.reduce((sum, value) => sum + value * value, 0) / D)
  const v = sphereToTangent(face.identity, data.identityPriorMean!)
  const chart = Array.from({ length: D }, (_, d) => {
    const step = 1e-5
    const at = (h: number) =>
      tangentToSphere(
        v.map((value, i) => value + (i === d ? h : 0)),
        data.identityPriorMean!,
      )
    const [plus, minus] = [at(step), at(-step)]
    return plus.map((value, i) => ((value - minus[i]!) / (2 * step)) * stddev)
  })

  const n = D + free.length + 6
  const gram = new Float64Array(n * n)
  const inCamera = transformReference(landmarks, pose)
  for (let l = 0; l < scheme.count; l++) {
    if (!isPresent(scheme, l)) continue
    const [x, y, z] = [...inCamera.subarray(3 * l, 3 * l + 3)] as [number, number, number]
    const turned = [0, 1, 2].map((axis) => [x, y, z][axis]! - pose.translation[axis]!)
    for (const row of [
      [CAMERA.focal / z, 0, (-CAMERA.focal * x) / z ** 2],
      [0, CAMERA.focal / z, (-CAMERA.focal * y) / z ** 2],
    ]) {
      const inModel = [0, 1, 2].map((c) => row.reduce((sum, value, a) => sum + value * pose.rotation[3 * a + c]!, 0))
      const along = (basis: Float64Array, k: number) => {
        const at = (k * scheme.count + l) * 3
        return inModel[0]! * basis[at]! + inModel[1]! * basis[at + 1]! + inModel[2]! * basis[at + 2]!
      }
      const perLatent = Float64Array.from({ length: data.identityCount }, (_, k) => along(identity, k))
      const jacobian = [
        ...chart.map((column) => column.reduce((sum, value, k) => sum + value * perLatent[k]!, 0)),
        ...free.map((e) => along(expression, e) * data.expressionStddev[e]!),
        // omega x X, then the translation.
        row[2]! * turned[1]! - row[1]! * turned[2]!,
        row[0]! * turned[2]! - row[2]! * turned[0]!,
        row[1]! * turned[0]! - row[0]! * turned[1]!,
        ...row,
      ].map((value) => value / (sigma * factors[l]!))
      for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) gram[i * n + j]! += jacobian[i]! * jacobian[j]!
    }
  }
  // n - tr(H^-1 P), with P = 1 for what has a prior.
  const hessian = gram.map((value, i) => value + (i % (n + 1) === 0 && i / (n + 1) < n - 6 ? 1 : 0))
  return (
    n -
    inverseDiagonal(hessian, n)
      .subarray(0, n - 6)
      .reduce((sum, value) => sum + value, 0)
  )
}

/** The diagonal of the inverse of a symmetric positive definite matrix, of which the lower half is given: the squared columns of its Cholesky factor's inverse. */
function inverseDiagonal(matrix: Float64Array, n: number): Float64Array {
  const l = matrix.slice()
  for (let j = 0; j < n; j++) {
    for (let i = j; i < n; i++) {
      let sum = l[i * n + j]!
      for (let k = 0; k < j; k++) sum -= l[i * n + k]! * l[j * n + k]!
      l[i * n + j] = i === j ? Math.sqrt(sum) : sum / l[j * n + j]!
    }
  }
  const diagonal = new Float64Array(n)
  const column = new Float64Array(n)
  for (let c = 0; c < n; c++) {
    column.fill(0)
    for (let i = c; i < n; i++) {
      let sum = i === c ? 1 : 0
      for (let k = c; k < i; k++) sum -= l[i * n + k]! * column[k]!
      column[i] = sum / l[i * n + i]!
      diagonal[c]! += column[i]! ** 2
    }
  }
  return diagonal
}
