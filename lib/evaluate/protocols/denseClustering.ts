/** Latents from dense scans with expressions and noise. */

import { setImmediate } from 'node:timers/promises'
import { throwIfAborted } from '../../aborts.js'
import type { TrainingData } from '../../corpus/TrainingData.js'
import { Matrix } from '../../linear/index.js'
import { Bootstrap, type Estimate, itemWeights } from '../bootstrap.js'
import { numberPeople, type People } from '../people.js'
import { mean } from '../statistics.js'
import { alignFaces } from './alignFaces.js'
import { type Clustering, clusteringOf } from './clustering.js'
import { DenseModel, type Moments } from './DenseModel.js'
import { type EvaluatedModel, requireOneTopology } from './EvaluatedModel.js'
import type { ProtocolOptions } from './ProtocolOptions.js'
import { type Faces, labelOf, neutralFaces, requirePeople, selectionOf } from './testFaces.js'
import { somePairs } from './trialSubset.js'

/** What {@link denseClustering} may be told. */
export interface DenseClusteringOptions extends ProtocolOptions {
  /** Pairs of two people, at most; default 50,000. */
  different?: number | undefined
}

/** What {@link denseClustering} found of one model. */
export interface ModelDenseClustering extends Clustering {
  key: string
  /** mm, of a coordinate: what the fits took for noise. */
  noise: number
  /** [n] x ~ N(0, I) by the model's prior. */
  latents: Float64Array[]
  /** mm, mean RMS distance of the face at rest that a scan gives from the truth, where that is known. */
  neutralError?: Estimate
}

/** What {@link denseClustering} found. */
export interface DenseClustering {
  scans: number
  people: People
  models: ModelDenseClustering[]
}

/**
 * Fits every model to scans by all of their vertices, with expressions, the model's own variation within people and
 * rigid motion as nuisances, and measures how the identities gather by person. The noise that a fit expects is what its
 * model leaves of the scans, for every model by the same rule.
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
  const { signal, progress, bootstrap: bootstrapOptions, different = 50_000 } = options
  progress?.('clustering of dense scans')
  const reference = Float64Array.from((await data.template()).mean)
  const dense = models.map(({ model }) => new DenseModel(model.data, { reference, expressions: true, within: true }))
  const parts = models.map((): Moments[] => [])
  const subjects: string[] = []
  for await (const shard of data.scans(selectionOf(options))) {
    subjects.push(...shard.subjects)
    const displacements = alignFaces(shard.vertices, reference)
    for (const [m, model] of dense.entries()) {
      await setImmediate()
      throwIfAborted(signal)
      parts[m].push(model.moments(displacements))
    }
  }
  if (subjects.length === 0) return undefined
  const people = numberPeople(subjects.map(labelOf))
  const pairs = somePairs(people, { different, seed: 1 })
  const kinds = new Set(pairs.firstPerson.map((person, i) => (person === pairs.secondPerson[i] ? 1 : 0)))
  if (kinds.size < 2) return undefined

  const bootstrap = new Bootstrap(people.count, bootstrapOptions)
  const truth = await neutralFaces(data, options)
  const results: ModelDenseClustering[] = []
  for (const [m, model] of dense.entries()) {
    await setImmediate()
    throwIfAborted(signal)
    const moments = joined(parts[m])
    const noise = model.noise(moments)
    const x = model.identities(moments, noise)
    const latents = Array.from({ length: x.rows }, (_, i) => x.row(i))
    const found = { key: models[m].key, noise, latents, ...clusteringOf(latents, people, pairs, bootstrap) }
    if (truth === undefined) results.push(found)
    else {
      const errors = neutralErrors(new DenseModel(models[m].model.data, { reference }), x, subjects, truth, reference)
      const { error } = bootstrap.estimate((multiplicity) => ({
        error: mean(errors, itemWeights(people, multiplicity)),
      }))
      results.push({ ...found, neutralError: error })
    }
  }
  return { scans: subjects.length, people, models: results }
}

/** [n] mm, of the faces at rest of identities x that scans gave, rigid motion apart. */
function neutralErrors(
  model: DenseModel,
  x: Matrix,
  subjects: readonly string[],
  truth: Faces,
  reference: Float64Array,
): Float64Array {
  const { products, squares } = model.moments(alignFaces(truth.vertices, reference))
  const rows = new Map(truth.subjects.map((subject, row) => [subject, row]))
  const own = subjects.map((subject) => rows.get(subject) ?? 0)
  const moments = {
    products: Matrix.from(own.map((row) => products.row(row))),
    squares: Float64Array.from(own, (row) => squares[row]),
  }
  return model.fitsOf(moments, x).errors
}

function joined(parts: readonly Moments[]): Moments {
  const products = Matrix.from(
    parts.flatMap(({ products }) => Array.from({ length: products.rows }, (_, i) => products.row(i))),
  )
  return { products, squares: Float64Array.from(parts.flatMap(({ squares }) => Array.from(squares))) }
}
