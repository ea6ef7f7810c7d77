/**
 * Whether log-likelihood ratios mean what they say: the cost of Brümmer and du Preez (Application-independent
 * evaluation of speaker detection, 2006), and the least that any monotone recalibration could have.
 */

import { requireLength, requireNumbers } from './checks.js'
import { type Runs, requireBothKinds } from './RankedScores.js'

/**
 * Cllr: the mean cost in bits of trusting the ratios, over both kinds of trials alike: 0 of an oracle, 1 of who always
 * says "no evidence", more of who is confidently wrong.
 *
 * @param ratios [T] natural logarithms of likelihood ratios, same person against different.
 * @param same [T] 1 (or true) for trials of one person. There must be trials of either kind.
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * likelihoodRatioCost([0, 0], [1, 0])   // 1
 */
export function likelihoodRatioCost(ratios: ArrayLike<number>, same: ArrayLike<number | boolean>): number {
  return meanCost(trialCosts(ratios, same), same)
}

/**
 * [T] what trusting each ratio costs, in bits: log2(1 + 1/LR) of a trial of one person, log2(1 + LR) of one of two. For
 * {@link meanCost} under many weights.
 */
export function trialCosts(ratios: ArrayLike<number>, same: ArrayLike<number | boolean>): Float64Array {
  requireBothKinds('ratios', ratios, same)
  return Float64Array.from(ratios, (ratio, i) => softplus(same[i] ? -ratio : ratio) / Math.LN2)
}

/** The mean of the mean costs of either kind of trials. */
export function meanCost(
  costs: ArrayLike<number>,
  same: ArrayLike<number | boolean>,
  weights?: ArrayLike<number>,
): number {
  const sums = [0, 0]
  const totals = [0, 0]
  for (let i = 0; i < costs.length; i++) {
    const weight = weights === undefined ? 1 : weights[i]
    if (weight === 0) continue
    sums[same[i] ? 1 : 0] += weight * costs[i]
    totals[same[i] ? 1 : 0] += weight
  }
  return (sums[0] / totals[0] + sums[1] / totals[1]) / 2
}

/**
 * Min Cllr: the cost after the best non-decreasing map of scores to log-likelihood ratios, which isotonic regression
 * finds. What is left tells how well the scores separate; what {@link likelihoodRatioCost} has beyond it is lost to
 * calibration.
 *
 * @param runs Trials at each score; of any scores, ratios or cosines: only their order counts.
 * @example
 * leastCost(new RankedScores(ratios, same).runs())
 */
export function leastCost({ same, different }: Runs): number {
  const sizes = same.map((weight, run) => weight + different[run])
  const shares = same.map((weight, run) => (sizes[run] > 0 ? weight / sizes[run] : 0))
  const totals = [sum(different), sum(same)]
  // Runs are from the highest score down.
  const probability = isotonic(shares.reverse(), sizes.slice().reverse()).reverse()
  const prior = Math.log(totals[1] / totals[0])
  let cost = 0
  for (let run = 0; run < sizes.length; run++) {
    // Infinite where a score has trials of one kind only; those cost nothing then.
    const ratio = Math.log(probability[run] / (1 - probability[run])) - prior
    if (same[run] > 0) cost += (same[run] / totals[1]) * softplus(-ratio)
    if (different[run] > 0) cost += (different[run] / totals[0]) * softplus(ratio)
  }
  return cost / (2 * Math.LN2)
}

/**
 * The non-decreasing sequence nearest to `values` in weighted least squares, by pooling adjacent violators.
 *
 * @param weights At least 0.
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * isotonic([1, 3, 2, 4])   // [1, 2.5, 2.5, 4]
 */
export function isotonic(values: ArrayLike<number>, weights?: ArrayLike<number>): Float64Array {
  requireNumbers('values', values)
  if (weights !== undefined) requireLength('weights', weights, values.length)
  // Pools of equal values so far: mean, weight and end of each.
  const means: number[] = []
  const totals: number[] = []
  const ends: number[] = []
  for (let i = 0; i < values.length; i++) {
    let mean = values[i]
    let total = weights === undefined ? 1 : weights[i]
    while (means.length > 0 && (means.at(-1) as number) >= mean) {
      const before = totals.pop() as number
      const other = means.pop() as number
      ends.pop()
      total += before
      if (total > 0) mean = other + (mean - other) * ((total - before) / total)
    }
    means.push(mean)
    totals.push(total)
    ends.push(i + 1)
  }
  const result = new Float64Array(values.length)
  let start = 0
  for (const [pool, end] of ends.entries()) {
    result.fill(means[pool] as number, start, end)
    start = end
  }
  return result
}

/** log(1 + exp x), which neither overflows nor loses small values. */
function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0)
}
