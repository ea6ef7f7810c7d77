import { Slide, type SlidingContour } from '../fit/contour/SlidingContour.js'
import { moveToOutline } from '../fit/contour/slideContours.js'
import type { FitResult } from '../fit/FitResult.js'
import { evidenceAt, imageEvidence, isFitted, type JointContext, jointSeed } from '../fit/JointFit.js'
import type { Observation, ObservationLabel } from '../fit/Observation.js'
import { type ImageEvidence, squaredNorm } from '../fit/PersonEstimate.js'
import { PersonLink } from '../fit/PersonLink.js'
import type { Posterior } from '../fit/Posterior.js'
import type { PackedObservation } from '../fit/packObservation.js'
import { personPosterior } from '../fit/personPosterior.js'
import { poseOf } from '../fit/Results.js'
import type { ModelReference } from '../model/ModelReference.js'
import type { NativeFits, NativeJoint } from '../native.js'
import { FaceMotion } from './FaceMotion.js'
import { IdentityFilter } from './IdentityFilter.js'
import { ROTATION_END, SeedMotion } from './SeedMotion.js'
import type { ResolvedTrackerOptions } from './TrackerOptions.js'

/** A frame's result: that of a fit, with the tracker's identity, and pose and expression smoothed. */
export interface TrackedFrame extends FitResult {
  /** From 0, over all frames of the tracker. */
  frame: number
  /** Whom the frame is taken for: 0 at first, one more after each cut to somebody else. */
  person: number
  /**
   * 0..1: how likely the frame is of that person; null where there was nothing to go by. Below 0.5 the frame has no part
   * in the identity, and its result is that of the frame by itself.
   */
  same_person: number | null
  /** Why the identity begins anew with this frame. */
  restart?: string
}

/** Whom the tracker has seen so far. Can be decoded, and compared like any result. */
export interface TrackedPerson {
  /** As in its frames. */
  person: number
  /** Frames that had a part in it. */
  frames: number
  /** [K] */
  identity: Float32Array
  /** [K-1] unit vector. */
  embedding: Float32Array
  /** What all the frames say of the person. */
  posterior: Posterior
  /** Radians: how far the identity may be off. */
  identity_uncertainty: number
  model?: ModelReference
}

/** An observation on its way. */
export interface Frame {
  packed: PackedObservation
  label: ObservationLabel
}

/** What a tracker needs of its fitter. */
export interface TrackerContext extends Pick<JointContext, 'sizes' | 'prior' | 'identityPrior' | 'fromWhitened'> {
  /** [E,2]; infinite where there are none. */
  expressionBounds: ArrayLike<number>
  begin(options: { signal?: AbortSignal | undefined }): AbortSignal | undefined
  pack(observation: Observation): Frame
  fit(frame: PackedObservation, joint: NativeJoint, signal: AbortSignal | undefined): Promise<NativeFits>
  resultOf(output: NativeFits, frame: Frame): FitResult
  /** Undefined where landmarks are taken for points of the skin. */
  contour: SlidingContour | undefined
}

/** One fit of a frame. */
interface Pass {
  output: NativeFits
  /** Whether there was something to go by. */
  fitted: boolean
  evidence: ImageEvidence
}

/** What became of a frame: its fit and how likely it is of the person, or a fit that failed. */
type Seen = { pass: Pass; sure: number } | { failed: Pass }

/** Before a frame has been seen: the odds that it is not of a cut. Some take half a minute. */
const LOG_ODDS = Math.log(999)
/** Frames after which an estimated focal length is held: it does not change within a take, and the depth is as unsure. */
const FOCAL_FRAMES = 30
/** mm, over all landmarks and frames: what a jaw must have slid until it is taken to lie on the outline. */
const SLIDE = 20
/** Of the face's size: from this distance on a face is not sought where it was. */
const JUMP = 0.4

/**
 * Follows one face through a video, a frame at a time: one identity, that becomes surer with every frame, and for each
 * frame its pose and expression. Made by {@link Fitter.createTracker}. Memory and time for a frame do not grow with the
 * number of frames (docs/joint.md).
 *
 * @example
 * const tracker = fitter.createTracker()
 * for await (const landmarks of video) {
 *   const { pose, expression, identity_uncertainty, restart } = await tracker.track(landmarks)
 *   if (restart) console.log(restart)
 * }
 */
