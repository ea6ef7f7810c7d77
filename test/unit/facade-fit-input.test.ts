import { afterAll, describe, expect, it } from 'vitest'
import type { ErrorCode } from '../../lib/errors.js'
import type { FitterOptions } from '../../lib/fit/Fitter.js'
import type { Observation } from '../../lib/fit/Observation.js'
import { SphereFaceModel } from '../../lib/model/SphereFaceModel.js'
import { bits } from '../fixtures/bits.js'
import { expectSfmRejection } from '../fixtures/expectSfmError.js'
import { defaultModel, tinyModel } from '../fixtures/models.js'
import { disturb, drawFace, see } from '../fixtures/observe.js'
import { decodeReference, landmarksReference } from '../fixtures/reference.js'

const CAMERA = { type: 'perspective', focal: 900, principal: [320, 240] } as const

const model = tinyModel()
afterAll(() => model.dispose())
const fitter = await model.createFitter()
const seen = see(model.data, 'ibug68', drawFace(model.data, 3, 0.4), { yaw: 20, pitch: 5, camera: CAMERA })
const observation = { ...seen.observation, points: disturb(seen.observation.points, 0.5, 1) as number[][] }

describe('ways to say the same', () => {
  const without = (missing: readonly number[]) =>
    observation.points.map((point, l) => (missing.includes(l) ? null : point))
  const missing = [0, 7, 33]

  it('null, confidence 0 and NaN in a flat array all mean a missing point', async () => {
    const expected = bits(await fitter.fit({ ...observation, points: without(missing) }))
    const confidence = observation.points.map((_, l) => (missing.includes(l) ? 0 : 1))
    const flat = Float64Array.from(without(missing).flatMap((point) => point ?? [Number.NaN, Number.NaN]))
    const half = flat.slice()
    half[1] = 5
    for (const same of [
      { ...observation, confidence },
      { ...observation, confidence: Float32Array.from(confidence) },
      { ...observation, points: without(missing), confidence },
      { ...observation, points: flat },
      // Half a point is none.
      { ...observation, points: half },
      { ...observation, points: flat, confidence: confidence.map(() => 1) },
    ])
      expect(bits(await fitter.fit(same))).toBe(expected)
    expect(bits(await fitter.fit(observation))).not.toBe(expected)
  })

  it('what is said of a missing point does not matter', async () => {
    const confidence = observation.points.map((_, l) => (missing.includes(l) ? 0 : 0.7))
    const wild = observation.points.map((point, l) => (missing.includes(l) ? [1e6, -1e6] : point))
    expect(bits(await fitter.fit({ ...observation, points: wild, confidence }))).toBe(
      bits(await fitter.fit({ ...observation, confidence })),
    )
  })

  it('flat typed arrays and nested ones', async () => {
    const expected = bits(await fitter.fit(observation))
    expect(bits(await fitter.fit({ ...observation, points: Float64Array.from(observation.points.flat()) }))).toBe(
      expected,
    )
    const single = observation.points.map((point) => point.map(Math.fround))
    expect(bits(await fitter.fit({ ...observation, points: Float32Array.from(single.flat()) }))).toBe(
      bits(await fitter.fit({ ...observation, points: single })),
    )
  })

  it('the same for 3D points', async () => {
    const points = Array.from({ length: 68 }, (_, l) => [...seen.landmarks.subarray(3 * l, 3 * l + 3)])
    const expected = bits(await fitter.fit({ scheme: 'ibug68', points }))
    expect(bits(await fitter.fit({ scheme: 'ibug68', points: Float64Array.from(points.flat()) }))).toBe(expected)
  })

  it('confidence of 1 and none', async () => {
    const confidence = observation.points.map(() => 1)
    expect(bits(await fitter.fit({ ...observation, confidence }))).toBe(bits(await fitter.fit(observation)))
  })

  it('what is absent may be undefined or null', async () => {
    const bare = { scheme: 'ibug68', points: observation.points }
    const expected = bits(await fitter.fit(bare))
    for (const nothing of [undefined, null]) {
      const spelled = {
        ...bare,
        id: undefined,
        subject: undefined,
        image: nothing,
        confidence: nothing,
        noise: nothing,
      }
      for (const camera of [nothing, {}, { type: undefined, focal: nothing, principal: nothing }])
        expect(bits(await fitter.fit({ ...spelled, camera } as Observation))).toBe(expected)
    }
  })

  it('subarrays, subclasses and frozen objects', async () => {
    const expected = bits(await fitter.fit(observation))
    const flat = Float64Array.from([0, 0, ...observation.points.flat(), 0])
    class Points extends Float64Array {
      // Neither what it says of its length nor how it is iterated matters: the numbers do.
      override get length() {
        return 4
      }
      override *[Symbol.iterator](): ArrayIterator<number> {
        yield 1
      }
    }
    const frozen = Object.freeze({ ...observation, points: Object.freeze(observation.points.map(Object.freeze)) })
    for (const same of [
      { ...observation, points: flat.subarray(2, 138) },
      { ...observation, points: new Points(flat.slice(2, 138).buffer) },
      frozen as Observation,
    ])
      expect(bits(await fitter.fit(same))).toBe(expected)
    const shared = new Float64Array(new SharedArrayBuffer(8 * 136))
    shared.set(observation.points.flat())
    expect(bits(await fitter.fit({ ...observation, points: shared }))).toBe(expected)
  })
})

