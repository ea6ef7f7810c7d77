import { getEventListeners } from 'node:events'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { configureCpu, devices } from '../../lib/devices.js'
import type { SfmError } from '../../lib/errors.js'
import type { Observation } from '../../lib/fit/Observation.js'
import { bits } from '../fixtures/bits.js'
import { expectSfmError, expectSfmRejection } from '../fixtures/expectSfmError.js'
import { defaultModel, tinyModel } from '../fixtures/models.js'
import { disturb, drawFace, see } from '../fixtures/observe.js'

const HD = { type: 'perspective', focal: 1400, principal: [640, 360] } as const
const WEAK = { type: 'weak', scale: 2, principal: [300, 300] } as const

const model = await defaultModel()
const fitter = await model.createFitter()
const tiny = tinyModel()
const tinyFitter = await tiny.createFitter()
afterAll(() => {
  tiny.dispose()
  model.dispose()
})

/** Different in every way an observation can be. */
function mixture(count: number): Observation[] {
  return Array.from({ length: count }, (_, i) => {
    const scheme = i % 3 === 0 ? 'mediapipe478' : 'ibug68'
    const view = { yaw: ((i * 37) % 140) - 70, pitch: ((i * 13) % 40) - 20, camera: i % 5 === 4 ? WEAK : HD }
    const { observation, landmarks } = see(model.data, scheme, drawFace(model.data, i, 0.4), view)
    const id = `face-${i}`
    if (i % 7 === 5) {
      const points = Array.from({ length: landmarks.length / 3 }, (_, l) => [...landmarks.subarray(3 * l, 3 * l + 3)])
      return { id, scheme, points }
    }
    const points = disturb(observation.points, 1, i)
    if (i % 4 === 1) points.fill(null, 10, 25)
    if (i % 11 === 6) points.fill(null)
    const camera = i % 2 === 0 ? observation.camera! : { type: observation.camera!.type! }
    return { ...observation, id, points, camera }
  })
}

const observations = mixture(40)
const alone: string[] = []
for (const observation of observations) alone.push(bits(await fitter.fit(observation)))

describe('a mixed batch', () => {
  it('has a result for each observation, in their order', async () => {
    const results = await fitter.fit(observations)
    expect(results.map(({ id }) => id)).toEqual(observations.map(({ id }) => id))
    results.forEach((result, i) => {
      const { scheme, camera } = observations[i]!
      const isScan = !camera
      expect(result.residuals).toHaveLength(model.data.schemes.get(scheme)!.count)
      expect(result.camera?.type).toBe(isScan || result.status === 'failed' ? undefined : camera.type)
      expect(result.status === 'failed').toBe(i % 11 === 6 && i % 7 !== 5)
    })
    expect(results.filter(({ usable }) => usable).length).toBeGreaterThan(30)
  })

  it('gives what each observation gives alone, to the bit: in any order, of any size, at any place', async () => {
    const expectSame = async (order: number[]) => {
      const results = await fitter.fit(order.map((i) => observations[i]!))
      expect(results.map((result) => result.id)).toEqual(order.map((i) => observations[i]!.id))
      results.forEach((result, at) => {
        expect(bits(result)).toBe(alone[order[at]!])
      })
    }
    const all = observations.map((_, i) => i)
    await expectSame(all)
    await expectSame([...all].reverse())
    await expectSame([3, 3, 3, 0, 3])
    await expectSame(all.slice(5, 12))
    await expectSame([...all, ...all])
  })

  it('gives it with other calls under way', async () => {
    const results = await Promise.all(observations.map((observation) => fitter.fit(observation)))
    expect(results.map(bits)).toEqual(alone)
  })

  it('of nothing is nothing', async () => {
    expect(await fitter.fit([])).toEqual([])
  })

  it('larger than a native call is cut and put together again', async () => {
    const { observation } = see(tiny.data, 'tiny12', drawFace(tiny.data, 1), { yaw: 10, camera: HD })
    const many = Array.from({ length: 9001 }, (_, i) => ({
      ...observation,
      id: String(i),
      // Every third is another one, so that the pieces are not all alike.
      points: i % 3 === 0 ? disturb(observation.points, 0.5, 1) : observation.points,
      camera: i % 1000 === 999 ? { type: 'weak' as const } : observation.camera!,
    }))
    const results = await tinyFitter.fit(many)
    const kinds = new Map<string, string>()
    results.forEach((result, i) => {
      expect(result.id).toBe(String(i))
      const kind = `${i % 3 === 0} ${i % 1000 === 999}`
      const text = bits({ ...result, id: '' })
      if (!kinds.has(kind)) kinds.set(kind, text)
      if (kinds.get(kind) !== text) expect(text).toBe(kinds.get(kind))
    })
    expect(kinds.size).toBe(4)
  })
})

