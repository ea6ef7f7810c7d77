import { throwIfAborted } from '../../aborts.js'
import type { FitResult } from '../../fit/FitResult.js'
import type { Observation } from '../../fit/Observation.js'
import type { EvaluatedModel } from './EvaluatedModel.js'
import type { ProtocolOptions } from './ProtocolOptions.js'

/** Faces between looks at the signal, and words of progress. */
const BLOCK = 256

/**
 * Fits a model to landmarks as `sfm fit` does, with posteriors.
 *
 * @returns In the order of the observations.
 * @throws SfmError as {@link Fitter.fit}.
 */
export async function fitLandmarks(
  { name, model }: EvaluatedModel,
  observations: readonly Observation[],
  { fitter: options = {}, signal, progress }: ProtocolOptions,
): Promise<FitResult[]> {
  await using fitter = await model.createFitter({ ...options, posterior: true })
  const results: FitResult[] = []
  for (let start = 0; start < observations.length; start += BLOCK) {
    throwIfAborted(signal)
    progress?.(`${name}: fit ${start} of ${observations.length}`)
    results.push(...(await fitter.fit(observations.slice(start, start + BLOCK), { signal })))
  }
  return results
}