describe('the scheme mediapipe478', () => {
  it('comes with and without the irises, which the model does not have', async () => {
    const embedded = await defaultModel()
    const fitter = await embedded.createFitter()
    const face = drawFace(embedded.data, 7, 0.3)
    const { observation } = see(embedded.data, 'mediapipe478', face, { yaw: -15, camera: CAMERA })
    const points = observation.points.map((point, l) => point ?? [300 + l, 200])
    const expected = await fitter.fit({ ...observation, points })
    expect([...expected.residuals.subarray(468)].every(Number.isNaN)).toBe(true)
    const short = points.slice(0, 468)
    const confidence = points.map(() => 1)
    for (const same of [
      observation,
      { ...observation, points: short },
      { ...observation, points: short, confidence },
      { ...observation, points: short, confidence: confidence.slice(0, 468) },
      { ...observation, points, confidence: confidence.slice(0, 468) },
      { ...observation, points: Float64Array.from(short.flat()) },
      { ...observation, points: Float64Array.from(points.flat()) },
    ])
      expect(bits(await fitter.fit(same))).toBe(bits(expected))
    const solid = Array.from({ length: 468 }, () => [1, 2, 3])
    expect((await fitter.fit({ scheme: 'mediapipe478', points: solid })).residuals).toHaveLength(478)
    expect((await fitter.fit({ scheme: 'mediapipe478', points: new Float32Array(3 * 468) })).camera).toBeNull()
    for (const count of [467, 469, 477, 479])
      await expectSfmRejection(
        fitter.fit({ scheme: 'mediapipe478', points: [...points, [0, 0]].slice(0, count) }),
        'INVALID_ARGUMENT',
        /^observation\.points: expected 478 points/,
      )
  })
})

