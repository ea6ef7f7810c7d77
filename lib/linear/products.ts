import { invalidArgument, SfmError } from '../errors.js'
import { fromNative, native } from '../native.js'
import { Matrix, type MatrixLike, requireMatrix, requireMatrixLike } from './Matrix.js'

export interface MultiplyOptions {
  /** Takes a^T in place of a. */
  transposeA?: boolean | undefined
  /** Takes b^T in place of b. */
  transposeB?: boolean | undefined
  /** A matrix that the product is added to, in place; it is also what is returned. */
  addTo?: Matrix | undefined
}

/**
 * The product of two matrices, in double precision whatever theirs. Its bits depend neither on the number of threads
 * nor on the machine. NaN and infinities pass through as in any sum.
 *
 * @param a [m,k], or [k,m] with `transposeA`.
 * @param b [k,n], or [n,k] with `transposeB`.
 * @returns [m,n]
 * @throws SfmError INVALID_ARGUMENT, OUT_OF_MEMORY
 * @example
 * // Sums of products over shards of scans: X^T Y, X as 32-bit numbers
 * for (const { x, y } of shards) multiply(x, y, { transposeA: true, addTo: sum })
 */
export function multiply(a: MatrixLike, b: MatrixLike, options: MultiplyOptions = {}): Matrix {
  requireMatrixLike('a', a)
  requireMatrixLike('b', b)
  const { transposeA = false, transposeB = false, addTo } = options
  const [rows, terms] = transposeA ? [a.columns, a.rows] : [a.rows, a.columns]
  const [bRows, columns] = transposeB ? [b.columns, b.rows] : [b.rows, b.columns]
  if (bRows !== terms)
    throw new SfmError(
      'INVALID_ARGUMENT',
      `b: expected ${terms} ${transposeB ? 'columns' : 'rows'}, for an a of ${a.rows} x ${a.columns}` +
        `${transposeA ? ', transposed' : ''}; received ${b.rows} x ${b.columns}`,
    )
  const out = addTo ?? new Matrix(rows, columns)
  requireShape('addTo', out, rows, columns)
  try {
    const left = [a.data, a.rows, a.columns, transposeA] as const
    const right = [b.data, b.rows, b.columns, transposeB] as const
    native().linear.multiply(...left, ...right, addTo !== undefined, out.data)
  } catch (error) {
    throw fromNative(error)
  }
  return out
}

/**
 * a^T a, symmetric to the bit: half the work of the product.
 *
 * @param a [m,n]
 * @param options.addTo A symmetric matrix that it is added to, in place; it is also what is returned.
 * @returns [n,n]
 * @throws SfmError INVALID_ARGUMENT, OUT_OF_MEMORY
 */
export function gram(a: MatrixLike, options: { addTo?: Matrix | undefined } = {}): Matrix {
  requireMatrixLike('a', a)
  const { addTo } = options
  const out = addTo ?? new Matrix(a.columns, a.columns)
  requireShape('addTo', out, a.columns, a.columns)
  try {
    native().linear.gram(a.data, a.rows, a.columns, addTo !== undefined, out.data)
  } catch (error) {
    throw fromNative(error)
  }
  return out
}

function requireShape(name: string, matrix: Matrix, rows: number, columns: number): void {
  requireMatrix(name, matrix)
  if (matrix.rows !== rows || matrix.columns !== columns)
    throw invalidArgument(name, `a matrix of ${rows} x ${columns}`, matrix)
}
