import { type LatentArrays, type Latents, packLatents, requireOptions } from '../decode/Latents.js'
import { type DeviceName, requireDevice, warnOfFallback } from '../devices.js'
import { invalidArgument, SfmError } from '../errors.js'
import { SlidingContour } from '../fit/contour/SlidingContour.js'
import { posteriorMean } from '../fit/evidence.js'
import { Fitter, type FitterModel, type FitterOptions } from '../fit/Fitter.js'
import { checkPosterior, fusePosteriors, type Posterior, type PosteriorLike } from '../fit/Posterior.js'
import { fromNative, type NativeDecoded, type NativeModel, native, nativeCall } from '../native.js'
import { type ComparisonThresholds, parseComparison } from './comparison.js'
import { drawLatents, type SampleOptions } from './drawLatents.js'
import { readModelFile, writeModelFile } from './formats/modelFile.js'
import { readModel, writeModel } from './formats/sphereFaceModel.js'
import type { LandmarkScheme, ModelData, ModelMetadata } from './ModelData.js'
import { type ModelReference, mayBeOfOneModel, modelLabel, referenceOf } from './ModelReference.js'
import { makeScheme, type SchemeDefinition } from './makeScheme.js'
import { noiseFactors } from './noiseFactors.js'
import { validateModel } from './validate.js'

/** How a model is used. */
export interface ModelOptions {
  /** Where its decodes and fitters compute that do not say (default `auto`). */
  device?: DeviceName
}

/** How faces are decoded. */
export interface DecodeOptions {
  /** Where to compute (default: where the model does). */
  device?: DeviceName
  /**
   * How CUDA devices, and processors with matrix tiles (Intel AMX), compute where the basis has 16 bits: `standard`
   * (default) is within 0.001 mm for latents within five standard deviations, `fast` within 0.1 mm, `exact` is single
   * precision throughout, as always elsewhere.
   */
  precision?: 'standard' | 'fast' | 'exact'
  /**
   * Where to write, [B,N,3]. In a SharedArrayBuffer it is written to directly; an ordinary array is filled in one copy
   * at the end, because JavaScript could take its memory away meanwhile.
   */
  out?: Float32Array
  /** Applies each face's pose: camera space instead of model space. */
  posed?: boolean
  /** The landmarks of this scheme instead of the mesh: [B,L,3]. */
  scheme?: string
  signal?: AbortSignal
}

/** One person's face from several observations. */
export interface FusedFace {
  /** [K] as a fit result's. */
  identity: Float32Array
  /** [K-1] unit vector. */
  embedding: Float32Array
  /** Of all observations together. */
  posterior: Posterior
  /** As a fit result's. */
  model?: ModelReference
}

const PRECISIONS: readonly string[] = ['standard', 'fast', 'exact'] satisfies DecodeOptions['precision'][]

/** Landmarks that the native side takes. */
const LARGEST_SCHEME = 65_536

/** Faces of one sample: more would not fit into memory. */
const LARGEST_SAMPLE = 1_000_000

/** The embedded model, beside lib/ and dist/. */
const DEFAULT_MODEL = new URL('../../models/sphere-face-model.safetensors', import.meta.url)

/**
 * A 3D morphable face model whose identities lie on the unit sphere: vertices = mean + identity basis * identity +
 * expression basis * expression, in mm. Immutable, and safe to use by any number of calls at once.
 *
 * @example
 * await using model = await SphereFaceModel.load()
 * const fitter = await model.createFitter()
 * const results = await fitter.fit(observations)
 * const vertices = await model.decode(results[0])
 */
export class SphereFaceModel {
  /** The content of the model file. Not to be written to: the native side has its own copy. */
  readonly data: ModelData
  readonly #fitterModel: FitterModel
  /** Those that the native side has, and their numbers there. */
  readonly #schemes = new Map<LandmarkScheme, number>()
  readonly #device: DeviceName
  #native: NativeModel | undefined
  #disposed = false
  /** Calls under way that need the native side more than once. */
  #keepers = 0

