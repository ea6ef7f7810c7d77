import { invalidArgument } from '../errors.js'
import { Random } from '../random.js'
import { byCodeUnit } from './People.js'
import { SPLITS, type SplitLists } from './TrainingData.js'

/** Which share of the people each part gets; they sum to 1. */
export interface SplitFractions {
  train?: number
  validation?: number
  test?: number
}

/** Of {@link Random.stream}. */
const STREAM = 0x5b117

/**
 * Divides people into parts, at random and evenly: each collection by the same shares, as far as its numbers permit, so
 * that no part has a collection to itself. The order in which the people come does not matter.
 *
 * @param keys As of {@link subjectKey}; the collection is what precedes the first slash. Each may come several times.
 * @param fractions 0 or more each, with a sum of 1.
 * @param seed An integer of 0 or more.
 * @throws SfmError INVALID_ARGUMENT, also where there are too few people for a part that is asked for.
 * @example
 * splitSubjects(writer.subjects(), { train: 0.8, validation: 0.1, test: 0.1 }, 1)
 */
export function splitSubjects(keys: Iterable<string>, fractions: SplitFractions, seed: number): SplitLists {
  const shares = requireShares(fractions)
  if (!Number.isSafeInteger(seed) || seed < 0) throw invalidArgument('seed', 'an integer of 0 or more', seed)
  const people = [...new Set(keys)].sort(byCodeUnit)
  const lists = SPLITS.map((): string[] => [])

  // Whoever is next goes where most are missing: the shares hold for every collection, and for all of them together.
  for (const [done, key] of inRandomOrder(people, seed).entries()) {
    const missing = shares.map((share, s) => share * (done + 1) - lists[s]!.length)
    lists[missing.indexOf(Math.max(...missing))]!.push(key)
  }
  for (const [s, split] of SPLITS.entries()) {
    if (shares[s]! > 0 && lists[s]!.length === 0)
      throw invalidArgument('subjects', `enough people for the split "${split}"`, people)
  }
  const [train, validation, test] = lists.map((list) => list.sort(byCodeUnit)) as [string[], string[], string[]]
  return { train, validation, test }
}

/** Collection after collection, each in an order of its own that the others have no influence on. */
function inRandomOrder(people: readonly string[], seed: number): string[] {
  const collections = new Map<string, string[]>()
  for (const key of people) {
    const collection = key.slice(0, Math.max(0, key.indexOf('/')))
    const members = collections.get(collection)
    if (members) members.push(key)
    else collections.set(collection, [key])
  }
  return [...collections].flatMap(([name, members]) =>
    Random.stream(seed, STREAM, ...Buffer.from(name, 'utf8')).shuffle(members),
  )
}

function requireShares(fractions: SplitFractions): number[] {
  if (typeof fractions !== 'object' || fractions === null)
    throw invalidArgument('fractions', '{ train, validation, test }', fractions)
  const unknown = Object.keys(fractions).find((key) => !SPLITS.some((split) => split === key))
  if (unknown !== undefined) throw invalidArgument('fractions', SPLITS.join(', '), unknown)
  const shares = SPLITS.map((split) => fractions[split] ?? 0)
  for (const [s, share] of shares.entries())
    if (!(share >= 0 && share <= 1)) throw invalidArgument(`fractions.${SPLITS[s]}`, 'a number from 0 to 1', share)
  const sum = shares.reduce((a, b) => a + b)
  if (Math.abs(sum - 1) > 1e-9) throw invalidArgument('fractions', 'numbers with a sum of 1', sum)
  return shares
}
