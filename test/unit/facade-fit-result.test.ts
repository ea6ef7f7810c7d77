import { afterAll, describe, expect, it } from 'vitest'
import type { FitResult } from '../../lib/fit/FitResult.js'
import type { Observation } from '../../lib/fit/Observation.js'
import type { ModelData } from '../../lib/model/ModelData.js'
import { sphereToTangent } from '../../lib/model/sphere.js'
import { defaultModel, TINY_MODELS, tinyModel } from '../fixtures/models.js'
import { disturb, drawFace, isPresent, see, type View } from '../fixtures/observe.js'
import {
  decodeLandmarksReference,
  decodeReference,
  largestDifference,
  projectReference,
  rootMeanSquare,
  rotationReference,
  transformReference,
} from '../fixtures/reference.js'

const HD = { type: 'perspective', focal: 1400, principal: [640, 360] } as const
const WEAK = { type: 'weak', scale: 2.1, principal: [300, 310] } as const

/** Distances of the landmarks from a fit's own face, computed anew from what the result says. */
function residualsReference(data: ModelData, { scheme: name, points }: Observation, result: FitResult): number[] {
  const scheme = data.schemes.get(name)!
  const decoded = decodeLandmarksReference(data, scheme, result.identity, result.expressionValues)
  const landmarks = decoded.map((value, i) => value + (scheme.offset?.[i] ?? 0))
  const inCamera = transformReference(landmarks, result.pose)
  const at = result.camera ? projectReference(inCamera, result.camera) : inCamera
  const dimensions = result.camera ? 2 : 3
  return Array.from({ length: scheme.count }, (_, l) => {
    const point = (points as Array<number[] | null>)[l]
    if (!point || !isPresent(scheme, l)) return Number.NaN
    return Math.hypot(...point.map((value, axis) => value - at[dimensions * l + axis]!))
  })
}

/** A face's landmarks in a scan's own coordinates: [x, y, z] mm. */
function scan(data: ModelData, schemeName: string, seed: number): Observation {
  const scheme = data.schemes.get(schemeName)!
  const face = drawFace(data, seed, 0.4)
  const landmarks = decodeLandmarksReference(data, scheme, face.identity, face.expression)
  const pose = { rotation: rotationReference(20, 10, -170), translation: [40, -700, 1200] }
  const points = transformReference(landmarks, pose)
  return {
    scheme: schemeName,
    points: Array.from({ length: scheme.count }, (_, l) =>
      isPresent(scheme, l) ? [...points.subarray(3 * l, 3 * l + 3)] : null,
    ),
  }
}

/** One observation of each kind, noisy, with gaps. */
function kinds(data: ModelData, scheme: string): Array<[string, Observation]> {
  const seen = (view: View, seed: number) => see(data, scheme, drawFace(data, seed, 0.5), view).observation
  const noisy = (observation: Observation, sigma: number): Observation => {
    const points = disturb(observation.points as number[][], sigma, 3)
    points[1] = null
    return { ...observation, points }
  }
  const known = noisy(seen({ yaw: 25, pitch: -8, roll: 4, offset: [60, -20], camera: HD }, 1), 1)
  const { focal: _, ...unknown } = { ...known.camera }
  const outlier = noisy(seen({ yaw: -10, camera: HD }, 2), 1)
  ;(outlier.points as number[][])[4]![0]! += 60
  return [
    ['perspective', known],
    ['perspective, estimated focal length', { ...known, camera: unknown }],
    ['perspective, nothing known', { scheme, points: known.points }],
    ['weak perspective', noisy(seen({ yaw: -40, roll: 15, offset: [12, 30], camera: WEAK }, 3), 1)],
    ['an outlier', outlier],
    ['noise given', { ...known, noise: 2 }],
    ['3D', noisy(scan(data, scheme, 4), 0.5)],
    ['3D, noise given', { ...noisy(scan(data, scheme, 5), 0.2), noise: 0.2 }],
  ]
}

async function fits() {
  const embedded = await defaultModel()
  const models = [
    ...Object.keys(TINY_MODELS).map((kind) => ({ kind, model: tinyModel(kind), schemes: ['tiny12', 'ibug68'] })),
    { kind: 'embedded', model: embedded, schemes: ['ibug68', 'mediapipe478'] },
  ]
  const all: Array<{ name: string; data: ModelData; observation: Observation; result: FitResult }> = []
  for (const { kind, model, schemes } of models) {
    const fitter = await model.createFitter()
    for (const scheme of schemes) {
      const observations = kinds(model.data, scheme)
      const results = await fitter.fit(observations.map(([, observation]) => observation))
      for (const [i, [name, observation]] of observations.entries())
        all.push({ name: `${kind}: ${scheme}: ${name}`, data: model.data, observation, result: results[i]! })
    }
    if (kind !== 'embedded') model.dispose()
  }
  return all
}

