import { invalidArgument } from '../../errors.js'

/** Room beyond what the identities and the dimensions need. */
const MARGIN = 1.1
/** Beyond the farthest identity. */
const FARTHEST_MARGIN = 1.02
const QUANTILE = 0.995

/**
 * Radius of the sphere that linear coordinates u of the training identities lie on, |u| < r: each of them is within reach,
 * most of them well so.
 *
 * @param lengths [g] |u| of each identity, of coordinates with variance 1.
 * @param dimensions Number of coordinates, K - 1.
 * @throws SfmError INVALID_ARGUMENT
 */
export function sphereRadius(lengths: ArrayLike<number>, dimensions: number): number {
  const sorted = Float64Array.from(lengths).sort()
  if (sorted.length === 0) throw invalidArgument('lengths', 'one for each identity', lengths)
  const quantile = sorted[Math.ceil(QUANTILE * sorted.length) - 1]!
  return Math.max(MARGIN * Math.sqrt(dimensions), MARGIN * quantile, FARTHEST_MARGIN * sorted.at(-1)!)
}
