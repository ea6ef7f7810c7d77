/** How well latents gather by person: all measures of one list of latents. */

import { type Bootstrap, type Estimate, itemWeights, trialWeights } from '../bootstrap.js'
import { kMeans } from '../kMeans.js'
import { pairAngles, pairCosines, pairDistances, spread } from '../pairDistances.js'
import { normalisedMutualInformation } from '../partitions.js'
import type { People } from '../people.js'
import type { ScoredVerification } from '../photoProtocol.js'
import { silhouettes } from '../silhouette.js'
import { mean } from '../statistics.js'
import { isSame, type Pairs } from '../trials.js'
import { verify } from '../verification.js'

/** How well the latents of one person lie together, and apart from those of others. */
export interface Clustering {
  /** Mean angle within people over mean angle between people. */
  ratio: Estimate
  /** The same by Euclidean distance of the latents, lengths and all. */
  distanceRatio: Estimate
  /** Mean silhouette by 1 - cosine. */
  silhouette: Estimate
  /** Of k-means by cosine with as many clusters as people. */
  mutualInformation: number
  /** Pairs by cosine. */
  cosine: ScoredVerification
  /** Pairs by log-likelihood ratio, where there are any. */
  likelihoodRatio?: ScoredVerification
}

/** What {@link clusteringOf} may be told. */
export interface ClusteringOptions {
  /** [T] of the pairs. */
  logLikelihoodRatios?: ArrayLike<number> | undefined
  /** Of k-means; default 1. */
  seed?: number
}

/**
 * All measures of clustering.
 *
 * @param latents [n] normal coordinates, or latents of a Gaussian model, of one length each. Those of length 0 are
 *   alike to nobody.
 * @param people At least two, one of them with two items.
 * @param pairs Of them.
 * @throws SfmError INVALID_ARGUMENT
 */
export function clusteringOf(
  latents: ReadonlyArray<ArrayLike<number>>,
  people: People,
  pairs: Pairs,
  bootstrap: Bootstrap,
  { logLikelihoodRatios, seed = 1 }: ClusteringOptions = {},
): Clustering {
  const angles = pairAngles(pairs, latents)
  const distances = pairDistances(pairs, latents)
  const items = silhouettes(latents, people.person)
  const weights = new Float64Array(angles.length)
  const { ratio, distanceRatio, silhouette } = bootstrap.estimate((multiplicity) => {
    trialWeights(pairs, multiplicity, weights)
    return {
      ratio: spread(pairs, angles, weights).ratio,
      distanceRatio: spread(pairs, distances, weights).ratio,
      silhouette: mean(items, itemWeights(people, multiplicity)),
    }
  })
  const { assignment } = kMeans(latents, { clusters: people.count, restarts: 4, seed })
  const scored = (scores: ArrayLike<number>, likelihoodRatios: boolean): ScoredVerification => ({
    ...verify(pairs, scores, bootstrap, { likelihoodRatios }),
    scores: Float64Array.from(scores),
    isSame: isSame(pairs),
  })
  return {
    ratio,
    distanceRatio,
    silhouette,
    mutualInformation: normalisedMutualInformation(assignment, people.person),
    cosine: scored(pairCosines(pairs, latents), false),
    ...(logLikelihoodRatios && { likelihoodRatio: scored(logLikelihoodRatios, true) }),
  }
}
