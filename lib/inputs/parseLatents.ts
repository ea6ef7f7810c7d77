import type { Latents } from '../decode/Latents.js'
import { unexpected } from './unexpected.js'

/** Latents of a file, with the id they go by. */
export interface NamedLatents extends Latents {
  id?: string
}

/**
 * Checks one record with the latents of a face: `identity`, an array, and `expression`, an array or coefficients by
 * name. A fit result is such a record; its other fields are left out, the pose as well. Whether the lengths and names
 * are those of a model is for the model to say.
 *
 * @param value What JSON.parse returned for the record.
 * @throws SfmError INVALID_INPUT naming the field, what was expected and what was received.
 * @example
 * const vertices = await model.decode(parseLatents(JSON.parse(line)))
 */
export function parseLatents(value: unknown): NamedLatents {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw unexpected('', 'an object with "identity"', value)
  }
  const { id, identity, expression } = value as Record<string, unknown>
  const latents: NamedLatents = { identity: numbers('identity', identity) }
  if (expression != null) latents.expression = coefficients(expression)
  if (id != null) {
    if (typeof id !== 'string' || id === '') throw unexpected('id', 'a string that is not empty', id)
    latents.id = id
  }
  return latents
}

function coefficients(value: unknown): number[] | Record<string, number> {
  if (Array.isArray(value)) return numbers('expression', value)
  if (typeof value !== 'object') throw unexpected('expression', 'an array, or coefficients by name', value)
  for (const [name, coefficient] of Object.entries(value as Record<string, unknown>)) {
    if (!Number.isFinite(coefficient)) throw unexpected(`expression.${name}`, 'a finite number', coefficient)
  }
  return value as Record<string, number>
}

/** An array of finite numbers, or an error that names the entry. */
export function numbers(path: string, value: unknown): number[] {
  if (!Array.isArray(value) || value.length === 0) throw unexpected(path, 'an array of numbers', value)
  for (const [i, entry] of value.entries()) {
    if (!Number.isFinite(entry)) throw unexpected(`${path}[${i}]`, 'a finite number', entry)
  }
  return value
}
