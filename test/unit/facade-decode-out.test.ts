import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { MessageChannel } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { expectSfmError, expectSfmRejection } from '../fixtures/expectSfmError.js'
import { tinyModel } from '../fixtures/models.js'
import { drawFace } from '../fixtures/observe.js'

const model = tinyModel()
const faces = [1, 2, 3, 4].map((seed) => drawFace(model.data, seed, 0.8))
const size = faces.length * 3 * model.vertexCount
const bytes = 4 * size
const expected = model.decodeSync(faces)

/** Buffers that change their length are newer than the library that the types are of. */
const resizable = (length: number, maxByteLength: number) =>
  Reflect.construct(ArrayBuffer, [length, { maxByteLength }]) as ArrayBuffer & { resize(length: number): void }
const growable = (length: number, maxByteLength: number) =>
  Reflect.construct(SharedArrayBuffer, [length, { maxByteLength }]) as SharedArrayBuffer & {
    grow(length: number): void
  }

/** Of WebAssembly, which the library of the types leaves to browsers: pages of 64 KiB. */
interface Memory {
  buffer: ArrayBuffer
  grow(pages: number): void
}
const { Memory } = Reflect.get(globalThis, 'WebAssembly') as {
  Memory: new (options: { initial: number; maximum?: number; shared?: boolean }) => Memory
}

const inShared = (offset = 0) => new Float32Array(new SharedArrayBuffer(bytes + 4 * offset + 64), 4 * offset, size)

describe('out', () => {
  it.each([
    ['an ordinary array', () => new Float32Array(size)],
    ['a part of an ordinary buffer', () => new Float32Array(new ArrayBuffer(bytes + 100), 52, size)],
    ['shared memory', () => new Float32Array(new SharedArrayBuffer(bytes))],
    ['a part of shared memory', () => inShared(5)],
    ['a resizable buffer', () => new Float32Array(resizable(bytes, 2 * bytes))],
    ['a part of a resizable buffer', () => new Float32Array(resizable(2 * bytes, 2 * bytes), 8, size)],
    ['growable shared memory', () => new Float32Array(growable(bytes, 2 * bytes))],
    ['the memory of WebAssembly', () => new Float32Array(new Memory({ initial: 1 }).buffer, 16, size)],
    [
      'shared memory of WebAssembly',
      () => new Float32Array(new Memory({ initial: 1, maximum: 2, shared: true }).buffer, 16, size),
    ],
    ['an array of a class of its own', () => new (class Vertices extends Float32Array {})(size)],
  ])('may be %s', async (_, make) => {
    for (const normals of [false, true]) {
      const out = make()
      const around = new Uint8Array(out.buffer)
      around.fill(255)
      const vertices = normals
        ? (await model.decode(faces, { out, normals })).vertices
        : await model.decode(faces, { out, normals })
      expect(vertices).toBe(out)
      expect(out.every((value, i) => value === expected[i])).toBe(true)
      const outside = [...around.subarray(0, out.byteOffset), ...around.subarray(out.byteOffset + out.byteLength)]
      expect(outside.every((value) => value === 255)).toBe(true)
    }
    const out = make()
    expect(model.decodeSync(faces, { out })).toBe(out)
    expect(out.every((value, i) => value === expected[i])).toBe(true)
  })

  it('has to be a Float32Array of the right length', async () => {
    const message = /^out: expected a Float32Array of 756, received/
    for (const out of [
      null,
      'out',
      [],
      Array.from(expected),
      new Float64Array(size),
      new Uint8Array(bytes),
      new DataView(new ArrayBuffer(bytes)),
      new ArrayBuffer(bytes),
      new Float32Array(0),
      new Float32Array(size - 1),
      new Float32Array(size + 1),
      { length: size },
      Object.create(Float32Array.prototype),
    ]) {
      // What pretends to be a Float32Array fails where its length is asked for.
      const impostor = out instanceof Float32Array && !ArrayBuffer.isView(out)
      const refused = (run: Promise<unknown>) =>
        impostor ? expect(run).rejects.toThrow() : expectSfmRejection(run, 'INVALID_ARGUMENT', message)
      await refused(model.decode(faces, { out: out as Float32Array }))
      await refused((async () => model.decodeSync(faces, { out: out as Float32Array }))())
    }
    await expectSfmRejection(
      model.decode(faces, { out: new Float32Array(size), scheme: 'tiny12' }),
      'INVALID_ARGUMENT',
      /^out: expected a Float32Array of 144, received Float32Array of 756/,
    )
    const landmarks = new Float32Array(144)
    expect(await model.decode(faces, { out: landmarks, scheme: 'tiny12' })).toBe(landmarks)
    expect(landmarks).toEqual(model.decodeSync(faces, { scheme: 'tiny12' }))
  })

  it('has to have its memory still', async () => {
    const out = new Float32Array(size)
    structuredClone(out, { transfer: [out.buffer] })
    await expectSfmRejection(model.decode(faces, { out }), 'INVALID_ARGUMENT', /received Float32Array of 0/)
    expectSfmError(() => model.decodeSync(faces, { out }), 'INVALID_ARGUMENT', /received Float32Array of 0/)
  })

  it('is filled for no faces as well', async () => {
    for (const out of [new Float32Array(0), new Float32Array(new SharedArrayBuffer(0))]) {
      expect(await model.decode([], { out })).toBe(out)
      expect(model.decodeSync([], { out })).toBe(out)
    }
  })
})

