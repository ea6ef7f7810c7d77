import { centroidOf } from '../../alignment.js'
import { Matrix, type MatrixLike, multiply, orthonormalise } from '../../linear/index.js'
import { asFloat32 } from '../../model/half.js'
import type { ModelData } from '../../model/ModelData.js'
import { besides, columnsOf } from '../matrices.js'
import type { Mirror } from './mirror.js'

/**
 * The space in which training computes: R orthonormal displacement fields that span the scans (up to their tail) and the
 * expressions, all orthogonal to small rigid motions of the template. In its coordinates lengths are those of [3N]
 * vectors of mm, and rigid motions have gone.
 */
export class Span {
  /** [3N,R] */
  readonly basis: Matrix
  /** [R,E] coordinates of the blendshapes. */
  readonly expressions: Matrix
  /**
   * [R] 1 for fields that are their own mirror image, -1 for those that are the opposite of it; absent where no use is
   * made of symmetry.
   */
  readonly signs?: Int8Array

  constructor(basis: Matrix, template: ModelData, signs?: Int8Array) {
    this.basis = basis
    this.expressions = multiply(basis, expressionFields(template), { transposeA: true })
    if (signs) this.signs = signs
  }

  get rank(): number {
    return this.basis.columns
  }

  /**
   * Coordinates of displacements.
   *
   * @param displacements [n,3N]
   * @returns [n,R]
   */
  coordinates(displacements: MatrixLike): Matrix {
    return multiply(displacements, this.basis)
  }

  /**
   * Displacements of coordinates.
   *
   * @param coordinates [n,R]
   * @returns [n,3N]
   */
  fields(coordinates: Matrix): Matrix {
    return multiply(coordinates, this.basis, { transposeB: true })
  }

  /** Distances in this space as RMS over the vertices: divide by this. */
  get rmsScale(): number {
    return Math.sqrt(this.basis.rows / 3)
  }

  /**
   * The span of expressions and some further fields.
   *
   * @param fields [3N,l]
   * @param mirror Where symmetry is to be made use of: then every field of the basis is symmetric or antisymmetric.
   */
  static of(template: ModelData, fields: Matrix, mirror?: Mirror): Span {
    const rigid = rigidFields(template.mean)
    const known = besides(rigid, expressionFields(template))
    if (mirror === undefined) {
      const { basis, columns } = orthonormalise(besides(known, fields), { tolerance: TOLERANCE })
      return new Span(columnsOf(basis, taken(columns, rigid.columns), basis.columns), template)
    }
    const parts = ([1, -1] as const).map((sign) => {
      const motions = withoutSmall(mirror.part(rigid, sign))
      const rest = besides(withoutSmall(mirror.part(expressionFields(template), sign)), mirror.part(fields, sign))
      const { basis, columns } = orthonormalise(besides(motions, withoutSmall(rest)), { tolerance: TOLERANCE })
      return columnsOf(basis, taken(columns, motions.columns), basis.columns)
    })
    const signs = Int8Array.from(parts.flatMap(({ columns }, i) => new Array<number>(columns).fill(i === 0 ? 1 : -1)))
    return new Span(besides(...parts), template, signs)
  }
}

/** A field that is new by less than this part of itself is rounding. */
const TOLERANCE = 1e-7

/** How many of the first `count` columns were taken up. */
function taken(columns: readonly number[], count: number): number {
  return columns.filter((column) => column < count).length
}

/** The fields but those that are nothing next to the largest: what rounding leaves of the part that is not there. */
function withoutSmall(fields: Matrix): Matrix {
  const squares = new Float64Array(fields.columns)
  for (let i = 0; i < fields.rows; i++) {
    const row = fields.row(i)
    for (let j = 0; j < row.length; j++) squares[j]! += row[j]! * row[j]!
  }
  const largest = squares.reduce((most, value) => Math.max(most, value), 0)
  const kept = Array.from(squares.keys()).filter((j) => squares[j]! > 1e-8 * largest)
  const some = new Matrix(fields.rows, kept.length)
  for (let i = 0; i < fields.rows; i++) {
    const row = fields.row(i)
    for (const [k, j] of kept.entries()) some.data[i * kept.length + k] = row[j]!
  }
  return some
}

/** [3N,E] */
function expressionFields({ expressionBasis, expressionCount, vertexCount }: ModelData): Matrix {
  return new Matrix(expressionCount, vertexCount * 3, Float64Array.from(asFloat32(expressionBasis))).transpose()
}

/** [3N,6] translations, and rotations about the centroid by one radian, as far as they are linear. */
function rigidFields(mean: Float32Array): Matrix {
  const centroid = centroidOf(mean)
  const fields = new Matrix(mean.length, 6)
  for (let v = 0; v < mean.length / 3; v++) {
    for (let axis = 0; axis < 3; axis++) {
      const [next, last] = [(axis + 1) % 3, (axis + 2) % 3]
      const at = (row: number, column: number) => (3 * v + row) * 6 + column
      fields.data[at(axis, axis)] = 1
      fields.data[at(next, 3 + axis)] = -(mean[3 * v + last]! - centroid[last]!)
      fields.data[at(last, 3 + axis)] = mean[3 * v + next]! - centroid[next]!
    }
  }
  return fields
}