describe('the camera', () => {
  const { camera: _, ...bare } = observation
  const cameraOf = async (camera: Observation['camera'], options: FitterOptions = {}, image = bare.image) => {
    const fitter = await model.createFitter(options)
    const { camera: result } = await fitter.fit({ ...bare, image, ...(camera && { camera }) } as Observation)
    return result!
  }

  it('is perspective unless someone says otherwise: the observation first, then the fitter', async () => {
    expect((await cameraOf(undefined)).type).toBe('perspective')
    expect((await cameraOf({})).type).toBe('perspective')
    expect((await cameraOf(undefined, { camera: 'weak' })).type).toBe('weak')
    expect((await cameraOf({ focal: 500 }, { camera: 'weak' })).type).toBe('weak')
    expect((await cameraOf({ type: 'perspective' }, { camera: 'weak' })).type).toBe('perspective')
    expect((await cameraOf({ type: 'weak' })).type).toBe('weak')
  })

  it('has the focal length of the observation, else the fitter, else an estimate', async () => {
    const focal = async (...args: Parameters<typeof cameraOf>) => ((await cameraOf(...args)) as { focal: number }).focal
    expect(await focal({ focal: 1234 }, { focal: 777 })).toBeCloseTo(1234, 8)
    expect(await focal({}, { focal: 777 })).toBeCloseTo(777, 8)
    expect(await focal(undefined, { focal: 777 })).toBeCloseTo(777, 8)
    const estimate = await focal(undefined)
    expect(estimate).not.toBeCloseTo(1.2 * 640, 3)
    expect(estimate).toBeGreaterThan(0.2 * 640)
    expect(estimate).toBeLessThan(6 * 640)
    // Held tightly, it stays at 1.2 times the image's larger side.
    expect(await focal(undefined, { focalStddev: 1e-4 })).toBeCloseTo(1.2 * 640, 0)
    expect(await focal(undefined, { focalStddev: 1e-4 }, { width: 480, height: 1000 })).toBeCloseTo(1200, 0)
  })

  it('has the principal point of the observation, else the image, else the middle of the points', async () => {
    expect((await cameraOf({ principal: [300, 200] })).principal).toEqual([300, 200])
    expect((await cameraOf({})).principal).toEqual([320, 240])
    const fitter = await model.createFitter()
    const { camera } = await fitter.fit({ scheme: 'ibug68', points: bare.points })
    const [xs, ys] = [0, 1].map((axis) => bare.points.map((point) => point[axis]!)) as [number[], number[]]
    const middle = (values: number[]) => (Math.min(...values) + Math.max(...values)) / 2
    expect(camera!.principal[0]).toBeCloseTo(middle(xs), 9)
    expect(camera!.principal[1]).toBeCloseTo(middle(ys), 9)
  })
})

describe('the noise', () => {
  it('of the observation comes before that of the fitter, and decides between the points and the prior', async () => {
    const coarse = await model.createFitter({ noise: 20 })
    const fine = await model.createFitter({ noise: 0.1 })
    const given = { ...observation, noise: 0.5 }
    expect(bits(await coarse.fit(given))).toBe(bits(await fine.fit(given)))
    const misses = async (noise: number) =>
      (await (await model.createFitter({ noise, robust: false })).fit(observation)).rmse!
    expect(await misses(20)).toBeGreaterThan(await misses(1))
    expect(await misses(1)).toBeGreaterThan(await misses(0.05))
  })
})

