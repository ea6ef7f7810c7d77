/** Scan-to-mesh distances of faces reconstructed from images, by the protocol of docs/evaluation.md. */

import { setImmediate } from 'node:timers/promises'
import { throwIfAborted } from '../../aborts.js'
import { SfmError } from '../../errors.js'
import type { Observation } from '../../fit/Observation.js'
import { Bootstrap, type Estimate, itemWeights } from '../bootstrap.js'
import { numberPeople, type People } from '../people.js'
import { scanToMesh } from '../scanDistance.js'
import { SCAN_LANDMARKS } from '../scanProtocol.js'
import { mean, percentile, percentileOf, sortedOrder, variance } from '../statistics.js'
import type { EvaluatedModel } from './EvaluatedModel.js'
import { fitLandmarks } from './fitLandmarks.js'
import type { ProtocolOptions } from './ProtocolOptions.js'

/** A scan of a person, and images from which the face is reconstructed. */
export interface ScanWithImages {
  id: string
  subject: string
  condition?: string
  /** [P,3] mm */
  points: ArrayLike<number>
  /** [7,3] mm, {@link SCAN_LANDMARKS}. */
  landmarks: ArrayLike<number>
  /** [3] mm */
  noseTip: ArrayLike<number>
  images: Observation[]
}

/** What {@link scanEvaluation} may be told. */
export interface ScanEvaluationOptions extends ProtocolOptions {
  /** Whether the size of a reconstruction is fitted as well; by default it must be right. */
  scale?: boolean | undefined
}

/** Distances over all points of some scans, mm. */
export interface ScanDistances {
  median: Estimate
  mean: Estimate
  standardDeviation: Estimate
}

/** What {@link scanEvaluation} found of one model. */
export interface ModelScans {
  key: string
  all: ScanDistances
  /** By condition, where scans have any. */
  conditions: { condition: string; images: number; distances: ScanDistances }[]
  /** mm, of every point of every reconstruction. */
  distances: Float64Array
}

/** What {@link scanEvaluation} found. */
export interface ScanEvaluation {
  scans: number
  images: number
  people: People
  models: ModelScans[]
}

const SCHEME = 'ibug68'

/**
 * Reconstructs the neutral face from every image and measures the scan's points to it.
 *
 * @param scans Read one at a time for each model, since scans are large.
 * @throws SfmError INVALID_INPUT without an image; UNKNOWN_SCHEME for a model without `ibug68`; as reading the scans does; ABORTED.
 */
export async function scanEvaluation(
  models: readonly EvaluatedModel[],
  scans: () => AsyncIterable<ScanWithImages>,
  options: ScanEvaluationOptions = {},
): Promise<ScanEvaluation> {
  const { fitter, signal, progress, scale = false, bootstrap: bootstrapOptions } = options
  const found = models.map((): Float64Array[] => [])
  const labels: { subject: string; condition: string | undefined }[] = []
  const corners = models.map((each) => landmarksOf(each))
  let count = 0
  for await (const scan of scans()) {
    count++
    progress?.(`scan ${scan.id}`)
    for (const [m, each] of models.entries()) {
      const results = await fitLandmarks(each, scan.images, { fitter, signal })
      for (const { identity } of results) {
        await setImmediate()
        throwIfAborted(signal)
        const reconstruction = {
          vertices: each.model.decodeSync({ identity }),
          triangles: each.model.data.triangles,
          landmarks: corners[m](identity),
        }
        found[m].push(scanToMesh(scan, reconstruction, { scale }).distances)
      }
    }
    for (const _ of scan.images) labels.push({ subject: scan.subject, condition: scan.condition })
  }
  if (labels.length === 0)
    throw new SfmError('INVALID_INPUT', 'scans: expected one with images at least, received none')

  const people = numberPeople(labels)
  const bootstrap = new Bootstrap(people.count, bootstrapOptions)
  const conditions = [...new Set(labels.flatMap(({ condition }) => condition ?? []))].sort()
  return {
    scans: count,
    images: labels.length,
    people,
    models: found.map((distances, m) => {
      const of = (wanted: (image: number) => boolean) => estimate(distances, people, bootstrap, wanted)
      return {
        key: models[m].key,
        all: of(() => true),
        conditions: conditions.map((condition) => ({
          condition,
          images: labels.filter((label) => label.condition === condition).length,
          distances: of((image) => labels[image].condition === condition),
        })),
        distances: joined(distances),
      }
    }),
  }
}

/** The seven landmarks of a neutral face, [7,3] mm. */
function landmarksOf({ key, model }: EvaluatedModel): (identity: ArrayLike<number>) => Float32Array {
  if (!model.schemes.includes(SCHEME))
    throw new SfmError('UNKNOWN_SCHEME', `models: expected ${key} to have the scheme ${SCHEME}, to align scans by`)
  return (identity) => {
    const all = model.decodeSync({ identity }, { scheme: SCHEME })
    return Float32Array.from(SCAN_LANDMARKS.flatMap(({ ibug68: l }) => Array.from(all.subarray(3 * l, 3 * l + 3))))
  }
}

/** Points kept of an image for the intervals: enough for its percentiles, few enough for a thousand resamples. */
const KEPT = 200

/**
 * Figures of all points together; the intervals' medians are of evenly chosen points of every image.
 */
function estimate(
  distances: readonly Float64Array[],
  people: People,
  bootstrap: Bootstrap,
  wanted: (image: number) => boolean,
): ScanDistances {
  const images = distances.flatMap((_, i) => (wanted(i) ? [i] : []))
  const kept = images.map((i) => {
    const sorted = distances[i].slice().sort()
    return Float64Array.from({ length: KEPT }, (_, q) => sorted[Math.floor(((q + 0.5) * sorted.length) / KEPT)])
  })
  const points = joined(kept)
  const owners = { person: Int32Array.from(points, (_, p) => people.person[images[Math.floor(p / KEPT)]]) }
  const order = sortedOrder(points)
  const exact = joined(images.map((i) => distances[i]))
  const { median, average, deviation } = bootstrap.estimate((multiplicity) => {
    const weights = itemWeights(owners, multiplicity)
    return {
      median: percentileOf(order, points, 0.5, weights),
      average: mean(points, weights),
      deviation: Math.sqrt(variance(points, weights)),
    }
  })
  return {
    median: { ...median, value: percentile(exact, 0.5) },
    mean: { ...average, value: mean(exact) },
    standardDeviation: { ...deviation, value: Math.sqrt(variance(exact)) },
  }
}

function joined(parts: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
