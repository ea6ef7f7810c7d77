import { SfmError } from '../errors.js'
import { fromNative, native } from '../native.js'
import { Matrix, requireMatrix, requireSquare } from './Matrix.js'

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
  requireSquare('a', a)
  const l = copyOf(a)
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
  requireSquare('l', l)
  try {
    return native().linear.logDeterminant(l.data, l.rows)
  } catch (error) {
    throw fromNative(error)
  }
}

/** Solves with L (false) or L^T (true), one after the other. */
function solve(l: Matrix, b: Matrix, transposed: readonly boolean[]): Matrix {
  requireSquare('l', l)
  requireMatrix('b', b)
  if (b.rows !== l.rows)
    throw new SfmError('INVALID_ARGUMENT', `b: expected ${l.rows} rows, as l has; received ${b.rows}`)
  const x = copyOf(b)
  try {
    for (const each of transposed) native().linear.solve(l.data, l.rows, each, x.data, x.columns)
  } catch (error) {
    throw fromNative(error)
  }
  return x
}

/** Of anything with a matrix's properties. */
function copyOf({ rows, columns, data }: Matrix): Matrix {
  const copy = new Matrix(rows, columns)
  copy.data.set(data)
  return copy
}
