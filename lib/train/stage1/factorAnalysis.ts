import { type Matrix, multiply, symmetrised } from '../../linear/index.js'
import {
  addDiagonal,
  besides,
  block,
  columnsOf,
  combine,
  dot,
  loadingsOf,
  outer,
  positiveInverse,
  scaleColumns,
  scaled,
  trace,
} from '../matrices.js'

/** C ~ F diag(variances) F^T + W W^T + noise I */
export interface FactorAnalysis {
  /** [R,q] W. */
  loadings: Matrix
  /** [f] of the known factors. */
  variances: Float64Array
  noise: number
}

/**
 * Factor analysis with some factors known, by the EM algorithm (Rubin and Thayer, 1982; Tipping and Bishop, 1999): the
 * likeliest W and noise for data of covariance C.
 *
 * @param covariance [R,R] C.
 * @param known [R,f] F, the directions of the known factors: blendshapes.
 * @param variances [f] of the known factors; where the scans begin from if `learnVariances`.
 * @param options.factors q, at most R - 1.
 */
export function factorAnalysis(
  covariance: Matrix,
  known: Matrix,
  variances: ArrayLike<number>,
  {
    factors,
    learnVariances = false,
    iterations = 40,
  }: { factors: number; learnVariances?: boolean; iterations?: number },
): FactorAnalysis {
  const R = covariance.rows
  const f = known.columns
  let d = Float64Array.from(variances)
  const residual = combine(1, covariance, -1, outer(scaleColumns(known, d.map(Math.sqrt))))
  const start = loadingsOf(residual, 0, factors)
  // No negative eigenvalue is of a factor, no noise of nothing.
  const least = (1e-9 * trace(covariance)) / R
  let loadings = start.loadings
  let noise = Math.max(least, mean(start.values.subarray(factors)))
  for (let iteration = 0; iteration < iterations; iteration++) {
    const roots = d.map(Math.sqrt)
    const all = besides(scaleColumns(known, roots), loadings)
    const precision = positiveInverse(addDiagonal(outer(all), noise))
    // E[z | x] = regression x;  z are the factors, known ones first, all with variance 1.
    const regression = multiply(all, precision, { transposeA: true })
    const xz = multiply(covariance, regression, { transposeB: true })
    const posterior = addDiagonal(scaled(-1, multiply(regression, all)), 1)
    const zz = symmetrised(combine(1, posterior, 1, multiply(regression, xz)))
    // W minimises E|x - F f - W w|^2, so W = (E[x w^T] - F E[f w^T]) E[w w^T]^-1.
    const knownPart = multiply(scaleColumns(known, roots), block(zz, [0, f], [f, zz.columns]))
    const target = combine(1, columnsOf(xz, f, xz.columns), -1, knownPart)
    loadings = multiply(target, positiveInverse(addDiagonal(block(zz, [f, zz.rows], [f, zz.columns]), 1e-12)))
    const updated = besides(scaleColumns(known, roots), loadings)
    const explained = dot(updated.data, xz.data)
    const remaining = trace(covariance) - 2 * explained + dot(multiply(updated, zz).data, updated.data)
    noise = Math.max(least, remaining / R)
    if (learnVariances) d = d.map((value, j) => value * zz.at(j, j))
  }
  return { loadings, variances: d, noise }
}

function mean(values: Float64Array): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length
}
