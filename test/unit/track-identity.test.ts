import { describe, expect, it } from 'vitest'
import {
  compare,
  type FitterOptions,
  IdentityTracker,
  type Observation,
  SphereFaceModel,
  type TrackedFrame,
} from '../../lib/index.js'
import type { ModelData } from '../../lib/model/ModelData.js'
import { bits } from '../fixtures/bits.js'
import { expectSfmError, expectSfmRejection } from '../fixtures/expectSfmError.js'
import { TINY_MODELS } from '../fixtures/models.js'
import { neutralError } from '../fixtures/neutralError.js'
import { disturb, drawFace, see } from '../fixtures/observe.js'
import { tinyFullModel, tinySphereModel } from '../fixtures/tinyModel.js'

const HD = { type: 'perspective', focal: 1400, principal: [640, 360] } as const

/** A frame of a person who turns the head slowly. */
function frame(data: ModelData, person: number, t: number, scheme = 'ibug68', noise = 1): Observation {
  const view = { yaw: 15 * Math.sin(t / 20), pitch: 4 * Math.sin(t / 31), distance: 600, camera: HD }
  const { observation } = see(data, scheme, drawFace(data, person), view)
  return { ...observation, points: disturb(observation.points, noise, 10_000 * person + t), noise }
}

const frames = (data: ModelData, person: number, count: number, scheme?: string) =>
  Array.from({ length: count }, (_, t) => frame(data, person, t, scheme))

async function trackAll(tracker: IdentityTracker, observations: readonly Observation[]): Promise<TrackedFrame[]> {
  return Promise.all(observations.map((observation) => tracker.track(observation)))
}

async function start(data = tinySphereModel(), options: FitterOptions = {}) {
  const model = SphereFaceModel.fromData(data)
  const fitter = await model.createFitter(options)
  return { model, fitter, [Symbol.dispose]: () => model.dispose() }
}

describe.each(Object.entries(TINY_MODELS))('a tracker of the model "%s"', (_, make) => {
  const scheme = make === tinyFullModel ? 'tiny12' : 'ibug68'

  it('grows surer of one person with every frame', async () => {
    using it = await start(make())
    const tracker = it.fitter.createTracker()
    const tracked = await trackAll(tracker, frames(it.model.data, 1, 30, scheme))
    for (const [t, { frame: index, person, same_person, restart, usable, identity_uncertainty }] of tracked.entries()) {
      expect({ index, person, restart, usable }).toEqual({ index: t, person: 0, restart: undefined, usable: true })
      expect(same_person).toBeGreaterThan(0.9)
      if (t > 0) expect(identity_uncertainty).toBeLessThan(tracked[t - 1]!.identity_uncertainty!)
    }
    const person = tracker.person()!
    expect(person).toMatchObject({ person: 0, frames: 30, identity_uncertainty: tracked.at(-1)!.identity_uncertainty })
    expect([...person.identity]).toEqual([...tracked.at(-1)!.identity])
    expect(person.posterior.shift).toHaveLength(person.embedding.length)
  })
})

