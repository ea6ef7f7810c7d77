import { setImmediate } from 'node:timers/promises'
import { throwIfAborted } from '../aborts.js'
import { asList, requireOptions } from '../decode/Latents.js'
import { warnOfFallback } from '../devices.js'
import { invalidArgument, SfmError } from '../errors.js'
import type { LandmarkScheme } from '../model/ModelData.js'
import {
  fromNative,
  type NativeFitOptions,
  type NativeFits,
  type NativeJoint,
  type NativeModel,
  nativeCall,
} from '../native.js'
import { IdentityTracker } from '../track/IdentityTracker.js'
import { resolveTrackerOptions, type TrackerOptions } from '../track/TrackerOptions.js'
import type { SlidingContour } from './contour/SlidingContour.js'
import { type ComparedFace, explainsBetter, moveToOutline, onOutline, slideContours } from './contour/slideContours.js'
import { FitArrays } from './FitArrays.js'
import type { FitResult } from './FitResult.js'
import { type FitterOptions, type ResolvedFitterOptions, resolveFitterOptions } from './FitterOptions.js'
import { fitJointly, type JointBatch } from './JointFit.js'
import type { JointFitResult } from './JointFitResult.js'
import { type Linearisation, type LineariseOptions, linearisationOf } from './linearise.js'
import type { Observation, ObservationLabel } from './Observation.js'
import {
  type ObservationArrays,
  observationAt,
  type PackedArrays,
  packArrays,
  sliceArrays,
} from './ObservationArrays.js'
import { PersonLink } from './PersonLink.js'
import { type PackedObservation, packObservation } from './packObservation.js'
import { type ResultSizes, resultOf, type Space, yawOf } from './Results.js'

export type { FitterOptions } from './FitterOptions.js'

/** What a fitter needs of its model. */
export interface FitterModel extends ResultSizes {
  /** Throws DISPOSED once the model has been disposed of. */
  requireUsable(): void
  /** Throws DISPOSED once the native side is gone: then, or when the last call that keeps it is done. */
  native(): NativeModel
  /** Keeps the native side for a call, until what is returned is called. */
  keep(): () => void
  schemes: ReadonlyMap<string, LandmarkScheme>
  /** [E,2] */
  expressionBounds: Float32Array
  /** The native number of a scheme, gathered when first asked for. */
  nativeScheme(scheme: LandmarkScheme): number
  contour: SlidingContour
}

/**
 * Faces of one native call: enough to keep every thread busy, few enough that an abort takes hold soon and memory
 * stays bounded.
 */
const LARGEST_CALL = 4096

/** The same where each face comes with some 100 kB of derivatives. */
const LARGEST_LINEARISATION = 256

/** The same where each face comes with some 25 kB of evidence. */
const LARGEST_JOINT = 1024

/** Of the cost of a frame that goes on from the one before: what is left to gain is far below the noise. */
const FRAME_TOLERANCE = 1e-4

/** What one fit of a native batch is made of. */
interface Fitted {
  output: NativeFits
  /** Its place in the batch, and the batch's size. */
  i: number
  count: number
  packed: PackedObservation
  label: ObservationLabel
}

/**
 * Fits the model to landmarks, many faces at a time. Made by {@link SphereFaceModel.createFitter}; any number of calls
 * may run at once.
 *
 * @example
 * const fitter = await model.createFitter()
 * const [result] = await fitter.fit([{ scheme: 'ibug68', image: { width: 640, height: 480 }, points }])
 */
export class Fitter {
  readonly #model: FitterModel
  readonly #options: ResolvedFitterOptions
  #link: PersonLink | undefined
  #disposed = false

  /** @internal */
  constructor(model: FitterModel, options: FitterOptions) {
    this.#model = model
    this.#options = resolveFitterOptions(options)
  }