describe('the number of threads', () => {
  const { threads, instructionSet } = devices()[0]!
  afterEach(() => configureCpu({ threads, instructionSet }))

  it('does not show in a result', async () => {
    const faces = Array.from({ length: 70 }, (_, i) => drawFace(model.data, i, 0.5))
    const { vertices, normals } = await model.decode(faces, { normals: true })
    for (const count of [1, 2, 3, 7]) {
      configureCpu({ threads: count })
      expect((await fitter.fit(observations)).map(bits)).toEqual(alone)
      const decoded = await model.decode(faces, { normals: true })
      expect(Buffer.compare(Buffer.from(decoded.vertices.buffer), Buffer.from(vertices.buffer))).toBe(0)
      expect(Buffer.compare(Buffer.from(decoded.normals.buffer), Buffer.from(normals.buffer))).toBe(0)
    }
  })
})

describe('a fit', () => {
  it('has copied what it was given before it returns', async () => {
    const given = structuredClone(observations.slice(0, 12))
    const flat = Float64Array.from((observations[2]!.points as number[][]).flat())
    const confidence = new Float32Array(68).fill(0.5)
    const special = { ...observations[2]!, points: flat, confidence }
    const expected = bits(await fitter.fit(structuredClone(special)))
    const fitting = fitter.fit(given)
    const specialFitting = fitter.fit(special)
    for (const observation of given) {
      observation.id = 'changed'
      observation.scheme = 'changed'
      observation.subject = 'changed'
      for (const point of observation.points as Array<number[] | null>) point?.fill(Number.NaN)
      ;(observation.points as unknown[]).length = 0
      observation.camera = { type: 'weak', focal: -1 }
      delete observation.image
    }
    given.length = 0
    flat.fill(0)
    structuredClone(flat, { transfer: [flat.buffer] })
    confidence.fill(2)
    special.id = 'changed'
    expect((await fitting).map(bits)).toEqual(alone.slice(0, 12))
    expect(bits(await specialFitting)).toBe(expected)
  })

  it('leaves what it was given alone', async () => {
    const before = structuredClone(observations)
    await fitter.fit(observations)
    expect(observations).toEqual(before)
  })

  it('can be one of 10,000 at once', async () => {
    const { observation } = see(tiny.data, 'tiny12', drawFace(tiny.data, 2), { yaw: -20, camera: HD })
    const expected = bits(await tinyFitter.fit(observation))
    const fitting = Array.from({ length: 10_000 }, () => tinyFitter.fit(observation))
    expect(devices()[0]!.pendingCalls).toBe(10_000)
    for (const result of await Promise.all(fitting)) if (bits(result) !== expected) expect(bits(result)).toBe(expected)
    expect(devices()[0]!.pendingCalls).toBe(0)
  })
})

describe('an aborted fit', () => {
  it('that had not begun', async () => {
    const reason = { why: 'no longer needed' }
    const signal = AbortSignal.abort(reason)
    const error = await expectSfmRejection(fitter.fit(observations, { signal }), 'ABORTED', /^the call was aborted$/)
    expect(error.cause).toBe(reason)
    await expectSfmRejection(fitter.fit([], { signal }), 'ABORTED')
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })

  it('that had begun ends at once, with the reason, and nobody else notices', async () => {
    const controller = new AbortController()
    const many = Array.from({ length: 2000 }, (_, i) => observations[i % 40]!)
    const fitting = fitter.fit(many, { signal: controller.signal })
    const neighbour = fitter.fit(observations[0]!)
    const reason = new Error('enough')
    setTimeout(() => controller.abort(reason), 20)
    const error = await expectSfmRejection(fitting, 'ABORTED')
    expect(error.cause).toBe(reason)
    expect(bits(await neighbour)).toBe(alone[0])
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
    // The threads may have a face in hand still.
    await vi.waitFor(() => expect(devices()[0]!.pendingCalls).toBe(0))
  })

  it('has the reason of AbortSignal.timeout', async () => {
    const many = Array.from({ length: 4000 }, (_, i) => observations[i % 40]!)
    const error = await expectSfmRejection(fitter.fit(many, { signal: AbortSignal.timeout(1) }), 'ABORTED')
    expect(error.cause).toMatchObject({ name: 'TimeoutError' })
  })

  it('that has settled stays as it is', async () => {
    const controller = new AbortController()
    const result = await fitter.fit(observations[0]!, { signal: controller.signal })
    controller.abort()
    expect(bits(result)).toBe(alone[0])
  })
})

