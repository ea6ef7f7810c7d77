/**
 * Confidence intervals by resampling people: photos of one person are not independent, so people are drawn with
 * replacement, and with each all that is theirs (Efron and Tibshirani, An Introduction to the Bootstrap, 1993).
 */

import { invalidArgument } from '../errors.js'
import { Random } from '../random.js'
import { requireCount, requireLength } from './checks.js'
import { percentileOf, sortedOrder } from './statistics.js'
import type { Trials } from './trials.js'

/** A measure with its confidence interval. */
export interface Estimate {
  /** Of the people as they are. */
  value: number
  /** The interval's ends, percentiles of the resamples; NaN where none gave a number. */
  low: number
  high: number
  /** The share of cases in which such an interval holds the truth, such as 0.95. */
  level: number
  /** [R] the measure in each resample; NaN where it has none there. */
  replicates: Float64Array
}

/** How people are resampled. */
export interface BootstrapOptions {
  /** Default 1000. */
  resamples?: number
  /** Default 1. Equal seeds draw the same people, which is what makes differences of two models *paired*. */
  seed?: number
  /** Of the intervals; default 0.95. */
  level?: number
}

/** Resamples of a number of people. */
export class Bootstrap {
  readonly level: number
  /** By resample: how often each person was drawn. */
  readonly #multiplicities: Uint16Array[]
  readonly #people: number

  /**
   * @param people How many there are.
   * @throws SfmError INVALID_ARGUMENT
   */
  constructor(people: number, { resamples = 1000, seed = 1, level = 0.95 }: BootstrapOptions = {}) {
    requireCount('people', people)
    requireCount('resamples', resamples)
    requireCount('seed', seed, 0)
    if (!(level > 0 && level < 1)) throw invalidArgument('level', 'a number strictly between 0 and 1', level)
    this.level = level
    this.#people = people
    const random = new Random(seed)
    this.#multiplicities = Array.from({ length: resamples }, () => {
      const counts = new Uint16Array(people)
      for (let i = 0; i < people; i++) counts[Math.floor(random.uniform() * people)]++
      return counts
    })
  }

  /**
   * Several measures at once, each with its interval.
   *
   * @param measure Of people who count as often as `multiplicity` says: first of the people as they are, then of each
   *   resample. The array is [people]; it must not be kept.
   * @example
   * const { mean } = bootstrap.estimate((multiplicity) => ({ mean: mean(errors, itemWeights(people, multiplicity)) }))
   */
  estimate<Key extends string>(measure: (multiplicity: Uint16Array) => Record<Key, number>): Record<Key, Estimate> {
    const values = measure(new Uint16Array(this.#people).fill(1))
    const keys = Object.keys(values) as Key[]
    const replicates = keys.map(() => new Float64Array(this.#multiplicities.length))
    for (const [r, multiplicity] of this.#multiplicities.entries()) {
      const resampled = measure(multiplicity)
      for (const [k, key] of keys.entries()) (replicates[k] as Float64Array)[r] = resampled[key]
    }
    return Object.fromEntries(
      keys.map((key, k) => [key, withInterval(values[key], replicates[k] as Float64Array, this.level)]),
    ) as Record<Key, Estimate>
  }
}

/**
 * The difference a - b of a measure of two models on the same people, with its own interval: much narrower than the two
 * intervals suggest, because what is hard for one model is hard for the other.
 *
 * @param a Estimated under some resamples ...
 * @param b ... and under the same: by one {@link Bootstrap}, or by two of equal people, seeds and numbers of resamples.
 * @throws SfmError INVALID_ARGUMENT where their resamples are not as many.
 * @example
 * const { value, low, high } = pairedDifference(ours.auc, pca.auc)   // better beyond chance where low > 0
 */
export function pairedDifference(a: Estimate, b: Estimate): Estimate {
  requireLength('b.replicates', b.replicates, a.replicates.length)
  return withInterval(
    a.value - b.value,
    a.replicates.map((value, r) => value - b.replicates[r]),
    a.level,
  )
}

/**
 * The ends between which the middle share `level` of the replicates lies; NaN where none is a number.
 *
 * @param replicates Those that are no numbers do not count.
 */
export function percentileInterval(replicates: ArrayLike<number>, level: number): { low: number; high: number } {
  const known = Float64Array.from(replicates).filter(Number.isFinite)
  if (known.length === 0) return { low: Number.NaN, high: Number.NaN }
  const order = sortedOrder(known)
  return { low: percentileOf(order, known, (1 - level) / 2), high: percentileOf(order, known, (1 + level) / 2) }
}

/** Where the data themselves have no value, chance must not have an interval. */
function withInterval(value: number, replicates: Float64Array, level: number): Estimate {
  return { value, ...percentileInterval(Number.isFinite(value) ? replicates : [], level), level, replicates }
}

/**
 * How often each trial counts in a resample. A person drawn m times is m people: a trial of one person counts m times,
 * a trial of two m m' times. Copies of a person are never compared with each other: as trials of one person they would
 * compare photos with themselves, as trials of two they would be false.
 *
 * @param multiplicity [people]
 * @param weights [T] is filled and returned, if given.
 * @returns [T]
 */
export function trialWeights(
  { firstPerson, secondPerson }: Trials,
  multiplicity: ArrayLike<number>,
  weights = new Float64Array(firstPerson.length),
): Float64Array {
  for (let i = 0; i < weights.length; i++) {
    const [a, b] = [firstPerson[i], secondPerson[i]]
    weights[i] = a === b ? multiplicity[a] : multiplicity[a] * multiplicity[b]
  }
  return weights
}

/** [n] how often each item counts in a resample: as often as its person. */
export function itemWeights({ person }: { person: Int32Array }, multiplicity: ArrayLike<number>): Float64Array {
  return Float64Array.from(person, (who) => multiplicity[who])
}