export class IdentityTracker {
  readonly #context: TrackerContext
  readonly #options: ResolvedTrackerOptions
  readonly #link: PersonLink
  readonly #motion: FaceMotion
  /** Of the frame under way. */
  #turn: Promise<unknown> = Promise.resolve()
  #frames = 0
  #person = 0
  #identity: IdentityFilter
  /** Whoever else the last frames showed. */
  #stranger: IdentityFilter | undefined
  /** The last frame, if it could be fitted. */
  #before: PackedObservation | undefined
  readonly #seeds: SeedMotion
  #focal = { frames: 0, log: 0 }
  /** Of the frames so far; the detector is the same for whoever is seen. */
  readonly #slide = new Slide()

  /** @internal */
  constructor(context: TrackerContext, options: ResolvedTrackerOptions) {
    this.#context = context
    this.#options = options
    this.#link = new PersonLink(context.identityPrior.factor, undefined, context.prior)
    this.#motion = new FaceMotion(context.expressionBounds)
    this.#seeds = new SeedMotion(context.expressionBounds)
    this.#identity = this.#nobody()
  }

  /**
   * Takes the next frame. Calls may overlap: frames are taken in the order of the calls.
   *
   * A frame without a face to be fitted is a result of status `failed`, and leaves the identity as it was.
   *
   * @throws SfmError as {@link Fitter.fit}; the frame then counts as not seen.
   */
  track(observation: Observation, options: { signal?: AbortSignal | undefined } = {}): Promise<TrackedFrame> {
    const result = this.#take(observation, options)
    this.#turn = Promise.allSettled([this.#turn, result]).then(() => undefined)
    return result
  }