describe('out, changed while the call is under way', () => {
  const lost = /^out: expected to keep its 756 numbers until the call settles, received Float32Array of \d+/

  it('by a transfer: the call is refused', async () => {
    const out = new Float32Array(size)
    const decoding = model.decode(faces, { out })
    const moved = structuredClone(out, { transfer: [out.buffer] })
    await expectSfmRejection(decoding, 'INVALID_ARGUMENT', lost)
    expect(moved.every((value) => value === 0)).toBe(true)
  })

  it('by a transfer of nothing: no faces need no memory', async () => {
    const out = new Float32Array(0)
    const decoding = model.decode([], { out })
    structuredClone(out, { transfer: [out.buffer] })
    expect(await decoding).toBe(out)
  })

  it('by shrinking: the call is refused', async () => {
    const buffer = resizable(bytes, 2 * bytes)
    const views = [new Float32Array(buffer), new Float32Array(buffer, 0, size)]
    for (const out of views) {
      const decoding = model.decode(faces, { out })
      buffer.resize(bytes - 4)
      await expectSfmRejection(decoding, 'INVALID_ARGUMENT', lost)
      buffer.resize(bytes)
    }
  })

  it('by growing: a view of fixed length is filled, one that grows along is refused', async () => {
    const buffer = resizable(bytes, 2 * bytes)
    const fixed = new Float32Array(buffer, 0, size)
    const growing = new Float32Array(buffer)
    const decoding = [model.decode(faces, { out: fixed }), model.decode(faces, { out: growing })] as const
    buffer.resize(2 * bytes)
    await expectSfmRejection(decoding[1], 'INVALID_ARGUMENT', lost)
    expect(await decoding[0]).toBe(fixed)
    expect(fixed).toEqual(expected)
  })

  it('by shrinking and growing back: it is filled', async () => {
    const buffer = resizable(bytes, bytes)
    const out = new Float32Array(buffer)
    const decoding = model.decode(faces, { out })
    buffer.resize(0)
    buffer.resize(bytes)
    expect(await decoding).toBe(out)
    expect([...out]).toEqual([...expected])
  })

  it('by the growth of WebAssembly memory, which takes it away: the call is refused', async () => {
    const memory = new Memory({ initial: 1, maximum: 2 })
    const out = new Float32Array(memory.buffer, 0, size)
    const decoding = model.decode(faces, { out })
    memory.grow(1)
    await expectSfmRejection(decoding, 'INVALID_ARGUMENT', lost)
  })

  it('by the growth of shared memory: it is filled', async () => {
    const buffer = growable(bytes, 16 * bytes)
    const [growing, fixed] = [new Float32Array(buffer), new Float32Array(buffer, 0, size)]
    const decoding = [model.decode(faces, { out: growing }), model.decode(faces, { out: fixed })]
    buffer.grow(16 * bytes)
    expect(await Promise.all(decoding)).toEqual([growing, fixed])
    expect([...fixed]).toEqual([...expected])
    expect(growing).toHaveLength(16 * size)
  })

  it('by being forgotten: the memory is kept until the call settles', async () => {
    const results = await Promise.all(
      Array.from({ length: 200 }, () => model.decode(faces, { out: new Float32Array(new SharedArrayBuffer(bytes)) })),
    )
    for (const result of results) expect(result.every((value, i) => value === expected[i])).toBe(true)
  })
})

describe('an aborted decode into shared memory', () => {
  it('is over when its promise settles', async () => {
    const many = Array.from({ length: 4000 }, () => faces[0]!)
    for (let round = 0; round < 10; round++) {
      const out = new Float32Array(new SharedArrayBuffer(4 * many.length * 3 * model.vertexCount))
      const controller = new AbortController()
      const decoding = model.decode(many, { out, signal: controller.signal })
      setImmediate(() => controller.abort(round))
      const error = await decoding.then(
        () => undefined,
        (reason) => reason,
      )
      const then = out.slice()
      await wait(5)
      expect(out.every((value, i) => value === then[i])).toBe(true)
      if (error !== undefined) expect(error).toMatchObject({ code: 'ABORTED', cause: round })
    }
  })
})

describe('results', () => {
  it('are memory of their own', async () => {
    const [a, b] = await Promise.all([model.decode(faces[0]!), model.decode(faces[0]!)])
    expect(a.buffer).not.toBe(b.buffer)
    a.fill(0)
    expect(b).toEqual(model.decodeSync(faces[0]!))
    expect(b.byteOffset).toBe(0)
    expect(b.buffer.byteLength).toBe(b.byteLength)
  })

  it('can be sent to another thread', async () => {
    const vertices = await model.decode(faces)
    const { port1, port2 } = new MessageChannel()
    const received = once(port2, 'message')
    port1.postMessage(vertices)
    expect([...(await received)[0]]).toEqual([...expected])
    port1.close()
  })
})