describe('a fit result', async () => {
  const all = await fits()
  const each = (check: (fit: (typeof all)[number]) => void) => () => {
    for (const fit of all) {
      try {
        check(fit)
      } catch (error) {
        if (error instanceof Error) error.message = `${fit.name}: ${error.message}`
        throw error
      }
    }
  }

  it(
    'says how it went',
    each(({ result }) => {
      expect(['converged', 'max-iterations']).toContain(result.status)
      expect(result.usable).toBe(true)
      expect(result.message).toMatch(/^(converged in|stopped after) \d+ iterations/)
      expect(result.message).toContain(`${result.iterations} iterations`)
      expect(Number.isInteger(result.iterations)).toBe(true)
      expect(result.iterations).toBeGreaterThan(0)
      expect(result.iterations).toBeLessThanOrEqual(30)
      expect(result.cost!.final).toBeGreaterThan(0)
      expect(result.cost!.final).toBeLessThan(result.cost!.initial)
      expect(result.identity_uncertainty).toBeGreaterThan(0)
      expect(result.identity_uncertainty).toBeLessThan(Math.PI)
    }),
  )

  it(
    'has the identity on the sphere, and the direction to it from the mean',
    each(({ data, result }) => {
      expect(result.identity).toBeInstanceOf(Float32Array)
      expect(result.embedding).toBeInstanceOf(Float32Array)
      expect(result.identity).toHaveLength(data.identityCount)
      expect(Math.hypot(...result.embedding)).toBeCloseTo(1, 5)
      if (data.metadata.latent === 'sphere') {
        expect(Math.hypot(...result.identity)).toBeCloseTo(1, 5)
        expect(result.embedding).toHaveLength(data.identityCount - 1)
        const v = sphereToTangent(result.identity, data.identityPriorMean!)
        const angle = Math.hypot(...v)
        expect(
          largestDifference(
            result.embedding,
            v.map((value) => value / angle),
          ),
        ).toBeLessThan(1e-4)
      } else {
        expect(result.embedding).toHaveLength(data.identityCount)
        const length = Math.hypot(...result.identity)
        expect(
          largestDifference(
            result.embedding,
            result.identity.map((value) => value / length),
          ),
        ).toBeLessThan(1e-5)
      }
    }),
  )

  it(
    'has the expression by name and by index, within its bounds',
    each(({ data, result }) => {
      expect(Object.keys(result.expression)).toEqual(data.metadata.expressionNames)
      expect(Object.values(result.expression)).toEqual([...result.expressionValues])
      result.expressionValues.forEach((value, e) => {
        expect(value).toBeGreaterThanOrEqual(data.expressionBounds[2 * e]!)
        expect(value).toBeLessThanOrEqual(data.expressionBounds[2 * e + 1]!)
      })
    }),
  )

  it(
    'has a proper rotation, and angles that make it',
    each(({ result }) => {
      const { rotation: r, yaw, pitch, roll } = result.pose
      for (let i = 0; i < 3; i++)
        for (let j = 0; j < 3; j++) {
          const product = r[3 * i]! * r[3 * j]! + r[3 * i + 1]! * r[3 * j + 1]! + r[3 * i + 2]! * r[3 * j + 2]!
          expect(product).toBeCloseTo(i === j ? 1 : 0, 10)
        }
      const cross = (i: number) => r[(i + 1) % 3]! * r[3 + ((i + 2) % 3)]! - r[(i + 2) % 3]! * r[3 + ((i + 1) % 3)]!
      expect(cross(0) * r[6]! + cross(1) * r[7]! + cross(2) * r[8]!).toBeCloseTo(1, 10)
      // A scan has no image whose axes would turn the face over.
      const towardsImage = result.camera ? r : r.map((value, i) => (i < 3 ? value : -value))
      expect(largestDifference(towardsImage, rotationReference(yaw, pitch, roll))).toBeLessThan(1e-9)
      expect(result.pose.translation).toHaveLength(3)
    }),
  )

  it(
    'has the residuals that its own face, pose and camera make',
    each(({ data, observation, result }) => {
      const reference = residualsReference(data, observation, result)
      expect(largestDifference(result.residuals, reference)).toBeLessThan(1e-3)
      const used = [...result.residuals].filter((residual) => !Number.isNaN(residual))
      expect(result.rmse! / rootMeanSquare(used)).toBeCloseTo(1, 6)
    }),
  )

  it(
    'has the camera that was known',
    each(({ name, observation, result }) => {
      if (name.includes('3D')) return expect(result.camera).toBeNull()
      const { type = 'perspective', focal, principal } = observation.camera ?? {}
      expect(result.camera).toMatchObject({ type, ...(principal && { principal: [...principal] }) })
      if (result.camera?.type === 'perspective') {
        if (focal !== undefined) expect(result.camera.focal).toBeCloseTo(focal, 8)
        expect(result.camera.focal).toBeGreaterThan(0)
        expect(result.pose.translation[2]).toBeGreaterThan(100)
        expect(Object.keys(result.camera).sort()).toEqual(['focal', 'principal', 'type'])
      } else {
        expect((result.camera as { scale: number }).scale).toBeGreaterThan(0)
        expect(Object.keys(result.camera!).sort()).toEqual(['principal', 'scale', 'type'])
      }
    }),
  )

  it(
    'names the outliers',
    each(({ name, result }) => {
      if (name.includes('an outlier')) expect(result.outliers).toContain(4)
      for (const index of result.outliers) {
        expect(Number.isInteger(index)).toBe(true)
        expect(result.residuals[index]).toBeGreaterThan(0)
      }
      expect([...result.outliers].sort((a, b) => a - b)).toEqual(result.outliers)
    }),
  )

  it(
    'becomes the JSON of the result files, and back',
    each(({ data, result, observation }) => {
      const json = JSON.parse(JSON.stringify(result))
      expect(Object.keys(json).sort()).toEqual(
        [
          'camera',
          'cost',
          'embedding',
          'expression',
          'identity',
          'identity_uncertainty',
          ...(observation.image ? ['image'] : []),
          'iterations',
          'message',
          'model',
          'outliers',
          'pose',
          'residuals',
          'rmse',
          'status',
          'usable',
        ].sort(),
      )
      expect(json.image).toEqual(observation.image)
      expect(json.identity).toEqual([...result.identity])
      expect(json.embedding).toEqual([...result.embedding])
      expect(json.expression).toEqual(result.expression)
      expect(json.pose).toEqual({
        rotation: [...result.pose.rotation],
        translation: [...result.pose.translation],
        yaw: result.pose.yaw,
        pitch: result.pose.pitch,
        roll: result.pose.roll,
      })
      expect(json.camera).toEqual(result.camera)
      expect(json.residuals).toEqual([...result.residuals].map((value) => (Number.isNaN(value) ? null : value)))
      expect(json.residuals).toHaveLength(data.schemes.get(observation.scheme)!.count)
      expect(json.residuals[1]).toBeNull()
      expect(json).toMatchObject({
        status: result.status,
        usable: result.usable,
        message: result.message,
        iterations: result.iterations,
        rmse: result.rmse,
        cost: result.cost,
        outliers: result.outliers,
        identity_uncertainty: result.identity_uncertainty,
      })
    }),
  )

  it('can be decoded, as it is and from its JSON', async () => {
    const model = await defaultModel()
    const { result } = all.at(-8)!
    const vertices = await model.decode(result, { posed: true })
    expect(await model.decode(JSON.parse(JSON.stringify(result)), { posed: true })).toEqual(vertices)
    const reference = decodeReference(model.data, result.identity, result.expressionValues)
    expect(largestDifference(vertices, transformReference(reference, result.pose))).toBeLessThan(5e-4)
  })

  it('is memory of its own', () => {
    for (const { result } of all)
      for (const array of [result.identity, result.embedding, result.residuals, result.pose.rotation])
        expect(array.buffer.byteLength).toBe(array.byteLength)
  })

  it('carries id and subject of the observation, where it has them', async () => {
    const model = await defaultModel()
    const fitter = await model.createFitter()
    const { observation } = see(model.data, 'ibug68', drawFace(model.data, 1), { camera: HD })
    const [both, none] = await fitter.fit([{ ...observation, id: 'a1', subject: 'alice' }, observation])
    expect(both).toMatchObject({ id: 'a1', subject: 'alice' })
    expect(JSON.parse(JSON.stringify(both))).toMatchObject({ id: 'a1', subject: 'alice' })
    expect('id' in none! || 'subject' in none!).toBe(false)
    // An empty name is a name.
    expect(await fitter.fit({ ...observation, id: '' })).toMatchObject({ id: '' })
  })
})

