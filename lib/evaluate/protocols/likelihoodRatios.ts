import { setImmediate } from 'node:timers/promises'
import { throwIfAborted } from '../../aborts.js'
import { comparePrepared, type PreparedFace, prepare } from '../../compare.js'
import type { FitResult } from '../../fit/FitResult.js'
import type { Pairs } from '../trials.js'

/** Pairs between looks at the signal. */
const BLOCK = 4096

/**
 * The log-likelihood ratio of each pair; 0, which says nothing, where one of the two was not fitted.
 *
 * @param results [n] of fits with `posterior: true`.
 * @returns [T]
 * @throws SfmError ABORTED
 */
export async function likelihoodRatios(
  { first, second }: Pairs,
  results: readonly FitResult[],
  signal?: AbortSignal,
): Promise<Float64Array> {
  const faces = results.map((result, i): PreparedFace | undefined =>
    result.posterior ? prepare(result, `results[${i}]`) : undefined,
  )
  const ratios = new Float64Array(first.length)
  for (let i = 0; i < ratios.length; i++) {
    if (i % BLOCK === 0) {
      await setImmediate()
      throwIfAborted(signal)
    }
    const [a, b] = [faces[first[i]], faces[second[i]]]
    if (a && b) ratios[i] = comparePrepared(a, b).logLikelihoodRatio ?? 0
  }
  return ratios
}
