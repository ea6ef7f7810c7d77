import { invalidArgument, type SfmError } from '../errors.js'
import { packObservation } from '../fit/packObservation.js'
import { parseObservation } from '../inputs/parseObservation.js'
import { unexpected } from '../inputs/unexpected.js'
import type { LandmarkScheme } from '../model/ModelData.js'
import type { LabelledObservation } from './TrainingData.js'

/**
 * Checks one line of landmarks (docs/landmarks.md) with the label that a corpus needs: `subject`, and `collection`
 * where there is one.
 *
 * @param value What JSON.parse returned for the line.
 * @throws SfmError INVALID_INPUT naming the field.
 * @example
 * parseLabelledObservation({ subject: 'd000', collection: 'c0', scheme: 'ibug68', points: [[179.63, 101.4], null] })
 */
export function parseLabelledObservation(value: unknown): LabelledObservation {
  const { subject, ...observation } = parseObservation(value)
  if (subject === undefined) throw unexpected('subject', 'whose face it is', subject)
  const { collection } = value as { collection?: unknown }
  if (collection == null) return { ...observation, subject }
  requireCollection(collection, (expected) => unexpected('collection', expected, collection))
  return { ...observation, subject, collection }
}

/**
 * Checks an observation that a program made, for the schemes of a corpus' template, and puts it into the plain form that
 * a file would give: arrays of points, known fields alone.
 *
 * @param name What it is called in messages.
 * @throws SfmError INVALID_ARGUMENT, UNKNOWN_SCHEME
 */
export function plainObservation(
  observation: LabelledObservation,
  schemes: ReadonlyMap<string, LandmarkScheme>,
  name: string,
): LabelledObservation {
  const { dimensions } = packObservation(observation, schemes, { camera: 'perspective', focal: undefined }, name)
  const { id, subject, collection, image, scheme, points, confidence, noise, camera } = observation
  if (typeof subject !== 'string' || subject === '')
    throw invalidArgument(`${name}.subject`, 'a string that is not empty', subject)
  if (collection !== undefined)
    requireCollection(collection, (expected) => invalidArgument(`${name}.collection`, expected, collection))
  return {
    ...(id !== undefined && { id }),
    subject,
    ...(collection !== undefined && { collection }),
    ...(image && { image: { width: image.width, height: image.height } }),
    scheme,
    points: Array.isArray(points) ? points : asPoints(points as Float32Array, dimensions),
    ...(confidence && { confidence: Array.from(confidence) }),
    ...(noise != null && { noise }),
    ...(camera && { camera }),
  }
}

/** Flat numbers as points: null where one is missing, which flat arrays say by NaN. */
function asPoints(numbers: ArrayLike<number>, dimensions: 2 | 3): Array<number[] | null> {
  return Array.from({ length: numbers.length / dimensions }, (_, i) => {
    const point = Array.from({ length: dimensions }, (_, axis) => numbers[i * dimensions + axis]!)
    return point.some(Number.isNaN) ? null : point
  })
}

/** The key of a person joins collection and subject by a slash: with one in the collection two people could share it. */
function requireCollection(value: unknown, invalid: (expected: string) => SfmError): asserts value is string {
  if (typeof value !== 'string' || value === '' || value.includes('/'))
    throw invalid('a name without a slash, not empty')
}
