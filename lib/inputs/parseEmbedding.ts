import { SfmError } from '../errors.js'
import type { PosteriorLike } from '../fit/Posterior.js'
import { posteriorFromJson } from '../fit/posteriorJson.js'
import { isReference, type ModelReference, REFERENCE_FORM } from '../model/ModelReference.js'
import { numbers } from './parseLatents.js'
import { unexpected } from './unexpected.js'

/** What of a fit result takes part in a comparison. */
export interface NamedEmbedding {
  id?: string
  embedding: number[]
  posterior?: PosteriorLike
  model?: ModelReference
}

/**
 * Checks one record of `sfm fit`'s output and returns what people are compared by.
 *
 * @param value What JSON.parse returned for the record.
 * @throws SfmError INVALID_INPUT naming the field; also for a result that says of itself that it is not usable.
 * @example
 * const [a, b] = lines.map((line) => parseEmbedding(JSON.parse(line)))
 * console.log(compare(a, b).cosine)
 */
export function parseEmbedding(value: unknown): NamedEmbedding {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw unexpected('', 'a fit result', value)
  }
  const { id, usable, message, embedding, posterior, model } = value as Record<string, unknown>
  if (usable === false) {
    throw new SfmError('INVALID_INPUT', `not usable: ${typeof message === 'string' ? message : 'so the result says'}`)
  }
  if (model != null && !isReference(model)) throw unexpected('model', REFERENCE_FORM, model)
  return {
    ...(typeof id === 'string' && id !== '' && { id }),
    embedding: numbers('embedding', embedding),
    ...(posterior != null && { posterior: posteriorFromJson(posterior) }),
    ...(model != null && { model }),
  }
}
