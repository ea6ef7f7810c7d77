/** What is found from landmarks in pictures of people never seen: who they are, and what they look like. */

import { setImmediate } from 'node:timers/promises'
import { throwIfAborted } from '../../aborts.js'
import { type LabelledObservation, subjectKey, type TrainingData } from '../../corpus/TrainingData.js'
import { SfmError } from '../../errors.js'
import type { FitResult } from '../../fit/FitResult.js'
import { sphereToTangent } from '../../model/sphere.js'
import { Bootstrap, type Estimate, trialWeights } from '../bootstrap.js'
import { pairDistances, spread } from '../pairDistances.js'
import { itemsOf, numberPeople, type People } from '../people.js'
import { isSame, type Pairs } from '../trials.js'
import { type Clustering, clusteringOf } from './clustering.js'
import { type EvaluatedModel, requireOneTopology } from './EvaluatedModel.js'
import { fitLandmarks } from './fitLandmarks.js'
import { likelihoodRatios } from './likelihoodRatios.js'
import { neutralMetric } from './NeutralMetric.js'
import type { ProtocolOptions } from './ProtocolOptions.js'
import { type Combination, type ImageSet, imageSets, type Reconstructions, reconstructions } from './reconstruction.js'
import { landmarksByScheme, neutralFaces, requirePeople } from './testFaces.js'
import { somePairs } from './trialSubset.js'

/** What {@link landmarkEvaluation} may be told. */
export interface LandmarkEvaluationOptions extends ProtocolOptions {
  /** Landmarks of this scheme alone. */
  scheme?: string | undefined
  /** Pairs of two people, at most; default 10,000. */
  different?: number | undefined
  /** Images of a person that are reconstructed together; default 5. */
  setSize?: number | undefined
}

/** How far neutral faces of one person from different images are from each other. Small where all are the mean face. */
export interface Consistency {
  /** mm, mean RMS distance of two images of one person. */
  within: Estimate
  /** The same over that of images of two people. */
  ratio: Estimate
}

/** What {@link landmarkEvaluation} found of one model and scheme. */
export interface ModelLandmarks {
  key: string
  /** Images that could not be fitted. */
  failed: number
  /** Of the normal coordinates' directions; undefined where the people do not permit comparisons. */
  clustering?: Clustering
  consistency?: Consistency
  /** Where the truth is known. */
  single?: Reconstructions
  /** From several images, with fused posteriors; where people have so many. */
  several?: Reconstructions
  /** From the same images, by the mean of their normal coordinates. */
  averaged?: Reconstructions
  results: FitResult[]
}

/** What {@link landmarkEvaluation} found of one scheme. */
export interface LandmarkEvaluation {
  scheme: string
  images: number
  people: People
  setSize: number
  models: ModelLandmarks[]
}

/**
 * Fits every model to the landmark sets of people in pose, and measures how the embeddings gather by person, how far the
 * neutral faces are from the truth, from one image and from several, and how well those of one person agree.
 *
 * @param models Of one topology, that of the data, with the schemes of the landmarks.
 * @returns One for each scheme, in the order of the data; none where it has no landmarks.
 * @throws SfmError INVALID_ARGUMENT, INVALID_INPUT, UNKNOWN_SCHEME; ABORTED.
 */
export async function landmarkEvaluation(
  models: readonly EvaluatedModel[],
  data: TrainingData,
  options: LandmarkEvaluationOptions = {},
): Promise<LandmarkEvaluation[]> {
  requireOneTopology(models, data.vertexCount)
  requirePeople(data, options)
  const schemes = await landmarksByScheme(data, options)
  const truth = await truthOf(data, options)
  const evaluations: LandmarkEvaluation[] = []
  for (const [scheme, observations] of schemes) {
    if (options.scheme !== undefined && scheme !== options.scheme) continue
    requireScheme(models, scheme)
    evaluations.push(await evaluateScheme(models, scheme, observations, truth, options))
  }
  return evaluations
}

