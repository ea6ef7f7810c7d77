import { resolve } from 'node:path'
import { Corpus } from '../corpus/Corpus.js'
import { MemoryCorpus } from '../corpus/MemoryCorpus.js'
import { synthesise } from '../corpus/synthetic/SyntheticCorpus.js'
import type { TrainingData } from '../corpus/TrainingData.js'
import { SphereFaceModel } from '../model/SphereFaceModel.js'
import type { CorpusSource } from './TrainingConfig.js'

/** Synthetic scans up to this size are drawn once and kept, not drawn for every pass. */
const KEPT_BYTES = 1e9

/**
 * Opens the data that a configuration, or the `training.json` of a finished training, names.
 *
 * @param base Folder that relative paths begin from.
 * @throws SfmError as opening a corpus or reading a model does; INVALID_ARGUMENT naming an option of a synthetic corpus.
 * @example
 * const data = await openTrainingData({ folder: 'people' }, process.cwd())
 */
export async function openTrainingData(
  source: CorpusSource,
  base: string,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<TrainingData> {
  if ('folder' in source) return Corpus.open(resolve(base, source.folder))
  using model = await SphereFaceModel.load(source.source === undefined ? undefined : resolve(base, source.source))
  const people = synthesise(model.data, source.synthetic)
  if (people.scanCount * people.vertexCount * 12 > KEPT_BYTES) return people
  return MemoryCorpus.from(people, signal ? { signal } : {})
}