  /**
   * Fits one face, or many of any schemes and cameras.
   *
   * A face that cannot be fitted is a result with the status `failed`, not an error, and does not disturb its
   * neighbours. What is passed is copied before the call returns to its caller.
   *
   * @returns A result for each observation, in their order.
   * @throws SfmError INVALID_ARGUMENT or UNKNOWN_SCHEME naming the observation, ABORTED, DISPOSED, QUEUE_FULL,
   *   OUT_OF_MEMORY.
   * @example
   * const results = await fitter.fit(observations, { signal: AbortSignal.timeout(1000) })
   */
  fit(observation: Observation, options?: { signal?: AbortSignal | undefined }): Promise<FitResult>
  fit(observations: readonly Observation[], options?: { signal?: AbortSignal | undefined }): Promise<FitResult[]>
  async fit(
    observations: Observation | readonly Observation[],
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<FitResult | FitResult[]> {
    const single = !Array.isArray(observations)
    const { signal } = this.#begin(options)
    const { packed, labels } = this.#pack(observations, single)
    const kind = { precise: false, linearise: false }
    const fitEach = (packed: readonly PackedObservation[], labels: readonly ObservationLabel[]) =>
      this.#fitAll(packed, labels, signal, kind, (fitted) => this.#resultOf(fitted))
    const release = this.#model.keep()
    try {
      const results = await fitEach(packed, labels)
      if (this.#options.slideContour)
        await slideContours(this.#model.contour, packed, results, (moved, places) =>
          fitEach(
            moved,
            places.map((i) => labels[i] as ObservationLabel),
          ),
        )
      return single ? (results[0] as FitResult) : results
    } finally {
      release()
    }
  }

  /**
   * As {@link fit}, for faces of one scheme by the thousands, in flat arrays and out of them: no object for any face, and so
   * less work for the event loop. The numbers are the same.
   *
   * Where landmarks of `ibug68` may slide to the outline (`slideContour`), each turned face is looked at, which takes some
   * microseconds.
   *
   * @throws SfmError as {@link fit}.
   * @example
   * const faces = await fitter.fitArrays({ scheme: 'mediapipe478', count, points, image: { width: 1280, height: 720 } })
   * const { usable, embedding, expression, rotation } = faces // [B], [B,D], [B,E], [B,9]
   */
  async fitArrays(
    observations: ObservationArrays,
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<FitArrays> {
    const { signal } = this.#begin(options)
    const { contour } = this.#model
    const slides = (scheme: LandmarkScheme) => this.#options.slideContour && contour.slides(scheme)
    const batch = packArrays(observations, this.#model.schemes, this.#options, slides)
    const { count, scheme, dimensions } = batch
    const found = new FitArrays(this.#model, {
      count,
      landmarkCount: scheme.count,
      space: spaceOf(batch),
      withPosterior: this.#options.native.posterior,
    })
    const kind = { precise: false, linearise: false }
    const calls: Promise<void>[] = []
    const release = this.#model.keep()
    try {
      for (let first = 0; first < count; first += LARGEST_CALL) {
        const end = Math.min(count, first + LARGEST_CALL)
        const call = this.#fitBatch(sliceArrays(batch, first, end), kind, signal)
        calls.push(call.then((output) => found.take(output, first, end - first)))
      }
      await settle(calls)
      if (dimensions === 2 && slides(scheme)) await this.#slideArrays(batch, found, signal)
      return found
    } finally {
      release()
    }
  }

  /** Fits faces anew whose jaw is on the outline, as {@link fit} does. */
  async #slideArrays(batch: PackedArrays, found: FitArrays, signal: AbortSignal | undefined): Promise<void> {
    const { contour } = this.#model
    const { rotation } = found
    const kind = { precise: false, linearise: false }
    for (let first = 0; first < batch.count; first += LARGEST_CALL) {
      // Others want the event loop as well.
      if (first > 0) await setImmediate()
      const turned: number[] = []
      for (let i = first; i < Math.min(batch.count, first + LARGEST_CALL); i++) {
        const yaw = yawOf(rotation, i * 9, false)
        // NaN: not fitted.
        if (!Number.isNaN(yaw) && contour.at(batch.scheme, yaw) !== batch.scheme) turned.push(i)
      }
      const packed = turned.map((i) => observationAt(batch, i))
      const results = turned.map((i): ComparedFace & { fitted?: Fitted } => found.face(i))
      await slideContours(contour, packed, results, (moved) => {
        const labels = moved.map(() => ({}))
        return this.#fitAll(moved, labels, signal, kind, (fitted) => ({ ...this.#resultOf(fitted), fitted }))
      })
      results.forEach(({ fitted }, k) => {
        if (fitted !== undefined) found.replace(turned[k] as number, fitted.output, fitted.i)
      })
    }
  }

  /**
   * Fits images of one person together: one identity, and for each image its own expression, pose, camera and nuisances
   * (docs/joint.md). Observations may be of any schemes and cameras.
   *
   * Images that are likely of somebody else are found, from three images on, and have no part in the identity.
   *
   * @param options.outliers Whether to look for images of somebody else (default true).
   * @throws SfmError as {@link fit}.
   * @example
   * const alice = await fitter.fitJoint(photosOfAlice)
   * const vertices = await model.decode(alice)
   */
  async fitJoint(
    observations: readonly Observation[],
    options: { signal?: AbortSignal | undefined; outliers?: boolean } = {},
  ): Promise<JointFitResult> {
    const { signal, outliers = true } = this.#begin(options)
    if (typeof outliers !== 'boolean') throw invalidArgument('outliers', 'true or false', outliers)
    if (!Array.isArray(observations) || observations.length === 0)
      throw invalidArgument('observations', 'an array of one or more', observations)
    const { packed, labels } = this.#pack(observations, false)
    const subjects = new Set(labels.map(({ subject }) => subject))
    const [subject] = subjects.size === 1 ? subjects : []
    const seen = (packed: readonly PackedObservation[]) => this.#fitTogether(packed, labels, outliers, signal)
    let result = await seen(packed)
    const { contour } = this.#model
    const slid = this.#options.slideContour ? onOutline(contour, packed, result.images) : []
    if (slid.length > 0) {
      const moved = [...packed]
      for (const i of slid) moved[i] = moveToOutline(contour, moved[i]!, result.images[i]!.pose.yaw)
      const other = await seen(moved)
      const of = ({ images }: JointFitResult) => slid.map((i) => images[i]!)
      if (explainsBetter(of(other), of(result))) result = other
    }
    return subject === undefined ? result : Object.assign(result, { subject })
  }

  #fitTogether(
    packed: readonly PackedObservation[],
    labels: readonly ObservationLabel[],
    outliers: boolean,
    signal: AbortSignal | undefined,
  ): Promise<JointFitResult> {
    const { native } = this.#options
    const kind = { precise: false, linearise: false, posterior: false }
    const groups = batches(packed, LARGEST_JOINT).map(
      (members): JointBatch => ({ observations: members, members, images: undefined }),
    )
    const identityPrior = this.#model.native().identityPrior()
    this.#link ??= new PersonLink(identityPrior.factor, this.#model.personShare, native.identityPrior)
    return fitJointly(groups, packed.length, {
      sizes: this.#model,
      prior: native.identityPrior,
      costTolerance: native.costTolerance,
      maxIterations: native.maxIterations,
      outliers,
      posterior: native.posterior,
      identityPrior,
      link: this.#link,
      prepare: (members) => {
        const batch = prepareBatch(members.map((member) => packed[member] as PackedObservation))
        return (joint, costTolerance) => this.#fitBatch(batch, { ...kind, costTolerance }, signal, joint)
      },
      resultOf: (output, i, member) => {
        const fitted = { output, i, count: 0, packed: packed[member] as PackedObservation }
        return this.#resultOf({ ...fitted, label: labels[member] as ObservationLabel }, false)
      },
      fromWhitened: (x) => this.#fromWhitened(x),
    })
  }

  /**
   * Follows one face through a video: one identity, surer with every frame, and smooth motion. A fitter may have any
   * number of trackers, one for each face.
   *
   * @throws SfmError INVALID_ARGUMENT, DISPOSED
   * @example
   * const tracker = fitter.createTracker()
   * for await (const landmarks of video) console.log((await tracker.track(landmarks)).pose.yaw)
   */
  createTracker(options: TrackerOptions = {}): IdentityTracker {
    this.#begin({})
    const { native } = this.#options
    const bounds = this.#model.expressionBounds
    const costTolerance = Math.max(native.costTolerance, FRAME_TOLERANCE)
    const kind = { precise: false, linearise: false, posterior: false, costTolerance }
    return new IdentityTracker(
      {
        sizes: this.#model,
        prior: native.identityPrior,
        identityPrior: this.#model.native().identityPrior(),
        expressionBounds: native.boundExpression ? bounds : bounds.map((_, i) => (i % 2 ? 1 : -1) * Number.MAX_VALUE),
        begin: (given) => this.#begin(given).signal,
        pack: (observation) => {
          const { packed, labels } = this.#pack(observation, true)
          return { packed: packed[0] as PackedObservation, label: labels[0] as ObservationLabel }
        },
        fit: (packed, joint, signal) => this.#fitBatch(prepareBatch([packed]), kind, signal, joint),
        resultOf: (output, frame) => this.#resultOf({ output, i: 0, count: 1, ...frame }, false),
        contour: this.#options.slideContour ? this.#model.contour : undefined,
        fromWhitened: (x) => this.#fromWhitened(x),
      },
      resolveTrackerOptions(options),
    )
  }

  /** @internal See {@link linearise}. */
  async linearise(observations: readonly Observation[], options: LineariseOptions = {}): Promise<Linearisation[]> {
    const { embeddingCount, expressionNames } = this.#model
    const { signal } = this.#begin(options)
    const { packed, labels } = this.#pack(observations, false)
    const kind = { precise: options.precise ?? true, linearise: true }
    return this.#fitAll(packed, labels, signal, kind, (fitted) => {
      const { output, i, count, packed } = fitted
      const all = output.linearisations as Float64Array
      const size = all.length / count
      return linearisationOf(all.slice(i * size, (i + 1) * size), this.#resultOf(fitted), {
        embeddingCount,
        expressionCount: expressionNames.length,
        landmarkCount: packed.scheme.count,
        dimensions: packed.dimensions,
      })
    })
  }

  /** The face at whitened coordinates. */
  #fromWhitened(x: Float64Array): { identity: Float32Array; embedding: Float32Array } {
    try {
      return this.#model.native().fromWhitened(x)
    } catch (error) {
      throw fromNative(error)
    }
  }

  #resultOf({ output, i, packed, label }: Fitted, withPosterior = this.#options.native.posterior): FitResult {
    return resultOf(output, i, this.#model, packed.scheme.count, label, spaceOf(packed), withPosterior)
  }

  async #fitAll<T>(
    packed: readonly PackedObservation[],
    labels: readonly ObservationLabel[],
    signal: AbortSignal | undefined,
    kind: Pick<NativeFitOptions, 'precise' | 'linearise'>,
    make: (fitted: Fitted) => T,
  ): Promise<T[]> {
    const results = new Array<T>(packed.length)
    const calls = batches(packed, kind.linearise ? LARGEST_LINEARISATION : LARGEST_CALL).map(async (members) => {
      const batch = members.map((member) => packed[member] as PackedObservation)
      const output = await this.#fitBatch(prepareBatch(batch), kind, signal)
      for (const [i, member] of members.entries()) {
        const label = labels[member] as ObservationLabel
        results[member] = make({ output, i, count: members.length, packed: batch[i] as PackedObservation, label })
      }
    })
    await settle(calls)
    return results
  }

  /** What every call begins with; returns its options. */
  #begin<O extends { signal?: AbortSignal | undefined }>(options: O): O {
    if (this.#disposed) throw new SfmError('DISPOSED', 'the fitter has been disposed')
    requireOptions(options)
    throwIfAborted(options.signal)
    this.#model.requireUsable()
    return options
  }

  /** Checks and copies the observations. */
  #pack(observations: Observation | readonly Observation[], single: boolean) {
    const list = asList<Observation>(observations, 'observations')
    const packed: PackedObservation[] = []
    // Labels are read now: what a caller changes while the fit runs must not change its results.
    const labels: ObservationLabel[] = []
    // Not map, which leaves holes out.
    for (let i = 0; i < list.length; i++) {
      const observation = list[i] as Observation
      const name = single ? 'observation' : `observations[${i}]`
      packed.push(packObservation(observation, this.#model.schemes, this.#options, name))
      labels.push(labelOf(observation))
    }
    return { packed, labels }
  }

  async #fitBatch(
    { scheme, dimensions, weak, points, confidence, cameras }: PreparedBatch,
    kind: Pick<NativeFitOptions, 'precise' | 'linearise'> & Partial<NativeFitOptions>,
    signal: AbortSignal | undefined,
    joint?: NativeJoint,
  ): Promise<NativeFits> {
    const native = this.#model.native()
    const number = this.#model.nativeScheme(scheme)
    const scan = dimensions === 3
    const options: NativeFitOptions = { ...this.#options.native, ...kind, weakPerspective: weak, scan }
    const output = await nativeCall<NativeFits>(signal, (callback) =>
      native.fit(number, options, points, confidence, cameras, callback, joint),
    )
    warnOfFallback(output.warning)
    return output
  }

  /** Ends the fitter; calls under way still settle. Idempotent. The model stays. */
  dispose(): void {
    this.#disposed = true
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.dispose()
  }
}