  async #take(observation: Observation, options: { signal?: AbortSignal | undefined }): Promise<TrackedFrame> {
    // Read now: what a caller changes while other frames are under way must not change this one.
    const signal = this.#context.begin(options)
    const frame = this.#context.pack(observation)
    await this.#turn
    return this.#advance(frame, this.#context.begin({ signal }))
  }

  /** Whom the tracker follows now; undefined before the first frame that could be fitted. */
  person(): TrackedPerson | undefined {
    const { sizes } = this.#context
    if (this.#identity.frames === 0) return undefined
    const posterior = this.#identity.posterior()
    return {
      person: this.#person,
      frames: this.#identity.frames,
      ...this.#face(),
      posterior: sizes.personShare ? personPosterior(posterior, sizes.personShare) : posterior,
      ...(sizes.reference && { model: sizes.reference }),
    }
  }

  /** Forgets whom it has seen. Frames and persons are counted on. */
  reset(): void {
    if (this.#identity.frames > 0) this.#person++
    this.#follow(this.#nobody())
    this.#lose()
  }

  #nobody(): IdentityFilter {
    const { sizes, prior } = this.#context
    return new IdentityFilter({ ...this.#options, size: sizes.embeddingCount, prior })
  }

  #follow(identity: IdentityFilter): void {
    this.#identity = identity
    this.#stranger = undefined
    this.#focal = { frames: 0, log: 0 }
    this.#motion.restart()
  }

  async #advance(frame: Frame, signal: AbortSignal | undefined): Promise<TrackedFrame> {
    const place = { frame: this.#frames, person: this.#person }
    this.#holdFocal(frame.packed)
    const seen = this.#identity.frames > 0 ? await this.#recognise(frame, signal) : await this.#meet(frame, signal)
    this.#frames++
    if ('failed' in seen) {
      this.#lose()
      this.#motion.restart()
      return Object.assign(this.#context.resultOf(seen.failed.output, frame), { ...place, same_person: null })
    }
    const { pass, sure } = seen
    this.#before = frame.packed
    this.#seeds.saw(pass.output.seeds as Float64Array)
    if (sure < 0.5) {
      this.#motion.restart()
      const restart = await this.#suspect(pass, frame, signal)
      if (restart === undefined)
        return Object.assign(this.#context.resultOf(pass.output, frame), { ...place, same_person: sure })
      return this.#report(pass, frame, { frame: place.frame, person: ++this.#person, same_person: 1, restart })
    }
    this.#stranger = undefined
    this.#identity.add(pass.evidence)
    return this.#report(pass, frame, { ...place, same_person: sure })
  }

  /** The first frame: by itself, and once more around the identity that it shows. */
  async #meet(frame: Frame, signal: AbortSignal | undefined): Promise<Seen> {
    const alone = await this.#alone(frame, signal)
    if (!alone.fitted) return { failed: alone }
    const pass = await this.#again(alone, this.#nobody(), frame, signal)
    return pass.fitted ? { pass, sure: 1 } : { failed: pass }
  }

  /** Once more, around an identity; around its own, where nobody has been seen yet. */
  #again(alone: Pass, identity: IdentityFilter, frame: Frame, signal: AbortSignal | undefined): Promise<Pass> {
    let centre = identity
    if (centre.frames === 0) {
      centre = this.#nobody()
      centre.add(alone.evidence)
    }
    return this.#around(centre, frame, alone.output.seeds as Float64Array, signal)
  }

  /** A frame of whoever was there before, or of somebody else. */
  async #recognise(frame: Frame, signal: AbortSignal | undefined): Promise<Seen> {
    const seeds = this.#seedsFor(frame.packed)
    const sureOf = ({ fitted, evidence }: Pass) =>
      fitted ? 1 / (1 + Math.exp(-LOG_ODDS - this.#identity.logLikelihoodRatio(evidence))) : 0
    if (seeds) {
      const pass = await this.#around(this.#identity, frame, seeds, signal)
      const sure = sureOf(pass)
      if (sure >= 0.5) return { pass, sure }
    }
    // Not where it was, or not who it was: seen without prejudice.
    const alone = await this.#alone(frame, signal)
    if (!alone.fitted) return { failed: alone }
    const sure = sureOf(alone)
    if (sure < 0.5) return { pass: alone, sure }
    const pass = await this.#again(alone, this.#identity, frame, signal)
    return pass.fitted ? { pass, sure } : { failed: pass }
  }

  /** @returns Why the tracker follows somebody else from now on; undefined where it does not yet. */
  async #suspect(alone: Pass, frame: Frame, signal: AbortSignal | undefined): Promise<string | undefined> {
    if (!this.#stranger || this.#stranger.logLikelihoodRatio(alone.evidence) < -LOG_ODDS)
      this.#stranger = this.#nobody()
    const stranger = this.#stranger
    const { fitted, evidence } = await this.#again(alone, stranger, frame, signal)
    if (fitted) stranger.add(evidence)
    if (stranger.frames < this.#options.patience) return undefined
    const frames = stranger.frames === 1 ? 'this frame shows' : `the last ${stranger.frames} frames show`
    this.#follow(stranger)
    return `${frames} somebody else`
  }

  #report(pass: Pass, frame: Frame, place: Omit<TrackedFrame, keyof FitResult>): TrackedFrame {
    const result = this.#context.resultOf(pass.output, frame)
    const { contour } = this.#context
    if (contour && !this.#slide.reachesOutline(SLIDE)) this.#slide.add(contour.slideOf(frame.packed, result))
    return Object.assign(result, place, this.#face(), this.#smoothed(result, frame.packed))
  }

  /** The face of the identity so far. */
  #face() {
    const { identityPrior, fromWhitened, sizes } = this.#context
    const { radius } = identityPrior
    const spread = Math.sqrt(this.#identity.spread(this.#link.transfer))
    return {
      ...fromWhitened(this.#identity.mean),
      identity_uncertainty: spread / (radius > 0 ? radius : Math.sqrt(sizes.embeddingCount)),
    }
  }

  #smoothed(result: FitResult, packed: PackedObservation): Partial<FitResult> {
    const { camera, pose, expressionValues } = result
    if (camera?.type === 'perspective' && Number.isNaN(packed.camera[0])) {
      this.#focal.frames++
      this.#focal.log += Math.log(camera.focal)
    }
    if (!this.#options.smooth) return {}
    const focal = this.#focal.frames > 0 ? Math.exp(this.#focal.log / this.#focal.frames) : undefined
    const { rotation, translation, ...seen } = this.#motion.smooth(
      { rotation: pose.rotation, translation: pose.translation, camera, expression: expressionValues },
      focal,
    )
    const { expressionNames } = this.#context.sizes
    return {
      pose: poseOf(rotation, translation, camera === null),
      camera: seen.camera,
      expressionValues: seen.expression,
      expression: Object.fromEntries(expressionNames.map((name, e) => [name, seen.expression[e]!])),
    }
  }

  /** An estimate of the focal length that has settled stands in for one that is not given. */
  #holdFocal({ camera, weak, dimensions }: PackedObservation): void {
    if (weak || dimensions === 3 || !Number.isNaN(camera[0]) || this.#focal.frames < FOCAL_FRAMES) return
    camera[0] = Math.exp(this.#focal.log / this.#focal.frames)
  }

  /** The next frame may be anywhere. */
  #lose(): void {
    this.#before = undefined
    this.#seeds.restart()
  }

  /** Where the face is now if it went on as it moved, unless the face is elsewhere now, or seen by other means. */
  #seedsFor(packed: PackedObservation): Float64Array | undefined {
    const before = this.#before
    if (before === undefined) return undefined
    const alike =
      before.scheme === packed.scheme && before.dimensions === packed.dimensions && before.weak === packed.weak
    if (alike && distance(before, packed) < JUMP) return this.#seeds.ahead()
    this.#lose()
    return undefined
  }

  #alone(frame: Frame, signal: AbortSignal | undefined): Promise<Pass> {
    return this.#pass(frame, new Float64Array(this.#link.size), null, signal)
  }

  #around(identity: IdentityFilter, frame: Frame, seeds: Float64Array, signal: AbortSignal | undefined) {
    const { mean, weight } = identity
    const drift = (this.#context.prior * squaredNorm(mean)) / weight
    return this.#pass(frame, mean, jointSeed(seeds, this.#link.shownBy(mean), drift), signal)
  }

  /** A fit around the identity x, from `seeds`; without them that of a frame by itself. */
  async #pass(
    frame: Frame,
    x: Float64Array,
    seeds: Float64Array | null,
    signal: AbortSignal | undefined,
  ): Promise<Pass> {
    const joint = { ...this.#link.at(x), linked: seeds !== null, sizeFree: true, draft: false, seeds }
    const output = await this.#context.fit(this.#asSeen(frame.packed, seeds), joint, signal)
    const evidence = evidenceAt(imageEvidence(output, 0, this.#link.size), x)
    return { output, fitted: isFitted(output.records, 0), evidence }
  }

  /** With the jaw on the outline, where it has been seen there, of a head that is turned as the seed says. */
  #asSeen(packed: PackedObservation, seed: Float64Array | null): PackedObservation {
    const { contour } = this.#context
    if (!contour || !seed || packed.dimensions === 3 || !this.#slide.reachesOutline(SLIDE)) return packed
    const [rotation, translation] = [seed.subarray(0, ROTATION_END), seed.subarray(ROTATION_END, ROTATION_END + 3)]
    return moveToOutline(contour, packed, poseOf(rotation, translation, false).yaw)
  }
}

/** How far the landmarks have gone from one frame to the next, in sizes of the face: root mean squares. */
function distance(before: PackedObservation, after: PackedObservation): number {
  const { dimensions } = after
  const centre = new Float64Array(dimensions)
  let count = 0
  let moved = 0
  let squares = 0
  for (let i = 0; i < after.points.length; i++) {
    const [from, to] = [before.points[i]!, after.points[i]!]
    if (Number.isNaN(from) || Number.isNaN(to)) continue
    count++
    moved += (to - from) ** 2
    squares += from ** 2
    centre[i % dimensions]! += from
  }
  const size = squares - squaredNorm(centre) / (count / dimensions)
  return count > 0 && size > 0 ? Math.sqrt(moved / size) : Number.POSITIVE_INFINITY
}
