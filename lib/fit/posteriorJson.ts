import { numbers } from '../inputs/parseLatents.js'
import { unexpected } from '../inputs/unexpected.js'
import type { Posterior, PosteriorLike } from './Posterior.js'

/** The JSON form of a posterior: base64 of 32-bit little-endian floats, a third of the length of plain numbers. */
export interface PosteriorJson {
  information: string
  shift: string
}

/**
 * The JSON form of a posterior.
 *
 * @example
 * posteriorFromJson(posteriorToJson(posterior))   // the same numbers
 */
export function posteriorToJson({ information, shift }: Posterior): PosteriorJson {
  return { information: encode(information), shift: encode(shift) }
}

/**
 * A posterior from its JSON form, or from one with arrays of numbers. Whether the lengths fit is for the comparison to
 * say.
 *
 * @throws SfmError INVALID_INPUT naming the field.
 */
export function posteriorFromJson(value: unknown): PosteriorLike {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw unexpected('posterior', 'an object with "information" and "shift"', value)
  const { information, shift } = value as Record<string, unknown>
  return { information: decode(information, 'posterior.information'), shift: decode(shift, 'posterior.shift') }
}

function encode(values: Float32Array): string {
  const bytes = new DataView(new ArrayBuffer(4 * values.length))
  for (let i = 0; i < values.length; i++) bytes.setFloat32(4 * i, values[i]!, true)
  return Buffer.from(bytes.buffer).toString('base64')
}

function decode(value: unknown, path: string): ArrayLike<number> {
  if (Array.isArray(value)) return numbers(path, value)
  const expected = 'base64 of 32-bit floats, or an array of numbers'
  if (typeof value !== 'string') throw unexpected(path, expected, value)
  const bytes = Buffer.from(value, 'base64')
  // Buffer skips what is no base64: then the text is not what its bytes would be written as.
  if (bytes.length === 0 || bytes.length % 4 !== 0 || bytes.toString('base64') !== value)
    throw unexpected(path, expected, value)
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i))
}