/** What landmarks are of. */
function spaceOf({ dimensions, weak }: Pick<PackedObservation, 'dimensions' | 'weak'>): Space {
  return dimensions === 3 ? 'scan' : weak ? 'weak' : 'perspective'
}

/** Observations that share a scheme and a kind of camera, in the arrays of one native call. */
interface PreparedBatch extends Pick<PackedObservation, 'scheme' | 'dimensions' | 'weak'> {
  points: Float64Array
  confidence: Float32Array | null
  cameras: Float64Array
}

function prepareBatch(batch: readonly PackedObservation[]): PreparedBatch {
  const { scheme, dimensions, weak } = batch[0] as PackedObservation
  const width = scheme.count * dimensions
  const points = new Float64Array(batch.length * width)
  const cameras = new Float64Array(batch.length * 5)
  let confidence: Float32Array | null = null
  for (const [i, each] of batch.entries()) {
    points.set(each.points, i * width)
    cameras.set(each.camera, i * 5)
    if (each.confidence === null) continue
    confidence ??= new Float32Array(batch.length * scheme.count).fill(1)
    confidence.set(each.confidence, i * scheme.count)
  }
  return { scheme, dimensions, weak, points, confidence, cameras }
}

/** Copies what a result takes over from its observation. */
function labelOf({ id, subject, image, face }: Observation): ObservationLabel {
  return {
    ...(id != null && { id }),
    ...(subject != null && { subject }),
    ...(image && {
      image: { width: image.width, height: image.height, ...(image.file != null && { file: image.file }) },
    }),
    ...(face && { face: { box: [...face.box], score: face.score } }),
  }
}

/** The observations by scheme and kind, cut to the size of a native call. */
function batches(packed: readonly PackedObservation[], largest: number): number[][] {
  const open = new Map<LandmarkScheme, Map<string, number[]>>()
  const all: number[][] = []
  for (const [i, { scheme, dimensions, weak }] of packed.entries()) {
    const kinds = open.get(scheme) ?? new Map<string, number[]>()
    open.set(scheme, kinds)
    const key = `${dimensions}${weak}`
    let batch = kinds.get(key)
    if (batch === undefined || batch.length === largest) {
      batch = []
      kinds.set(key, batch)
      all.push(batch)
    }
    batch.push(i)
  }
  return all
}

/** Waits for all, then throws the first error: no call is left behind unobserved. */
async function settle(calls: readonly Promise<void>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(calls)) if (outcome.status === 'rejected') throw outcome.reason
}
