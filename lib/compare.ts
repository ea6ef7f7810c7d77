import { invalidArgument, SfmError } from './errors.js'
import { bothPosteriors, logEvidence } from './fit/evidence.js'
import { type CheckedPosterior, checkPosterior, type PosteriorLike } from './fit/Posterior.js'
import type { ComparisonThresholds } from './model/comparison.js'
import {
  isReference,
  type ModelReference,
  mayBeOfOneModel,
  modelLabel,
  REFERENCE_FORM,
} from './model/ModelReference.js'

/** How alike two identities are. */
export interface Comparison {
  /** Cosine of the embeddings: 1 the same direction from the mean, 0 unrelated. */
  cosine: number
  /** The angle between them, in radians. */
  angle: number
  /**
   * The natural logarithm of how much more probable the landmarks are if both are one person than if they are two:
   * above 0 speaks for one. Where both have a posterior.
   */
  logLikelihoodRatio?: number
  /** The decision, where a threshold for it is known: the likelihood ratio's, without that the cosine's. */
  samePerson?: boolean
}

/** What people are compared by: a fit result, a fused face, or the JSON of one. */
export interface Comparable {
  /** [K-1] its length does not matter. */
  embedding: ArrayLike<number>
  /** Of a fit with `posterior: true`. */
  posterior?: PosteriorLike | undefined
  /** Which model it is of; what does not say is taken to be of the other's. */
  model?: ModelReference | undefined
}

/** How to compare. */
export interface CompareOptions {
  /** From which scores on two faces are one person's: `model.comparison`. */
  thresholds?: ComparisonThresholds | undefined
}

/**
 * Compares two people by the embeddings of their fits: the directions from the mean identity, which do not shrink when
 * a face is badly seen. And, where both fits have a posterior, by the likelihood ratio, which knows what each of them
 * saw of the face and tells more.
 *
 * @param a A fit result, `model.fuse` of several, or anything with an `embedding` of K-1 numbers.
 * @param b Another one of the same model.
 * @returns A face that stands at the mean itself has no direction: its cosine with everything is 0.
 * @throws SfmError INVALID_ARGUMENT where the lengths differ or a number is not finite, and where the two, or one of them
 *   and the thresholds, say that they are of different models.
 * @example
 * const { cosine } = compare(results[0], results[1])
 * const fitter = await model.createFitter({ posterior: true })
 * const [a, b] = await fitter.fit(observations)
 * const { samePerson } = compare(a, b, { thresholds: model.comparison })
 */
export function compare(a: Comparable, b: Comparable, options: CompareOptions = {}): Comparison {
  return comparePrepared(prepare(a, 'a'), prepare(b, 'b'), options)
}

/** A face with all that can be computed of it alone: for many comparisons. */
export interface PreparedFace {
  /** In messages. */
  name: string
  /** [K-1] unit, or zero. */
  direction: Float64Array
  model?: ModelReference
  posterior?: CheckedPosterior & { logEvidence: number }
}

/**
 * Checks a face.
 *
 * @throws SfmError INVALID_ARGUMENT
 */
export function prepare(face: Comparable, name: string): PreparedFace {
  const unit = direction(face, name)
  const { model } = face
  if (model !== undefined && model !== null && !isReference(model))
    throw invalidArgument(`${name}.model`, REFERENCE_FORM, model)
  const prepared = { name, direction: unit, ...(model && { model }) }
  if (face.posterior === undefined || face.posterior === null) return prepared
  const posterior = checkPosterior(face.posterior, `${name}.posterior`, unit.length)
  return {
    ...prepared,
    posterior: { ...posterior, logEvidence: logEvidence(posterior, `${name}.posterior`) },
  }
}

