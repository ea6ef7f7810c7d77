/**
 * How well scores tell trials of one person from trials of two: the receiver operating characteristic and what is read
 * off it. A trial is accepted where its score exceeds a threshold. Between the vertices of the empirical curve
 * everything is interpolated linearly, so that tied scores count half (docs/evaluation.md).
 */

import { invalidArgument } from '../errors.js'
import { requireLength, requireNumbers } from './checks.js'
import type { Runs } from './RankedScores.js'

/**
 * The share of trials accepted as the threshold falls: from (0, 0) to (1, 1), a vertex wherever it bends.
 * Neither share ever falls along the curve.
 */
export interface RocCurve {
  /** [V] share of the trials of two people that is accepted. */
  readonly falseAccept: Float64Array
  /** [V] share of the trials of one person that is accepted. */
  readonly trueAccept: Float64Array
  /** How many trials of two people there are, by weight. */
  readonly different: number
}

/**
 * The curve of the trials at each score. Where those of either kind weigh nothing, all its measures are NaN.
 *
 * @example
 * areaUnder(rocCurve(new RankedScores([0.9, 0.4, 0.6], [1, 1, 0]).runs()))   // 0.5
 */
export function rocCurve({ same, different }: Runs): RocCurve {
  const falseAccept = new Float64Array(same.length + 1)
  const trueAccept = new Float64Array(same.length + 1)
  let vertex = 0
  let [positives, negatives] = [0, 0]
  for (let run = 0; run < same.length; run++) {
    if (same[run] === 0 && different[run] === 0) continue
    positives += same[run]
    negatives += different[run]
    vertex++
    trueAccept[vertex] = positives
    falseAccept[vertex] = negatives
  }
  for (let i = 0; i <= vertex; i++) {
    trueAccept[i] = trueAccept[i] / positives
    falseAccept[i] = falseAccept[i] / negatives
  }
  return {
    falseAccept: falseAccept.subarray(0, vertex + 1),
    trueAccept: trueAccept.subarray(0, vertex + 1),
    different: negatives,
  }
}

/**
 * The area under the curve: the probability that a trial of one person scores higher than one of two, ties counting
 * half (the Mann-Whitney statistic).
 */
export function areaUnder({ falseAccept, trueAccept }: RocCurve): number {
  let area = falseAccept[0] + trueAccept[0]
  for (let i = 1; i < falseAccept.length; i++) {
    area += ((falseAccept[i] - falseAccept[i - 1]) * (trueAccept[i] + trueAccept[i - 1])) / 2
  }
  return area
}

/** The equal error rate: where as large a share of one person's trials is rejected as of two people's accepted. */
export function equalErrorRate({ falseAccept, trueAccept }: RocCurve): number {
  // False accepts minus false rejects: rises along the curve from -1 to 1.
  const excess = (i: number) => falseAccept[i] + trueAccept[i] - 1
  for (let i = 1; i < falseAccept.length; i++) {
    if (excess(i) < 0) continue
    const part = -excess(i - 1) / (excess(i) - excess(i - 1))
    return falseAccept[i - 1] + part * (falseAccept[i] - falseAccept[i - 1])
  }
  return Number.NaN
}

/**
 * TAR at FAR: the share of one person's trials accepted where the share `rate` of two people's is. Where the curve
 * rises straight up at that rate, the upper end.
 *
 * @param rate Above 0, at most 1.
 * @returns NaN where there are fewer than 1 / rate trials of two people: nobody can see such a rate in them.
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * trueAcceptAt(curve, 1e-3)
 */
export function trueAcceptAt({ falseAccept, trueAccept, different }: RocCurve, rate: number): number {
  requireRate(rate)
  if (!visible(different, rate)) return Number.NaN
  // The last vertex that accepts no more.
  let [low, high] = [0, falseAccept.length]
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (falseAccept[middle] <= rate) low = middle
    else high = middle
  }
  if (high === falseAccept.length) return trueAccept[low]
  const part = (rate - falseAccept[low]) / (falseAccept[high] - falseAccept[low])
  return trueAccept[low] + part * (trueAccept[high] - trueAccept[low])
}

/**
 * The smallest threshold that keeps the share of two people's trials that are accepted, those whose score *exceeds* it,
 * at or below `rate`. It is one of those scores.
 *
 * @param scores [T] the larger, the more alike.
 * @param rate Above 0, at most 1.
 * @returns NaN where there are fewer than 1 / rate trials of two people.
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * const threshold = thresholdAt(scores, isSame(pairs), 1e-2)
 * const accepted = score > threshold
 */
export function thresholdAt(scores: ArrayLike<number>, same: ArrayLike<number | boolean>, rate: number): number {
  requireNumbers('scores', scores)
  requireLength('same', same, scores.length)
  requireRate(rate)
  const others = Float64Array.from(scores)
    .filter((_, i) => !same[i])
    .sort()
    .reverse()
  if (!visible(others.length, rate)) return Number.NaN
  const accepted = Math.floor(others.length * rate * (1 + ROUNDING))
  return accepted < others.length ? others[accepted] : Number.NEGATIVE_INFINITY
}

/**
 * d-prime: how many standard deviations lie between the mean scores of the two kinds of trials; the deviation is the
 * root of the mean of both variances.
 */
export function sensitivity(
  scores: ArrayLike<number>,
  same: ArrayLike<number | boolean>,
  weights?: ArrayLike<number>,
): number {
  requireLength('same', same, scores.length)
  // In one pass, because this is asked for a thousand resamples; from a score among them, so that nothing cancels.
  const origin = scores[0]
  let [n0, n1, sum0, sum1, squares0, squares1] = [0, 0, 0, 0, 0, 0]
  for (let i = 0; i < scores.length; i++) {
    const weight = weights === undefined ? 1 : weights[i]
    const x = scores[i] - origin
    if (same[i]) {
      n1 += weight
      sum1 += weight * x
      squares1 += weight * x * x
    } else {
      n0 += weight
      sum0 += weight * x
      squares0 += weight * x * x
    }
  }
  const [mean0, mean1] = [sum0 / n0, sum1 / n1]
  const variance = (squares0 / n0 - mean0 ** 2 + squares1 / n1 - mean1 ** 2) / 2
  return (mean1 - mean0) / Math.sqrt(variance)
}

/** n x rate may come out a rounding below the whole number that it is. */
const ROUNDING = 4 * Number.EPSILON

function visible(count: number, rate: number): boolean {
  return count * rate * (1 + ROUNDING) >= 1
}

function requireRate(rate: number): void {
  if (!(rate > 0 && rate <= 1)) throw invalidArgument('rate', 'a number above 0 and at most 1', rate)
}
