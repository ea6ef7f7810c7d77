import { unexpected } from './unexpected.js'

const DECIMAL = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/

/**
 * A number as meshes have it. Not `Number` alone, which takes nothing for 0, `0x10` for 16 and knows infinity.
 *
 * @param where For the message: `line 17`.
 * @throws SfmError INVALID_INPUT
 */
export function decimal(word: string | undefined, where: string): number {
  const value = word !== undefined && DECIMAL.test(word) ? Number(word) : Number.NaN
  if (!Number.isFinite(value)) throw unexpected(where, 'a finite number', word)
  return value
}
