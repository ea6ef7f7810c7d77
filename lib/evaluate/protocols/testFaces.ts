import type { LabelledObservation, Selection, TrainingData } from '../../corpus/TrainingData.js'
import { SfmError } from '../../errors.js'
import type { ProtocolOptions } from './ProtocolOptions.js'

/** Faces in correspondence, and whose they are. */
export interface Faces {
  /** [n] keys of people, `collection/subject`. */
  subjects: string[]
  /** [n,3N] mm. */
  vertices: Float32Array
}

/** Which part of the data is evaluated. */
export function selectionOf({ split = 'test', signal }: ProtocolOptions): Selection {
  return { split, ...(signal && { signal }) }
}

/** Who and in which collection, from the key of a person. */
export function labelOf(key: string): { subject: string; collection?: string } {
  const slash = key.indexOf('/')
  return slash < 0 ? { subject: key } : { subject: key.slice(slash + 1), collection: key.slice(0, slash) }
}

/**
 * What synthetic people look like at rest; undefined for real data, where nobody knows.
 *
 * @throws SfmError as reading the data does.
 */
export async function neutralFaces(data: TrainingData, options: ProtocolOptions): Promise<Faces | undefined> {
  const subjects: string[] = []
  const parts: Float32Array[] = []
  for await (const shard of data.truth(selectionOf(options))) {
    subjects.push(...shard.subjects)
    parts.push(shard.neutrals)
  }
  return subjects.length === 0 ? undefined : { subjects, vertices: joined(parts) }
}

/**
 * The landmark sets of the evaluated people, scheme by scheme.
 *
 * @throws SfmError as reading the data does.
 */
export async function landmarksByScheme(
  data: TrainingData,
  options: ProtocolOptions,
): Promise<Map<string, LabelledObservation[]>> {
  const schemes = new Map<string, LabelledObservation[]>()
  for await (const sets of data.landmarkSets(selectionOf(options)))
    for (const set of sets) {
      const known = schemes.get(set.scheme)
      if (known) known.push(set)
      else schemes.set(set.scheme, [set])
    }
  return schemes
}

/** @throws SfmError INVALID_INPUT for a part of the data without people. */
export function requirePeople(data: TrainingData, { split = 'test' }: ProtocolOptions): void {
  if (data.subjects(split).length === 0)
    throw new SfmError('INVALID_INPUT', `split: expected people to evaluate with in the part "${split}", received none`)
}

function joined(parts: readonly Float32Array[]): Float32Array {
  if (parts.length === 1) return parts[0]
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
