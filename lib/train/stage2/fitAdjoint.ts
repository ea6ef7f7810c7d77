import { cholesky, Matrix, multiply, solveCholesky } from '../../linear/index.js'
import { addScaled, apply } from '../matrices.js'
import type { Evidence } from './Evidence.js'

/** The best latents of photos, and the way back through the fit. */
export interface FittedLatents {
  /** [n,k] */
  latents: Matrix
  /**
   * The derivatives of a loss by basis and mean, from those by the latents.
   *
   * @param gradient [n,k]
   */
  adjoint(gradient: Matrix): { basis: Matrix; mean: Float64Array }
}

/**
 * Fits each photo's evidence (D, d) on the dictionary's coordinates g by g = m + B x, x ~ N(0, P^-1):
 *
 *     H x = B^T (d - D m),   H = B^T D B + P
 *
 * The adjoint: by the differential of that equation,
 *
 *     H dx = dB^T (d - D m - D B x) - B^T D dB x - B^T D dm
 *
 * and with a = H^-1 xbar, xbar the derivative of a loss by x, xbar^T dx = a^T H dx: the loss's derivatives are
 *
 *     Bbar = (d - D (m + B x)) a^T - D B a x^T,   mbar = -D B a
 *
 * Of n photos the sums of outer products are two matrix products.
 *
 * @param photos Evidence on R coordinates.
 * @param basis [R,k] B
 * @param mean [R] m
 * @param precision [k,k] P
 */
export function fitLatents(
  photos: readonly Evidence[],
  basis: Matrix,
  mean: Float64Array,
  precision: Matrix,
): FittedLatents {
  const k = basis.columns
  const latents = new Matrix(photos.length, k)
  const fits = photos.map(({ information, shift }, i) => {
    const seen = multiply(information, basis)
    const factor = cholesky(multiply(basis, seen, { transposeA: true, addTo: precision.copy() }))
    const expected = apply(information, mean)
    const left = shift.map((value, r) => value - expected[r]!)
    const x = solveCholesky(factor, multiply(basis, column(left), { transposeA: true })).data
    latents.row(i).set(x)
    const explained = apply(seen, x)
    return { seen, factor, residual: left.map((value, r) => value - explained[r]!) }
  })
  return {
    latents,
    adjoint(gradient) {
      const solved = new Matrix(photos.length, k)
      const residuals = new Matrix(photos.length, basis.rows)
      const pushed = new Matrix(photos.length, basis.rows)
      for (const [i, { seen, factor, residual }] of fits.entries()) {
        const a = solveCholesky(factor, column(gradient.row(i))).data
        solved.row(i).set(a)
        residuals.row(i).set(residual)
        pushed.row(i).set(apply(seen, a))
      }
      const basisGradient = multiply(residuals, solved, { transposeA: true })
      addScaled(basisGradient, -1, multiply(pushed, latents, { transposeA: true }))
      const meanGradient = new Float64Array(mean.length)
      for (let i = 0; i < photos.length; i++)
        for (let r = 0; r < meanGradient.length; r++) meanGradient[r]! -= pushed.at(i, r)
      return { basis: basisGradient, mean: meanGradient }
    },
  }
}

function column(values: Float64Array): Matrix {
  return new Matrix(values.length, 1, values.slice())
}
