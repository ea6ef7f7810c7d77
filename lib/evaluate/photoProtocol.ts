/**
 * How well fits of photos tell people apart, and how well they meet the landmarks: the protocol of docs/evaluation.md
 * for photos with landmarks and names.
 */

import type { FitStatus } from '../fit/FitResult.js'
import { Bootstrap, type BootstrapOptions, type Estimate, itemWeights } from './bootstrap.js'
import { requireLength, requireSome } from './checks.js'
import { type Drift, drift } from './correlation.js'
import { pairCosines } from './pairDistances.js'
import { numberPeople, type People, type PersonLabel } from './people.js'
import { percentileOf, type Summary, sortedOrder, summarise } from './statistics.js'
import { allPairs, isSame, scoreTrials, setTrials, type Trials } from './trials.js'
import { cosineOfUnit, normalised } from './vectors.js'
import { type Verification, verify } from './verification.js'

/** The fit of a photo: a fit result, and the photo set it comes from. */
export interface PhotoFit<Posterior = unknown> {
  /** Who it is; without, the photo serves for errors only. */
  subject?: string | undefined
  /** The photo set. People are compared within one only. */
  collection?: string | undefined
  status: FitStatus
  embedding: ArrayLike<number>
  /** Pixels; null where nothing was fitted. */
  rmse: number | null
  pose: { yaw: number }
  /** What the landmarks tell of the identity, if the fitter was asked for it. */
  posterior?: Posterior | undefined
}

/** What {@link photoProtocol} may be told. */
export interface PhotoProtocolOptions<Posterior> {
  /**
   * [n] pixels by which the error of each photo is divided: {@link eyeDistance} or {@link boxSize}. Photos without (NaN)
   * have no error.
   */
  faceSizes: ArrayLike<number>
  /** [n] degrees, where they are known better than by the fit. */
  yaws?: ArrayLike<number>
  /** The logarithm of the likelihood ratio, same person against different, of two posteriors. */
  logLikelihoodRatio?: (a: Posterior, b: Posterior) => number
  /** The posterior of one person from several of theirs. With it, sets are compared by likelihood ratio, too. */
  fuse?: (posteriors: readonly Posterior[]) => Posterior
  /** Photos in each set of the comparison of sets; default 3. */
  setSize?: number
  /** Of the intervals, and of the choice of the sets. */
  bootstrap?: BootstrapOptions
}

/** Comparisons with their scores: what figures are drawn from. */
export interface ScoredVerification extends Verification {
  /** [T] */
  scores: Float64Array
  /** [T] 1 where the trial is one of one person. */
  isSame: Uint8Array
}

/** Verification by each kind of score. */
export interface Comparisons {
  /** By cosine of the embeddings; of sets: of the sums of their unit embeddings. */
  cosine: ScoredVerification
  /** By log-likelihood ratio, where it was given. */
  likelihoodRatio?: ScoredVerification
}

/** Relative errors of the photos of a range of poses. */
export interface YawBin {
  /** Degrees: from <= |yaw| < to; the last one has no end. */
  from: number
  to: number
  /** Errors over the face's size; null where there is no photo. */
  error: Summary | null
  median: Estimate | null
}

/** What {@link photoProtocol} found. */
export interface PhotoEvaluation {
  photos: number
  /** Photos without a fit. They tell nothing: their cosines and log-likelihood ratios are 0, and they have no error. */
  failed: number
  people: People
  /** Photo against photo; null where there are no two of one person, or of two in one collection. */
  single: Comparisons | null
  /** Sets against sets; null where nobody, or no two people of one collection, have photos enough. */
  sets: (Comparisons & { size: number }) | null
  /** RMS errors over the face's size. */
  error: { all: YawBin; byYaw: YawBin[] }
  /** Whether embeddings go with the pose; null where fewer than three photos were fitted. */
  drift: Drift | null
}

/**
 * Evaluates the fits of photos of many people.
 *
 * Trials depend on the names alone, not on the fits: two models that fitted the same photos are compared on the same
 * trials and the same resamples, so that {@link pairedDifference} of their measures is theirs.
 *
 * @param fits [n] in the same order for every model.
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * const results = await fitter.fit(photos)
 * const evaluation = photoProtocol(
 *   results.map((result, i) => ({ ...result, collection: photos[i].collection })),
 *   { faceSizes: photos.map(eyeDistance) },
 * )
 * console.log(evaluation.single?.cosine.auc.value)
 */
export function photoProtocol<Posterior>(
  fits: readonly PhotoFit<Posterior>[],
  options: PhotoProtocolOptions<Posterior>,
): PhotoEvaluation {
  requireSome('fits', fits)
  requireLength('faceSizes', options.faceSizes, fits.length)
  const people = numberPeople(fits.map(labelOf))
  const bootstrap = new Bootstrap(people.count, options.bootstrap)
  const fitted = fits.map(({ status }) => status !== 'failed')
  const embeddings = fits.map(({ embedding }, i) =>
    fitted[i] ? normalised(embedding) : new Float64Array(embedding.length),
  )
  const posteriors = fits.map(({ posterior }, i) => (fitted[i] ? posterior : undefined))
  const yaws = Float64Array.from(options.yaws ?? fits.map(({ pose }) => pose.yaw))
  requireLength('yaws', yaws, fits.length)
  const inPose = fits.flatMap((_, i) => (fitted[i] && Number.isFinite(yaws[i]) ? [i] : []))
  return {
    photos: fits.length,
    failed: fitted.filter((is) => !is).length,
    people,
    single: compareSingles(people, bootstrap, embeddings, posteriors, options),
    sets: compareSets(people, bootstrap, embeddings, posteriors, options),
    error: errors(fits, yaws, people, bootstrap, options.faceSizes),
    drift:
      inPose.length < 3
        ? null
        : drift(
            inPose.map((i) => yaws[i]),
            inPose.map((i) => embeddings[i] as Float64Array),
          ),
  }
}

