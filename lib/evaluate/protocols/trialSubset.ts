import { Random } from '../../random.js'
import { itemsOf, type People } from '../people.js'
import { allPairs, type Pairs } from '../trials.js'

/** Of {@link Random.stream}. */
const STREAM = 0x7a15

/**
 * All pairs of items of one person, and of two people of one collection as many as asked for, drawn without replacement:
 * in large data all of the latter would be too many to hold, and tell hardly more. Which ones does not depend on any
 * model.
 *
 * @param options.different Pairs of two people, at most.
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * const pairs = somePairs(people, { different: 50_000, seed: 1 })
 */
export function somePairs(people: People, { different, seed }: { different: number; seed: number }): Pairs {
  const { person, collection, count } = people
  const items = itemsOf(people)
  const members = new Int32Array(Math.max(...collection) + 1)
  for (const who of person) members[collection[who]]++
  const squares = (counts: ArrayLike<number>) => Array.from(counts).reduce((sum, n) => sum + n * n, 0)
  const total = (squares(members) - squares(items.map(({ length }) => length))) / 2
  if (total <= different) return allPairs(people)

  const first: number[] = []
  const second: number[] = []
  for (const own of items)
    for (const [b, item] of own.entries())
      for (const other of own.slice(0, b)) {
        first.push(other)
        second.push(item)
      }
  const random = Random.stream(seed, STREAM)
  const drawn = new Set<number>()
  while (drawn.size < different) {
    const [a, b] = [random.below(person.length), random.below(person.length)]
    const key = Math.min(a, b) * person.length + Math.max(a, b)
    if (person[a] === person[b] || collection[person[a]] !== collection[person[b]] || drawn.has(key)) continue
    drawn.add(key)
    first.push(Math.min(a, b))
    second.push(Math.max(a, b))
  }
  const pairs = { first: Int32Array.from(first), second: Int32Array.from(second) }
  return {
    ...pairs,
    firstPerson: pairs.first.map((item) => person[item]),
    secondPerson: pairs.second.map((item) => person[item]),
    peopleCount: count,
  }
}
