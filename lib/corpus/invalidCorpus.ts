import { SfmError } from '../errors.js'

/** How many names a message lists: the first of a thousand say as much as all. */
const NAMED = 5

/**
 * An INVALID_INPUT error in the one wording used for corpora: which file or field, what was expected, what came.
 *
 * @example
 * throw invalidCorpus('scans[0].count', 'a whole number from 1', describe(count))
 */
export function invalidCorpus(where: string, expected: string, received: string, options?: { cause?: unknown }) {
  return new SfmError('INVALID_INPUT', `${where}: expected ${expected}, received ${received}`, options)
}

/**
 * Names in a message: quoted, the first few.
 *
 * @example
 * listed(['a', 'b'])   // '"a", "b"'
 */
export function listed(names: readonly string[]): string {
  const some = names.slice(0, NAMED).map((name) => JSON.stringify(name.length > 60 ? `${name.slice(0, 57)}...` : name))
  const rest = names.length - some.length
  return rest > 0 ? `${some.join(', ')} and ${rest} more` : some.join(', ')
}
