import { afterEach, describe, expect, it, vi } from 'vitest'
import * as api from '../../lib/index.js'
import { fromNative, native, nativeCall } from '../../lib/native.js'
import { expectSfmError, expectSfmRejection } from '../fixtures/expectSfmError.js'
import { tinyModel } from '../fixtures/models.js'

const { ERROR_CODES, SfmError, SphereFaceModel } = api

describe('the table of codes', () => {
  it('is the same on both sides, in the same order', () => {
    expect(native().errorCodes()).toEqual([...ERROR_CODES])
  })

  it('names each code once', () => {
    expect(new Set(ERROR_CODES).size).toBe(ERROR_CODES.length)
  })
})

describe('SfmError', () => {
  it('is an Error with a code, a name and a cause', () => {
    const cause = new Error('disk full')
    const error = new SfmError('IO', 'cannot write', { cause })
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({ name: 'SfmError', code: 'IO', message: 'cannot write', cause })
    expect(String(error)).toBe('SfmError: cannot write')
    expect(Object.hasOwn(new SfmError('IO', ''), 'cause')).toBe(false)
  })
})

describe('what the native side throws', () => {
  const throwing = () => native().configureCpu(-1, 'portable')

  it('has a code of the table, and becomes an SfmError with the original as its cause', () => {
    let thrown: unknown
    try {
      throwing()
    } catch (error) {
      thrown = error
    }
    expect(thrown).toMatchObject({ code: 'INVALID_ARGUMENT', message: /threads/ })
    const error = fromNative(thrown)
    expect(error).toBeInstanceOf(SfmError)
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', message: (thrown as Error).message, cause: thrown })
  })

  it('is known by its code, whatever Error it is an instance of', () => {
    const foreign = Object.create(null, { code: { value: 'INTERNAL' }, message: { value: 'from another realm' } })
    expect(fromNative(foreign)).toBeInstanceOf(SfmError)
    expect(fromNative(foreign)).toMatchObject({ code: 'INTERNAL', message: 'from another realm', cause: foreign })
  })

  it('is left alone where it is none of ours', () => {
    for (const value of [undefined, null, 3, 'x', Symbol('x'), {}, new TypeError('x'), { code: 'ENOENT' }])
      expect(fromNative(value)).toBe(value)
    const already = new SfmError('IO', 'x')
    expect(fromNative(already)).toBe(already)
  })
})

describe('a rejected native call', () => {
  const later = (error: Error) =>
    nativeCall<void>(undefined, (callback) => {
      setImmediate(callback, error)
      return 0
    })

  it('has the stack of the one who awaits it, across the hop', async () => {
    async function theCallersOwnFunction() {
      await later(Object.assign(new Error('threads are gone'), { code: 'INTERNAL' }))
    }
    const error = await expectSfmRejection(theCallersOwnFunction(), 'INTERNAL', /^threads are gone$/)
    expect(error.stack).toContain('theCallersOwnFunction')
    expect(error.stack).toContain('facade-errors.test.ts')
    expect(error.cause).toMatchObject({ message: 'threads are gone' })
  })
})