describe('the options of a fitter', () => {
  it('do what they say', async () => {
    const fitWith = async (options: FitterOptions, what: Observation = observation) =>
      (await model.createFitter(options)).fit(what)
    expect((await fitWith({ maxIterations: 1 })).iterations).toBe(1)
    expect((await fitWith({ maxIterations: 1 })).status).toBe('max-iterations')
    expect((await fitWith({ maxIterations: 1000, costTolerance: 1e-12 })).cost!.final).toBeLessThanOrEqual(
      (await fitWith({ costTolerance: 0.1 })).cost!.final,
    )
    const angle = ({ identity }: { identity: Float32Array }) =>
      Math.acos(
        Math.min(
          1,
          identity.reduce((sum, z, i) => sum + z * model.data.identityPriorMean![i]!, 0),
        ),
      )
    expect(angle(await fitWith({ identityPrior: 100 }))).toBeLessThan(angle(await fitWith({})))
    const size = ({ expressionValues }: { expressionValues: Float32Array }) => Math.hypot(...expressionValues)
    expect(size(await fitWith({ expressionPrior: 1000 }))).toBeLessThan(size(await fitWith({})))
    // An expression beyond its bounds is only followed when they are off.
    const face = { ...drawFace(model.data, 5), expression: [1.6, 0, 0, 0] }
    const beyond = see(
      model.data,
      'ibug68',
      { ...face, expression: Float64Array.from(face.expression) },
      { camera: CAMERA },
    )
    const sharp = { ...beyond.observation, noise: 0.1 }
    expect((await fitWith({}, sharp)).expression.jawOpen).toBe(1)
    expect((await fitWith({ boundExpression: false }, sharp)).expression.jawOpen).toBeGreaterThan(1.2)
    // One wild point moves the plain least squares, not the robust ones.
    const points = observation.points.map((point, l) => (l === 30 ? [point[0]! + 80, point[1]!] : point))
    const clean = await fitWith({})
    const moved = async (options: FitterOptions) =>
      Math.abs((await fitWith(options, { ...observation, points })).pose.yaw - clean.pose.yaw)
    expect(await moved({ robust: true })).toBeLessThan(0.5 * (await moved({ robust: false })))
    expect((await fitWith({ robust: false })).outliers).toEqual([])
  })

  it('that make no sense are refused', async () => {
    const refused = (options: unknown, message: RegExp, code: ErrorCode = 'INVALID_ARGUMENT') =>
      expectSfmRejection(model.createFitter(options as FitterOptions), code, message)
    await refused(null, /^options: expected an object, received null/)
    await refused('fast', /^options: expected an object, received "fast"/)
    await refused({ nosie: 1 }, /^options: expected names among device, camera.* received "nosie"/)
    await refused({ constructor: 1 }, /^options: expected names among .* received "constructor"/)
    await refused({ camera: 'fisheye' }, /^camera: expected 'perspective' or 'weak', received "fisheye"/)
    await refused({ robust: 1 }, /^robust: expected true or false, received 1/)
    await refused({ boundExpression: 'yes' }, /^boundExpression: expected true or false/)
    for (const name of ['focal', 'noise', 'identityPrior', 'expressionPrior', 'focalStddev', 'costTolerance'])
      for (const value of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, '1', null, 1n, {}, []])
        await refused({ [name]: value }, new RegExp(`^${name}: expected a positive number`))
    await refused({ costTolerance: 1 }, /^costTolerance: expected a number below 1/)
    for (const maxIterations of [0, -1, 1.5, 1001, Number.NaN, '3', null])
      await refused({ maxIterations }, /^maxIterations: expected an integer from 1 to 1000/)
    await refused({ device: 'tpu' }, /^device: expected 'auto', 'cpu'/)
    await refused({ device: 7 }, /^device:/)
  })

  it('may be left out or undefined', async () => {
    const expected = bits(await fitter.fit(observation))
    const all = Object.fromEntries(
      ['device', 'camera', 'focal', 'noise', 'robust', 'maxIterations', 'identityPrior'].map((key) => [key, undefined]),
    )
    for (const options of [undefined, {}, all, { device: 'auto' }, { device: 'cpu' }])
      expect(bits(await (await model.createFitter(options as FitterOptions)).fit(observation))).toBe(expected)
  })
})

