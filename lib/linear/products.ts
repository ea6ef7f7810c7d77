import { requireOptions } from '../decode/Latents.js'
import { SfmError } from '../errors.js'
import { fromNative, native } from '../native.js'
import { Matrix, type MatrixLike } from './Matrix.js'
import { requireMatrix, requireMatrixLike } from './requireMatrix.js'

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
 * // X^T Y of more rows than fit into memory
 * for (const { x, y } of shards) multiply(x, y, { transposeA: true, addTo: sum })
 */
export function multiply(a: MatrixLike, b: MatrixLike, options: MultiplyOptions = {}): Matrix {
  requireOptions(options)
  const { transposeA = false, transposeB = false, addTo } = options
  const left = requireMatrixLike('a', a)
  const right = requireMatrixLike('b', b)
  const [rows, terms] = transposeA ? [left.columns, left.rows] : [left.rows, left.columns]
  const [bRows, columns] = transposeB ? [right.columns, right.rows] : [right.rows, right.columns]
  if (bRows !== terms)
    throw new SfmError(
      'INVALID_ARGUMENT',
      `b: expected ${terms} ${transposeB ? 'columns' : 'rows'}, for an a of ${left.rows} x ${left.columns}` +
        `${transposeA ? ', transposed' : ''}; received ${right.rows} x ${right.columns}`,
    )
  const product = addTo ?? new Matrix(rows, columns)
  const { data } = requireShape('addTo', product, rows, columns)
  try {
    native().linear.multiply(
      left.data,
      left.rows,
      left.columns,
      Boolean(transposeA),
      right.data,
      right.rows,
      right.columns,
      Boolean(transposeB),
      addTo !== undefined,
      data,
    )
  } catch (error) {
    throw fromNative(error)
  }
  return product
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
  requireOptions(options)
  const { addTo } = options
  const { rows, columns, data } = requireMatrixLike('a', a)
  const product = addTo ?? new Matrix(columns, columns)
  const sum = requireShape('addTo', product, columns, columns)
  try {
    native().linear.gram(data, rows, columns, addTo !== undefined, sum.data)
  } catch (error) {
    throw fromNative(error)
  }
  return product
}

function requireShape(name: string, value: Matrix, rows: number, columns: number) {
  const matrix = requireMatrix(name, value)
  if (matrix.rows !== rows || matrix.columns !== columns)
    throw new SfmError(
      'INVALID_ARGUMENT',
      `${name}: expected a matrix of ${rows} x ${columns}, received one of ${matrix.rows} x ${matrix.columns}`,
    )
  return matrix
}