describe('the stack', () => {
  const model = tinyModel()
  const face = { identity: model.data.identityPriorMean! }
  const observation = { scheme: 'tiny12', points: Array.from({ length: 12 }, (_, i) => [i * i, 7 * i]) }

  /** A call that is aborted once it is under way. */
  const abortedCall = (call: (signal: AbortSignal) => Promise<unknown>) => {
    const controller = new AbortController()
    const promise = call(controller.signal)
    controller.abort()
    return promise
  }
  const many = <T>(value: T) => Array.from({ length: 4000 }, () => value)

  it.each<[string, string, () => Promise<unknown>]>([
    ['a decode that is refused', 'INVALID_ARGUMENT', () => model.decode({ identity: [] })],
    ['a decode of an unknown scheme', 'UNKNOWN_SCHEME', () => model.decode(face, { scheme: 'nope' })],
    ['an aborted decode', 'ABORTED', () => abortedCall((signal) => model.decode(many(face), { signal }))],
    ['an aborted decode into lent memory', 'ABORTED', decodeIntoShared],
    [
      'a fit that is refused',
      'INVALID_ARGUMENT',
      async () => await (await model.createFitter()).fit({} as api.Observation),
    ],
    ['an aborted fit', 'ABORTED', abortedFit],
    ['a fitter that is refused', 'INVALID_ARGUMENT', () => model.createFitter({ noise: -1 })],
    ['a model that is refused', 'INVALID_MODEL', () => SphereFaceModel.load(new Uint8Array(9))],
    ['a model that is not there', 'IO', () => SphereFaceModel.load('/nowhere/model.safetensors')],
    ['a model of the wrong type', 'INVALID_ARGUMENT', () => SphereFaceModel.load(7 as unknown as string)],
    ['a model saved nowhere', 'IO', () => model.save('/nowhere/at/all/model.safetensors')],
  ])('of %s leads to the caller', async (_, code, call) => {
    async function theCallersOwnFunction() {
      return await call()
    }
    const error = await theCallersOwnFunction().then(
      () => undefined,
      (reason) => reason,
    )
    expect(error).toBeInstanceOf(SfmError)
    expect(error.code).toBe(code)
    expect(error.stack).toContain('theCallersOwnFunction')
  })

  function decodeIntoShared() {
    const out = new Float32Array(new SharedArrayBuffer(4 * 4000 * 189))
    return abortedCall((signal) => model.decode(many(face), { signal, out }))
  }

  async function abortedFit() {
    const fitter = await model.createFitter()
    return await abortedCall((signal) => fitter.fit(many(observation), { signal }))
  }
})

describe('an addon that cannot be loaded', () => {
  const variable = 'SPHERE_FACE_MODEL_PREBUILD'
  const before = process.env[variable]
  afterEach(() => {
    if (before === undefined) delete process.env[variable]
    else process.env[variable] = before
    vi.resetModules()
  })

  it('says on which platform, and what to install', async () => {
    process.env[variable] = '/nowhere'
    vi.resetModules()
    const fresh = await import('../../lib/index.js')
    let thrown: unknown
    try {
      fresh.devices()
    } catch (error) {
      thrown = error
    }
    expect(thrown).toBeInstanceOf(fresh.SfmError)
    expect(thrown).toMatchObject({ code: 'NATIVE_LOAD_FAILED', cause: expect.any(Error) })
    const { message } = thrown as Error
    expect(message).toContain(`${process.platform}-${process.arch}, Node ${process.version}`)
    expect(message).toContain('npm install sphere-face-model')
    expect(message).toContain('CMake')
  })
})

describe('the sources of models', () => {
  it('that are none are refused', async () => {
    for (const source of [null, 7, {}, [], true, new Float32Array(4), new DataView(new ArrayBuffer(9))])
      await expectSfmRejection(SphereFaceModel.load(source as string), 'INVALID_ARGUMENT', /^source: expected a path/)
    for (const data of [undefined, null, 'model', 3])
      expectSfmError(() => SphereFaceModel.fromData(data as unknown as api.ModelData), 'INVALID_ARGUMENT', /^data:/)
    expectSfmError(() => SphereFaceModel.fromData({} as api.ModelData), 'INVALID_MODEL')
    await expectSfmRejection(SphereFaceModel.load(new ArrayBuffer(3)), 'INVALID_MODEL')
  })

  it('may be bytes, whole or a part', async () => {
    using tiny = tinyModel()
    const bytes = tiny.toBytes()
    const larger = new Uint8Array(bytes.length + 16)
    larger.set(bytes, 8)
    for (const source of [bytes, bytes.slice().buffer, larger.subarray(8, 8 + bytes.length), Buffer.from(bytes)]) {
      using model = await SphereFaceModel.load(source)
      expect(model.data.mean).toEqual(tiny.data.mean)
    }
  })
})
