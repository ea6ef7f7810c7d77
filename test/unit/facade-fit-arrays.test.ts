import { afterAll, describe, expect, it } from 'vitest'
import type { FitArrays } from '../../lib/fit/FitArrays.js'
import { type FitResult, type Fitter, type Observation, type ObservationArrays, SfmError } from '../../lib/index.js'
import { bits } from '../fixtures/bits.js'
import { expectSfmError, expectSfmRejection } from '../fixtures/expectSfmError.js'
import { defaultModel, tinyModel } from '../fixtures/models.js'
import { disturb, drawFace, see } from '../fixtures/observe.js'
import { photograph } from '../fixtures/photograph.js'

const CAMERA = { type: 'perspective', focal: 1400, principal: [640, 360] } as const
const WEAK = { type: 'weak', scale: 2, principal: [300, 300] } as const
const IMAGE = { width: 1280, height: 720 }

const model = await defaultModel()
const fitter = await model.createFitter()
const tiny = tinyModel()
const tinyFitter = await tiny.createFitter()
afterAll(() => {
  tiny.dispose()
  model.dispose()
})

interface Seen extends Omit<Observation, 'points'> {
  points: Array<number[] | null>
}

/** Faces in all poses, with points missing here and there, the fifth with none at all. */
function faces(scheme: string, count: number, camera: typeof CAMERA | typeof WEAK = CAMERA): Seen[] {
  return Array.from({ length: count }, (_, i) => {
    const view = { yaw: ((i * 37) % 100) - 50, pitch: ((i * 13) % 40) - 20, camera }
    const { observation } = see(model.data, scheme, drawFace(model.data, i, 0.4), view)
    const points = disturb(observation.points, 1, i)
    if (i % 4 === 1) points.fill(null, 10, 15)
    if (i % 9 === 5) points.fill(null)
    return { scheme, points }
  })
}

/** [B,L,d]; NaN where a point is missing. */
function flat(observations: readonly Seen[], dimensions: 2 | 3 = 2): Float64Array {
  const missing = new Array<number>(dimensions).fill(Number.NaN)
  return Float64Array.from(observations.flatMap(({ points }) => points.flatMap((point) => point ?? missing)))
}

/** What a face's results are, beside the labels that arrays have none of. */
function expectSame(actual: FitArrays, expected: readonly FitResult[]): void {
  expect(actual.count).toBe(expected.length)
  expected.forEach(({ id: _, subject: __, image: ___, face: ____, ...result }, i) => {
    const { image, ...found } = actual.at(i)
    expect(image).toBeUndefined()
    expect(bits(found as FitResult)).toBe(bits(result as FitResult))
  })
}

const same = async (of: Fitter, arrays: ObservationArrays, observations: readonly Observation[]) => {
  const [found, expected] = await Promise.all([of.fitArrays(arrays), of.fit(observations)])
  expectSame(found, expected)
  return { found, expected }
}

