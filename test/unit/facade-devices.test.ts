import { afterEach, describe, expect, it } from 'vitest'
import { configureCpu, devices, requireDevice, warnOfFallback } from '../../lib/devices.js'
import { SphereFaceModel } from '../../lib/model/SphereFaceModel.js'
import { native } from '../../lib/native.js'
import { expectSfmError, expectSfmRejection } from '../fixtures/expectSfmError.js'
import { defaultModel, TINY_MODELS, tinyModel } from '../fixtures/models.js'
import { disturb, drawFace, see } from '../fixtures/observe.js'
import { largestDifference } from '../fixtures/reference.js'

const initially = devices()[0]!
afterEach(() => configureCpu({ threads: initially.threads, instructionSet: initially.instructionSet }))

describe('devices', () => {
  it('has the CPU, and what it can do', () => {
    const all = devices()
    for (const device of all.slice(1)) expect(device.name).toMatch(/^cuda:\d+$/)
    const [cpu] = all
    expect(cpu).toMatchObject({ name: 'cpu', pendingCalls: 0 })
    expect(cpu!.threads).toBeGreaterThanOrEqual(1)
    expect(cpu!.instructionSets).toContain(cpu!.instructionSet)
    // Every machine has this one, as the last resort.
    expect(cpu!.instructionSets.at(-1)).toBe('portable')
    expect(Object.keys(cpu!).sort()).toEqual(['instructionSet', 'instructionSets', 'name', 'pendingCalls', 'threads'])
  })

  it('counts the calls that have not settled', async () => {
    const model = tinyModel()
    const calls = Array.from({ length: 5 }, () => model.decode({ identity: model.data.identityPriorMean! }))
    expect(devices()[0]!.pendingCalls).toBe(5)
    await Promise.all(calls)
    expect(devices()[0]!.pendingCalls).toBe(0)
  })
})

describe('configureCpu', () => {
  it('sets threads and instruction set, each without the other', () => {
    configureCpu({ threads: 3 })
    expect(devices()[0]).toMatchObject({ threads: 3, instructionSet: initially.instructionSet })
    configureCpu({ instructionSet: 'portable' })
    expect(devices()[0]).toMatchObject({ threads: 3, instructionSet: 'portable' })
    configureCpu({})
    expect(devices()[0]).toMatchObject({ threads: 3, instructionSet: 'portable' })
    for (let i = 0; i < 20; i++) configureCpu({ threads: 1 + (i % 5) })
    expect(devices()[0]!.threads).toBe(5)
  })

  it('refuses what cannot be', () => {
    for (const threads of [0, -1, 1.5, 1025, Number.NaN, Number.POSITIVE_INFINITY, '2', null, 2n, {}])
      expectSfmError(
        () => configureCpu({ threads: threads as number }),
        'INVALID_ARGUMENT',
        /^threads: expected an integer from 1 to 1024/,
      )
    for (const instructionSet of ['sse9', '', 512, null, {}])
      expectSfmError(
        () => configureCpu({ instructionSet: instructionSet as string }),
        'DEVICE_UNAVAILABLE',
        /^instructionSet: expected one of .*portable, received/,
      )
    for (const options of [null, undefined, 7, 'fast'])
      expectSfmError(
        () => configureCpu(options as unknown as object),
        'INVALID_ARGUMENT',
        /^options: expected an object/,
      )
    expect(devices()[0]).toEqual(initially)
  })

  it('waits for no call: it refuses while any is under way', async () => {
    const model = tinyModel()
    const call = model.decode({ identity: model.data.identityPriorMean! })
    expectSfmError(() => configureCpu({ threads: 1 }), 'INVALID_ARGUMENT', /^configureCpu: expected no calls under way/)
    await call
    configureCpu({ threads: 1 })
    expect(devices()[0]!.threads).toBe(1)
  })
})

