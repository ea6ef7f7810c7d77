/** Latents from dense scans with expressions and noise. */

import { setImmediate } from 'node:timers/promises'
import { throwIfAborted } from '../../aborts.js'
import type { Split, TrainingData } from '../../corpus/TrainingData.js'
import { Bootstrap, type Estimate, itemWeights } from '../bootstrap.js'
import { numberPeople, type People } from '../people.js'
import { mean } from '../statistics.js'
import { chooseNoise, truthMoments } from './chooseNoise.js'
import { type Clustering, clusteringOf } from './clustering.js'
import { DenseModel } from './DenseModel.js'
import { type EvaluatedModel, requireOneTopology } from './EvaluatedModel.js'
import type { ProtocolOptions } from './ProtocolOptions.js'
import { scanMoments } from './scanMoments.js'
import { labelOf, neutralFaces, requirePeople } from './testFaces.js'
import { somePairs } from './trialSubset.js'

/** What {@link denseClustering} may be told. */
export interface DenseClusteringOptions extends ProtocolOptions {
  /** Pairs of two people, at most; default 50,000. */
  different?: number | undefined
  /** The part whose people decide how much noise fits expect; default `validation`. */
  tuning?: Split | undefined
}

/** What {@link denseClustering} found of one model. */
export interface ModelDenseClustering extends Clustering {
  key: string
  /** mm, of a coordinate: what the fits expected. */
  noise: number
  /** [n] normal coordinates, or Gaussian latents: their direction is a fit's embedding. */
  latents: Float64Array[]
  /** mm, mean RMS distance of the face at rest that a scan gives from the truth, where that is known. */
  neutralError?: Estimate
}

/** What {@link denseClustering} found. */
export interface DenseClustering {
  scans: number
  people: People
  /** Whether the noise was chosen by people of another part; otherwise it is what the models leave of the scans. */
  tuned: boolean
  models: ModelDenseClustering[]
}

/**
 * Fits every model to scans by all of their vertices, with expressions, the model's own variation within people and
 * rigid motion as nuisances, and measures how the identities gather by person. The noise that fits expect is chosen for
 * every model by people of another part: {@link chooseNoise}.
 *
 * @param models Of one topology, that of the data.
 * @returns undefined where no two scans of one person are there, or of two people.
 * @throws SfmError INVALID_ARGUMENT, INVALID_INPUT, INVALID_MODEL; ABORTED.
 */
export async function denseClustering(
  models: readonly EvaluatedModel[],
  data: TrainingData,
  options: DenseClusteringOptions = {},
): Promise<DenseClustering | undefined> {
  requireOneTopology(models, data.vertexCount)
  requirePeople(data, options)
  const { split = 'test', tuning = 'validation', different = 50_000 } = options
  const { signal, progress, bootstrap: bootstrapOptions } = options
  progress?.('clustering of dense scans')
  const reference = Float64Array.from((await data.template()).mean)
  const dense = models.map(({ model }) => new DenseModel(model.data, { reference, expressions: true, within: true }))
  const scans = await scanMoments(dense, data, reference, { split, signal })
  if (scans === undefined) return undefined
  const { subjects } = scans
  const people = numberPeople(subjects.map(labelOf))
  const pairs = somePairs(people, { different, seed: 1 })
  const kinds = new Set(pairs.firstPerson.map((person, i) => (person === pairs.secondPerson[i] ? 1 : 0)))
  if (kinds.size < 2) return undefined

  const bootstrap = new Bootstrap(people.count, bootstrapOptions)
  const truth = await neutralFaces(data, options)
  const fitted = models.map(({ model }, m) => ({ dense: dense[m], data: model.data }))
  const noises = await chooseNoise(fitted, data, reference, { split: tuning, signal })
  const results: ModelDenseClustering[] = []
  for (const [m, model] of dense.entries()) {
    await setImmediate()
    throwIfAborted(signal)
    const moments = scans.moments[m]
    const noise = noises?.[m] ?? model.noise(moments)
    const x = model.identities(moments, noise)
    const embeddings = model.embeddings(x)
    const latents = Array.from({ length: embeddings.rows }, (_, i) => embeddings.row(i))
    const found = { key: models[m].key, noise, latents, ...clusteringOf(latents, people, pairs, bootstrap) }
    if (truth === undefined) results.push(found)
    else {
      const rest = new DenseModel(models[m].model.data, { reference })
      const { errors } = rest.fitsOf(truthMoments(rest, subjects, truth, reference), x)
      const { error } = bootstrap.estimate((multiplicity) => ({
        error: mean(errors, itemWeights(people, multiplicity)),
      }))
      results.push({ ...found, neutralError: error })
    }
  }
  return { scans: subjects.length, people, tuned: noises !== undefined, models: results }
}
