import { describe, SfmError } from '../errors.js'

/**
 * An INVALID_MODEL error in the one wording used throughout: which tensor or metadata entry, what was expected, what
 * came.
 *
 * @param where As {@link tensorLabel} or {@link metadataLabel} words it.
 * @example
 * throw invalidModel(tensorLabel('mean'), 'dtype F32', 'F64')   // tensor "mean": expected dtype F32, received F64
 */
export function invalidModel(
  where: string,
  expected: string,
  received: string,
  options?: { cause?: unknown },
): SfmError {
  return new SfmError('INVALID_MODEL', `${where}: expected ${expected}, received ${received}`, options)
}

/** How an error names a tensor; safe for the names that a hostile file may hold. */
export function tensorLabel(name: string): string {
  return `tensor ${describe(name)}`
}

/** How an error names a metadata entry. */
export function metadataLabel(key: string): string {
  return `metadata ${describe(key)}`
}
