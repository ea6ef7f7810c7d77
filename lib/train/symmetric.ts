import { cholesky, Matrix, solveCholesky } from '../linear/index.js'

/**
 * The inverse of a symmetric positive definite matrix.
 *
 * @throws SfmError NUMERICAL
 */
export function positiveInverse(a: Matrix): Matrix {
  return symmetrise(solveCholesky(cholesky(a), Matrix.identity(a.rows)))
}

/** (a + a^T) / 2, in place: products of symmetric matrices round the two halves differently. */
export function symmetrise(a: Matrix): Matrix {
  const { rows: n, data } = a
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      const mean = (data[i * n + j]! + data[j * n + i]!) / 2
      data[i * n + j] = mean
      data[j * n + i] = mean
    }
  }
  return a
}

/** a + factor * b, in place. */
export function addScaled(a: Matrix, factor: number, b: Matrix): Matrix {
  for (let i = 0; i < a.data.length; i++) a.data[i]! += factor * b.data[i]!
  return a
}

/** a + factor * x x^T, in place. */
export function addOuter(a: Matrix, factor: number, x: ArrayLike<number>): Matrix {
  const n = a.columns
  for (let i = 0; i < a.rows; i++) {
    const scaled = factor * x[i]!
    for (let j = 0; j < n; j++) a.data[i * n + j]! += scaled * x[j]!
  }
  return a
}

/** A diagonal matrix. */
export function diagonal(values: ArrayLike<number>): Matrix {
  const matrix = new Matrix(values.length, values.length)
  for (let i = 0; i < values.length; i++) matrix.data[i * values.length + i] = values[i]!
  return matrix
}

/** a x */
export function apply(a: Matrix, x: ArrayLike<number>): Float64Array {
  const { rows, columns, data } = a
  const product = new Float64Array(rows)
  for (let i = 0; i < rows; i++) {
    let sum = 0
    for (let j = 0; j < columns; j++) sum += data[i * columns + j]! * x[j]!
    product[i] = sum
  }
  return product
}

/** x^T y */
export function dot(x: ArrayLike<number>, y: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < x.length; i++) sum += x[i]! * y[i]!
  return sum
}

/** The rows and columns from..to of a matrix. */
export function block(a: Matrix, rows: readonly [number, number], columns: readonly [number, number]): Matrix {
  const part = new Matrix(rows[1] - rows[0], columns[1] - columns[0])
  for (let i = 0; i < part.rows; i++)
    part.row(i).set(a.data.subarray((rows[0] + i) * a.columns + columns[0], (rows[0] + i) * a.columns + columns[1]))
  return part
}
