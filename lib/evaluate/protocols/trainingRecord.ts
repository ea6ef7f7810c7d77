/** What `training.json` beside a trained model says of the data that it was trained with. */

import { dirname, isAbsolute, join, resolve } from 'node:path'
import { Corpus } from '../../corpus/Corpus.js'
import type { SynthesisOptions } from '../../corpus/synthetic/SynthesisOptions.js'
import { synthesise } from '../../corpus/synthetic/SyntheticCorpus.js'
import type { TrainingData } from '../../corpus/TrainingData.js'
import { SfmError } from '../../errors.js'
import { unexpected } from '../../inputs/unexpected.js'
import { readBytes } from '../../model/formats/modelFile.js'
import type { ModelData } from '../../model/ModelData.js'

/** Its name. */
export const TRAINING_FILE = 'training.json'

/** Where the data of a training came from: a corpus' folder, or people drawn from a model. */
export type DataSource =
  | { folder: string }
  /** `model` is a file; the embedded model where it is absent. */
  | { synthesis: { model?: string; options: SynthesisOptions } }

/** The part of `training.json` that evaluation needs. */
export interface TrainingRecord {
  /** The corpus' name. */
  name?: string
  source?: DataSource
  /** Keys of the people that the model has learned from. */
  train: ReadonlySet<string>
}

/**
 * Reads the record of a training.
 *
 * @returns undefined where there is no such file.
 * @throws SfmError INVALID_INPUT naming the file and the field; IO.
 */
export async function readTrainingRecord(path: string): Promise<TrainingRecord | undefined> {
  let bytes: Uint8Array
  try {
    bytes = await readBytes(path)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  try {
    return parseTrainingRecord(JSON.parse(new TextDecoder().decode(bytes)), dirname(path))
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new SfmError('INVALID_INPUT', `${path}: ${reason}`, { cause })
  }
}

/**
 * The data of a training, opened or drawn anew.
 *
 * @param photos What to add where synthetic people have no pictures: those of evaluation are drawn from the same people.
 * @param loadModel The model of a path, the embedded one without.
 * @throws SfmError as opening a corpus or a model does.
 */
export async function openTrainingData(
  source: DataSource,
  loadModel: (path?: string) => Promise<ModelData>,
  photos: SynthesisOptions = {},
): Promise<TrainingData> {
  if ('folder' in source) return Corpus.open(source.folder)
  const { model, options } = source.synthesis
  const drawn = (options.photosPerIdentity ?? 0) > 0 ? options : { ...options, ...photos }
  return synthesise(await loadModel(model), drawn)
}

function parseTrainingRecord(value: unknown, folder: string): TrainingRecord {
  const { data, splits } = object('', value)
  const train = splits === undefined ? [] : object('splits', splits).train
  if (!Array.isArray(train) || !train.every((key) => typeof key === 'string'))
    throw unexpected('splits.train', 'the keys of people', train)
  const record = { train: new Set(train as string[]) }
  if (data === undefined) return record
  const { name, corpus, synthesis } = object('data', data)
  const named = typeof name === 'string' ? { ...record, name } : record
  if (corpus !== undefined) {
    if (typeof corpus !== 'string') throw unexpected('data.corpus', 'a folder', corpus)
    return { ...named, source: { folder: within(folder, corpus) } }
  }
  const { source, options = {} } = object('data.synthesis', synthesis)
  if (source !== undefined && source !== null && typeof source !== 'string')
    throw unexpected('data.synthesis.source', 'a model file', source)
  const model = typeof source === 'string' ? { model: within(folder, source) } : {}
  return { ...named, source: { synthesis: { ...model, options: object('data.synthesis.options', options) } } }
}

function object(path: string, value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw unexpected(path, 'an object', value)
  return value as Record<string, unknown>
}

function within(folder: string, path: string): string {
  return isAbsolute(path) ? path : resolve(join(folder, path))
}

function isMissing(error: unknown): boolean {
  const cause = error instanceof SfmError ? error.cause : error
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
}
