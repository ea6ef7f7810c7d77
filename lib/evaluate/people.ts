import { invalidArgument } from '../errors.js'
import { requireSome } from './checks.js'

/** Whose photo or scan something is. A subject's name counts within its collection only. */
export interface PersonLabel {
  subject: string
  /** The photo set it comes from; two people of different sets are never compared (docs/evaluation.md). */
  collection?: string | undefined
}

/** The people of a list of n photos or scans, numbered in the order of their first appearance. */
export interface People {
  /** How many there are. */
  readonly count: number
  /** [n] the number of the person of each item. */
  readonly person: Int32Array
  /** [count] the number of the collection of each person. */
  readonly collection: Int32Array
}

/**
 * Numbers the people of a list, and the collections they belong to.
 *
 * @throws SfmError INVALID_ARGUMENT where there is no item, or one without a subject.
 * @example
 * numberPeople([{ subject: 'a' }, { subject: 'b' }, { subject: 'a' }]).person   // [0, 1, 0]
 */
export function numberPeople(labels: readonly PersonLabel[]): People {
  requireSome('labels', labels)
  const people = new Map<string, number>()
  const collections = new Map<string | undefined, number>()
  const collection: number[] = []
  const person = Int32Array.from(labels, (label, i) => {
    if (typeof label?.subject !== 'string') throw invalidArgument(`labels[${i}].subject`, 'a string', label?.subject)
    const where = numberOf(collections, label.collection ?? undefined)
    const who = numberOf(people, JSON.stringify([where, label.subject]))
    collection[who] = where
    return who
  })
  return { count: people.size, person, collection: Int32Array.from(collection) }
}

/** [count] the items of each person, in order. */
export function itemsOf(people: People): number[][] {
  const items: number[][] = Array.from({ length: people.count }, () => [])
  people.person.forEach((person, i) => {
    items[person].push(i)
  })
  return items
}

function numberOf<Key>(numbers: Map<Key, number>, key: Key): number {
  const known = numbers.get(key)
  if (known !== undefined) return known
  numbers.set(key, numbers.size)
  return numbers.size - 1
}
