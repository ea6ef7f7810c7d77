import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { aborted, throwIfAborted, whenAborted } from './aborts.js'
import { ERROR_CODES, type ErrorCode, SfmError } from './errors.js'

/** The settings of a fit as the native side takes them: every one given. */
export interface NativeFitOptions {
  maxIterations: number
  robust: boolean
  degreesOfFreedom: number
  boundExpression: boolean
  identityPrior: number
  expressionPrior: number
  noise: number
  focalStddev: number
  costTolerance: number
  weakPerspective: boolean
  /** Whether to estimate the nuisances that model and scheme have. */
  nuisances: boolean
  /** Whether to tell what the landmarks say of the identity. */
  posterior: boolean
  /** 3D landmarks instead of an image's. */
  scan: boolean
  /** Fits in double precision: some ten times slower. */
  precise: boolean
  /** Whether to tell the derivatives of the residuals. */
  linearise: boolean
  device: string
}

/** The native end of a call: exactly one of the two is there. */
type Callback<T> = (error: Error | null, value?: T) => void

/** The model inside the addon (native/addon/NativeModel.h); arrays are checked again there. */
export interface NativeModel {
  addScheme(scheme: {
    indices: Int32Array
    weights: Float32Array
    noiseFactors: Float32Array
    offsets?: Float32Array | undefined
    /** [q,L,3] mm, a factor of the landmarks' correlated noise. */
    correlatedNoise?: Float32Array | undefined
  }): number
  fit(
    scheme: number,
    options: NativeFitOptions,
    points: Float64Array,
    confidence: Float32Array | null,
    cameras: Float64Array,
    callback: Callback<NativeFits>,
    joint?: NativeJoint,
  ): number
  decode(
    scheme: number,
    identity: Float32Array,
    expression: Float32Array | null,
    poses: Float32Array | null,
    options: { normals: boolean; device: string; precision: string },
    sharedOut: Float32Array | null,
    callback: Callback<NativeDecoded>,
  ): number
  decodeSync(
    scheme: number,
    identity: Float32Array,
    expression: Float32Array | null,
    poses: Float32Array | null,
    out: Float32Array,
  ): Float32Array
  /** The face at whitened coordinates [D] of the tangent space. */
  fromWhitened(coordinates: Float64Array): { identity: Float32Array; embedding: Float32Array }
  /** L [D,D] of v = L x, x the whitened coordinates, and the sphere's radius (0 for Gaussian models). */
  identityPrior(): { factor: Float64Array; radius: number }
  /** Operations of decoding a face on the CPU's vectors. */
  decodeFlops(): number
  dispose(): void
}

/** What every batch may come with. */
interface NativeBatch {
  /** Why another device than the one asked for did the work. */
  warning?: string
}

/** What the native side returns for a batch of faces to decode. */
export interface NativeDecoded extends NativeBatch {
  vertices: Float32Array
  normals?: Float32Array
}

/** What makes a batch of fits one person's (native/core/JointEvidence.h). */
export interface NativeJoint {
  precision: Float64Array
  coupling: Float64Array
  person: Float64Array
  mean: Float64Array
  /** Whether the person is the prior of the fits; otherwise it is the model's own. */
  linked: boolean
  /** Whether the priors of what is an image's own say nothing of the face's size (docs/joint.md). */
  sizeFree: boolean
  /** Neither uncertainties nor faces without their nuisances are wanted yet. */
  draft: boolean
  /** Where an earlier batch of the same observations ended. */
  seeds: Float64Array | null
  /** One pass of a joint fit; without it each observation is fitted by itself. */
  pass?: NativePass
  /** What the pass before left to this one, which takes it. */
  images?: unknown
}

/** One Gauss-Newton step of every image (native/cpu/JointSolver.h). */
export interface NativePass {
  /** [D] the person. */
  w: Float64Array
  /** [B] whether each image is of the person: 0 or 1. */
  members: Float64Array
  /** An image's part of the weight of w's prior. */
  prior: number
  /** Whether priors are those of faces seen as in the pass before, or as they are seen now (docs/joint.md). */
  holdsScale: boolean
  /** Makes new normal matrices; otherwise those of an earlier pass serve. */
  relinearise: boolean
  /** Every image to its own optimum, and all that is reported of it. */
  last: boolean
  /** Whether `evidence` is wanted. */
  evidence: boolean
}

/** What the native side returns for a batch of fits (native/core/Batch.h). */
export interface NativeFits extends NativeBatch {
  records: Float64Array
  /** Not of a pass that is not the last. */
  arrays: Float32Array
  linearisations?: Float64Array
  /** [B, 18 + D + Q + E] where the fits of a joint batch ended (native/core/FitSeed.h). */
  seeds?: Float64Array
  /** [B, D(D+1)/2 + D] what they say of the person: information and gradient. Not of a pass that is not asked for it. */
  evidence?: Float64Array
  /** What a pass of a joint fit leaves to the next. */
  images?: unknown
}

export interface NativeModelTensors {
  mean: Float32Array
  identityBasis: Float32Array | Uint16Array
  expressionBasis: Float32Array | Uint16Array
  expressionBounds: Float32Array
  expressionStddev: Float32Array
  expressionMean?: Float32Array | undefined
  identityPriorMean?: Float32Array | undefined
  identityPriorFactor?: Float32Array | undefined
  triangles: Int32Array
  withinIdentityBasis?: Float32Array | Uint16Array | undefined
  mirror?: Int32Array | undefined
  identityPersonShare?: Float32Array | undefined
}

