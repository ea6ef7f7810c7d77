import { invalidArgument, SfmError } from '../errors.js'
import { requireData, requireSize } from './requireMatrix.js'

/** A matrix to read, row by row, in either precision: a {@link Matrix}, or 32-bit data as it comes from files. */
export interface MatrixLike {
  readonly rows: number
  readonly columns: number
  /** [rows * columns] row-major. */
  readonly data: Float64Array | Float32Array
}

/**
 * A dense matrix in double precision, row-major.
 *
 * @example
 * const a = Matrix.from([[1, 2], [3, 4]])
 * a.at(1, 0)   // 3
 */
export class Matrix implements MatrixLike {
  readonly rows: number
  readonly columns: number
  readonly data: Float64Array

  /**
   * @param rows From 0.
   * @param columns From 0.
   * @param data [rows * columns] row-major, kept and not copied. Default: zeros.
   * @throws SfmError INVALID_ARGUMENT, OUT_OF_MEMORY
   */
  constructor(rows: number, columns: number, data?: Float64Array) {
    requireSize('rows', rows)
    requireSize('columns', columns)
    if (data !== undefined) requireData('data', data, [Float64Array], rows, columns)
    this.rows = rows
    this.columns = columns
    this.data = data ?? zeros(rows * columns)
  }

  /**
   * A matrix of the given rows, which must have one length.
   *
   * @throws SfmError INVALID_ARGUMENT
   */
  static from(rows: readonly ArrayLike<number>[]): Matrix {
    if (!Array.isArray(rows)) throw invalidArgument('rows', 'an array of rows', rows)
    const columns = rows[0]?.length ?? 0
    const matrix = new Matrix(rows.length, columns)
    for (const [i, row] of rows.entries()) {
      if (row?.length !== columns) throw invalidArgument(`rows[${i}]`, `${columns} numbers`, row)
      matrix.row(i).set(row)
    }
    return matrix
  }

  /** @throws SfmError INVALID_ARGUMENT */
  static identity(n: number): Matrix {
    const matrix = new Matrix(n, n)
    for (let i = 0; i < n; i++) matrix.data[i * n + i] = 1
    return matrix
  }

  /** The number in row i and column j, both from 0; not checked. */
  at(i: number, j: number): number {
    return this.data[i * this.columns + j]!
  }

  /** [columns] row i, from 0: a view, not a copy. */
  row(i: number): Float64Array {
    return this.data.subarray(i * this.columns, (i + 1) * this.columns)
  }

  /** [rows] a copy of column j, from 0. */
  column(j: number): Float64Array {
    return Float64Array.from({ length: this.rows }, (_, i) => this.at(i, j))
  }

  copy(): Matrix {
    const copy = new Matrix(this.rows, this.columns)
    copy.data.set(this.data)
    return copy
  }

  transpose(): Matrix {
    const { rows, columns, data } = this
    const transposed = new Matrix(columns, rows)
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) transposed.data[j * rows + i] = data[i * columns + j]!
    return transposed
  }
}

function zeros(size: number): Float64Array {
  try {
    return new Float64Array(size)
  } catch (cause) {
    throw new SfmError('OUT_OF_MEMORY', `memory for ${size} numbers could not be had`, { cause })
  }
}
