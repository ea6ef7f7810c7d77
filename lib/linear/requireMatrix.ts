import { invalidArgument, SfmError } from '../errors.js'
import type { Matrix, MatrixLike } from './Matrix.js'

/** The sizes that the native side takes. */
const LARGEST_SIZE = 2 ** 31 - 1

type Numbers = typeof Float64Array | typeof Float32Array

/** What a matrix consists of, read once: a getter may give something else the next time. */
type Checked<T> = { rows: number; columns: number; data: T }

/** Throws unless the value is a matrix, in either precision, whose sizes and data agree. */
export function requireMatrixLike(name: string, value: MatrixLike): Checked<Float64Array | Float32Array> {
  return requireMatrixOf(name, value, [Float64Array, Float32Array])
}

/** The same for double precision alone. */
export function requireMatrix(name: string, value: Matrix): Checked<Float64Array> {
  return requireMatrixOf(name, value, [Float64Array]) as Checked<Float64Array>
}

/** The same for a square one. */
export function requireSquare(name: string, value: Matrix): Checked<Float64Array> {
  const matrix = requireMatrix(name, value)
  if (matrix.rows !== matrix.columns)
    throw new SfmError(
      'INVALID_ARGUMENT',
      `${name}: expected a square matrix, received one of ${matrix.rows} x ${matrix.columns}`,
    )
  return matrix
}

export function requireSize(name: string, value: unknown): void {
  if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > LARGEST_SIZE)
    throw invalidArgument(name, `an integer from 0 to ${LARGEST_SIZE}`, value)
}

export function requireData(
  name: string,
  data: unknown,
  types: readonly Numbers[],
  rows: number,
  columns: number,
): void {
  const isOne = ArrayBuffer.isView(data) && types.some((type) => data instanceof type)
  if (!isOne || (data as unknown as Float64Array).length !== rows * columns) {
    const expected = types.map((type) => type.name).join(' or a ')
    throw invalidArgument(name, `a ${expected} of ${rows} x ${columns}`, data)
  }
}

function requireMatrixOf(name: string, value: MatrixLike, types: readonly Numbers[]) {
  if (typeof value !== 'object' || value === null) throw invalidArgument(name, 'a matrix', value)
  const { rows, columns, data } = value
  requireSize(`${name}.rows`, rows)
  requireSize(`${name}.columns`, columns)
  requireData(`${name}.data`, data, types, rows, columns)
  return { rows, columns, data }
}
