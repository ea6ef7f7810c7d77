import { type Bootstrap, type Estimate, percentileInterval, trialWeights } from './bootstrap.js'
import { leastCost, meanCost, trialCosts } from './calibration.js'
import { requireLength, requireNumbers } from './checks.js'
import { RankedScores } from './RankedScores.js'
import { areaUnder, equalErrorRate, type RocCurve, rocCurve, sensitivity, thresholdAt, trueAcceptAt } from './roc.js'
import { isSame, type Trials } from './trials.js'

/** What a score of likeness achieves on some trials. */
export interface Verification {
  /** Trials of one person. */
  same: number
  /** Trials of two people. */
  different: number
  /** Area under the ROC curve: 0.5 guessing, 1 perfect. */
  auc: Estimate
  /** Equal error rate: 0.5 guessing, 0 perfect. */
  equalErrorRate: Estimate
  /** True accept rate where 1% of the trials of two people are accepted; NaN where there are fewer than 100 of them. */
  tarAt1e2: Estimate
  /** The same at 0.1%; NaN where there are fewer than 1000. */
  tarAt1e3: Estimate
  /** d-prime. */
  sensitivity: Estimate
  /** For log-likelihood ratios: Cllr, in bits. */
  cost?: Estimate
  /** For log-likelihood ratios: min Cllr. */
  leastCost?: Estimate
  /** Scores above it are accepted, 1% or 0.1% of the trials of two people; NaN where there are too few. */
  thresholds: { rate: number; threshold: number }[]
  curve: RocCurve
  /** Intervals of the curve: at each false accept rate, of the true accept rate. */
  band: BandPoint[]
}

/** The interval of a true accept rate. */
export interface BandPoint {
  rate: number
  low: number
  high: number
}

/**
 * All measures of verification, with intervals over people.
 *
 * @param trials T of them, of either kind.
 * @param scores [T] the larger, the more alike.
 * @param bootstrap Of as many people as the trials have.
 * @param options.likelihoodRatios Whether the scores are natural logarithms of likelihood ratios, so that their
 *   calibration can be judged.
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * const pairs = allPairs(people)
 * const { auc } = verify(pairs, pairCosines(pairs, embeddings), new Bootstrap(people.count))
 */
export function verify(
  trials: Trials,
  scores: ArrayLike<number>,
  bootstrap: Bootstrap,
  { likelihoodRatios = false }: { likelihoodRatios?: boolean } = {},
): Verification {
  requireLength('scores', scores, trials.firstPerson.length)
  requireNumbers('scores', scores)
  return verifySorted(...sorted(trials, scores), bootstrap, likelihoodRatios)
}

/** The trials in the order of their scores: a thousand resamples then walk through memory, not about in it. */
function sorted(trials: Trials, scores: ArrayLike<number>): [Trials, Float64Array] {
  const order = Int32Array.from(scores, (_, i) => i).sort((a, b) => compare(scores[b], scores[a]) || a - b)
  return [
    {
      firstPerson: order.map((trial) => trials.firstPerson[trial]),
      secondPerson: order.map((trial) => trials.secondPerson[trial]),
      peopleCount: trials.peopleCount,
    },
    Float64Array.from(order, (trial) => scores[trial]),
  ]
}

/** Infinite scores are equal, where their difference is no number. */
function compare(a: number, b: number): number {
  return a === b ? 0 : a - b
}

function verifySorted(
  trials: Trials,
  scores: Float64Array,
  bootstrap: Bootstrap,
  likelihoodRatios: boolean,
): Verification {
  const same = isSame(trials)
  const ranked = new RankedScores(scores, same)
  const costs = likelihoodRatios ? trialCosts(scores, same) : undefined
  const curve = rocCurve(ranked.runs())
  const rates = bandRates(curve)
  const band = rates.map((): number[] => [])
  const weights = new Float64Array(scores.length)
  const { cost, least, ...estimates } = bootstrap.estimate((multiplicity) => {
    trialWeights(trials, multiplicity, weights)
    const runs = ranked.runs(weights)
    const resampled = rocCurve(runs)
    for (const [i, rate] of rates.entries()) band[i]?.push(trueAcceptAt(resampled, rate))
    return {
      auc: areaUnder(resampled),
      equalErrorRate: equalErrorRate(resampled),
      tarAt1e2: trueAcceptAt(resampled, 1e-2),
      tarAt1e3: trueAcceptAt(resampled, 1e-3),
      sensitivity: sensitivity(scores, same, weights),
      cost: costs === undefined ? Number.NaN : meanCost(costs, same, weights),
      least: costs === undefined ? Number.NaN : leastCost(runs),
    }
  })
  return {
    same: same.reduce((sum, value) => sum + value, 0),
    different: curve.different,
    ...estimates,
    ...(likelihoodRatios && { cost, leastCost: least }),
    thresholds: [1e-2, 1e-3].map((rate) => ({ rate, threshold: thresholdAt(scores, same, rate) })),
    curve,
    // The first value is that of the people as they are, which is no resample.
    band: rates.map((rate, i) => ({ rate, ...percentileInterval(band[i]?.slice(1) ?? [], bootstrap.level) })),
  }
}

/** Rates at which the curve's interval is given: sixteen a decade, from the smallest that can be seen. */
function bandRates({ different }: RocCurve): number[] {
  const steps = Math.floor(Math.log10(different) * 16)
  return Array.from({ length: steps + 1 }, (_, i) => 10 ** ((i - steps) / 16))
}