async function evaluateScheme(
  models: readonly EvaluatedModel[],
  scheme: string,
  observations: readonly LabelledObservation[],
  truth: ReadonlyMap<string, Float32Array>,
  options: LandmarkEvaluationOptions,
): Promise<LandmarkEvaluation> {
  const { signal, progress, bootstrap: bootstrapOptions, different = 10_000, setSize = 5 } = options
  const people = numberPeople(observations)
  const bootstrap = new Bootstrap(people.count, bootstrapOptions)
  const pairs = somePairs(people, { different, seed: 1 })
  const same = isSame(pairs)
  const comparable = same.includes(1) && same.includes(0)
  const items = itemsOf(people)
  const real = items.map(([first]) => truth.get(subjectKey(observations[first])))
  const known = real.every((shape) => shape !== undefined)
  const sets = imageSets(items, setSize)

  const evaluated: ModelLandmarks[] = []
  for (const each of models) {
    const { key, name, model } = each
    const results = await fitLandmarks(each, observations, {
      ...options,
      progress: (what) => progress?.(`${scheme}, ${what}`),
    })
    await setImmediate()
    throwIfAborted(signal)
    progress?.(`${scheme}, ${name}: compare`)
    const found: ModelLandmarks = { key, failed: results.filter(({ status }) => status === 'failed').length, results }
    if (comparable) {
      const logLikelihoodRatios = await likelihoodRatios(pairs, results, signal)
      const latents = results.map((result) => latentOf(each, result))
      found.clustering = clusteringOf(latents, people, pairs, bootstrap, { logLikelihoodRatios })
      found.consistency = consistencyOf(each, results, pairs, bootstrap)
    }
    if (known) {
      const reconstruct = (some: readonly ImageSet[], combination: Combination) =>
        reconstructions(model, results, some, people, real as Float32Array[], bootstrap, { signal, combination })
      progress?.(`${scheme}, ${name}: reconstruct`)
      found.single = await reconstruct(imageSets(items, 1), 'fused')
      if (sets.length > 0) {
        found.several = await reconstruct(sets, 'fused')
        found.averaged = await reconstruct(sets, 'averaged')
      }
    }
    evaluated.push(found)
  }
  return { scheme, images: observations.length, people, setSize, models: evaluated }
}

/** Normal coordinates, or Gaussian latents: in the direction of the embedding. Of a fit that failed, which says nothing, 0. */
function latentOf({ model }: EvaluatedModel, { status, embedding, identity }: FitResult): Float64Array {
  const { identityPriorMean } = model.data
  if (status === 'failed') return new Float64Array(embedding.length)
  return identityPriorMean ? sphereToTangent(identity, identityPriorMean) : Float64Array.from(identity)
}

function consistencyOf(
  { model }: EvaluatedModel,
  results: readonly FitResult[],
  pairs: Pairs,
  bootstrap: Bootstrap,
): Consistency {
  const place = neutralMetric(model.data)
  const distances = pairDistances(
    pairs,
    results.map(({ identity }) => place(identity)),
  )
  const weights = new Float64Array(distances.length)
  return bootstrap.estimate((multiplicity) => {
    const { within, ratio } = spread(pairs, distances, trialWeights(pairs, multiplicity, weights))
    return { within, ratio }
  })
}

async function truthOf(data: TrainingData, options: ProtocolOptions): Promise<Map<string, Float32Array>> {
  const faces = await neutralFaces(data, options)
  const width = 3 * data.vertexCount
  return new Map(
    faces?.subjects.map((subject, i) => [subject, faces.vertices.subarray(i * width, (i + 1) * width)]) ?? [],
  )
}

function requireScheme(models: readonly EvaluatedModel[], scheme: string): void {
  const lacking = models.find(({ model }) => !model.schemes.includes(scheme))
  if (lacking)
    throw new SfmError(
      'UNKNOWN_SCHEME',
      `models: expected ${lacking.key} to have the scheme ${JSON.stringify(scheme)} of the landmarks; it has ${lacking.model.schemes.join(', ') || 'none'}`,
    )
}
