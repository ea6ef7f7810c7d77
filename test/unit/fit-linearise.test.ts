import { describe, expect, it } from 'vitest'
import { type Linearisation, linearise, POSE_COLUMNS } from '../../lib/fit/linearise.js'
import type { Observation } from '../../lib/fit/Observation.js'
import type { ModelData } from '../../lib/model/ModelData.js'
import { SphereFaceModel } from '../../lib/model/SphereFaceModel.js'
import { tangentToSphere } from '../../lib/model/sphere.js'
import { bits } from '../fixtures/bits.js'
import { expectSfmRejection } from '../fixtures/expectSfmError.js'
import { disturb, drawFace, see } from '../fixtures/observe.js'
import {
  decodeLandmarksReference,
  landmarksReference,
  projectReference,
  rotationReference,
  transformReference,
} from '../fixtures/reference.js'
import { tinyFullModel, tinyGaussianModel } from '../fixtures/tinyModel.js'

const HD = { type: 'perspective', focal: 1400, principal: [640, 360] } as const
const WEAK = { type: 'weak', scale: 2.1, principal: [300, 310] } as const
const SCHEME = 'ibug68'

/** The tiny models, with nuisances at the larger scheme as well. */
function model(kind: 'sphere' | 'gaussian'): ModelData {
  const data = kind === 'sphere' ? tinyFullModel() : tinyGaussianModel()
  const scheme = data.schemes.get(SCHEME)!
  const noiseFactor = Float32Array.from({ length: 2 * 3 * scheme.count }, (_, i) => Math.cos(1.7 * i))
  return { ...data, schemes: new Map([[SCHEME, { ...scheme, noiseFactor }]]) }
}

/** One of each kind, with a gap, a weak landmark and an outlier. */
function observations(data: ModelData): Observation[] {
  const face = drawFace(data, 4, 0.5)
  const noisy = (observation: Observation) => {
    const points = disturb(observation.points as number[][], 2, 5) as Array<number[] | null>
    points[3] = null
    points[9]![0]! += 40
    const confidence = Float32Array.from({ length: points.length }, (_, l) => (l === 5 ? 0.25 : l === 6 ? 0 : 1))
    return { ...observation, points, confidence, noise: 2 }
  }
  const known = see(data, SCHEME, face, { yaw: 20, pitch: -6, camera: HD }).observation
  const { focal: _, ...unknown } = { ...known.camera }
  const landmarks = decodeLandmarksReference(data, data.schemes.get(SCHEME)!, face.identity, face.expression)
  const inSpace = transformReference(landmarks, { rotation: rotationReference(15, 5, 160), translation: [9, 80, 900] })
  const scan = Array.from({ length: inSpace.length / 3 }, (_, l) => [...inSpace.subarray(3 * l, 3 * l + 3)])
  return [
    known,
    { ...known, camera: unknown },
    see(data, SCHEME, face, { yaw: -30, camera: WEAK }).observation,
    { scheme: SCHEME, points: scan },
  ].map(noisy)
}

/** What every landmark moves by, [L,3] mm, for each of the rows [count,N,3] or [count,L,3] of a basis. */
function rowsAtLandmarks(data: ModelData, basis: ArrayLike<number>, count: number): Float64Array[] {
  const scheme = data.schemes.get(SCHEME)!
  const row = basis.length / count
  return Array.from({ length: count }, (_, c) => {
    const values = Float64Array.from({ length: row }, (_, i) => basis[c * row + i]!)
    return row === 3 * scheme.count ? values : landmarksReference(values, scheme)
  })
}

/** sum_i (G_i delta_i)^T r_i: the gradient along a displacement delta [L,3] of the landmarks. */
function along({ derivatives, residuals }: Linearisation, delta: ArrayLike<number>): number {
  const d = residuals.length / (delta.length / 3)
  return residuals.reduce((sum, r, row) => {
    const landmark = Math.floor(row / d)
    return [0, 1, 2].reduce((s, b) => s + derivatives[3 * row + b]! * delta[3 * landmark + b]! * r, sum)
  }, 0)
}

