import { setImmediate } from 'node:timers/promises'
import { throwIfAborted } from '../../aborts.js'
import type { Split, TrainingData } from '../../corpus/TrainingData.js'
import { alignFaces } from './alignFaces.js'
import type { DenseModel } from './DenseModel.js'
import { joinMoments, type Moments } from './Moments.js'

/** The scans of a part of the data, as models see them. */
export interface ScanMoments {
  /** [n] whose they are. */
  subjects: string[]
  /** By model. */
  moments: Moments[]
}

/**
 * Reads scans once, for several models.
 *
 * @param reference [3N] mm, what the models measure displacements from.
 * @param options.most Scans at most, from the first.
 * @returns undefined where there are none.
 * @throws SfmError as reading the data does; ABORTED.
 */
export async function scanMoments(
  models: readonly DenseModel[],
  data: TrainingData,
  reference: Float64Array,
  { split, most = Number.POSITIVE_INFINITY, signal }: { split: Split; most?: number; signal?: AbortSignal | undefined },
): Promise<ScanMoments | undefined> {
  if (data.subjects(split, 'scans').length === 0) return undefined
  const subjects: string[] = []
  const parts = models.map((): Moments[] => [])
  for await (const shard of data.scans({ split, ...(signal && { signal }) })) {
    const count = Math.min(shard.subjects.length, most - subjects.length)
    subjects.push(...shard.subjects.slice(0, count))
    const displacements = alignFaces(shard.vertices.subarray(0, count * reference.length), reference)
    for (const [m, model] of models.entries()) {
      await setImmediate()
      throwIfAborted(signal)
      parts[m].push(model.moments(displacements))
    }
    if (subjects.length >= most) break
  }
  return { subjects, moments: parts.map(joinMoments) }
}
