import type { LabelledObservation } from '../../corpus/TrainingData.js'
import type { Observation } from '../../fit/Observation.js'
import type { ModelData } from '../../model/ModelData.js'
import type { TrainingContext } from '../TrainingContext.js'
import { collectEvidence } from './collectEvidence.js'
import { dictionaryOf } from './ShapeDictionary.js'
import { withoutSimilarity } from './withoutSimilarity.js'

/** Each takes half of the offsets that are left; more would take the population's mean face, not the detector's habits. */
const ROUNDS = 2

/** The fitter's standard deviation of a good landmark, mm. */
export const STANDARD_NOISE = 1.24

/**
 * Learns where a detector or an annotator puts its landmarks beside the model's, and how far each strays, from faces of
 * anybody: schemes get an offset, without the similarity in it, and reliabilities. Nothing else of the model changes.
 *
 * @param observations Landmarks of many people, one photo each will do.
 * @param noise Standard deviation of a good landmark, mm on the face, while learning.
 * @throws SfmError INVALID_INPUT where most of the photos cannot be fitted; ABORTED.
 */
export async function calibrateSchemes(
  data: ModelData,
  observations: readonly Observation[],
  noise: number,
  context: TrainingContext,
): Promise<ModelData> {
  const strangers: LabelledObservation[] = observations.map((each, i) => ({ ...each, subject: String(i) }))
  let model = data
  for (let round = 0; round < ROUNDS; round++) {
    const { schemes, photos } = await collectEvidence(model, dictionaryOf(model), strangers, noise, context)
    const calibrated = new Map(model.schemes)
    for (const statistics of schemes) {
      const scheme = statistics.calibrated(noise, STANDARD_NOISE)
      const { mean, present } = statistics.rows
      calibrated.set(scheme.name, { ...scheme, offset: withoutSimilarity(scheme.offset!, mean, present) })
    }
    model = { ...model, schemes: calibrated }
    context.record({ stage: 'calibration', step: round, photos: photos.length })
  }
  return model
}
