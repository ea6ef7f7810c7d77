// Checked by tsc, as all of test/ is: what compiles here has to, and what is expected not to must not. Nothing is run.
import { describe, expectTypeOf, it } from 'vitest'
import {
  type Camera,
  type Comparison,
  type CpuDevice,
  compare,
  configureCpu,
  type DecodeOptions,
  type DetectedFace,
  type Device,
  devices,
  type ERROR_CODES,
  type ErrorCode,
  FaceDetector,
  type FitResult,
  type FitStatus,
  type Fitter,
  type FitterOptions,
  type FusedFace,
  fusePosteriors,
  type Latents,
  lift,
  type ModelData,
  type Observation,
  type Photo,
  type Picture,
  type Pose,
  type Posterior,
  readPhoto,
  SfmError,
  SphereFaceModel,
} from '../../lib/index.js'

declare const model: SphereFaceModel
declare const fitter: Fitter
declare const result: FitResult
declare const observation: Observation

/** Never called: its body is for the compiler. */
const compiled = (_: () => unknown) => undefined

describe('loading', () => {
  it('takes a path, a URL, bytes or nothing', () => {
    expectTypeOf(SphereFaceModel.load).returns.resolves.toEqualTypeOf<SphereFaceModel>()
    compiled(() => SphereFaceModel.load())
    compiled(() => SphereFaceModel.load('model.safetensors'))
    compiled(() => SphereFaceModel.load(new URL('file:///model.safetensors')))
    compiled(() => SphereFaceModel.load(new Uint8Array(8)))
    compiled(() => SphereFaceModel.load(new ArrayBuffer(8)))
    // @ts-expect-error A number is no source.
    compiled(() => SphereFaceModel.load(7))
    // @ts-expect-error Models come from load and fromData.
    compiled(() => new SphereFaceModel(model.data))
    expectTypeOf(lift).returns.toEqualTypeOf<ModelData>()
    expectTypeOf(SphereFaceModel.fromData).parameter(0).toEqualTypeOf<ModelData>()
  })

  it('gives what `using` and `await using` take', () => {
    expectTypeOf<SphereFaceModel>().toExtend<Disposable & AsyncDisposable>()
    expectTypeOf<Fitter>().toExtend<Disposable & AsyncDisposable>()
  })
})

describe('decoding', () => {
  it('returns vertices, or vertices and normals', () => {
    compiled(() => expectTypeOf(model.decode(result)).resolves.toEqualTypeOf<Float32Array>())
    compiled(() => expectTypeOf(model.decode([result], { posed: true })).resolves.toEqualTypeOf<Float32Array>())
    compiled(() =>
      expectTypeOf(model.decode(result, { normals: true })).resolves.toEqualTypeOf<{
        vertices: Float32Array
        normals: Float32Array
      }>(),
    )
    compiled(() => expectTypeOf(model.decodeSync(result, { out: new Float32Array(3) })).toEqualTypeOf<Float32Array>())
  })

  it('takes fit results, samples, plain arrays and expressions by name', () => {
    expectTypeOf<FitResult>().toExtend<Latents>()
    expectTypeOf<{ identity: Float32Array; expression: Float32Array }>().toExtend<Latents>()
    expectTypeOf<{ identity: number[]; expression: { jawOpen: number } }>().toExtend<Latents>()
    expectTypeOf<{ identity: readonly number[] }>().toExtend<Latents>()
    expectTypeOf<{ expression: number[] }>().not.toExtend<Latents>()
    expectTypeOf<SphereFaceModel['sample']>().returns.items.toEqualTypeOf<{
      identity: Float32Array
      expression: Float32Array
    }>()
    // @ts-expect-error A Float64Array cannot be decoded into.
    compiled(() => model.decode(result, { out: new Float64Array(3) }))
    // @ts-expect-error The option is called `posed`.
    compiled(() => model.decode(result, { pose: true }))
    expectTypeOf<DecodeOptions['signal']>().toEqualTypeOf<AbortSignal | undefined>()
  })
})

