import type { FitResult } from './FitResult.js'
import type { Fitter } from './Fitter.js'
import type { Observation } from './Observation.js'

/**
 * A fit with the derivatives of its residuals at the optimum: what training differentiates through
 * (docs/fitting.md). Rows are whitened, times `weights`: the square root of the loss's weight (its bend left out) over
 * sigma. Those of landmarks that were not used are zero, as is everything of a fit that failed.
 *
 * D tangent coordinates, n nuisances (the model's within identity, then the scheme's noise), E expressions, L landmarks, d
 * dimensions of the observation.
 */
export interface Linearisation {
  /** At the optimum: pose and expressions have not settled anew without the nuisances, as those of a plain fit have. */
  result: FitResult
  /** d: 2 for an image, 3 for a scan. */
  dimensions: 2 | 3
  /** Indices of the landmarks that were used, ascending. */
  landmarks: Int32Array
  /** [D] v, the normal coordinates at the mean, of unit prior variance on average. */
  identity: Float64Array
  /** [n]; zero where they are not estimated. */
  nuisances: Float64Array
  /** [E] */
  expression: Float64Array
  /** [E] -1: at the lower bound, 1: at the upper one, 0: free. */
  bounds: Float64Array
  /** [L] sqrt(w) / sigma, in 1 / pixels or 1 / mm. */
  weights: Float64Array
  /** [L,d,3] of the residuals by the landmark's point in model space: with rotation and camera. */
  derivatives: Float64Array
  /**
   * [L,d,7] of the residuals by the pose. Three of the left rotation omega, d(R S) = omega x R S; then, of an image,
   * p, q, log s, log f (docs/fitting.md, the last 0 unless it was estimated), of a scan the translation and 0.
   */
  poseColumns: Float64Array
  /** [L,d] predicted - observed. */
  residuals: Float64Array
  /** [L,d] of the face without its nuisances. */
  bareResiduals: Float64Array
}

/** Columns of {@link Linearisation.poseColumns}. */
export const POSE_COLUMNS = 7

/** How observations are linearised. */
export interface LineariseOptions {
  /**
   * Fits in double precision (default true), which is the same on every machine, and some ten times slower. Otherwise
   * the optimum is that of a fit as ever, and the derivatives there are in double precision all the same.
   */
  precise?: boolean
  signal?: AbortSignal | undefined
}

/**
 * Fits observations and linearises each at its optimum.
 *
 * @returns One for each observation, in their order.
 * @throws SfmError as Fitter.fit.
 * @example
 * const fitter = await model.createFitter({ costTolerance: 1e-10 })
 * for (const { landmarks, derivatives } of await linearise(fitter, observations)) accumulate(landmarks, derivatives)
 */
export function linearise(
  fitter: Fitter,
  observations: readonly Observation[],
  options: LineariseOptions = {},
): Promise<Linearisation[]> {
  return fitter.linearise(observations, options)
}

/** The sizes of one linearisation. */
export interface LinearisationSizes {
  embeddingCount: number
  expressionCount: number
  landmarkCount: number
  dimensions: 2 | 3
}

/**
 * The parts of a native row, in the order of native/core/Fit.h's FitLinearisation; the nuisances are what is left over.
 *
 * @param row Memory of its own: the parts are views of it.
 */
export function linearisationOf(row: Float64Array, result: FitResult, sizes: LinearisationSizes): Linearisation {
  const { embeddingCount: D, expressionCount: E, landmarkCount: L, dimensions: d } = sizes
  const rows = L * d
  const others = D + 2 * E + L + rows * (3 + POSE_COLUMNS + 2)
  let offset = 0
  const take = (count: number) => {
    offset += count
    return row.subarray(offset - count, offset)
  }
  const parts = {
    identity: take(D),
    nuisances: take(row.length - others),
    expression: take(E),
    bounds: take(E),
    weights: take(L),
    derivatives: take(3 * rows),
    poseColumns: take(POSE_COLUMNS * rows),
    residuals: take(rows),
    bareResiduals: take(rows),
  }
  const used = Array.from(parts.weights.keys()).filter((landmark) => parts.weights[landmark]! > 0)
  return { result, dimensions: d, landmarks: Int32Array.from(used), ...parts }
}