describe('what has been disposed', () => {
  it('refuses fits, and lets those under way end', async () => {
    const own = tinyModel()
    const { observation } = see(own.data, 'tiny12', drawFace(own.data, 2), { yaw: -20, camera: HD })
    const [first, second] = [await own.createFitter(), await own.createFitter()]
    const expected = bits(await first.fit(observation))
    const underWay = first.fit(Array.from({ length: 500 }, () => observation))
    first.dispose()
    first.dispose()
    await expectSfmRejection(first.fit(observation), 'DISPOSED', /^the fitter has been disposed$/)
    // The model is still there, and so are its other fitters.
    expect(bits(await second.fit(observation))).toBe(expected)
    const another = second.fit(Array.from({ length: 500 }, () => observation))
    own.dispose()
    await expectSfmRejection(second.fit(observation), 'DISPOSED', /^the model has been disposed$/)
    await expectSfmRejection(second.fit([]), 'DISPOSED')
    await expectSfmRejection(second.fit({} as Observation), 'DISPOSED')
    for (const results of [await underWay, await another])
      for (const result of results) expect(bits(result)).toBe(expected)
  })

  it('is disposed of by `using`', async () => {
    let kept: typeof fitter
    {
      using own = await tiny.createFitter()
      kept = own
    }
    await expectSfmRejection(kept.fit([]), 'DISPOSED')
    {
      await using own = await tiny.createFitter()
      kept = own
    }
    await expectSfmRejection(kept.fit([]), 'DISPOSED')
  })
})

describe('the queue', () => {
  it('is bounded: what does not fit is refused, what did is done', { timeout: 60_000 }, async () => {
    const controller = new AbortController()
    // Keeps the threads busy while the queue fills.
    const busy = fitter.fit(
      Array.from({ length: 12_000 }, (_, i) => observations[i % 40]!),
      { signal: controller.signal },
    )
    busy.catch(() => undefined)
    const face = { identity: tiny.data.identityPriorMean! }
    const expected = tiny.decodeSync(face)
    // With normals even a small face goes through the queue.
    const decode = async () => (await tiny.decode(face, { normals: true })).vertices
    const calls: Promise<Float32Array>[] = []
    const refused: SfmError[] = []
    for (let i = 0; i < 70_000; i++) {
      const call = decode()
      calls.push(call)
      call.catch((error) => refused.push(error))
    }
    expect(() => configureCpu({ threads: 1 })).toThrow(/^configureCpu: expected no calls under way/)
    expectSfmError(() => configureCpu({ threads: 1 }), 'INVALID_ARGUMENT')
    controller.abort()
    const settled = await Promise.allSettled(calls)
    await expectSfmRejection(busy, 'ABORTED')
    expect(refused.length).toBeGreaterThan(0)
    expect(refused.length).toBeLessThan(10_000)
    for (const error of refused) {
      if (error.code === 'QUEUE_FULL') continue
      expect(error.code).toBe('QUEUE_FULL')
    }
    expect(refused[0]!.message).toMatch(/^the queue holds \d+ calls already/)
    let done = 0
    for (const outcome of settled)
      if (
        outcome.status === 'fulfilled' &&
        Buffer.compare(Buffer.from(outcome.value.buffer), Buffer.from(expected.buffer)) === 0
      )
        done++
    expect(done).toBe(calls.length - refused.length)
    // And all is well again.
    expect(await decode()).toEqual(expected)
    expect(await tiny.decode(face)).toEqual(expected)
  })
})
