import { resolve } from 'node:path'
import { parseLabelledObservation } from '../corpus/labelledObservation.js'
import { type LabelledObservation, subjectKey, type TrainingData } from '../corpus/TrainingData.js'
import { describe, SfmError } from '../errors.js'
import { readRecords, within } from '../inputs/readRecords.js'
import type { TrainingConfig } from './TrainingConfig.js'

/**
 * The photos that stage 2 learns from: those of the configuration's files, else the landmark sets of the corpus' training
 * and validation people. Files with photos of the corpus' test people are refused: who is learned from measures nothing. A
 * person is who has that name in that collection ({@link subjectKey}).
 *
 * @throws SfmError INVALID_INPUT naming file, line and field; IO.
 */
export async function photosOf(
  { photos }: TrainingConfig,
  data: TrainingData,
  base: string,
): Promise<LabelledObservation[]> {
  const all: LabelledObservation[] = []
  if (photos) {
    const test = new Set(data.subjects('test'))
    const options = { extensions: ['.json', '.jsonl', '.ndjson'], wanted: 'landmarks as JSON or JSON Lines' }
    for await (const { source, value, error } of readRecords(
      photos.map((path) => resolve(base, path)),
      options,
    )) {
      if (error) throw error
      try {
        const photo = parseLabelledObservation(value)
        requireNotTest(photo, test)
        all.push(photo)
      } catch (cause) {
        throw cause instanceof SfmError ? within(source, cause) : cause
      }
    }
  } else {
    for (const split of ['train', 'validation'] as const) {
      if (data.subjects(split, 'landmarks').length === 0) continue
      for await (const batch of data.landmarkSets({ split })) all.push(...batch)
    }
  }
  if (all.length === 0)
    throw new SfmError('INVALID_INPUT', 'stage2: expected photos in the corpus or under "photos", found none')
  return all
}

function requireNotTest(photo: LabelledObservation, test: ReadonlySet<string>): void {
  const key = subjectKey(photo)
  if (!test.has(key)) return
  throw new SfmError(
    'INVALID_INPUT',
    `subject: expected nobody of the corpus' split "test", received ${describe(key)}; leave photos of test people out, or ` +
      'name another "collection" if it is another person',
  )
}
