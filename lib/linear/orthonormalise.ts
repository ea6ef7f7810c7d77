import { requireOptions } from '../decode/Latents.js'
import { invalidArgument } from '../errors.js'
import { fromNative, native } from '../native.js'
import { Matrix } from './Matrix.js'
import { requireMatrix } from './requireMatrix.js'

export interface OrthonormalBasis {
  /** [m,rank] the basis, one vector a column. */
  basis: Matrix
  /** [rank] the columns of the matrix that were taken up, ascending; each of the others depends on those before it. */
  columns: number[]
}

/**
 * An orthonormal basis of what the columns of a matrix span, by Gram and Schmidt's process: the first k vectors span
 * what the first k columns taken up span. Columns that depend linearly on those before them are left out.
 *
 * @param a [m,n]
 * @param options.tolerance 1e-13 to 1: a column is left out where less than this part of its length is new. Default
 *   1e-12.
 * @throws SfmError INVALID_ARGUMENT; NUMERICAL where a number is not finite.
 * @example
 * const { basis } = orthonormalise(multiply(x, directions))   // basis^T basis = I
 */
export function orthonormalise(a: Matrix, options: { tolerance?: number | undefined } = {}): OrthonormalBasis {
  requireOptions(options)
  const { tolerance = 1e-12 } = options
  if (!(typeof tolerance === 'number' && tolerance >= 1e-13 && tolerance < 1))
    throw invalidArgument('tolerance', 'a number from 1e-13 to 1', tolerance)
  const { rows, columns, data } = requireMatrix('a', a)
  const out = new Matrix(rows, columns).data
  try {
    const kept = native().linear.orthonormalise(data, rows, columns, tolerance, out)
    const indices = Array.from(kept.keys()).filter((j) => kept[j])
    return { basis: new Matrix(rows, indices.length, out.subarray(0, rows * indices.length)), columns: indices }
  } catch (error) {
    throw fromNative(error)
  }
}