  private constructor(data: ModelData, options: ModelOptions) {
    requireOptions(options)
    this.#device = requireDevice(options.device)
    // A map of its own: defineScheme must not write to the caller's.
    this.data = { ...data, schemes: new Map(data.schemes) }
    try {
      this.#native = new (native().NativeModel)(data)
    } catch (error) {
      throw fromNative(error)
    }
    this.#fitterModel = {
      requireUsable: () => void this.#requireNative(),
      native: () => this.#lentNative(),
      keep: () => this.#keep(),
      schemes: this.data.schemes,
      nativeScheme: (scheme) => this.#nativeScheme(scheme),
      identityCount: data.identityCount,
      embeddingCount: data.metadata.latent === 'sphere' ? data.identityCount - 1 : data.identityCount,
      expressionNames: data.metadata.expressionNames,
      expressionBounds: data.expressionBounds,
      personShare: data.identityPersonShare?.subarray(0, data.identityCount - 1),
      reference: referenceOf(data.metadata),
      contour: new SlidingContour({
        data,
        native: () => this.#lentNative(),
        nativeScheme: (scheme) => this.#nativeScheme(scheme),
      }),
    }
  }

  /**
   * Loads a model: the embedded one, a file, or bytes.
   *
   * @param source A path, a `file:` URL, or the file's bytes. Without it the model that comes with this package.
   * @throws SfmError IO, INVALID_MODEL, INVALID_ARGUMENT, DEVICE_UNAVAILABLE, NATIVE_LOAD_FAILED, OUT_OF_MEMORY.
   * @example
   * const model = await SphereFaceModel.load('my-model.safetensors', { device: 'cuda' })
   */
  static async load(
    source?: string | URL | Uint8Array | ArrayBuffer,
    options: ModelOptions = {},
  ): Promise<SphereFaceModel> {
    const make = (data: ModelData) => new SphereFaceModel(data, options)
    if (source === undefined) return make(await readModelFile(DEFAULT_MODEL))
    if (typeof source === 'string' || source instanceof URL) return make(await readModelFile(source))
    if (source instanceof ArrayBuffer) return make(readModel(new Uint8Array(source)))
    if (source instanceof Uint8Array) return make(readModel(source))
    throw invalidArgument('source', 'a path, a file: URL, a Uint8Array or an ArrayBuffer', source)
  }

  /**
   * A model of data in memory, for example of {@link lift}.
   *
   * @throws SfmError INVALID_MODEL naming the tensor, DEVICE_UNAVAILABLE, NATIVE_LOAD_FAILED, OUT_OF_MEMORY.
   * @example
   * const sphere = SphereFaceModel.fromData(lift(gaussian.data))
   */
  static fromData(data: ModelData, options: ModelOptions = {}): SphereFaceModel {
    if (typeof data !== 'object' || data === null) throw invalidArgument('data', 'the data of a model', data)
    validateModel(data)
    return new SphereFaceModel(data, options)
  }

  /** N */
  get vertexCount(): number {
    return this.data.vertexCount
  }

  /** @internal Operations of decoding a face on the CPU's vectors, multiplications and additions. */
  get decodeFlops(): number {
    try {
      return this.#requireNative().decodeFlops()
    } catch (error) {
      throw fromNative(error)
    }
  }

  /** F */
  get triangleCount(): number {
    return this.data.triangles.length / 3
  }

  /** K, the length of an identity. */
  get identityCount(): number {
    return this.data.identityCount
  }

  /** E, the number of expression coefficients. */
  get expressionCount(): number {
    return this.data.expressionCount
  }

  get expressionNames(): readonly string[] {
    return this.data.metadata.expressionNames
  }

  /** Whether identities lie on the sphere or are Gaussian. */
  get latent(): 'sphere' | 'gaussian' {
    return this.data.metadata.latent
  }

  /** The names of the landmark schemes. */
  get schemes(): readonly string[] {
    return [...this.data.schemes.keys()]
  }

  get metadata(): ModelMetadata {
    return this.data.metadata
  }

  /** The thresholds that the model was calibrated for, for `compare`; undefined where it was not. */
  get comparison(): ComparisonThresholds | undefined {
    const thresholds = parseComparison(this.data.metadata.other.comparison)
    const { reference } = this.#fitterModel
    return thresholds && reference ? { ...thresholds, model: reference } : thresholds
  }

  /**
   * Decodes faces to vertices, in the background; on the CPU a few hundred points (the landmarks of a face) at once, since
   * handing them over would take longer.
   *
   * @param latents One face or many; fit results will do, and what `fitArrays` returns.
   * @returns [N,3], or [B,N,3] one after the other, in mm; with `normals`, unit vertex normals of the same shape as
   *   well. With `out`, it.
   * @throws SfmError INVALID_ARGUMENT, UNKNOWN_SCHEME, ABORTED, DISPOSED, QUEUE_FULL, OUT_OF_MEMORY,
   *   DEVICE_UNAVAILABLE.
   * @example
   * const vertices = await model.decode({ identity, expression: { jawOpen: 0.4 } })
   * const { normals } = await model.decode(result, { normals: true })
   */
  decode(
    latents: Latents | readonly Latents[] | LatentArrays,
    options: DecodeOptions & { normals: true },
  ): Promise<{ vertices: Float32Array; normals: Float32Array }>
  decode(
    latents: Latents | readonly Latents[] | LatentArrays,
    options?: DecodeOptions & { normals?: false },
  ): Promise<Float32Array>
  async decode(
    latents: Latents | readonly Latents[] | LatentArrays,
    options: DecodeOptions & { normals?: boolean } = {},
  ): Promise<Float32Array | { vertices: Float32Array; normals: Float32Array }> {
    requireOptions(options)
    const { out, posed = false, normals = false, scheme, signal, precision = 'standard' } = options
    const model = this.#requireNative()
    const device = requireDevice(options.device ?? this.#device)
    if (!PRECISIONS.includes(precision)) throw invalidArgument('precision', "'standard', 'fast' or 'exact'", precision)
    const faces = packLatents(latents, this.#latentSizes(), posed)
    const size = this.#checkOut(out, faces.count, scheme)
    if (normals && scheme !== undefined)
      throw invalidArgument('normals', 'no scheme, since landmarks have none', scheme)
    const shared = out !== undefined && !(out.buffer instanceof ArrayBuffer) ? out : null
    const decoded = await nativeCall<NativeDecoded>(
      signal,
      (callback) =>
        model.decode(
          this.#schemeNumber(scheme),
          faces.identity,
          faces.expression,
          faces.poses,
          { normals, device, precision },
          shared,
          callback,
        ),
      shared !== null,
    )
    warnOfFallback(decoded.warning)
    let { vertices } = decoded
    if (out !== undefined && shared === null) {
      if (out.length !== size) throw invalidArgument('out', `to keep its ${size} numbers until the call settles`, out)
      // Of no faces there is nothing to write, not even to memory that is gone.
      if (size > 0) out.set(vertices)
      vertices = out
    }
    return normals ? { vertices, normals: decoded.normals as Float32Array } : vertices
  }

  /**
   * Decodes on the calling thread: for a face now and then, where the trip to the pool costs more than the work.
   *
   * @param options.out Where to write, [B,N,3]; made anew without it.
   * @throws SfmError INVALID_ARGUMENT, UNKNOWN_SCHEME, DISPOSED.
   * @example
   * const vertices = model.decodeSync(result, { out: reusable })
   */
  decodeSync(
    latents: Latents | readonly Latents[] | LatentArrays,
    options: { out?: Float32Array; posed?: boolean; scheme?: string } = {},
  ): Float32Array {
    requireOptions(options)
    const { posed = false, scheme } = options
    const model = this.#requireNative()
    const faces = packLatents(latents, this.#latentSizes(), posed)
    const size = this.#checkOut(options.out, faces.count, scheme)
    const out = options.out ?? allocate(size)
    try {
      return model.decodeSync(this.#schemeNumber(scheme), faces.identity, faces.expression, faces.poses, out)
    } catch (error) {
      throw fromNative(error)
    }
  }

  /**
   * Fuses several observations of one person: each counts for what it saw of the face.
   *
   * @param results Fits with `posterior: true` by this model, or their JSON with the numbers in arrays.
   * @returns A face that can be decoded, and compared like any result.
   * @throws SfmError INVALID_ARGUMENT naming the observation, DISPOSED.
   * @example
   * const fitter = await model.createFitter({ posterior: true })
   * const alice = model.fuse(await fitter.fit(photosOfAlice))
   * const { logLikelihoodRatio } = compare(alice, await fitter.fit(photo))
   */
  fuse(
    results: ReadonlyArray<{ posterior?: PosteriorLike | undefined; model?: ModelReference | undefined }>,
  ): FusedFace {
    const model = this.#requireNative()
    const posterior = fusePosteriors(results)
    const of = this.#requireOwn(results)
    const size = this.#fitterModel.embeddingCount
    const mean = posteriorMean(checkPosterior(posterior, 'posterior', size), 'posterior')
    const share = this.#fitterModel.personShare
    if (!share) return { ...model.fromWhitened(mean), posterior, ...of }
    // The posterior is of the person's own latents: the shape they have by themselves, and their direction.
    const { identity } = model.fromWhitened(mean.map((value, i) => Math.sqrt(share[i]!) * value))
    const length = Math.hypot(...mean)
    const embedding = Float32Array.from(mean, (value) => (length > 0 ? value / length : 0))
    return { identity, embedding, posterior, ...of }
  }

  /**
   * Adds a landmark scheme: landmarks of another detector, markers, or any vertices that are to be decoded alone.
   *
   * @param scheme.name A name that the model does not have yet.
   * @param scheme.points A vertex index for each landmark, or a point of a triangle: three vertex indices and their
   *   weights, of sum 1.
   * @param scheme.reliability One number a landmark: 1 good (default), 0.5 fair, 0.1 bad.
   * @throws SfmError INVALID_ARGUMENT, DISPOSED.
   * @example
   * model.defineScheme({ name: 'tips', points: [412, { vertices: [7, 8, 9], weights: [0.5, 0.25, 0.25] }] })
   * const tips = await model.decode(result, { scheme: 'tips' })   // Float32Array [2,3]
   */
  defineScheme(scheme: SchemeDefinition): void {
    this.#requireNative()
    const { schemes } = this.data
    if (typeof scheme !== 'object' || scheme === null)
      throw invalidArgument('scheme', 'an object with "name" and "points"', scheme)
    if (schemes.has(scheme.name))
      throw invalidArgument('scheme.name', 'a name that the model does not have yet', scheme.name)
    const { points, reliability } = scheme
    // Before anything is made as large as these claim to be.
    if (!Array.isArray(points) || points.length === 0 || points.length > LARGEST_SCHEME)
      throw invalidArgument('scheme.points', `an array of 1 to ${LARGEST_SCHEME} points`, points)
    if (reliability !== undefined && (typeof reliability !== 'object' || reliability?.length !== points.length))
      throw invalidArgument('scheme.reliability', `${points.length} numbers, one a landmark`, reliability)
    const made = makeScheme(scheme, this.data)
    schemes.set(made.name, made)
  }

  /**
   * Draws faces from the model's prior.
   *
   * @throws SfmError INVALID_ARGUMENT
   * @example
   * const faces = model.sample({ count: 8, seed: 1, expressionScale: 1 })
   */
  sample(options: SampleOptions): Array<{ identity: Float32Array; expression: Float32Array }> {
    requireOptions(options)
    const { count } = options
    if (!Number.isInteger(count) || count < 0 || count > LARGEST_SAMPLE)
      throw invalidArgument('count', `an integer from 0 to ${LARGEST_SAMPLE}`, count)
    return Array.from(drawLatents(this.data, options))
  }

  /**
   * A fitter of this model, with options that hold for all its calls.
   *
   * @throws SfmError INVALID_ARGUMENT, DEVICE_UNAVAILABLE, DISPOSED.
   * @example
   * const fitter = await model.createFitter({ camera: 'weak' })
   */
  async createFitter(options: FitterOptions = {}): Promise<Fitter> {
    this.#requireNative()
    requireOptions(options)
    return new Fitter(this.#fitterModel, { ...options, device: options.device ?? this.#device })
  }

  /**
   * Writes the model to a file, whole or not at all.
   *
   * @throws SfmError IO, INVALID_ARGUMENT.
   */
  save(path: string | URL): Promise<void> {
    return writeModelFile(path, this.data)
  }

  /** The bytes of the model's file. */
  toBytes(): Uint8Array {
    return writeModel(this.data)
  }

  /** Gives the native memory back; calls under way still settle, later ones throw DISPOSED. Idempotent. */
  dispose(): void {
    this.#disposed = true
    this.#giveBack()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.dispose()
  }

  #requireNative(): NativeModel {
    if (this.#disposed) throw disposed()
    return this.#lentNative()
  }

  /** Also of a model that has been disposed of, as long as a call keeps it. */
  #lentNative(): NativeModel {
    if (this.#native === undefined) throw disposed()
    return this.#native
  }

  /** Keeps the native side for a call, until what is returned is called. */
  #keep(): () => void {
    this.#keepers++
    return () => {
      this.#keepers--
      this.#giveBack()
    }
  }

  #giveBack(): void {
    if (!this.#disposed || this.#keepers > 0) return
    this.#native?.dispose()
    this.#native = undefined
    this.#schemes.clear()
  }

  /** Refuses results that say that they are of another model. */
  #requireOwn(results: ReadonlyArray<{ model?: ModelReference | undefined }>): { model?: ModelReference } {
    const { reference } = this.#fitterModel
    if (!reference) return {}
    for (const [i, { model }] of results.entries())
      if (model && !mayBeOfOneModel(model, reference))
        throw new SfmError(
          'INVALID_ARGUMENT',
          `results[${i}].model: expected ${modelLabel(reference)}, received ${modelLabel(model)}`,
        )
    return { model: reference }
  }

  #latentSizes() {
    const { identityCount, expressionCount } = this.data
    return { identityCount, expressionCount, expressionNames: this.expressionNames }
  }

  #checkOut(out: Float32Array | undefined, count: number, scheme: string | undefined): number {
    const points = scheme === undefined ? this.vertexCount : this.#requireScheme(scheme).count
    const size = count * points * 3
    if (out !== undefined && (!(out instanceof Float32Array) || out.length !== size))
      throw invalidArgument('out', `a Float32Array of ${size}`, out)
    return size
  }

  #requireScheme(name: string): LandmarkScheme {
    if (typeof name !== 'string') throw invalidArgument('scheme', 'the name of a landmark scheme', name)
    const scheme = this.data.schemes.get(name)
    if (scheme) return scheme
    throw new SfmError(
      'UNKNOWN_SCHEME',
      `scheme: the model has no scheme ${JSON.stringify(name)}; it has ${this.schemes.join(', ')}`,
    )
  }

  #schemeNumber(name: string | undefined): number {
    return name === undefined ? -1 : this.#nativeScheme(this.#requireScheme(name))
  }

  /** Gathers a scheme's rows of the basis when it is first used. */
  #nativeScheme(scheme: LandmarkScheme): number {
    const known = this.#schemes.get(scheme)
    if (known !== undefined) return known
    try {
      const number = this.#lentNative().addScheme({
        indices: scheme.indices,
        weights: scheme.weights,
        noiseFactors: noiseFactors(scheme),
        ...(scheme.offset && { offsets: scheme.offset }),
        ...(scheme.noiseFactor && { correlatedNoise: scheme.noiseFactor }),
      })
      this.#schemes.set(scheme, number)
      return number
    } catch (error) {
      throw fromNative(error)
    }
  }
}

const disposed = () => new SfmError('DISPOSED', 'the model has been disposed')

function allocate(size: number): Float32Array {
  try {
    return new Float32Array(size)
  } catch (cause) {
    throw new SfmError('OUT_OF_MEMORY', `memory for ${size} numbers could not be had`, { cause })
  }
}