describe('the signs of the angles', () => {
  const model = tinyModel()
  afterAll(() => model.dispose())
  const face = drawFace(model.data, 9)
  // Of ibug68: the nose's tip, the jaw's ends.
  const [tip, right, left] = [30, 0, 16]

  async function fitOf(view: Partial<View>) {
    const { observation } = see(model.data, 'ibug68', face, { ...view, camera: HD })
    const fitter = await model.createFitter()
    return { points: observation.points as number[][], result: await fitter.fit({ ...observation, noise: 0.1 }) }
  }

  it('are 0 for an upright face seen from the front', async () => {
    const { result } = await fitOf({})
    for (const angle of [result.pose.yaw, result.pose.pitch, result.pose.roll]) expect(Math.abs(angle)).toBeLessThan(1)
    expect(largestDifference(result.pose.rotation, [1, 0, 0, 0, -1, 0, 0, 0, -1])).toBeLessThan(0.02)
  })

  it.each([-60, -30, 30, 60])('yaw %d: positive when the face turns to the image left', async (yaw) => {
    const { points, result } = await fitOf({ yaw })
    expect(Math.abs(result.pose.yaw - yaw)).toBeLessThan(1.5)
    const middle = (points[right]![0]! + points[left]![0]!) / 2
    expect(Math.sign(middle - points[tip]![0]!)).toBe(Math.sign(yaw))
  })

  it.each([-25, 25])('pitch %d: positive when the subject looks up', async (pitch) => {
    const { points, result } = await fitOf({ pitch })
    expect(Math.abs(result.pose.pitch - pitch)).toBeLessThan(1.5)
    const frontal = (await fitOf({})).points
    // Up in the image is towards smaller numbers.
    expect(Math.sign(frontal[tip]![1]! - points[tip]![1]!)).toBe(Math.sign(pitch))
  })

  it.each([-150, -45, 45, 150])('roll %d: positive when the head tilts clockwise in the image', async (roll) => {
    const { points, result } = await fitOf({ roll })
    expect(Math.abs(result.pose.roll - roll)).toBeLessThan(1.5)
    const [dx, dy] = [points[left]![0]! - points[right]![0]!, points[left]![1]! - points[right]![1]!]
    // The subject's left is the image's right; +Y is down, so that this angle grows clockwise.
    expect(Math.abs((Math.atan2(dy, dx) * 180) / Math.PI - roll)).toBeLessThan(8)
  })
})

