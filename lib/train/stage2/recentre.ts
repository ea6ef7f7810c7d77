import type { LabelledObservation } from '../../corpus/TrainingData.js'
import type { ModelData } from '../../model/ModelData.js'
import { SphereFaceModel } from '../../model/SphereFaceModel.js'
import type { TrainingContext } from '../TrainingContext.js'
import { withoutSimilarity } from './withoutSimilarity.js'

/** Each pass leaves what the prior holds back of a mean, a third or so. */
const PASSES = 6

/**
 * Moves the schemes' offsets until the identities of all photos average to the mean face: what all of them have in
 * common tells nobody apart, and would make all look alike to a cosine. Similarities are taken out of the offsets in each
 * pass, so that faces have their size in photos.
 *
 * @param observations Photos, fitted as users fit theirs.
 */
export async function recentre(
  data: ModelData,
  observations: readonly LabelledObservation[],
  context: TrainingContext,
): Promise<ModelData> {
  let centred = data
  for (let pass = 0; pass < PASSES; pass++) {
    await context.breathe()
    centred = { ...centred, schemes: await moved(centred, observations, context) }
  }
  return centred
}

async function moved(
  data: ModelData,
  observations: readonly LabelledObservation[],
  { signal }: TrainingContext,
): Promise<ModelData['schemes']> {
  await using model = SphereFaceModel.fromData(data)
  // Offsets are those of points of the skin.
  const fitter = await model.createFitter({ slideContour: false })
  const schemes = new Map(data.schemes)
  for (const [name, scheme] of data.schemes) {
    const own = observations.filter((observation) => observation.scheme === name)
    const usable = (await fitter.fit(own, { ...(signal && { signal }) })).filter((result) => result.usable)
    if (usable.length === 0) continue
    const offset = Float32Array.from(scheme.offset ?? new Float32Array(3 * scheme.count))
    const rest = new Float32Array(data.expressionCount)
    const mean = await model.decode({ identity: data.identityPriorMean!, expression: rest }, { scheme: name })
    for (const { identity } of usable) {
      const shape = await model.decode({ identity, expression: rest }, { scheme: name })
      for (let i = 0; i < offset.length; i++) offset[i]! += (shape[i]! - mean[i]!) / usable.length
    }
    const present = [...Array(scheme.count).keys()].filter((l) =>
      scheme.weights.subarray(3 * l, 3 * l + 3).some(Boolean),
    )
    schemes.set(name, { ...scheme, offset: withoutSimilarity(offset, mean, present) })
  }
  return schemes
}
