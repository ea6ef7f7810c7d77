import { dirname, join } from 'node:path'
import { Corpus } from '../corpus/Corpus.js'
import { listed } from '../corpus/invalidCorpus.js'
import type { SynthesisOptions } from '../corpus/synthetic/SynthesisOptions.js'
import { synthesise } from '../corpus/synthetic/SyntheticCorpus.js'
import { subjectKey, type TrainingData } from '../corpus/TrainingData.js'
import { SfmError } from '../errors.js'
import type { EvaluatedModel } from '../evaluate/protocols/EvaluatedModel.js'
import type { EvaluationData } from '../evaluate/protocols/evaluateModels.js'
import { type Photo, parsePhoto } from '../evaluate/protocols/Photo.js'
import { openScanFolder } from '../evaluate/protocols/readScanFolder.js'
import {
  openRecordedData,
  readTrainingRecord,
  TRAINING_FILE,
  type TrainingRecord,
} from '../evaluate/protocols/trainingRecord.js'
import { readRecords, within } from '../inputs/readRecords.js'
import type { Cli } from './Cli.js'
import type { EvaluateCommandOptions } from './evaluate.js'

/** What there is to evaluate with. */
export interface OpenedData {
  data: EvaluationData
  /** Photos that could not be read; each was said. */
  skipped: number
  title: string
}

/** Schemes that pictures of synthetic people are drawn for, as far as all models have them. */
const SCHEMES = ['ibug68', 'mediapipe478']

/** People, scans and pictures of the standard protocol: those of the acceptance bars (docs/evaluation.md). */
const STANDARD: SynthesisOptions = {
  name: 'standard protocol',
  seed: 20_001,
  identities: 125,
  scansPerIdentity: 10,
  splits: { train: 0, validation: 0.2, test: 0.8 },
}

/** Of each synthetic person: what is reconstructed together. */
const PICTURES = 5

/** In the standard protocol. */
const STANDARD_PICTURES = 10

/**
 * The data that a command line asks for: what its options name, else the test people of the training, else people drawn
 * from the embedded model.
 *
 * @throws SfmError INVALID_INPUT also where somebody to be evaluated is one that the model has learned from.
 */
export async function openEvaluationData(
  path: string,
  models: readonly EvaluatedModel[],
  options: EvaluateCommandOptions,
  cli: Cli,
): Promise<OpenedData> {
  const [{ name }] = models as [EvaluatedModel]
  const record = await readTrainingRecord(join(dirname(path), TRAINING_FILE))
  const { corpus, landmarks, scans, split = 'test' } = options
  const opened: OpenedData = { data: {}, skipped: 0, title: `Evaluation of ${name}` }
  if (corpus !== undefined) opened.data.data = await Corpus.open(corpus)
  else if (landmarks === undefined && scans === undefined) opened.data.data = await defaultData(record, models, cli)
  const { data } = opened.data
  if (data !== undefined) {
    const isTrainings = record?.name === data.description.name
    if (isTrainings) requireUnseen(data.subjects(split), record, data.description.name)
  }
  if (landmarks !== undefined) {
    const { photos, skipped } = await readPhotos(landmarks, cli)
    requireUnseen(photos.flatMap(keyOf), record, landmarks.join(', '))
    opened.data.photos = photos
    opened.skipped = skipped
  }
  if (scans !== undefined) opened.data.scans = (await openScanFolder(scans, cli.signal)).scans
  return opened
}

async function defaultData(
  record: TrainingRecord | undefined,
  models: readonly EvaluatedModel[],
  { engine, messages }: Cli,
): Promise<TrainingData> {
  const schemes = SCHEMES.filter((scheme) => models.every(({ model }) => model.schemes.includes(scheme)))
  const load = async (source?: string) => {
    // The data outlive the native model.
    using model = await engine.loadModel(source)
    return model.data
  }
  if (record !== undefined) return openRecordedData(record.source, load, { count: PICTURES, schemes })
  messages.say(
    `no ${TRAINING_FILE} beside the model: evaluating with the standard protocol, 100 people drawn ` +
      `from the embedded model with seed ${STANDARD.seed}`,
  )
  const pictures = schemes.length > 0 ? { photosPerIdentity: STANDARD_PICTURES, photos: { schemes } } : {}
  return synthesise(await load(), { ...STANDARD, ...pictures })
}

async function readPhotos(inputs: readonly string[], cli: Cli): Promise<{ photos: Photo[]; skipped: number }> {
  const { stdin, signal, messages } = cli
  const photos: Photo[] = []
  let skipped = 0
  const options = {
    extensions: ['.json', '.jsonl', '.ndjson'],
    wanted: 'landmarks as JSON or JSON Lines',
    stdin,
    signal,
  }
  for await (const { value, error, source, defaultId } of readRecords(inputs, options)) {
    try {
      if (error !== undefined) throw error
      const photo = parsed(value, source)
      photo.id ??= defaultId
      photos.push(photo)
    } catch (error) {
      if (!(error instanceof SfmError) || error.code === 'ABORTED') throw error
      skipped++
      messages.say(error.message)
    }
  }
  if (photos.length === 0)
    throw new SfmError('INVALID_INPUT', `--landmarks: expected photos, received none that can be used`)
  return { photos, skipped }
}

function parsed(value: unknown, source: string): Photo {
  try {
    return parsePhoto(value)
  } catch (error) {
    throw error instanceof SfmError ? within(source, error) : error
  }
}

function keyOf({ subject, collection }: Photo): string[] {
  return subject === undefined ? [] : [subjectKey({ subject, ...(collection !== undefined && { collection }) })]
}

function requireUnseen(subjects: readonly string[], record: TrainingRecord | undefined, where: string): void {
  const seen = [...new Set(subjects)].filter((subject) => record?.train.has(subject))
  if (seen.length > 0)
    throw new SfmError(
      'INVALID_INPUT',
      `${where}: expected people that the model has not seen, received ${seen.length} that it was trained with: ${listed(seen)}`,
    )
}
