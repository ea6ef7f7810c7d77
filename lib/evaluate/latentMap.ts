/** Latents in two or three dimensions, to be looked at. */

import { gram, Matrix, multiply, symmetricEigen } from '../linear/index.js'
import { requireCount, requireVectors } from './checks.js'
import { angleOfUnit, normalised } from './vectors.js'

/** Points in few dimensions. */
export interface LatentMap {
  /** [n] coordinates of each, from the direction of largest extent on. */
  coordinates: Float64Array[]
  /** [dimensions] the share of the whole that each direction shows. */
  shares: Float64Array
}

type Vectors = ReadonlyArray<ArrayLike<number>>

/**
 * Principal components: the directions in which the vectors vary most.
 *
 * @param vectors [n] of one length each.
 * @param dimensions Default 2.
 * @param options.centred Whether their mean is subtracted first; by default it is.
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * const { coordinates } = principalMap(results.map(({ embedding }) => embedding))
 */
export function principalMap(vectors: Vectors, dimensions = 2, { centred = true } = {}): LatentMap {
  requireVectors('vectors', vectors)
  requireCount('dimensions', dimensions)
  const rows = Matrix.from(centred ? centre(vectors) : vectors)
  const total = rows.data.reduce((sum, value) => sum + value * value, 0)
  if (rows.columns <= rows.rows) {
    const { values, vectors: directions } = symmetricEigen(gram(rows))
    return mapOf(multiply(rows, directions), values, total, dimensions)
  }
  // Fewer vectors than dimensions: the matrix of their inner products is the smaller one, and has the same eigenvalues.
  return fromProducts(multiply(rows, rows, { transposeB: true }), total, dimensions)
}

/**
 * Classical scaling of the angles between the vectors: places whose distances are as near as can be to those on the
 * sphere.
 *
 * @param vectors [n] of one length each; their length does not matter.
 * @param dimensions Default 2.
 * @throws SfmError INVALID_ARGUMENT
 */
export function angularMap(vectors: Vectors, dimensions = 2): LatentMap {
  requireVectors('vectors', vectors)
  requireCount('dimensions', dimensions)
  const units = vectors.map(normalised)
  const n = units.length
  const squares = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      const angle = angleOfUnit(units[i] as Float64Array, units[j] as Float64Array)
      squares[i * n + j] = angle * angle
      squares[j * n + i] = angle * angle
    }
  }
  // -1/2 J D J with J = I - 1 1^T / n: what inner products would have made the distances.
  const means = Float64Array.from(
    { length: n },
    (_, i) => squares.subarray(i * n, (i + 1) * n).reduce((a, b) => a + b, 0) / n,
  )
  const mean = means.reduce((a, b) => a + b, 0) / n
  const products = squares.map((square, at) => (means[Math.floor(at / n)] + means[at % n] - square - mean) / 2)
  let trace = 0
  for (let i = 0; i < n; i++) trace += products[i * n + i]
  return fromProducts(new Matrix(n, n, products), trace, dimensions)
}

/**
 * The directions of vectors as seen in the three dimensions that hold most of them, from the first on: what
 * {@link sphereView} draws. Most lie on the positive side of each.
 *
 * @returns [n] unit vectors; zero where a vector is at right angles to all three.
 */
export function principalDirections(vectors: Vectors): [number, number, number][] {
  requireVectors('vectors', vectors)
  const { coordinates } = principalMap(vectors.map(normalised), 3, { centred: false })
  const signs = [0, 1, 2].map((k) => (coordinates.reduce((sum, row) => sum + row[k], 0) < 0 ? -1 : 1))
  return coordinates.map(
    (row) => Array.from(normalised(row), (value, k) => (signs[k] as number) * value) as [number, number, number],
  )
}

/** Places with these inner products. */
function fromProducts(products: Matrix, total: number, dimensions: number): LatentMap {
  const { values, vectors } = symmetricEigen(products)
  const roots = values.map((value) => Math.sqrt(Math.max(0, value)))
  const scaled = vectors.data.map((value, i) => value * roots[i % roots.length])
  return mapOf(new Matrix(vectors.rows, vectors.columns, scaled), values, total, dimensions)
}

/** The first coordinates; directions that there are not have coordinate 0. */
function mapOf(coordinates: Matrix, values: Float64Array, total: number, dimensions: number): LatentMap {
  const first = (all: Float64Array) => Float64Array.from({ length: dimensions }, (_, k) => all[k] ?? 0)
  return {
    coordinates: Array.from({ length: coordinates.rows }, (_, i) => first(coordinates.row(i))),
    shares: first(values).map((value) => (total > 0 ? Math.max(0, value) / total : 0)),
  }
}

function centre(vectors: Vectors): Float64Array[] {
  const mean = new Float64Array((vectors[0] as ArrayLike<number>).length)
  for (const vector of vectors) for (let d = 0; d < mean.length; d++) mean[d] += vector[d] / vectors.length
  return vectors.map((vector) => mean.map((value, d) => vector[d] - value))
}
