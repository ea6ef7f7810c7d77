/** What `training.json` beside a trained model says of the data that it was trained with. */

import { dirname, resolve } from 'node:path'
import { Corpus } from '../../corpus/Corpus.js'
import type { SynthesisOptions } from '../../corpus/synthetic/SynthesisOptions.js'
import { synthesise } from '../../corpus/synthetic/SyntheticCorpus.js'
import type { TrainingData } from '../../corpus/TrainingData.js'
import { SfmError } from '../../errors.js'
import { unexpected } from '../../inputs/unexpected.js'
import { readBytes } from '../../model/formats/modelFile.js'
import type { ModelData } from '../../model/ModelData.js'
import type { CorpusSource } from '../../train/TrainingConfig.js'

/** Its name. */
export const TRAINING_FILE = 'training.json'

/** The part of `training.json` that evaluation needs. */
export interface TrainingRecord {
  /** The corpus' name. */
  name: string
  source: CorpusSource
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

/** Pictures of synthetic people for evaluation. */
export interface EvaluationPictures {
  /** Of each person at least. */
  count: number
  /** Besides those of the training. */
  schemes: readonly string[]
}

/**
 * The data of a training, opened or drawn anew. Synthetic people come with pictures enough for an evaluation; those of the
 * training are among them.
 *
 * @param loadModel The model of a path, the embedded one without.
 * @throws SfmError as opening a corpus or a model does.
 */
export async function openRecordedData(
  source: CorpusSource,
  loadModel: (path?: string) => Promise<ModelData>,
  pictures: EvaluationPictures,
): Promise<TrainingData> {
  if ('folder' in source) return Corpus.open(source.folder)
  const { photosPerIdentity = 0, photos } = source.synthetic as SynthesisOptions
  const own = photosPerIdentity > 0 ? (photos?.schemes ?? ['ibug68']) : []
  const schemes = [...new Set([...own, ...pictures.schemes])]
  const drawn = {
    ...source.synthetic,
    photosPerIdentity: schemes.length > 0 ? Math.max(photosPerIdentity, pictures.count) : 0,
    photos: { ...photos, schemes },
  }
  return synthesise(await loadModel(source.source), drawn)
}

function parseTrainingRecord(value: unknown, folder: string): TrainingRecord {
  const { config, corpus, splits } = object('', value)
  const { train } = object('splits', splits)
  if (!Array.isArray(train) || !train.every((key) => typeof key === 'string'))
    throw unexpected('splits.train', 'the keys of people', train)
  const { name } = object('corpus', corpus)
  if (typeof name !== 'string') throw unexpected('corpus.name', 'a name', name)
  return { name, train: new Set(train), source: parseSource(object('config', config).corpus, folder) }
}

function parseSource(value: unknown, base: string): CorpusSource {
  const { folder, synthetic, source } = object('config.corpus', value)
  const path = (key: string, given: unknown) => {
    if (typeof given !== 'string') throw unexpected(`config.corpus.${key}`, 'a path', given)
    return resolve(base, given)
  }
  if (folder !== undefined) return { folder: path('folder', folder) }
  const options = object('config.corpus.synthetic', synthetic)
  return { synthetic: options, ...(source !== undefined && { source: path('source', source) }) }
}

function object(path: string, value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw unexpected(path, 'an object', value)
  return value as Record<string, unknown>
}

function isMissing(error: unknown): boolean {
  const cause = error instanceof SfmError ? error.cause : error
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
}
