import { cholesky, Matrix, multiply, solveCholesky } from '../linear/index.js'
import type { NativeJoint } from '../native.js'

/**
 * How much of a latent's variance is a photo's own where the model does not say: next to nothing, so that all images
 * share one identity.
 */
const LEAST_OWN_SHARE = 1e-3

/**
 * How the identity v in one photo follows the person's w ~ N(0, I / p): v ~ N(T w, P^-1), with v = L x, x = sqrt(c) w +
 * sqrt(1 - c) d, d ~ N(0, I / p) (docs/joint.md).
 */
export class PersonLink {
  /** D */
  readonly size: number
  readonly #factor: Matrix
  /** T [D,D] */
  readonly transfer: Matrix
  readonly #matrices: Pick<NativeJoint, 'precision' | 'coupling' | 'person'>

  /**
   * @param factor L [D,D], lower triangular.
   * @param share [D] c; without it the photos differ by next to nothing.
   * @param weight p, of the identity's prior.
   */
  constructor(factor: Float64Array, share: ArrayLike<number> | undefined, weight: number) {
    const D = Math.round(Math.sqrt(factor.length))
    this.size = D
    this.#factor = new Matrix(D, D, factor)
    const shareOf = (i: number) => Math.min(share?.[i] ?? 1, 1 - LEAST_OWN_SHARE)
    this.transfer = scaleColumns(this.#factor, (i) => Math.sqrt(shareOf(i)))
    const own = scaleColumns(this.#factor, (i) => Math.sqrt((1 - shareOf(i)) / weight))
    const covariance = multiply(own, own, { transposeB: true })
    const precision = solveCholesky(cholesky(covariance), Matrix.identity(D))
    const coupling = multiply(precision, this.transfer)
    const person = multiply(this.transfer, coupling, { transposeA: true })
    this.#matrices = { precision: precision.data, coupling: coupling.data, person: person.data }
  }

  /** What the native side needs to fit photos of the person w [D]. */
  at(w: Float64Array): Pick<NativeJoint, 'precision' | 'coupling' | 'person' | 'mean'> {
    return { ...this.#matrices, mean: this.shownBy(w) }
  }

  /** T w: what the person's identity is in a photo, on average. */
  shownBy(w: Float64Array): Float64Array {
    return multiply(this.transfer, new Matrix(this.size, 1, w)).data
  }

  /** The whitened x of v = L x. */
  whitened(v: Float64Array): Float64Array {
    const x = Float64Array.from(v)
    for (let i = 0; i < x.length; i++) {
      for (let j = 0; j < i; j++) x[i]! -= this.#factor.at(i, j) * x[j]!
      x[i]! /= this.#factor.at(i, i)
    }
    return x
  }
}

function scaleColumns(matrix: Matrix, by: (column: number) => number): Matrix {
  return new Matrix(
    matrix.rows,
    matrix.columns,
    matrix.data.map((value, i) => value * by(i % matrix.columns)),
  )
}
