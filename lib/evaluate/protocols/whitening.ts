import type { FitResult } from '../../fit/FitResult.js'
import { gram, Matrix, multiply, symmetricEigen } from '../../linear/index.js'

/** Directions in which latents vary by less than this part of the most are left as they are: there is no telling. */
const NEGLIGIBLE = 1e-9

/**
 * Latents of Gaussian fits less their mean, in coordinates in which their covariance over all of them is I: what can be
 * done for PCA without knowing who is who.
 *
 * @returns [n] of D numbers; 0 for fits that failed.
 */
export function whitenedLatents(results: readonly Pick<FitResult, 'identity' | 'status'>[]): Float64Array[] {
  const fitted = results.flatMap(({ status }, i) => (status === 'failed' ? [] : [i]))
  const D = results[0].identity.length
  const mean = new Float64Array(D)
  for (const i of fitted) for (let d = 0; d < D; d++) mean[d] += results[i].identity[d] / fitted.length
  const centred = results.map(({ identity, status }) =>
    status === 'failed' ? new Float64Array(D) : mean.map((value, d) => identity[d] - value),
  )
  const rows = Matrix.from(centred)
  const { values, vectors } = symmetricEigen(gram(rows))
  const turned = multiply(rows, vectors)
  const scales = values.map((value) =>
    value > NEGLIGIBLE * values[0] ? Math.sqrt(Math.max(1, fitted.length) / value) : 0,
  )
  return Array.from({ length: turned.rows }, (_, i) => turned.row(i).map((value, d) => value * scales[d]))
}
