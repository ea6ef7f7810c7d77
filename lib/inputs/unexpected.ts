import { describe, SfmError } from '../errors.js'

/**
 * An INVALID_INPUT error in the one wording used for files: where in the record, what was expected, what was received.
 *
 * @param path Where the value stands in its record, such as `points[17]`; empty for the record itself.
 * @example
 * throw unexpected('points[17]', '[x, y] or null', 'abc') // points[17]: expected [x, y] or null, received "abc"
 */
export function unexpected(path: string, expected: string, received: unknown): SfmError {
  const place = path === '' ? '' : `${path}: `
  return new SfmError('INVALID_INPUT', `${place}expected ${expected}, received ${describe(received)}`)
}