describe('observations that are none', () => {
  const refused = async (what: unknown, message: RegExp, code: ErrorCode = 'INVALID_ARGUMENT') => {
    await expectSfmRejection(fitter.fit(what as Observation), code, message)
    // In a list it is named by its place, and nothing of the list is fitted.
    const listed = new RegExp(message.source.replace('^observation', '^observations\\[1\\]'))
    await expectSfmRejection(fitter.fit([observation, what as Observation]), code, listed)
  }
  const change = (what: object, message: RegExp, code?: ErrorCode) =>
    refused({ ...observation, ...what }, message, code)
  const point = (at: number, value: unknown) => ({
    points: observation.points.map((each, l) => (l === at ? value : each)),
  })

  it('in form', async () => {
    for (const value of [undefined, null, 3, 'face', true])
      await expectSfmRejection(
        fitter.fit(value as unknown as Observation),
        'INVALID_ARGUMENT',
        /^observations: expected/,
      )
    await expectSfmRejection(fitter.fit([null as unknown as Observation]), 'INVALID_ARGUMENT', /^observations\[0\]:/)
    await expectSfmRejection(fitter.fit(new Array(2)), 'INVALID_ARGUMENT', /^observations\[0\]: .* received undefined/)
    await refused({}, /^observation\.scheme: expected the name of a landmark scheme, received undefined/)
    await refused(() => 1, /^observation/)
  })

  it('in scheme', async () => {
    await change({ scheme: 68 }, /^observation\.scheme: expected the name of a landmark scheme, received 68/)
    await change(
      { scheme: 'ibug86' },
      /^observation\.scheme: .*no scheme "ibug86"; it has tiny12, ibug68/,
      'UNKNOWN_SCHEME',
    )
    await change({ scheme: '' }, /^observation\.scheme: .*no scheme ""/, 'UNKNOWN_SCHEME')
    await change({ scheme: 'toString' }, /^observation\.scheme: .*no scheme "toString"/, 'UNKNOWN_SCHEME')
  })

  it('in id and subject', async () => {
    for (const value of [7, true, {}, ['a'], 1n]) {
      await change({ id: value }, /^observation\.id: expected a string/)
      await change({ subject: value }, /^observation\.subject: expected a string/)
    }
  })

  it('in points', async () => {
    for (const points of [
      undefined,
      null,
      'points',
      68,
      {},
      { length: 68 },
      new Uint8Array(136),
      new DataView(new ArrayBuffer(9)),
    ])
      await change({ points }, /^observation\.points: expected an array of points/)
    await change({ points: [] }, /^observation\.points: expected 68 points, as ibug68 has, received an array of 0/)
    await change({ points: observation.points.slice(1) }, /^observation\.points: expected 68 points.* an array of 67/)
    await change({ points: [...observation.points, [1, 2]] }, /^observation\.points: .* an array of 69/)
    await change({ points: observation.points.flat() }, /^observation\.points: .* an array of 136/)
    for (const length of [0, 68, 135, 137, 203, 272])
      await change({ points: new Float32Array(length) }, /^observation\.points: expected 136 or 204 numbers/)
    await change(point(3, [1]), /^observation\.points\[3\]: expected \[x, y\] or null, received an array of 1/)
    await change(point(3, [1, 2, 3]), /^observation\.points\[3\]: expected \[x, y\] or null, received an array of 3/)
    await change(point(0, [1, 2, 3, 4]), /^observation\.points\[0\]: expected \[x, y\], \[x, y, z\] or null/)
    for (const value of [undefined, 7, 'x', {}, new Float32Array(2)])
      await change(point(3, value), /^observation\.points\[3\]: expected \[x, y\] or null/)
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, '5', null, undefined, 5n])
      await change(point(3, [1, value]), /^observation\.points\[3\]\[1\]: expected a finite number/)
    const infinite = Float64Array.from(observation.points.flat())
    infinite[9] = Number.NEGATIVE_INFINITY
    await change({ points: infinite }, /^observation\.points\[9\]: expected a finite number, or NaN/)
  })

  it('in confidence', async () => {
    for (const confidence of [7, 'high', true])
      await change({ confidence }, /^observation\.confidence: expected 68 numbers/)
    for (const confidence of [[], [1], new Float32Array(67), {}, new Map()])
      await change({ confidence }, /^observation\.confidence: expected 68 numbers/)
    const with5 = (value: unknown) => observation.points.map((_, l) => (l === 5 ? value : 1))
    for (const value of [-0.1, 1.1, Number.NaN, Number.POSITIVE_INFINITY, undefined, 'x', {}])
      await change({ confidence: with5(value) }, /^observation\.confidence\[5\]: expected a number from 0 to 1/)
  })

  it('in camera, image and noise', async () => {
    for (const camera of [7, 'weak', true]) await change({ camera }, /^observation\.camera: expected an object/)
    await change({ camera: { type: 'fisheye' } }, /^observation\.camera\.type: expected 'perspective' or 'weak'/)
    for (const value of [0, -5, Number.NaN, Number.POSITIVE_INFINITY, '900', {}]) {
      await change({ camera: { focal: value } }, /^observation\.camera\.focal: expected a positive number/)
      await change({ noise: value }, /^observation\.noise: expected a positive number/)
      await change({ image: { width: value, height: 5 } }, /^observation\.image\.width: expected a positive number/)
      await change({ image: { width: 5, height: value } }, /^observation\.image\.height: expected a positive number/)
    }
    for (const principal of [7, [1], [1, 2, 3], ['1', 2], [Number.NaN, 2], {}, new Float32Array(2)])
      await change({ camera: { principal } }, /^observation\.camera\.principal: expected \[x, y\]/)
    for (const image of [7, 'large', true]) await change({ image }, /^observation\.image: expected an object/)
    await change({ image: {} }, /^observation\.image\.width/)
  })

  it('nor are options of the call', async () => {
    for (const options of [null, 3, 'fast'])
      await expectSfmRejection(
        fitter.fit(observation, options as unknown as object),
        'INVALID_ARGUMENT',
        /^options: expected an object/,
      )
    for (const signal of [{}, 'stop', 3, true])
      await expectSfmRejection(
        fitter.fit(observation, { signal: signal as unknown as AbortSignal }),
        'INVALID_ARGUMENT',
        /^signal: expected an AbortSignal/,
      )
  })
})