/** A photo without a name is of a person, and a collection, of its own. */
function labelOf({ subject, collection }: PhotoFit, i: number): PersonLabel {
  return subject === undefined ? { subject: '', collection: `photo ${i}` } : { subject, collection: `of ${collection}` }
}

function compareSingles<Posterior>(
  people: People,
  bootstrap: Bootstrap,
  embeddings: readonly Float64Array[],
  posteriors: readonly (Posterior | undefined)[],
  { logLikelihoodRatio }: PhotoProtocolOptions<Posterior>,
): Comparisons | null {
  const pairs = allPairs(people)
  if (!hasBothKinds(pairs)) return null
  const cosine = scored(pairs, pairCosines(pairs, embeddings), bootstrap, false)
  if (logLikelihoodRatio === undefined) return { cosine }
  const ratios = scoreTrials(pairs, (a: number, b: number) => ratioOf(posteriors[a], posteriors[b], logLikelihoodRatio))
  return { cosine, likelihoodRatio: scored(pairs, ratios, bootstrap, true) }
}

function compareSets<Posterior>(
  people: People,
  bootstrap: Bootstrap,
  embeddings: readonly Float64Array[],
  posteriors: readonly (Posterior | undefined)[],
  { logLikelihoodRatio, fuse, setSize = 3, bootstrap: { seed = 1 } = {} }: PhotoProtocolOptions<Posterior>,
): (Comparisons & { size: number }) | null {
  const trials = setTrials(people, { size: setSize, seed })
  if (!hasBothKinds(trials)) return null
  const direction = (items: Int32Array) => {
    const sum = new Float64Array((embeddings[0] as Float64Array).length)
    for (const item of items) for (let d = 0; d < sum.length; d++) sum[d] += embeddings[item]?.[d] ?? 0
    return normalised(sum)
  }
  const cosines = scoreTrials(trials, (a: Int32Array, b: Int32Array) => cosineOfUnit(direction(a), direction(b)))
  const cosine = scored(trials, cosines, bootstrap, false)
  if (logLikelihoodRatio === undefined || fuse === undefined) return { size: setSize, cosine }
  const fused = (items: Int32Array) => {
    const known = Array.from(items, (item) => posteriors[item]).filter((posterior) => posterior !== undefined)
    return known.length > 0 ? fuse(known) : undefined
  }
  const ratios = scoreTrials(trials, (a: Int32Array, b: Int32Array) => ratioOf(fused(a), fused(b), logLikelihoodRatio))
  return { size: setSize, cosine, likelihoodRatio: scored(trials, ratios, bootstrap, true) }
}

/** No evidence where either tells nothing. */
function ratioOf<Posterior>(
  a: Posterior | undefined,
  b: Posterior | undefined,
  logLikelihoodRatio: (a: Posterior, b: Posterior) => number,
): number {
  return a === undefined || b === undefined ? 0 : logLikelihoodRatio(a, b)
}

function scored(
  trials: Trials,
  scores: Float64Array,
  bootstrap: Bootstrap,
  likelihoodRatios: boolean,
): ScoredVerification {
  return { ...verify(trials, scores, bootstrap, { likelihoodRatios }), scores, isSame: isSame(trials) }
}

function hasBothKinds(trials: Trials): boolean {
  const same = isSame(trials)
  return same.includes(1) && same.includes(0)
}

/** Degrees at which one bin of poses ends and the next begins. */
const YAW_EDGES = [0, 30, 60, 90]

function errors(
  fits: readonly PhotoFit[],
  yaws: Float64Array,
  people: People,
  bootstrap: Bootstrap,
  faceSizes: ArrayLike<number>,
): { all: YawBin; byYaw: YawBin[] } {
  const relative = Float64Array.from(fits, ({ status, rmse }, i) =>
    status === 'failed' || rmse === null ? Number.NaN : rmse / faceSizes[i],
  )
  const measured = fits.flatMap((_, i) => (Number.isFinite(relative[i]) ? [i] : []))
  const bin = (from: number, to: number, holds: (yaw: number) => boolean): YawBin => {
    const items = measured.filter((i) => holds(Math.abs(yaws[i])))
    if (items.length === 0) return { from, to, error: null, median: null }
    const values = Float64Array.from(items, (i) => relative[i])
    const order = sortedOrder(values)
    const owners = { person: Int32Array.from(items, (i) => people.person[i]) }
    const { median } = bootstrap.estimate((multiplicity) => ({
      median: percentileOf(order, values, 0.5, itemWeights(owners, multiplicity)),
    }))
    return { from, to, error: summarise(values), median }
  }
  return {
    all: bin(0, 180, () => true),
    byYaw: YAW_EDGES.slice(0, -1).map((from, k) => {
      const to = YAW_EDGES[k + 1] as number
      const last = k + 2 === YAW_EDGES.length
      return bin(from, to, (yaw) => yaw >= from && (last || yaw < to))
    }),
  }
}