/** The landmarks [L,3] of tangent coordinates v, expression and nuisances. */
function shape(data: ModelData, v: ArrayLike<number>, linear: Linearisation): Float64Array {
  const scheme = data.schemes.get(SCHEME)!
  const D = v.length
  const r = Math.sqrt(D / (data.identityPriorFactor?.reduce((sum, value) => sum + value * value, 0) ?? D))
  const z = data.identityPriorMean
    ? tangentToSphere(
        Float64Array.from(v, (value) => value / r),
        data.identityPriorMean,
      )
    : v
  const landmarks = decodeLandmarksReference(data, scheme, z, linear.expression)
  const within = data.withinIdentityBasis ?? new Float32Array(0)
  const rows = [
    ...rowsAtLandmarks(data, within as Float32Array, within.length / data.mean.length),
    ...rowsAtLandmarks(data, scheme.noiseFactor!, 2),
  ]
  for (const [q, row] of rows.entries())
    for (let i = 0; i < landmarks.length; i++) landmarks[i]! += linear.nuisances[q]! * row[i]!
  return landmarks
}

describe.each(['sphere', 'gaussian'] as const)('a linearisation of a %s model', async (kind) => {
  const data = model(kind)
  using own = SphereFaceModel.fromData(data)
  const fitter = await own.createFitter({ costTolerance: 1e-13, maxIterations: 200 })
  const seen = observations(data)
  const linearisations = await linearise(fitter, seen)
  const each = (check: (linear: Linearisation, observation: Observation) => void) => () => {
    for (const [i, linear] of linearisations.entries()) check(linear, seen[i]!)
  }

  it(
    'has the sizes that are documented',
    each((linear, { points }) => {
      const L = points.length
      const d = linear.dimensions
      expect(d).toBe((points[0] as number[]).length)
      expect(linear.result.status).toBe('converged')
      expect([...linear.landmarks]).toEqual(Array.from({ length: L }, (_, l) => l).filter((l) => l !== 3 && l !== 6))
      expect(linear.identity).toHaveLength(6)
      expect(linear.nuisances).toHaveLength(kind === 'sphere' ? 4 : 2)
      expect(linear.expression).toHaveLength(4)
      expect(linear.bounds).toHaveLength(4)
      expect(linear.weights).toHaveLength(L)
      expect(linear.derivatives).toHaveLength(L * d * 3)
      expect(linear.poseColumns).toHaveLength(L * d * POSE_COLUMNS)
      expect(linear.residuals).toHaveLength(L * d)
      expect(linear.bareResiduals).toHaveLength(L * d)
      expect(linear.derivatives.subarray(3 * d * 3, 3 * d * 4).every((value) => value === 0)).toBe(true)
      expect(linear.nuisances.every((value) => value !== 0)).toBe(true)
    }),
  )

  it(
    'has the residuals of its fit, whitened',
    each((linear) => {
      const { result, weights, bareResiduals, dimensions: d } = linear
      for (const l of linear.landmarks) {
        const distance = Math.hypot(...bareResiduals.subarray(d * l, d * l + d)) / weights[l]!
        expect(distance).toBeCloseTo(result.residuals[l]!, 4)
      }
      // The outlier weighs little, and the landmark of a quarter of the confidence half as much as its neighbours at most.
      expect(result.outliers).toEqual([9])
      expect(weights[9]).toBeLessThan(0.3 * weights[10]!)
      expect(weights[5]).toBeLessThan(0.75 * Math.max(...weights))
    }),
  )

  it(
    'predicts what its points would be seen as when they move',
    each(({ derivatives, weights, dimensions: d, landmarks, result }, _) => {
      const { rotation, translation } = result.pose
      const at = [13, -21, 60]
      const image = (point: number[]) => {
        const x = transformReference(point, { rotation, translation })
        return result.camera ? projectReference(x, result.camera as never) : x
      }
      // Only weak perspective and scans are linear in the point, so that any point has the same derivatives.
      if (result.camera?.type === 'perspective') return
      for (const l of landmarks)
        for (let b = 0; b < 3; b++) {
          const moved = [...at]
          moved[b]! += 1
          const [before, after] = [image(at), image(moved)]
          for (let a = 0; a < d; a++)
            expect(derivatives[3 * (d * l + a) + b]! / weights[l]!).toBeCloseTo(after[a]! - before[a]!, 8)
        }
    }),
  )

  it(
    'is stationary in every unknown that is free',
    each((linear, { camera, image }) => {
      const { poseColumns, residuals, result } = linear
      for (let c = 0; c < POSE_COLUMNS; c++) {
        let gradient = residuals.reduce((sum, r, row) => sum + r * poseColumns[POSE_COLUMNS * row + c]!, 0)
        const isFocal = c === 6 && result.camera?.type === 'perspective' && camera?.focal === undefined
        const size = Math.sqrt(residuals.reduce((sum, _, row) => sum + poseColumns[POSE_COLUMNS * row + c]! ** 2, 0))
        if (isFocal) gradient += Math.log((result.camera as typeof HD).focal / (1.2 * image!.width)) / 0.35 ** 2
        else if (c === 6) expect(size).toBe(0)
        expect(Math.abs(gradient)).toBeLessThan(1e-5 * (1 + size))
      }
      const within = (data.withinIdentityBasis ?? new Float32Array(0)) as Float32Array
      const nuisances = [
        ...rowsAtLandmarks(data, within, within.length / data.mean.length),
        ...rowsAtLandmarks(data, data.schemes.get(SCHEME)!.noiseFactor!, 2),
      ]
      for (const [q, row] of nuisances.entries())
        expect(Math.abs(along(linear, row) + linear.nuisances[q]!)).toBeLessThan(1e-5)
      const expressions = rowsAtLandmarks(data, data.expressionBasis, 4)
      for (const [e, row] of expressions.entries()) {
        const gradient = along(linear, row) + linear.expression[e]! / data.expressionStddev[e]! ** 2
        // At a bound the cost would only fall beyond it.
        if (linear.bounds[e] === 0) expect(Math.abs(gradient)).toBeLessThan(1e-4)
        else expect(Math.sign(gradient)).toBe(-linear.bounds[e]!)
        expect(linear.expression[e]).toBeCloseTo(result.expressionValues[e]!, 6)
      }
      const step = 1e-4
      for (let k = 0; k < 6; k++) {
        const shifted = (h: number) =>
          shape(
            data,
            linear.identity.map((value, i) => (i === k ? value + h : value)),
            linear,
          )
        const [high, low] = [shifted(step), shifted(-step)]
        const delta = high.map((value, i) => (value - low[i]!) / (2 * step))
        expect(Math.abs(along(linear, delta) + linear.identity[k]!)).toBeLessThan(1e-4)
      }
    }),
  )

  it('is that of the fit as ever, where double precision is not asked for', async () => {
    using same = SphereFaceModel.fromData(data)
    const usual = await same.createFitter()
    const results = await usual.fit(seen)
    for (const [i, linear] of (await linearise(usual, seen, { precise: false })).entries()) {
      // Without nuisances to drop, nothing settles anew.
      if (linear.nuisances.length > 0)
        expect(Array.from(linear.result.identity)).toEqual(Array.from(results[i]!.identity))
      else expect(bits(linear.result)).toBe(bits(results[i]!))
      const exact = linearisations[i]!
      expect(linear.identity.every((value, k) => Math.abs(value - exact.identity[k]!) < 5e-3)).toBe(true)
    }
  })
})