describe('fitting', () => {
  it('returns one result for one observation, and a list for a list', () => {
    compiled(() => expectTypeOf(fitter.fit(observation)).resolves.toEqualTypeOf<FitResult>())
    compiled(() => expectTypeOf(fitter.fit([observation])).resolves.toEqualTypeOf<FitResult[]>())
    compiled(() => expectTypeOf(fitter.fit([observation] as const)).resolves.toEqualTypeOf<FitResult[]>())
    compiled(() => expectTypeOf(model.createFitter()).resolves.toEqualTypeOf<Fitter>())
  })

  it('takes literal observations', () => {
    expectTypeOf<{ scheme: string; points: Array<[number, number] | null> }>().toExtend<Observation>()
    expectTypeOf<{ scheme: string; points: ReadonlyArray<readonly [number, number, number]> }>().toExtend<Observation>()
    expectTypeOf<{ scheme: string; points: Float64Array; confidence: Float32Array }>().toExtend<Observation>()
    expectTypeOf<{ scheme: string; points: number[][]; confidence: number[] }>().toExtend<Observation>()
    expectTypeOf<{ points: number[][] }>().not.toExtend<Observation>()
    expectTypeOf<{ scheme: string; points: number[] }>().not.toExtend<Observation>()
    compiled(() => fitter.fit({ scheme: 'ibug68', points: [[1, 2], null], camera: { type: 'weak' } }))
    // @ts-expect-error No such camera.
    compiled(() => fitter.fit({ scheme: 'ibug68', points: [], camera: { type: 'fisheye' } }))
    // @ts-expect-error No such option.
    compiled(() => model.createFitter({ nosie: 1 }))
    expectTypeOf<{ device: 'cuda:3'; camera: 'weak' }>().toExtend<FitterOptions>()
    expectTypeOf<{ device: 'tpu' }>().not.toExtend<FitterOptions>()
  })

  it('has results whose cameras can be told apart', () => {
    expectTypeOf<FitResult['status']>().toEqualTypeOf<FitStatus>()
    expectTypeOf<FitStatus>().toEqualTypeOf<'converged' | 'max-iterations' | 'failed'>()
    expectTypeOf<FitResult['pose']>().toEqualTypeOf<Pose>()
    expectTypeOf<FitResult['rmse']>().toEqualTypeOf<number | null>()
    expectTypeOf<FitResult['identity_uncertainty']>().toEqualTypeOf<number | null>()
    expectTypeOf<FitResult['camera']>().toEqualTypeOf<Camera | null>()
    compiled(() => {
      if (result.camera?.type === 'perspective') return expectTypeOf(result.camera.focal).toEqualTypeOf<number>()
      if (result.camera?.type === 'weak') return expectTypeOf(result.camera.scale).toEqualTypeOf<number>()
      return expectTypeOf(result.camera).toEqualTypeOf<null>()
    })
  })
})

describe('photos', () => {
  it('gives observations of what it finds, in anything that shows something', () => {
    expectTypeOf<DetectedFace>().toExtend<Observation>()
    expectTypeOf<FaceDetector>().toExtend<Disposable & AsyncDisposable>()
    expectTypeOf<Photo['pixels']>().toEqualTypeOf<Picture>()
    compiled(async () => {
      const detector = await FaceDetector.load()
      const photo = await readPhoto(new URL('file:///photo.jpg'), { longestSide: 4096 })
      for (const shown of [photo, photo.pixels, 'photo.jpg', new Uint8Array(8)]) await detector.detect(shown)
      await fitter.fit(await detector.detect(photo, { maxFaces: 1, minFace: 64 }))
      // @ts-expect-error A size is no picture.
      await detector.detect({ width: 8, height: 8 })
    })
  })
})

describe('the rest', () => {
  it('compares whatever has an embedding', () => {
    expectTypeOf(compare).returns.toEqualTypeOf<Comparison>()
    expectTypeOf<FitResult>().toExtend<Parameters<typeof compare>[0]>()
    expectTypeOf<{ embedding: number[] }>().toExtend<Parameters<typeof compare>[0]>()
    expectTypeOf<{ identity: number[] }>().not.toExtend<Parameters<typeof compare>[0]>()
    expectTypeOf<FusedFace>().toExtend<Parameters<typeof compare>[0]>()
    expectTypeOf<FusedFace>().toExtend<Latents>()
    compiled(() => compare(model.fuse([result, result]), result, { thresholds: model.comparison }))
    compiled(() => expectTypeOf(fusePosteriors([result])).toEqualTypeOf<Posterior>())
    expectTypeOf<FitResult['posterior']>().toEqualTypeOf<Posterior | undefined>()
  })

  it('has errors with a code of the table', () => {
    expectTypeOf<SfmError['code']>().toEqualTypeOf<ErrorCode>()
    expectTypeOf<(typeof ERROR_CODES)[number]>().toEqualTypeOf<ErrorCode>()
    expectTypeOf<'ABORTED' | 'QUEUE_FULL'>().toExtend<ErrorCode>()
    expectTypeOf<'SOMETHING'>().not.toExtend<ErrorCode>()
    expectTypeOf<SfmError>().toExtend<Error>()
    // @ts-expect-error No such code.
    compiled(() => new SfmError('SOMETHING', ''))
  })

  it('describes the devices and configures the CPU', () => {
    expectTypeOf(devices).returns.toExtend<Device[]>()
    expectTypeOf(devices()[0]).toEqualTypeOf<CpuDevice>()
    compiled(() => SphereFaceModel.load(undefined, { device: 'cuda:1' }))
    // @ts-expect-error No such device.
    compiled(() => SphereFaceModel.load(undefined, { device: 'gpu' }))
    compiled(() => configureCpu({ threads: 2 }))
    // @ts-expect-error Not a count.
    compiled(() => configureCpu({ threads: 'all' }))
  })
})