describe('the device of a fitter', () => {
  it('is the CPU at least, whatever way it is asked for', async () => {
    for (const device of [undefined, 'auto', 'cpu'] as const) {
      using model = tinyModel()
      await model.createFitter({ device: device! })
      await model.decode({ identity: model.data.identityPriorMean! }, { device: device! })
      SphereFaceModel.fromData(model.data, { device: device! }).dispose()
    }
  })

  it('is refused where it cannot be had', async () => {
    const model = tinyModel()
    const absent = (['cuda', 'cuda:0', 'cuda:17'] as const).filter(
      (device) => devices().length === 1 || device === 'cuda:17',
    )
    for (const device of absent) {
      const message = new RegExp(`^device: ${device} is not available: `)
      await expectSfmRejection(model.createFitter({ device }), 'DEVICE_UNAVAILABLE', message)
      const face = { identity: model.data.identityPriorMean! }
      await expectSfmRejection(model.decode(face, { device }), 'DEVICE_UNAVAILABLE', message)
      expectSfmError(() => SphereFaceModel.fromData(model.data, { device }), 'DEVICE_UNAVAILABLE', message)
      // The addon says so as well.
      const options = { normals: false, device, precision: 'standard' }
      const code = (() => {
        try {
          ;new (native().NativeModel)(model.data).decode(
            -1,
            Float32Array.from(face.identity),
            null,
            null,
            options,
            null,
            () => {},
          )
        } catch (error) {
          return (error as { code?: string }).code
        }
        return undefined
      })()
      expect(code).toBe('DEVICE_UNAVAILABLE')
    }
    for (const device of ['gpu', 'cuda:', 'cuda:x', '', 'CPU', null, 7, {}])
      expectSfmError(() => requireDevice(device), 'INVALID_ARGUMENT', /^device: expected 'auto', 'cpu', 'cuda' or/)
  })
})

describe('a warning of a fallback', () => {
  it('comes once on the channel of Node', async () => {
    const warnings: Error[] = []
    const listen = (warning: Error) => warnings.push(warning)
    process.on('warning', listen)
    for (const warning of [undefined, 'the card is out of memory', 'the card is out of memory']) warnOfFallback(warning)
    await new Promise(setImmediate)
    process.off('warning', listen)
    expect(warnings.map(({ name, message }) => [name, message])).toEqual([
      ['SfmWarning', 'the card is out of memory; the CPU does the work instead'],
    ])
  })
})

describe('instruction sets agree', () => {
  // Against the portable one, which rounds at other places: every number is right within these.
  const MILLIMETRES = 2e-4
  const RELATIVE_COST = 1e-5
  // Where H is rounded to 8 bits, fits end a little elsewhere on the way to where nothing is left to gain.
  const ROUGH_COST = 5e-5
  const LATENT = 2e-3
  const ROTATION = 5e-4

  it.each(Object.keys(TINY_MODELS))('on decoding a model: %s', async (kind) => {
    const model = tinyModel(kind)
    const faces = Array.from({ length: 11 }, (_, i) => drawFace(model.data, i, 0.9))
    const decoded: Float32Array[] = []
    for (const instructionSet of [...initially.instructionSets].reverse()) {
      configureCpu({ instructionSet })
      decoded.push(await model.decode(faces), await model.decode(faces, { scheme: 'ibug68' }))
    }
    for (let i = 2; i < decoded.length; i++)
      expect(largestDifference(decoded[i]!, decoded[i % 2]!)).toBeLessThan(MILLIMETRES)
  })

  it('on the embedded model, decoded and fitted', async () => {
    const model = await defaultModel()
    const faces = Array.from({ length: 9 }, (_, i) => drawFace(model.data, i, 0.7))
    const camera = { type: 'perspective', focal: 1400, principal: [640, 360] } as const
    const observations = Array.from({ length: 24 }, (_, i) => {
      const view = { yaw: ((i * 37) % 150) - 75, pitch: ((i * 13) % 40) - 20, camera }
      const scheme = i % 4 === 0 ? 'mediapipe478' : 'ibug68'
      const { observation } = see(model.data, scheme, drawFace(model.data, i, 0.5), view)
      const points = disturb(observation.points, i % 3 === 0 ? 0.05 : 1, i)
      // Some so exact that they are fitted in double precision.
      return { ...observation, points, ...(i % 3 === 0 && { noise: 0.05 }), ...(i % 5 === 0 && { camera: {} }) }
    })
    const runs = []
    for (const instructionSet of [...initially.instructionSets].reverse()) {
      configureCpu({ instructionSet })
      const fitter = await model.createFitter()
      runs.push({ instructionSet, vertices: await model.decode(faces), results: await fitter.fit(observations) })
    }
    const [portable, ...others] = runs
    for (const { instructionSet, vertices, results } of others) {
      const rough = instructionSet === 'avx512bf16' || instructionSet === 'amx'
      expect(largestDifference(vertices, portable!.vertices)).toBeLessThan(MILLIMETRES)
      for (const [i, result] of results.entries()) {
        const reference = portable!.results[i]!
        expect(result.status).toBe(reference.status)
        expect(Math.abs(result.cost!.final / reference.cost!.final - 1)).toBeLessThan(
          rough ? ROUGH_COST : RELATIVE_COST,
        )
        expect(largestDifference(result.identity, reference.identity)).toBeLessThan(LATENT)
        expect(largestDifference(result.expressionValues, reference.expressionValues)).toBeLessThan(LATENT)
        expect(largestDifference(result.pose.rotation, reference.pose.rotation)).toBeLessThan(ROTATION)
      }
    }
  })
})