describe('linearise', () => {
  it('keeps order, labels and schemes apart, and lets faces fail', async () => {
    const data = model('sphere')
    using own = SphereFaceModel.fromData(data)
    const fitter = await own.createFitter()
    const [a, , c, d] = observations(data)
    const few = { ...a!, points: (a!.points as number[][]).map((point, l) => (l < 4 ? point : null)) }
    const all = [
      { ...d!, id: 'scan' },
      { ...few, id: 'few' },
      { ...c!, id: 'weak' },
      { ...a!, id: 'photo' },
    ]
    const results = await linearise(fitter, all)
    expect(results.map(({ result }) => result.id)).toEqual(['scan', 'few', 'weak', 'photo'])
    expect(results.map(({ result }) => result.status)).toEqual(['converged', 'failed', 'converged', 'converged'])
    expect(results[1]!.landmarks).toHaveLength(0)
    expect(results[1]!.derivatives.every((value) => value === 0)).toBe(true)
    expect(await linearise(fitter, [])).toEqual([])
    const one = await linearise(fitter, [{ ...a!, id: 'photo' }])
    expect(one[0]!.derivatives).toEqual(results[3]!.derivatives)
  })

  it('refuses and aborts as a fit does', async () => {
    const data = model('sphere')
    using own = SphereFaceModel.fromData(data)
    const fitter = await own.createFitter()
    await expectSfmRejection(linearise(fitter, [{ scheme: 'x', points: [] }]), 'UNKNOWN_SCHEME')
    const signal = AbortSignal.abort()
    await expectSfmRejection(linearise(fitter, observations(data), { signal }), 'ABORTED')
    fitter.dispose()
    await expectSfmRejection(linearise(fitter, []), 'DISPOSED')
  })
})
