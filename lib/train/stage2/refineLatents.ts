import type { LabelledObservation } from '../../corpus/TrainingData.js'
import type { ModelData } from '../../model/ModelData.js'
import { SphereFaceModel } from '../../model/SphereFaceModel.js'
import type { TrainingContext } from '../TrainingContext.js'
import { collectEvidence } from './collectEvidence.js'
import { exactSymmetry } from './exactSymmetry.js'
import { withoutExpressions } from './expressionPrior.js'
import type { PhotoStatistics } from './learnPhotoStatistics.js'
import { type Refinement, type RefinementPhoto, refineMetric } from './refineMetric.js'

/**
 * Refines the latents of a model that has learned the statistics of photos, on the same photos: {@link refineMetric} with
 * the embeddings that users' fits give. Whether it helped is for strangers to tell.
 *
 * @throws SfmError NUMERICAL naming the step; ABORTED.
 */
export async function refineLatents(
  { folded, dictionary }: PhotoStatistics,
  observations: readonly LabelledObservation[],
  parameters: Refinement,
  noise: number,
  context: TrainingContext,
): Promise<ModelData> {
  const { model } = folded
  const expressions = {
    mean: Float64Array.from(model.expressionMean!),
    stddev: Float64Array.from(model.expressionStddev),
  }
  const embeddings = await embeddingsOf(model, observations, context)
  const { photos } = await collectEvidence(model, dictionary, observations, noise, context)
  const people = new Map<string, RefinementPhoto[]>()
  for (const { person, index, evidence } of photos) {
    const latents = embeddings[index]
    if (!latents) continue
    const photo = { ...withoutExpressions(evidence, expressions), latents }
    people.set(person, [...(people.get(person) ?? []), photo])
  }
  const refined = await refineMetric(folded, dictionary, [...people.values()], undefined, { parameters }, context)
  return exactSymmetry(refined.folded.model, model)
}

/** Of each photo, fitted as users fit theirs; undefined where it could not be. */
async function embeddingsOf(
  data: ModelData,
  observations: readonly LabelledObservation[],
  { signal }: TrainingContext,
): Promise<(Float32Array | undefined)[]> {
  await using model = SphereFaceModel.fromData(data)
  const fitter = await model.createFitter()
  const results = await fitter.fit(observations, { ...(signal && { signal }) })
  return results.map(({ usable, embedding }) => (usable ? embedding : undefined))
}