describe('a tracker', () => {
  it('comes nearer to the person than single frames do', async () => {
    using it = await start()
    const people = [1, 2, 3, 4, 5, 6]
    const errors = await Promise.all(
      people.map(async (person) => {
        const observations = frames(it.model.data, person, 40)
        const tracked = await trackAll(it.fitter.createTracker(), observations)
        const [first] = await it.fitter.fit(observations)
        return [neutralError(it.model, tracked.at(-1)!, person), neutralError(it.model, first!, person)] as const
      }),
    )
    const mean = (which: 0 | 1) => errors.reduce((sum, each) => sum + each[which], 0) / errors.length
    expect(mean(0)).toBeLessThan(0.5 * mean(1))
  })

  it('notices a cut to somebody else, and says so', async () => {
    using it = await start()
    const { data } = it.model
    const tracker = it.fitter.createTracker({ patience: 4 })
    const tracked = await trackAll(tracker, [...frames(data, 1, 12), ...frames(data, 2, 12)])
    const people = tracked.map(({ person }) => person)
    expect(people).toEqual([...Array(15).fill(0), ...Array(9).fill(1)])
    expect(tracked.filter(({ restart }) => restart).map(({ frame: t, restart }) => [t, restart])).toEqual([
      [15, 'the last 4 frames show somebody else'],
    ])
    for (const t of [12, 13, 14]) expect(tracked[t]!.same_person).toBeLessThan(0.5)
    expect(tracker.person()).toMatchObject({ person: 1, frames: 12 })
    const alone = it.fitter.createTracker()
    await trackAll(alone, frames(data, 2, 12))
    expect(compare(tracker.person()!, alone.person()!).cosine).toBeGreaterThan(0.99)
  })

  it('does not follow a stranger who passes by', async () => {
    using it = await start()
    const { data } = it.model
    const tracker = it.fitter.createTracker()
    const tracked = await trackAll(tracker, [
      ...frames(data, 1, 10),
      frame(data, 2, 3),
      frame(data, 3, 4),
      frame(data, 2, 5),
      ...frames(data, 1, 4),
    ])
    expect(tracked.every(({ person, restart }) => person === 0 && restart === undefined)).toBe(true)
    expect(tracked.map(({ same_person }) => same_person! < 0.5)).toEqual(tracked.map((_, t) => t >= 10 && t < 13))
    expect(tracker.person()!.frames).toBe(14)
  })

  it('lives through frames without a face, and jumps', async () => {
    using it = await start()
    const { data } = it.model
    const tracker = it.fitter.createTracker()
    const blank = { ...frame(data, 1, 0), points: Array.from({ length: 68 }, () => null) }
    const moved = Array.from({ length: 5 }, (_, t) => {
      const { observation } = see(data, 'ibug68', drawFace(data, 1), { distance: 700, offset: [90, -30], camera: HD })
      return { ...observation, points: disturb(observation.points, 1, t), noise: 1 }
    })
    const tracked = await trackAll(tracker, [blank, ...frames(data, 1, 5), blank, ...moved])
    expect(tracked.map(({ status }) => status === 'failed')).toEqual(tracked.map((_, t) => t === 0 || t === 6))
    expect(tracked[0]).toMatchObject({ same_person: null, usable: false, message: expect.stringMatching(/^too few/) })
    expect(tracked[6]).toMatchObject({ same_person: null, person: 0, frame: 6 })
    for (const each of tracked.slice(7)) expect(each).toMatchObject({ usable: true, person: 0 })
    expect(tracked[7]!.rmse).toBeLessThan(2)
    expect(tracker.person()!.frames).toBe(10)
  })

  it('takes frames in the order of the calls, and gives the same bits again', async () => {
    using it = await start()
    const observations = frames(it.model.data, 1, 8)
    const atOnce = await trackAll(it.fitter.createTracker(), observations)
    const tracker = it.fitter.createTracker()
    for (const [t, observation] of observations.entries())
      expect(bits((await tracker.track(observation)) as never)).toBe(bits(atOnce[t] as never))
  })

  it('takes frames of any schemes and cameras, and scans', async () => {
    using it = await start()
    const { data } = it.model
    const face = drawFace(data, 4)
    const { landmarks } = see(data, 'ibug68', face, { camera: HD })
    const scan = { scheme: 'ibug68', points: landmarks }
    const weak = see(data, 'ibug68', face, { camera: { type: 'weak', scale: 2, principal: [640, 360] } }).observation
    const unknown = { ...frame(data, 4, 3), camera: {} }
    const tracked = await trackAll(it.fitter.createTracker(), [
      frame(data, 4, 0),
      frame(data, 4, 1, 'tiny12'),
      weak,
      scan,
      unknown,
      frame(data, 4, 5),
    ])
    expect(tracked.map(({ usable }) => usable)).toEqual(Array(6).fill(true))
    expect(tracked.map(({ camera }) => camera?.type)).toEqual([
      'perspective',
      'perspective',
      'weak',
      undefined,
      'perspective',
      'perspective',
    ])
  })

  it('holds an estimated focal length once it has settled', async () => {
    using it = await start()
    const observations = frames(it.model.data, 5, 45).map((each) => ({ ...each, camera: {} }))
    const tracked = await trackAll(it.fitter.createTracker(), observations)
    const focal = tracked.map(({ camera }) => (camera as { focal: number }).focal)
    for (const each of focal.slice(31)) expect(each).toBeCloseTo(focal[30]!, 6)
  })

  it('forgets what it is told to', async () => {
    using it = await start()
    const { data } = it.model
    const [all, some] = [
      it.fitter.createTracker({ independence: 1 }),
      it.fitter.createTracker({ independence: 1, memory: 0.8 }),
    ]
    const [a, b] = [await trackAll(all, frames(data, 6, 40)), await trackAll(some, frames(data, 6, 40))]
    expect(a.at(-1)!.identity_uncertainty!).toBeLessThan(b.at(-1)!.identity_uncertainty!)
    expect(b.at(-1)!.identity_uncertainty!).toBeCloseTo(b[25]!.identity_uncertainty!, 2)
    all.reset()
    expect(all.person()).toBeUndefined()
    expect(await all.track(frame(data, 7, 0))).toMatchObject({ frame: 40, person: 1, same_person: 1, usable: true })
  })

  it('leaves pose and expression as they are, if asked to', async () => {
    using it = await start()
    const observations = frames(it.model.data, 1, 40).map((each, t) => ({
      ...frame(it.model.data, 1, 0),
      points: disturb(
        see(it.model.data, 'ibug68', drawFace(it.model.data, 1), { camera: HD }).observation.points,
        1,
        t,
      ),
      noise: 1,
      camera: each.camera!,
    }))
    const jitter = async (smooth: boolean) => {
      const yaw = (await trackAll(it.fitter.createTracker({ smooth }), observations))
        .slice(20)
        .map(({ pose }) => pose.yaw)
      const mean = yaw.reduce((sum, each) => sum + each, 0) / yaw.length
      return Math.sqrt(yaw.reduce((sum, each) => sum + (each - mean) ** 2, 0) / yaw.length)
    }
    expect(await jitter(true)).toBeLessThan(0.5 * (await jitter(false)))
  })

  it('refuses bad frames without losing its place', async () => {
    using it = await start()
    const { data } = it.model
    const tracker = it.fitter.createTracker()
    const first = tracker.track(frame(data, 1, 0))
    await expectSfmRejection(tracker.track({} as never), 'INVALID_ARGUMENT', /^observation.scheme/)
    await expectSfmRejection(tracker.track({ ...frame(data, 1, 1), scheme: 'none' }), 'UNKNOWN_SCHEME')
    await expectSfmRejection(tracker.track({ ...frame(data, 1, 1), points: [] }), 'INVALID_ARGUMENT', /points/)
    await expectSfmRejection(tracker.track(frame(data, 1, 1), { signal: AbortSignal.abort() }), 'ABORTED')
    expect(await tracker.track(frame(data, 1, 1))).toMatchObject({ frame: 1, usable: true })
    expect((await first).frame).toBe(0)
    expect(tracker.person()!.frames).toBe(2)
  })

  it.each<[string, object, RegExp]>([
    ['independence', { independence: 0 }, /^independence: expected a number above 0, up to 1/],
    ['memory', { memory: 1.5 }, /^memory: expected a number above 0, up to 1/],
    ['patience', { patience: 2.5 }, /^patience: expected an integer from 1 to 1000/],
    ['smooth', { smooth: 'yes' }, /^smooth: expected true or false/],
    ['unknown names', { speed: 1 }, /^options: expected names among independence/],
  ])('refuses bad options: %s', async (_, options, message) => {
    using it = await start()
    expectSfmError(() => it.fitter.createTracker(options as never), 'INVALID_ARGUMENT', message)
  })

  it('ends with its fitter', async () => {
    using it = await start()
    const tracker = it.fitter.createTracker()
    expect(tracker).toBeInstanceOf(IdentityTracker)
    it.fitter.dispose()
    await expectSfmRejection(tracker.track(frame(it.model.data, 1, 0)), 'DISPOSED')
    expectSfmError(() => it.fitter.createTracker(), 'DISPOSED')
  })
})
