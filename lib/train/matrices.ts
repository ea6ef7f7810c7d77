import { cholesky, gram, Matrix, solveCholesky, symmetricEigen, symmetrised } from '../linear/index.js'

/**
 * p a + q b.
 *
 * @param a [m,n]
 * @param b [m,n]
 */
export function combine(p: number, a: Matrix, q: number, b: Matrix): Matrix {
  return new Matrix(
    a.rows,
    a.columns,
    a.data.map((value, i) => p * value + q * b.data[i]!),
  )
}

/** p a. */
export function scaled(p: number, a: Matrix): Matrix {
  return new Matrix(
    a.rows,
    a.columns,
    a.data.map((value) => p * value),
  )
}

/** a with column j multiplied by weights[j]. */
export function scaleColumns(a: Matrix, weights: ArrayLike<number>): Matrix {
  return new Matrix(
    a.rows,
    a.columns,
    a.data.map((value, i) => value * weights[i % a.columns]!),
  )
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

/** a with `value` added along the diagonal. */
export function addDiagonal(a: Matrix, value: number): Matrix {
  const sum = a.copy()
  for (let i = 0; i < Math.min(a.rows, a.columns); i++) sum.data[i * a.columns + i]! += value
  return sum
}

/** Columns `from` to `to` - 1 of a. */
export function columnsOf(a: Matrix, from: number, to: number): Matrix {
  return block(a, [0, a.rows], [from, to])
}

/** The rows and columns from..to of a matrix. */
export function block(a: Matrix, rows: readonly [number, number], columns: readonly [number, number]): Matrix {
  const part = new Matrix(rows[1] - rows[0], columns[1] - columns[0])
  for (let i = 0; i < part.rows; i++)
    part.row(i).set(a.data.subarray((rows[0] + i) * a.columns + columns[0], (rows[0] + i) * a.columns + columns[1]))
  return part
}

/** The columns of several matrices side by side; each has as many rows. */
export function besides(...parts: readonly Matrix[]): Matrix {
  const rows = parts[0]?.rows ?? 0
  const whole = new Matrix(
    rows,
    parts.reduce((sum, { columns }) => sum + columns, 0),
  )
  for (let i = 0; i < rows; i++) {
    let at = 0
    for (const part of parts) {
      whole.row(i).set(part.row(i), at)
      at += part.columns
    }
  }
  return whole
}

/** The rows of several matrices one below the other; each has as many columns. */
export function stacked(parts: readonly Matrix[], columns: number): Matrix {
  const whole = new Matrix(
    parts.reduce((sum, { rows }) => sum + rows, 0),
    columns,
  )
  let at = 0
  for (const { data } of parts) {
    whole.data.set(data, at)
    at += data.length
  }
  return whole
}

/** Sum of the diagonal. */
export function trace(a: Matrix): number {
  let sum = 0
  for (let i = 0; i < a.rows; i++) sum += a.at(i, i)
  return sum
}

/** Mean of the rows, [columns]. */
export function meanRow(a: Matrix): Float64Array {
  const mean = new Float64Array(a.columns)
  for (let i = 0; i < a.rows; i++) {
    const row = a.row(i)
    for (let j = 0; j < mean.length; j++) mean[j]! += row[j]! / a.rows
  }
  return mean
}

/** a with `row` subtracted from each of its rows. */
export function centred(a: Matrix, row: ArrayLike<number>): Matrix {
  return new Matrix(
    a.rows,
    a.columns,
    a.data.map((value, i) => value - row[i % a.columns]!),
  )
}

/** A diagonal matrix. */
export function diagonal(values: ArrayLike<number>): Matrix {
  const matrix = new Matrix(values.length, values.length)
  for (let i = 0; i < values.length; i++) matrix.data[i * values.length + i] = values[i]!
  return matrix
}

/** A vector as a matrix of one column. */
export function asColumn(values: ArrayLike<number>): Matrix {
  return new Matrix(values.length, 1, Float64Array.from(values))
}

/** L L^T of loadings, one a column. */
export function outer(loadings: Matrix): Matrix {
  return gram(loadings.transpose())
}

/**
 * a^-1 of a symmetric positive definite matrix.
 *
 * @throws SfmError NUMERICAL where it is not positive definite.
 */
export function positiveInverse(a: Matrix): Matrix {
  return symmetrised(solveSymmetric(a, Matrix.identity(a.rows)))
}

/**
 * a^-1 b of a symmetric positive definite matrix.
 *
 * @throws SfmError NUMERICAL where it is not positive definite.
 */
export function solveSymmetric(a: Matrix, b: Matrix): Matrix {
  return solveCholesky(cholesky(a), b)
}

/**
 * The loadings of the largest eigenvalues: eigenvectors times the roots of their eigenvalues, negative ones taken as 0.
 *
 * @param a [n,n] symmetric.
 * @param from Which eigenvalue to begin with, from 0 for the largest.
 * @param to One beyond the last.
 * @returns [n, to - from]
 */
export function loadingsOf(a: Matrix, from: number, to: number): { loadings: Matrix; values: Float64Array } {
  const { values, vectors } = symmetricEigen(a)
  const loadings = columnsOf(vectors, from, to)
  const roots = values.slice(from, to).map((value) => Math.sqrt(Math.max(0, value)))
  return { loadings: scaleColumns(loadings, roots), values }
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
