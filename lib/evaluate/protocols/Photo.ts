import { SfmError } from '../../errors.js'
import type { Observation } from '../../fit/Observation.js'
import { parseObservation } from '../../inputs/parseObservation.js'
import { unexpected } from '../../inputs/unexpected.js'

/** Landmarks in a photo, and what is known of it besides. */
export interface Photo extends Observation {
  /** People of the same name in different collections are different people. */
  collection?: string
  /** Degrees, where somebody has measured it. */
  yaw_label?: number
}

/**
 * Checks one line of landmarks (docs/landmarks.md) with the labels of an evaluation, all of which are optional: `subject`,
 * `collection`, `yaw_label`.
 *
 * @param value What JSON.parse returned for the line.
 * @throws SfmError INVALID_INPUT naming the field.
 */
export function parsePhoto(value: unknown): Photo {
  const observation = parseObservation(value)
  const { collection, yaw_label } = value as { collection?: unknown; yaw_label?: unknown }
  if (collection != null && (typeof collection !== 'string' || collection === ''))
    throw unexpected('collection', 'a name', collection)
  if (yaw_label != null && !Number.isFinite(yaw_label)) throw unexpected('yaw_label', 'degrees', yaw_label)
  if (!ArrayBuffer.isView(observation.points) && observation.points.some((point) => point?.length === 3))
    throw new SfmError('INVALID_INPUT', 'points: expected landmarks of a photo, two numbers each, received three')
  return {
    ...observation,
    ...(collection != null && { collection: collection as string }),
    ...(yaw_label != null && { yaw_label: yaw_label as number }),
  }
}

/** Degrees, where it is known. */
export function yawOf({ yaw_label }: Photo): number | undefined {
  return yaw_label
}
