import { SfmError } from '../errors.js'
import { fromNative, native } from '../native.js'
import { Matrix } from './Matrix.js'
import { requireMatrix, requireSquare } from './requireMatrix.js'

/**
 * The lower triangular L with a = L L^T.
 *
 * @param a [n,n] symmetric, positive definite.
 * @returns [n,n], zeros above the diagonal.
 * @throws SfmError INVALID_ARGUMENT; NUMERICAL where the matrix is not positive definite, or holds a number that is not
 *   finite.
 * @example
 * const l = cholesky(covariance)
 * const x = solveCholesky(l, b)   // covariance^-1 b
 */
export function cholesky(a: Matrix): Matrix {
  const l = copyOf(requireSquare('a', a))
  try {
    native().linear.cholesky(l.data, l.rows)
  } catch (error) {
    throw fromNative(error)
  }
  return l
}

/**
 * The solution of L L^T X = B.
 *
 * @param l [n,n] lower triangular; what stands above the diagonal is not read.
 * @param b [n,m]
 * @returns [n,m]
 * @throws SfmError INVALID_ARGUMENT; NUMERICAL where L is singular.
 */
export function solveCholesky(l: Matrix, b: Matrix): Matrix {
  return solve(l, b, [false, true])
}

/** The solution of L X = B, likewise. */
export function solveLower(l: Matrix, b: Matrix): Matrix {
  return solve(l, b, [false])
}

/** The solution of L^T X = B, likewise. */
export function solveLowerTransposed(l: Matrix, b: Matrix): Matrix {
  return solve(l, b, [true])
}

/**
 * log det(L L^T), from the Cholesky factor.
 *
 * @param l [n,n] lower triangular, its diagonal positive.
 * @throws SfmError INVALID_ARGUMENT; NUMERICAL where the diagonal is not positive.
 */
export function logDeterminant(l: Matrix): number {
  const { rows, data } = requireSquare('l', l)
  try {
    return native().linear.logDeterminant(data, rows)
  } catch (error) {
    throw fromNative(error)
  }
}

/** Solves with L (false) or L^T (true), one after the other. */
function solve(l: Matrix, b: Matrix, transposed: readonly boolean[]): Matrix {
  const { rows, data } = requireSquare('l', l)
  const right = requireMatrix('b', b)
  if (right.rows !== rows)
    throw new SfmError('INVALID_ARGUMENT', `b: expected ${rows} rows, as l has; received ${right.rows}`)
  const x = copyOf(right)
  try {
    for (const each of transposed) native().linear.solve(data, rows, each, x.data, x.columns)
  } catch (error) {
    throw fromNative(error)
  }
  return x
}

function copyOf({ rows, columns, data }: ReturnType<typeof requireMatrix>): Matrix {
  const copy = new Matrix(rows, columns)
  copy.data.set(data)
  return copy
}