/** {@link compare} of faces that have been prepared. */
export function comparePrepared(a: PreparedFace, b: PreparedFace, options: CompareOptions = {}): Comparison {
  if (!mayBeOfOneModel(a.model, b.model)) throw otherModel(`${b.name}.model`, a, b.model)
  if (a.direction.length !== b.direction.length)
    throw invalidArgument(
      `${b.name}.embedding`,
      `${a.direction.length} numbers, as ${a.name}.embedding has`,
      b.direction,
    )
  const comparison: Comparison = compareDirections(a.direction, b.direction)
  if (a.posterior && b.posterior) {
    const both = logEvidence(bothPosteriors(a.posterior, b.posterior), `${b.name}.posterior`)
    comparison.logLikelihoodRatio = both - a.posterior.logEvidence - b.posterior.logEvidence
  }
  const samePerson = decide(comparison, options, [a, b])
  return samePerson === undefined ? comparison : { ...comparison, samePerson }
}

function compareDirections(left: Float64Array, right: Float64Array): { cosine: number; angle: number } {
  if (left.every(isZero) || right.every(isZero)) return { cosine: 0, angle: Math.PI / 2 }
  let dot = 0
  let difference = 0
  let sum = 0
  for (let i = 0; i < left.length; i++) {
    const [x, y] = [left[i] as number, right[i] as number]
    dot += x * y
    difference += (x - y) ** 2
    sum += (x + y) ** 2
  }
  // Not an arc cosine, which loses half its digits near 0 and pi.
  return { cosine: Math.min(1, Math.max(-1, dot)), angle: 2 * Math.atan2(Math.sqrt(difference), Math.sqrt(sum)) }
}

/** Numbers of one model say nothing about those of another, however many they are. */
function otherModel(argument: string, { name, model }: PreparedFace, other: ModelReference | undefined): SfmError {
  const [expected, received] = [model!, other!].map(modelLabel)
  return new SfmError('INVALID_ARGUMENT', `${argument}: expected ${expected}, as ${name} is of, received ${received}`)
}

function decide(
  { cosine, logLikelihoodRatio }: Comparison,
  options: CompareOptions,
  faces: readonly PreparedFace[],
): boolean | undefined {
  if (typeof options !== 'object' || options === null) throw invalidArgument('options', 'an object', options)
  const { thresholds } = options
  if (thresholds === undefined || thresholds === null) return undefined
  if (typeof thresholds !== 'object')
    throw invalidArgument('thresholds', "a model's, such as model.comparison", thresholds)
  const { model } = thresholds
  if (model !== undefined && !isReference(model)) throw invalidArgument('thresholds.model', REFERENCE_FORM, model)
  const other = faces.find((face) => !mayBeOfOneModel(face.model, model))
  if (other) throw otherModel('thresholds.model', other, model)
  const ratio = threshold(thresholds, 'logLikelihoodRatio')
  if (logLikelihoodRatio !== undefined && ratio !== undefined) return logLikelihoodRatio >= ratio
  const least = threshold(thresholds, 'cosine')
  return least === undefined ? undefined : cosine >= least
}

function threshold(
  thresholds: ComparisonThresholds,
  score: Exclude<keyof ComparisonThresholds, 'model'>,
): number | undefined {
  if (thresholds[score] === undefined) return undefined
  const value = thresholds[score]?.threshold
  if (!Number.isFinite(value)) throw invalidArgument(`thresholds.${score}.threshold`, 'a finite number', value)
  return value
}

/** No model has as many latents: what claims to is no embedding. */
const LARGEST = 2 ** 20

const isZero = (value: number) => value === 0

/** The embedding at length 1, or 0. */
function direction(value: { embedding: ArrayLike<number> }, name: string): Float64Array {
  const vector = value?.embedding
  if (typeof vector !== 'object' || vector === null || !(vector.length > 0 && vector.length <= LARGEST))
    throw invalidArgument(`${name}.embedding`, 'an array of numbers', vector)
  const numbers = Float64Array.from({ length: vector.length }, (_, i) => {
    const x = vector[i]
    if (!Number.isFinite(x)) throw invalidArgument(`${name}.embedding[${i}]`, 'a finite number', x)
    return x as number
  })
  // In two steps, so that no square over- or underflows.
  const largest = numbers.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
  if (largest === 0) return numbers
  const scaled = numbers.map((x) => x / largest)
  const norm = Math.sqrt(scaled.reduce((total, x) => total + x * x, 0))
  return scaled.map((x) => x / norm)
}