describe('arrays of observations', () => {
  it('are fitted as observations are, to the bit', async () => {
    for (const scheme of ['ibug68', 'mediapipe478']) {
      const seen = faces(scheme, 20)
      const arrays = { scheme, count: 20, points: flat(seen), image: IMAGE, focal: 1400 }
      const each = seen.map((observation) => ({ ...observation, image: IMAGE, camera: { focal: 1400 } }))
      const { found } = await same(fitter, arrays, each)
      expect(found.usable.filter(Boolean).length).toBeGreaterThan(15)
    }
  })

  it('may be of weak cameras, of scans, and of less than is known', async () => {
    const weak = faces('ibug68', 6, WEAK)
    await same(
      fitter,
      { scheme: 'ibug68', count: 6, points: flat(weak), camera: 'weak' },
      weak.map((observation) => ({ ...observation, camera: { type: 'weak' as const } })),
    )
    const scans = Array.from({ length: 5 }, (_, i) => {
      const { landmarks } = see(model.data, 'ibug68', drawFace(model.data, i), { camera: CAMERA })
      return {
        scheme: 'ibug68',
        points: Array.from({ length: 68 }, (_, l) => [...landmarks.subarray(3 * l, 3 * l + 3)]),
      }
    })
    const { found } = await same(fitter, { scheme: 'ibug68', count: 5, points: flat(scans, 3) }, scans)
    expect([...found.scale]).toEqual([1, 1, 1, 1, 1])
    const plain = faces('ibug68', 4)
    await same(fitter, { scheme: 'ibug68', count: 4, points: flat(plain) }, plain)
  })

  it('may say something else of every face', async () => {
    const seen = faces('ibug68', 5)
    const focal = [1400, Number.NaN, 1300, 1500, 1400]
    const noise = [1, 2, Number.NaN, 1, 3]
    const confidence = Float32Array.from({ length: 5 * 68 }, (_, i) => (i % 7) / 6)
    const arrays = {
      scheme: 'ibug68',
      count: 5,
      points: flat(seen),
      confidence,
      image: Float32Array.from(seen.flatMap((_, i) => [1280 + i, 720 - i])),
      principal: Float64Array.from(seen.flatMap((_, i) => [640 + i, 360])),
      focal: Float64Array.from(focal),
      noise: Float32Array.from(noise),
    }
    const each = seen.map((observation, i) => ({
      ...observation,
      confidence: confidence.subarray(i * 68, (i + 1) * 68),
      image: { width: 1280 + i, height: 720 - i },
      camera: { principal: [640 + i, 360] as const, ...(!Number.isNaN(focal[i]) && { focal: focal[i]! }) },
      ...(!Number.isNaN(noise[i]) && { noise: noise[i]! }),
    }))
    await same(fitter, arrays, each)
  })

  it('may lack the irises, and come in single precision', async () => {
    const withoutIrises = ({ points, ...rest }: Seen, of: (value: number) => number = Number) => ({
      ...rest,
      points: points.slice(0, 468).map((point) => point?.map(of) ?? null),
    })
    const seen = faces('mediapipe478', 3)
    const rounded = seen.map((each) => withoutIrises(each, Math.fround))
    const points = Float32Array.from(flat(rounded))
    const confidence = new Float32Array(3 * 468).fill(0.5)
    await same(
      fitter,
      { scheme: 'mediapipe478', count: 3, points, confidence },
      rounded.map((observation) => ({ ...observation, confidence: confidence.subarray(0, 468) })),
    )
  })

  it('slide to the outline where the jaw is there', async () => {
    const { identity, expression } = drawFace(model.data, 3)
    const shots = [0, 35, -40, 45].map((yaw) => ({ identity, expression, yaw, pitch: 2 }))
    const seen = [true, false].flatMap((outline) => photograph(model, 'ibug68', shots, 1, 3, outline)) as Seen[]
    const { image, camera, noise } = seen[0]!
    const arrays = {
      scheme: 'ibug68',
      count: 8,
      points: flat(seen),
      image: image!,
      noise: noise!,
      ...(camera?.focal && { focal: camera.focal }),
    }
    const { found } = await same(fitter, arrays, seen)
    const fixed = await (await model.createFitter({ slideContour: false })).fitArrays(arrays)
    const moved = Array.from({ length: 8 }, (_, i) => found.cost[i] !== fixed.cost[i])
    expect(moved).toEqual([false, true, true, true, false, false, false, false])
  })

  it('larger than a native call are cut and put together again', async () => {
    const one = see(tiny.data, 'tiny12', drawFace(tiny.data, 1), { yaw: 10, camera: CAMERA }).observation.points
    const other = disturb(one, 0.5, 1)
    const count = 9001
    const row = one.length * 2
    const points = new Float64Array(count * row)
    for (let i = 0; i < count; i++) points.set((i % 3 === 0 ? other : one).flat() as number[], i * row)
    const found = await tinyFitter.fitArrays({ scheme: 'tiny12', count, points, focal: 1400, principal: [640, 360] })
    const rows = new Set(Array.from({ length: count }, (_, i) => `${i % 3 === 0} ${found.cost[i]} ${found.rmse[i]}`))
    expect(rows.size).toBe(2)
    expect(found.status.every((status) => status === 0)).toBe(true)
  })

  it('of nothing are nothing', async () => {
    const found = await fitter.fitArrays({ scheme: 'ibug68', count: 0, points: new Float32Array(0) })
    expect(found.count).toBe(0)
    expect(found.identity).toHaveLength(0)
    expectSfmError(() => found.at(0), 'INVALID_ARGUMENT', /^face: expected/)
  })

  it('have been copied before the call returns', async () => {
    const seen = faces('mediapipe478', 3)
    const arrays = { scheme: 'mediapipe478', count: 3, points: flat(seen), focal: Float64Array.of(1400, 1400, 1400) }
    const expected = await fitter.fitArrays(structuredClone(arrays))
    const call = fitter.fitArrays(arrays)
    arrays.points.fill(7)
    arrays.focal.fill(1)
    arrays.count = 1
    const found = await call
    expect(found.identity).toEqual(expected.identity)
    expect(found.rmse).toEqual(expected.rmse)
  })
})