/** Linear algebra on row-major matrices (native/addon/Linear.h); sizes are checked again there. */
export interface NativeLinear {
  multiply(
    a: Float64Array | Float32Array,
    aRows: number,
    aColumns: number,
    transposeA: boolean,
    b: Float64Array | Float32Array,
    bRows: number,
    bColumns: number,
    transposeB: boolean,
    add: boolean,
    out: Float64Array,
  ): void
  gram(a: Float64Array | Float32Array, rows: number, columns: number, add: boolean, out: Float64Array): void
  /** In place. */
  cholesky(a: Float64Array, n: number): void
  /** In place of b. */
  solve(l: Float64Array, n: number, transposed: boolean, b: Float64Array, columns: number): void
  logDeterminant(l: Float64Array, n: number): number
  symmetricEigen(a: Float64Array, n: number, values: Float64Array, vectors: Float64Array): void
  /** Which columns were kept, as 0 or 1; the basis [rows, rank] at the beginning of `out`. */
  orthonormalise(a: Float64Array, rows: number, columns: number, tolerance: number, out: Float64Array): Uint8Array
}

/** What the images of a joint fit say of the person, where passes have left it (native/addon/Joint.h). */
export interface NativeJointEvidence {
  /** What a photo says of the person, in place: share [D], information [D(D+1)/2] and shift [D] of native/cpu/PersonPosterior.h. */
  personPosterior(share: Float32Array, information: Float32Array, shift: Float32Array): void
  /** Gives back what passes have left. */
  release(images: unknown): void
  /**
   * Adds to information [D(D+1)/2] and shift [D] what images say, each times its weight and its shift times its scale; to
   * the shift alone without information.
   */
  add(
    images: unknown,
    weights: Float64Array,
    scales: Float64Array,
    information: Float64Array | null,
    shift: Float64Array,
  ): void
  /** [n,4] of others' evidence and each image's, likewise: see native/cpu/PersonEvidence.h. */
  weigh(
    images: unknown,
    weights: Float64Array,
    scales: Float64Array,
    information: Float64Array,
    shift: Float64Array,
    prior: number,
    moments: boolean,
    out: Float64Array,
  ): void
}

export interface NativeBinding {
  NativeModel: new (tensors: NativeModelTensors) => NativeModel
  linear: NativeLinear
  joint: NativeJointEvidence
  errorCodes(): string[]
  cpu(): { kernels: string[]; inUse: string; threads: number; pendingCalls: number }
  configureCpu(threads: number, kernels: string): void
  /** CUDA devices that can be used, and what is wrong with one that cannot. */
  cuda(): {
    usable: {
      ordinal: number
      model: string
      memory: number
      computeCapability: string
      multiprocessors: number
    }[]
    trouble: string
  }
  /** What the threads of the CPU could do in a second at most, all together: operations in single precision, bytes stored. */
  limits(callback: Callback<MachineLimits>): number
  cancel(call: number): void
}

export interface MachineLimits {
  flops: number
  storedBytes: number
}

let loaded: NativeBinding | undefined

/**
 * The addon, loaded when first needed.
 *
 * @throws SfmError NATIVE_LOAD_FAILED saying what to install.
 */
export function native(): NativeBinding {
  loaded ??= load()
  return loaded
}

function load(): NativeBinding {
  const require = createRequire(import.meta.url)
  // One level up from lib/ as from dist/.
  const root = fileURLToPath(new URL('..', import.meta.url))
  try {
    return require('node-gyp-build')(root)
  } catch (cause) {
    // The addon is there, but what the environment asks of it is not to be had.
    const error = fromNative(cause)
    if (error instanceof SfmError) throw error
    const platform = `${process.platform}-${process.arch}, Node ${process.version}`
    throw new SfmError(
      'NATIVE_LOAD_FAILED',
      `the native addon could not be loaded on ${platform}: ${(cause as Error).message}\n` +
        'Reinstall the package for this platform (npm install sphere-face-model), or build it from source: ' +
        'npm install cmake-js node-addon-api, then npm rebuild sphere-face-model (CMake and a C++20 compiler are needed).',
      { cause },
    )
  }
}

/** What the native side threw, as an {@link SfmError} made here, where the caller's stack is at hand. */
export function fromNative(cause: unknown): unknown {
  if (typeof cause !== 'object' || cause === null || cause instanceof SfmError) return cause
  // By its code, not by `instanceof`: a test runner's sandbox has an Error of its own.
  const { code, message } = cause as { code?: unknown; message?: unknown }
  if (!ERROR_CODES.includes(code as ErrorCode)) return cause
  return new SfmError(code as ErrorCode, String(message), { cause })
}

/**
 * Runs a native call as a promise that an AbortSignal can end early.
 *
 * @param start Starts the call and returns its number.
 * @param lent Whether the call writes to memory of the caller's: then an abort ends it only when the last thread has
 *   let go of that.
 * @throws SfmError ABORTED, with the signal's reason as cause, and whatever the call throws.
 */
export async function nativeCall<T>(
  signal: AbortSignal | undefined,
  start: (callback: Callback<T>) => number,
  lent = false,
): Promise<T> {
  throwIfAborted(signal)
  let forget: (() => void) | undefined
  try {
    return await new Promise<T>((resolve, reject) => {
      const call = start((error, value) => (error === null ? resolve(value as T) : reject(error)))
      if (!signal) return
      forget = whenAborted(signal, () => {
        native().cancel(call)
        if (!lent) reject(ABORT)
      })
    })
  } catch (error) {
    // Made after the await, an error carries the stack of the caller's await as well.
    if (signal?.aborted && (error === ABORT || (error as { code?: unknown } | undefined)?.code === 'ABORTED'))
      throw aborted(signal)
    throw fromNative(error)
  } finally {
    forget?.()
  }
}

/** What a promise is rejected with until its error can be made. */
const ABORT = Symbol('abort')
