/** The comparisons of a verification experiment: which photos, or sets of photos, are held against each other. */

import { invalidArgument } from '../errors.js'
import { Random } from '../random.js'
import { requireCount } from './checks.js'
import { itemsOf, type People } from './people.js'

/** Who is compared with whom: one person with themself, or two people of one collection. */
export interface Trials {
  /** [T] number of the person on one side ... */
  readonly firstPerson: Int32Array
  /** ... and on the other. The same number makes it a trial of one person. */
  readonly secondPerson: Int32Array
  /** How many people there are, whether or not they appear in a trial. */
  readonly peopleCount: number
}

/** Trials of single items against single items. */
export interface Pairs extends Trials {
  /** [T] index of the item on one side ... */
  readonly first: Int32Array
  /** ... and on the other. */
  readonly second: Int32Array
}

/** Trials of sets of items against sets of items; no item is on both sides. */
export interface SetTrials extends Trials {
  readonly first: readonly Int32Array[]
  readonly second: readonly Int32Array[]
}

/**
 * All pairs of items of one person, and all pairs of two people of one collection, each once.
 *
 * @example
 * const pairs = allPairs(numberPeople(photos))
 */
export function allPairs(people: People): Pairs {
  const { person, collection } = people
  const inOneCollection = (a: number, b: number) => collection[person[a]] === collection[person[b]]
  let count = 0
  for (let b = 1; b < person.length; b++) for (let a = 0; a < b; a++) if (inOneCollection(a, b)) count++
  const first = new Int32Array(count)
  const second = new Int32Array(count)
  let at = 0
  for (let a = 0; a < person.length; a++) {
    for (let b = a + 1; b < person.length; b++) {
      if (!inOneCollection(a, b)) continue
      first[at] = a
      second[at++] = b
    }
  }
  return {
    first,
    second,
    firstPerson: first.map((item) => person[item]),
    secondPerson: second.map((item) => person[item]),
    peopleCount: people.count,
  }
}

/** What {@link setTrials} may be told. */
export interface SetTrialOptions {
  /** Items in each set. */
  size: number
  /** Trials of each person who has at least 2 size items; default 20. */
  samePerPerson?: number
  /** Trials of each two people of one collection who have at least size items each; default 1. */
  differentPerPair?: number
  /** Of the random choice of the sets. */
  seed: number
}

/**
 * Random sets of `size` items of one person against as many others of the same person, and of two people of one
 * collection against each other. Sets are drawn anew for every trial, without replacement, so that the two sides of one
 * share nothing.
 *
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * const trials = setTrials(people, { size: 3, seed: 1 })
 */
export function setTrials(
  people: People,
  { size, samePerPerson = 20, differentPerPair = 1, seed }: SetTrialOptions,
): SetTrials {
  requireCount('size', size)
  requireCount('samePerPerson', samePerPerson)
  requireCount('differentPerPair', differentPerPair)
  requireCount('seed', seed, 0)
  const random = new Random(seed)
  const items = itemsOf(people)
  const trials = { first: [] as Int32Array[], second: [] as Int32Array[], a: [] as number[], b: [] as number[] }
  const add = (a: number, b: number, first: Int32Array, second: Int32Array) => {
    trials.first.push(first.sort())
    trials.second.push(second.sort())
    trials.a.push(a)
    trials.b.push(b)
  }
  for (let a = 0; a < people.count; a++) {
    for (let repeat = 0; repeat < samePerPerson && items[a].length >= 2 * size; repeat++) {
      const both = draw(items[a], 2 * size, random)
      add(a, a, both.slice(0, size), both.slice(size))
    }
    for (let b = a + 1; b < people.count; b++) {
      if (people.collection[a] !== people.collection[b] || Math.min(items[a].length, items[b].length) < size) continue
      for (let repeat = 0; repeat < differentPerPair; repeat++)
        add(a, b, draw(items[a], size, random), draw(items[b], size, random))
    }
  }
  return {
    first: trials.first,
    second: trials.second,
    firstPerson: Int32Array.from(trials.a),
    secondPerson: Int32Array.from(trials.b),
    peopleCount: people.count,
  }
}

/** [T] 1 for a trial of one person, 0 for one of two. */
export function isSame({ firstPerson, secondPerson }: Trials): Uint8Array {
  return Uint8Array.from(firstPerson, (person, i) => (person === secondPerson[i] ? 1 : 0))
}

/**
 * The score of every trial.
 *
 * @param score Of the items, or sets of items, of the two sides: the larger, the more alike. Called in order.
 * @returns [T]
 * @throws SfmError INVALID_ARGUMENT where a score is not a number.
 * @example
 * scoreTrials(pairs, (a, b) => logLikelihoodRatio(results[a].posterior, results[b].posterior))
 */
export function scoreTrials<Side>(
  trials: { readonly first: ArrayLike<Side>; readonly second: ArrayLike<Side> },
  score: (first: Side, second: Side) => number,
): Float64Array {
  const scores = new Float64Array(trials.first.length)
  for (let i = 0; i < scores.length; i++) {
    const value = score(trials.first[i], trials.second[i])
    if (typeof value !== 'number' || Number.isNaN(value)) throw invalidArgument('score(...)', 'a number', value)
    scores[i] = value
  }
  return scores
}

/** `size` of the items in random order: the first steps of a Fisher-Yates shuffle. */
function draw(items: readonly number[], size: number, random: Random): Int32Array {
  const rest = Int32Array.from(items)
  for (let i = 0; i < size; i++) {
    const j = i + Math.floor(random.uniform() * (rest.length - i))
    ;[rest[i], rest[j]] = [rest[j], rest[i]]
  }
  return rest.slice(0, size)
}