describe('arrays of memory that is odd', () => {
  const seen = faces('mediapipe478', 2)
  const points = flat(seen)

  it('shared, offset or of a subclass are what their memory says', async () => {
    const expected = await fitter.fitArrays({ scheme: 'mediapipe478', count: 2, points })
    const shared = new Float64Array(new SharedArrayBuffer(8 * (points.length + 3)), 24)
    shared.set(points)
    class Liar extends Float64Array {
      override get length(): number {
        return 1e9
      }
    }
    for (const odd of [shared, new Liar(points)]) {
      const found = await fitter.fitArrays({ scheme: 'mediapipe478', count: 2, points: odd })
      expect(found.identity).toEqual(expected.identity)
    }
  })

  it('detached have nothing in them', async () => {
    const gone = points.slice()
    structuredClone(gone.buffer, { transfer: [gone.buffer] })
    const arrays = { scheme: 'mediapipe478', count: 2, points: gone }
    await expectSfmRejection(fitter.fitArrays(arrays), 'INVALID_ARGUMENT', /^observations\.points: expected 2 times/)
  })
})

describe('arrays of results', () => {
  it('hold what the faces’ own results hold', async () => {
    const seen = faces('ibug68', 12)
    const withPosterior = await model.createFitter({ posterior: true })
    const arrays = { scheme: 'ibug68', count: 12, points: flat(seen), image: IMAGE }
    const { found, expected } = await same(
      withPosterior,
      arrays,
      seen.map((observation) => ({ ...observation, image: IMAGE })),
    )
    const part = <A extends Float32Array | Float64Array>(all: A, i: number) => {
      const size = all.length / 12
      return all.slice(i * size, (i + 1) * size)
    }
    let failed = 0
    expected.forEach((result, i) => {
      expect(found.status[i]).toBe(['converged', 'max-iterations', 'failed'].indexOf(result.status))
      expect(found.usable[i]).toBe(result.usable ? 1 : 0)
      expect(found.iterations[i]).toBe(result.iterations)
      expect(found.rmse[i]).toBe(result.rmse ?? Number.NaN)
      expect(found.cost[i]).toBe(result.cost?.final ?? Number.NaN)
      expect(found.identityUncertainty[i]).toBe(result.identity_uncertainty ?? Number.NaN)
      expect(part(found.rotation, i)).toEqual(result.pose.rotation)
      expect(part(found.translation, i)).toEqual(result.pose.translation)
      expect(part(found.identity, i)).toEqual(result.identity)
      expect(part(found.embedding, i)).toEqual(result.embedding)
      expect(part(found.expression, i)).toEqual(result.expressionValues)
      expect(part(found.residuals, i)).toEqual(result.residuals)
      const { camera, posterior } = result
      if (camera === null || camera.type === 'weak') {
        failed++
        expect([found.focal[i], found.scale[i], ...part(found.principal, i)]).toEqual(new Array(4).fill(Number.NaN))
        expect([...part(found.information, i), ...part(found.shift, i)].every((value) => value === 0)).toBe(true)
        return
      }
      expect(found.focal[i]).toBe(camera.focal)
      expect(found.focal[i]! / found.translation[3 * i + 2]!).toBeCloseTo(found.scale[i]!, 10)
      expect([...part(found.principal, i)]).toEqual(camera.principal)
      expect(part(found.information, i)).toEqual(posterior!.information)
      expect(part(found.shift, i)).toEqual(posterior!.shift)
      const ignored = [...part(found.weights, i)].flatMap((weight, l) => (weight < 0.15 ? [l] : []))
      expect(ignored).toEqual(result.outliers)
    })
    expect(failed).toBe(1)
    expect(found.rotation).toBe(found.rotation)
  })

  it('are decoded as the faces are', async () => {
    const seen = faces('mediapipe478', 6)
    const arrays = await fitter.fitArrays({ scheme: 'mediapipe478', count: 6, points: flat(seen) })
    const each = Array.from({ length: 6 }, (_, i) => arrays.at(i))
    expect(await model.decode(arrays)).toEqual(await model.decode(each))
    const posed = await model.decode(arrays, { posed: true, scheme: 'ibug68' })
    const size = 3 * 68
    for (const [i, face] of each.entries()) {
      const vertices = posed.slice(i * size, (i + 1) * size)
      if (face.status === 'failed') expect(vertices).toEqual(new Float32Array(size).fill(Number.NaN))
      else expect(vertices).toEqual(await model.decode(face, { posed: true, scheme: 'ibug68' }))
    }
    expect(model.decodeSync(arrays, { scheme: 'ibug68' })).toEqual(await model.decode(each, { scheme: 'ibug68' }))
  })

  it('without posteriors have none', async () => {
    const found = await fitter.fitArrays({ scheme: 'ibug68', count: 2, points: flat(faces('ibug68', 2)) })
    expect([found.information.length, found.shift.length]).toEqual([0, 0])
    expect(found.at(1).posterior).toBeUndefined()
  })
})