describe('the angles of a scan', () => {
  it('are those of the head in the scan, which has its own axes', async () => {
    using model = tinyModel()
    const fitter = await model.createFitter()
    const scheme = model.data.schemes.get('ibug68')!
    const landmarks = decodeLandmarksReference(model.data, scheme, drawFace(model.data, 9).identity)
    // As in an image, without the flip of axes that leads there.
    const flip = [1, -1, -1]
    for (const [yaw, pitch, roll] of [
      [0, 0, 0],
      [40, 0, 0],
      [0, 25, 0],
      [0, 0, 60],
      [-30, 15, -20],
    ] as const) {
      const rotation = rotationReference(yaw, pitch, roll).map((value, i) => value * flip[Math.floor(i / 3)]!)
      const at = transformReference(landmarks, { rotation, translation: [5, 6, 7] })
      const points = Array.from({ length: 68 }, (_, l) => [...at.subarray(3 * l, 3 * l + 3)])
      const { pose, camera } = await fitter.fit({ scheme: 'ibug68', points, noise: 0.1 })
      expect(camera).toBeNull()
      expect(largestDifference(pose.rotation, rotation)).toBeLessThan(0.02)
      for (const [found, drawn] of [
        [pose.yaw, yaw],
        [pose.pitch, pitch],
        [pose.roll, roll],
      ] as const)
        expect(Math.abs(found - drawn)).toBeLessThan(1.5)
    }
  })
})

describe('the uncertainty of an identity', () => {
  it('falls with the noise and with the number of landmarks', async () => {
    const model = await defaultModel()
    const fitter = await model.createFitter()
    const face = drawFace(model.data, 2)
    const { observation } = see(model.data, 'mediapipe478', face, { yaw: 20, camera: HD })
    const uncertainty = async (noise: number, keep: (l: number) => boolean) => {
      const points = observation.points.map((point, l) => (keep(l) ? point : null))
      return (await fitter.fit({ ...observation, points, noise })).identity_uncertainty!
    }
    const all = () => true
    const few = (l: number) => l % 12 === 0
    const [good, fair, bad] = [await uncertainty(0.3, all), await uncertainty(1, all), await uncertainty(5, all)]
    expect(good).toBeLessThan(fair)
    expect(fair).toBeLessThan(bad)
    expect(await uncertainty(1, few)).toBeGreaterThan(fair)
    // Landmarks that say next to nothing leave the prior.
    const prior = Math.sqrt(model.data.identityPriorFactor!.reduce((sum, value) => sum + value * value, 0))
    expect(await uncertainty(1e4, few)).toBeCloseTo(prior, 2)
  })
})
