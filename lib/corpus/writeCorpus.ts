import type { Corpus } from './Corpus.js'
import { CorpusWriter } from './CorpusWriter.js'
import { SPLITS, type SplitLists, type TrainingData } from './TrainingData.js'

/** How data is written. */
export interface WriteCorpusOptions {
  /** Bytes of a shard, more or less (default 64 MB). */
  shardBytes?: number
  signal?: AbortSignal
  /** Told after every piece. */
  onProgress?: (done: { scans: number; landmarkSets: number }) => void
}

/**
 * Writes training data of any kind to disk, in its order. Memory holds a shard or two.
 *
 * @param folder Must not exist yet, or be empty.
 * @throws SfmError as {@link CorpusWriter} and the data do; then there is no such folder.
 * @example
 * await writeCorpus('people', synthesise(source, { identities: 500 }))
 */
export async function writeCorpus(
  folder: string,
  data: TrainingData,
  options: WriteCorpusOptions = {},
): Promise<Corpus> {
  const { shardBytes, signal, onProgress } = options
  const select = signal ? { signal } : {}
  const template = await data.template()
  await using writer = await CorpusWriter.create(folder, {
    ...data.description,
    template,
    ...(shardBytes !== undefined && { shardBytes }),
  })
  const done = { scans: 0, landmarkSets: 0 }
  for await (const scans of data.scans(select)) {
    await writer.addScans(scans)
    done.scans += scans.subjects.length
    onProgress?.(done)
  }
  for await (const sets of data.landmarkSets(select)) {
    await writer.addLandmarkSets(sets)
    done.landmarkSets += sets.length
    onProgress?.(done)
  }
  for await (const truth of data.truth(select)) await writer.addTruth(truth)
  const splits = Object.fromEntries(SPLITS.map((split) => [split, data.subjects(split)])) as unknown as SplitLists
  // Awaited here, or the writer would be given up meanwhile.
  return await writer.finish(splits)
}