describe('observations that cannot be fitted', () => {
  const count = 68
  const from = (make: (l: number) => number[] | null) => Array.from({ length: count }, (_, l) => make(l))
  const real = (l: number) => observation.points[l]!
  const solid = from((l) => [...seen.landmarks.subarray(3 * l, 3 * l + 3)]) as number[][]

  const cases: Array<[string, Partial<Observation>, RegExp]> = [
    ['no point at all', { points: from(() => null) }, /^too few landmarks: at least 6/],
    ['five points', { points: from((l) => (l < 5 ? real(l * 10) : null)) }, /^too few landmarks/],
    ['an empty flat array', { points: new Float64Array(136).fill(Number.NaN) }, /^too few landmarks/],
    ['no confidence anywhere', { confidence: from(() => null).map(() => 0) }, /^too few landmarks/],
    ['five with confidence', { confidence: from(() => null).map((_, l) => (l < 5 ? 1 : 0)) }, /^too few landmarks/],
    ['all in one place', { points: from(() => [300, 200]) }, /^the landmarks are degenerate/],
    ['all at the origin', { points: from(() => [0, 0]) }, /^the landmarks are degenerate/],
    ['all on a line', { points: from((l) => [3 * l, 100 + l]) }, /^the landmarks are degenerate/],
    ['all on a horizontal line', { points: from((l) => [7 * l, 100]) }, /^the landmarks are degenerate/],
    ['all in one place but one', { points: from((l) => [l === 3 ? 310 : 300, 200]) }, /^the landmarks are degenerate/],
    ['coordinates beyond all measure', { points: from((l) => real(l).map((x) => 1e9 * x)) }, /^a coordinate is larger/],
    ['one such coordinate', { points: from((l) => (l === 9 ? [1e300, 5] : real(l))) }, /^a coordinate is larger/],
    [
      'the largest coordinates',
      { points: from((l) => (l % 2 ? [1.7e308, 5] : [-1.7e308, 6])) },
      /^a coordinate is larger/,
    ],
    ['three points of a scan', { points: from((l) => (l % 30 === 0 ? solid[l]! : null)) }, /^too few landmarks/],
    ['a scan in one place', { points: from(() => [1, 2, 3]) }, /^the landmarks are degenerate/],
    ['a scan on a line', { points: from((l) => [l, 2 * l, 3 * l]) }, /^the landmarks are degenerate/],
    [
      'a scan beyond all measure',
      { points: solid.map((point) => point.map((x) => x * 1e9)) },
      /^a coordinate is larger/,
    ],
  ]

  it.each(cases)('%s', async (_, change, message) => {
    const result = await fitter.fit({ id: 'x', ...observation, ...change } as Observation)
    expect(result).toMatchObject({
      id: 'x',
      status: 'failed',
      usable: false,
      message: expect.stringMatching(message),
      iterations: 0,
      rmse: null,
      cost: null,
      outliers: [],
      identity_uncertainty: null,
    })
    expect([...result.residuals].every(Number.isNaN)).toBe(true)
    // It stands where a fit starts: the mean, at rest.
    expect(result.identity).toEqual(model.data.identityPriorMean)
    expect(result.embedding.every((value) => value === 0)).toBe(true)
    expect(result.expressionValues.every((value) => value === 0)).toBe(true)
    const json = JSON.parse(JSON.stringify(result))
    for (const numbers of [json.identity, json.embedding]) expect(numbers.every(Number.isFinite)).toBe(true)
    // Nothing was fitted, so nothing is said of it.
    expect(json).toMatchObject({ pose: null, camera: null })
    expect([...result.pose.rotation, ...result.pose.translation, result.pose.yaw].every(Number.isNaN)).toBe(true)
    expect(json.residuals.every((value: unknown) => value === null)).toBe(true)
  })

  it('do not disturb their neighbours', async () => {
    const alone = bits(await fitter.fit(observation))
    const bad = cases.map(([, change]) => ({ ...observation, ...change }) as Observation)
    const results = await fitter.fit(bad.flatMap((each) => [observation, each]))
    results.forEach((result, i) => {
      if (i % 2 === 0) expect(bits(result)).toBe(alone)
      else expect(result.status).toBe('failed')
    })
  })

  it.each([
    ['minute', (x: number) => x * 1e-6],
    ['huge', (x: number) => x * 2e4],
    ['far off', (x: number) => x + 5e6],
    ['in a mirror', (x: number, axis: number) => (axis === 0 ? 640 - x : x)],
    ['upside down', (x: number, axis: number) => (axis === 1 ? 480 - x : x)],
    ['squeezed', (x: number, axis: number) => (axis === 1 ? 200 + x / 10 : x)],
  ])('or hardly (%s) end in a result all the same', async (_, change) => {
    for (const camera of [{}, { focal: 1e-3 }, { focal: 1e9 }, { type: 'weak' as const }]) {
      const points = observation.points.map((point) => point.map(change))
      const result = await fitter.fit({ scheme: 'ibug68', points, camera })
      expect(['converged', 'max-iterations', 'failed']).toContain(result.status)
      if (result.status !== 'failed')
        expect(Number.isFinite(result.rmse) && Number.isFinite(result.cost!.final)).toBe(true)
      const json = JSON.parse(JSON.stringify(result))
      const pose = result.status === 'failed' ? [] : [...json.pose.rotation, ...json.pose.translation]
      expect([...json.identity, ...json.embedding, ...pose].every(Number.isFinite)).toBe(true)
    }
  })

  it.each([
    ['no noise to speak of', { noise: 1e-300 }],
    ['nothing but noise', { noise: 1e300 }],
    ['next to no confidence', { confidence: new Float32Array(68).fill(1e-45) }],
    ['a pinhole', { camera: { focal: 1e-300 } }],
    ['a telescope', { camera: { focal: 1e300 } }],
    ['a distant principal point', { camera: { principal: [1e300, -1e300] as [number, number] } }],
    ['a point for an image', { image: { width: 1e-300, height: 1e-300 } }],
    ['a world for an image', { image: { width: 1e300, height: 1e300 } }],
  ])('or are extreme (%s) end in a result all the same', async (_, change) => {
    const result = await fitter.fit({ ...observation, ...change } as Observation)
    expect(['converged', 'max-iterations', 'failed']).toContain(result.status)
    const pose = result.status === 'failed' ? [] : result.pose.rotation
    expect([...result.identity, ...result.embedding, ...pose].every(Number.isFinite)).toBe(true)
    if (result.usable) expect(Number.isFinite(result.rmse)).toBe(true)
    expect(() => JSON.stringify(result)).not.toThrow()
  })

  it('are as few as they have to be: 6 points of an image, 4 of a scan', async () => {
    const six = from((l) => ([0, 16, 27, 8, 45, 36].includes(l) ? real(l) : null))
    expect(await fitter.fit({ ...observation, points: six })).toMatchObject({ usable: true })
    const four = from((l) => ([0, 16, 27, 8].includes(l) ? solid[l]! : null))
    expect(await fitter.fit({ ...observation, points: four })).toMatchObject({ usable: true })
  })
})

describe('a landmark scheme without enough landmarks', () => {
  it('fails as an observation without enough does', async () => {
    const data = tinyModel().data
    const scheme = { ...data.schemes.get('tiny12')! }
    const weights = scheme.weights.slice()
    weights.fill(0, 3 * 5)
    using poor = SphereFaceModel.fromData({
      ...data,
      schemes: new Map([['tiny12', { ...scheme, weights }]]),
    })
    const poorFitter = await poor.createFitter()
    const landmarks = landmarksReference(decodeReference(data, data.identityPriorMean!), scheme)
    const points = Array.from({ length: 12 }, (_, l) => [3 * landmarks[3 * l]!, -3 * landmarks[3 * l + 1]!])
    expect((await poorFitter.fit({ scheme: 'tiny12', points })).message).toMatch(/^too few landmarks/)
  })
})