describe('what cannot be fitted', () => {
  const good = { scheme: 'ibug68', count: 2, points: flat(faces('ibug68', 2)) }
  const cases: Array<[string, unknown, RegExp]> = [
    ['no object', null, /^observations: expected an object/],
    ['an array', [good], /^observations: expected an object/],
    ['no scheme', { ...good, scheme: 4 }, /^observations\.scheme: expected/],
    ['a negative count', { ...good, count: -1 }, /^observations\.count: expected/],
    ['a fraction', { ...good, count: 1.5 }, /^observations\.count: expected/],
    ['another count', { ...good, count: 3 }, /^observations\.points: expected 3 times 136 or 204 numbers/],
    ['lists for points', { ...good, points: [[1, 2]] }, /^observations\.points: expected a Float32Array/],
    ['integers', { ...good, points: new Int32Array(272) }, /^observations\.points: expected a Float32Array/],
    [
      'infinity',
      { ...good, points: good.points.with(7, Number.POSITIVE_INFINITY) },
      /^observations\.points\[7\]: expected a finite/,
    ],
    [
      'confidences too few',
      { ...good, confidence: new Float32Array(68) },
      /^observations\.confidence: expected 2 times 68/,
    ],
    ['a confidence of 2', { ...good, confidence: new Float32Array(136).fill(2) }, /^observations\.confidence\[0\]/],
    [
      'a confidence of NaN',
      { ...good, confidence: new Float32Array(136).fill(Number.NaN) },
      /^observations\.confidence\[0\]/,
    ],
    ['another camera', { ...good, camera: 'fisheye' }, /^observations\.camera: expected/],
    ['no size', { ...good, image: { width: 0, height: 3 } }, /^observations\.image: expected/],
    ['a size for one', { ...good, image: new Float32Array(2) }, /^observations\.image: expected/],
    ['a size of text', { ...good, image: 'large' }, /^observations\.image: expected/],
    ['a focal length of 0', { ...good, focal: 0 }, /^observations\.focal: expected/],
    ['a focal length of NaN', { ...good, focal: Number.NaN }, /^observations\.focal: expected/],
    ['one focal length too many', { ...good, focal: new Float32Array(3).fill(9) }, /^observations\.focal: expected/],
    ['a focal length below 0', { ...good, focal: Float32Array.of(9, -9) }, /^observations\.focal\[1\]: expected/],
    ['a principal point of three', { ...good, principal: [1, 2, 3] }, /^observations\.principal: expected/],
    ['no principal point', { ...good, principal: [1, Number.NaN] }, /^observations\.principal: expected/],
    ['a noise of text', { ...good, noise: 'loud' }, /^observations\.noise: expected/],
  ]
  it.each(cases)('%s is an error that says so', async (_, arrays, message) => {
    await expectSfmRejection(fitter.fitArrays(arrays as ObservationArrays), 'INVALID_ARGUMENT', message)
  })

  it('a scheme that the model lacks is an error of its own', async () => {
    await expectSfmRejection(fitter.fitArrays({ ...good, scheme: 'dlib' }), 'UNKNOWN_SCHEME', /ibug68/)
  })

  it('an aborted call ends with ABORTED, one of a disposed fitter with DISPOSED', async () => {
    const signal = AbortSignal.abort()
    await expectSfmRejection(fitter.fitArrays(good, { signal }), 'ABORTED')
    const ended = await model.createFitter()
    ended.dispose()
    const error = await ended.fitArrays(good).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(SfmError)
    expect((error as SfmError).code).toBe('DISPOSED')
  })
})
