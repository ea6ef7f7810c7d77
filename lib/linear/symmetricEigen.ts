import { fromNative, native } from '../native.js'
import { Matrix } from './Matrix.js'
import { requireSquare } from './requireMatrix.js'

export interface Eigen {
  /** [n] descending. */
  values: Float64Array
  /** [n,n] one orthonormal vector a column, in the order of the values. */
  vectors: Matrix
}

/**
 * Eigenvalues and eigenvectors of a symmetric matrix, a = vectors diag(values) vectors^T. The number of largest
 * magnitude of each vector is positive. Values are as accurate as the largest of them allows: to about 1e-15 times it.
 *
 * @param a [n,n] symmetric.
 * @throws SfmError INVALID_ARGUMENT; NUMERICAL where a number is not finite.
 * @example
 * const { values, vectors } = symmetricEigen(covariance)   // principal components: the first columns of `vectors`
 */
export function symmetricEigen(a: Matrix): Eigen {
  const { rows: n, data } = requireSquare('a', a)
  const { data: values } = new Matrix(n, 1)
  const vectors = new Matrix(n, n)
  try {
    native().linear.symmetricEigen(data, n, values, vectors.data)
  } catch (error) {
    throw fromNative(error)
  }
  return { values, vectors }
}
