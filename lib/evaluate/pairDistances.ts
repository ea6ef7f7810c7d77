import { invalidArgument } from '../errors.js'
import { requireLength, requireVectors } from './checks.js'
import type { Pairs, Trials } from './trials.js'
import { angleOfUnit, cosineOfUnit, normalised, squaredDistance } from './vectors.js'

type Vectors = ReadonlyArray<ArrayLike<number>>

/**
 * The cosine of the two embeddings of each pair.
 *
 * @param vectors [n] of one length each; a vector of zeros, a face without a direction, has cosine 0 with all others.
 * @returns [T] -1 to 1.
 * @throws SfmError INVALID_ARGUMENT
 */
export function pairCosines(pairs: Pairs, vectors: Vectors): Float64Array {
  return overPairs(pairs, units(vectors), cosineOfUnit)
}

/** The angle between the two vectors of each pair, in radians. Otherwise as {@link pairCosines}. */
export function pairAngles(pairs: Pairs, vectors: Vectors): Float64Array {
  return overPairs(pairs, units(vectors), angleOfUnit)
}

/** The Euclidean distance between the two vectors of each pair. */
export function pairDistances(pairs: Pairs, vectors: Vectors): Float64Array {
  requireVectors('vectors', vectors)
  return overPairs(pairs, vectors, (a, b) => Math.sqrt(squaredDistance(a, b)))
}

/** How far apart things of one person are, and things of two. */
export interface Spread {
  /** Mean distance within a person. */
  within: number
  /** Mean distance between people. */
  between: number
  /** within / between: 0 all of a person in one place, 1 no telling people apart. */
  ratio: number
}

/**
 * Mean distance within people, between people, and their ratio: of latents a measure of clustering, of neutral shapes
 * one of consistency (docs/evaluation.md).
 *
 * @param distances [T] one a trial.
 * @param weights [T] how often each trial counts; see {@link trialWeights}.
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * spread(pairs, pairAngles(pairs, embeddings)).ratio
 */
export function spread(trials: Trials, distances: ArrayLike<number>, weights?: ArrayLike<number>): Spread {
  const { firstPerson, secondPerson } = trials
  requireLength('distances', distances, firstPerson.length)
  // Different, same.
  const sums = [0, 0]
  const totals = [0, 0]
  for (let i = 0; i < distances.length; i++) {
    const weight = weights === undefined ? 1 : weights[i]
    const same = firstPerson[i] === secondPerson[i] ? 1 : 0
    sums[same] += weight * distances[i]
    totals[same] += weight
  }
  const within = sums[1] / totals[1]
  const between = sums[0] / totals[0]
  return { within, between, ratio: within / between }
}

function overPairs(
  { first, second }: Pairs,
  vectors: Vectors,
  measure: (a: ArrayLike<number>, b: ArrayLike<number>) => number,
): Float64Array {
  const last = second.reduce((most, item) => Math.max(most, item), -1)
  if (last >= vectors.length) throw invalidArgument('vectors', `one for each item of the pairs (${last + 1})`, vectors)
  return Float64Array.from(first, (a, i) => measure(vectors[a], vectors[second[i]]))
}

function units(vectors: Vectors): Float64Array[] {
  requireVectors('vectors', vectors)
  return vectors.map(normalised)
}
