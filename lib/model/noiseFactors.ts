import type { LandmarkScheme } from './ModelData.js'

/**
 * How much noisier than a good landmark each one is, from its reliability: 1 (good) -> 1, 0.5 (fair) -> 1.5, 0.1 (bad)
 * -> 3, and in between along straight lines. Contour and jaw points slide over the face as it turns, and inner lips
 * move with the mouth: 2 to 3 times (docs/fitting.md).
 *
 * @returns [L] multiples of the standard deviation.
 */
export function noiseFactors({ count, reliability }: LandmarkScheme): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => factor(reliability?.[i] ?? 1))
}

function factor(reliability: number): number {
  if (reliability >= 0.5) return 1.5 - (Math.min(reliability, 1) - 0.5)
  return 3 - (1.5 * (Math.max(reliability, 0.1) - 0.1)) / 0.4
}

/** The reliability of a landmark so many times noisier than a good one: the inverse, for 1 to 3 times. */
export function reliabilityOf(noiseFactor: number): number {
  if (noiseFactor <= 1.5) return 2 - Math.max(noiseFactor, 1)
  return 0.1 + (0.4 * (3 - Math.min(noiseFactor, 3))) / 1.5
}
