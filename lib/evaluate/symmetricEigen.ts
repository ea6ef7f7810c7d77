/**
 * Eigenvalues of small symmetric matrices, for alignments and maps. Plain and self-contained: whoever has a fast
 * solver need only replace this file.
 */

import { Random } from '../random.js'

/** Eigenvalues from the largest down, each with its vector. */
export interface Eigen {
  values: Float64Array
  /** [count] unit vectors; of each the largest entry in size is positive. */
  vectors: Float64Array[]
}

/**
 * All eigenvalues of a symmetric matrix, by Jacobi's rotations: accurate to rounding, in some n^3 steps times ten.
 *
 * @param matrix [n, n] row-major; only its symmetric part is meant.
 * @param n Its size.
 * @example
 * symmetricEigen([2, 1, 1, 2], 2).values   // [3, 1]
 */
export function symmetricEigen(matrix: ArrayLike<number>, n: number): Eigen {
  const a = Float64Array.from({ length: n * n }, (_, i) => {
    const [row, column] = [Math.floor(i / n), i % n]
    return (matrix[row * n + column] + matrix[column * n + row]) / 2
  })
  // Rows are the vectors.
  const v = new Float64Array(n * n)
  for (let i = 0; i < n; i++) v[i * n + i] = 1
  const size = Math.sqrt(a.reduce((sum, value) => sum + value * value, 0))
  for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
    let rotated = false
    for (let p = 0; p < n - 1; p++) {
      for (let q = p + 1; q < n; q++) {
        if (Math.abs(a[p * n + q]) <= size * Number.EPSILON * 1e-2) continue
        rotate(a, v, n, p, q)
        rotated = true
      }
    }
    if (!rotated) break
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => a[j * n + j] - a[i * n + i])
  return {
    values: Float64Array.from(order, (i) => a[i * n + i]),
    vectors: order.map((i) => withSign(v.slice(i * n, (i + 1) * n))),
  }
}

/**
 * The largest eigenvalues of a symmetric matrix too large for {@link symmetricEigen}: subspace iteration with a few
 * directions to spare, to about ten digits where the values wanted are positive and stand out from the rest.
 *
 * @param matrix [n, n] row-major, symmetric.
 * @param count How many are wanted, at most n.
 */
export function leadingEigen(matrix: Float64Array, n: number, count: number): Eigen {
  if (n <= SMALL) {
    const { values, vectors } = symmetricEigen(matrix, n)
    return { values: values.slice(0, count), vectors: vectors.slice(0, count) }
  }
  const random = new Random(1)
  const width = Math.min(n, 2 * count + 8)
  let basis = orthonormal(Array.from({ length: width }, () => Float64Array.from({ length: n }, () => random.normal())))
  let found = rayleighRitz(matrix, n, basis)
  for (let iteration = 0; iteration < MAX_ITERATIONS; iteration++) {
    basis = orthonormal(found.images)
    const next = rayleighRitz(matrix, n, basis)
    const change = next.values
      .slice(0, count)
      .reduce((most, value, i) => Math.max(most, Math.abs(value - found.values[i])), 0)
    found = next
    if (change <= 1e-12 * Math.abs(next.values[0])) break
  }
  return { values: found.values.slice(0, count), vectors: found.vectors.slice(0, count).map(withSign) }
}

const MAX_SWEEPS = 60
const MAX_ITERATIONS = 300
/** Up to here all eigenvalues are as quickly had as some. */
const SMALL = 64

/** Turns rows and columns p and q so that their entry in common vanishes. */
function rotate(a: Float64Array, v: Float64Array, n: number, p: number, q: number): void {
  const theta = (a[q * n + q] - a[p * n + p]) / (2 * a[p * n + q])
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1))
  const c = 1 / Math.hypot(t, 1)
  const s = t * c
  for (let i = 0; i < n; i++) {
    const [x, y] = [a[i * n + p], a[i * n + q]]
    a[i * n + p] = c * x - s * y
    a[i * n + q] = s * x + c * y
  }
  for (let i = 0; i < n; i++) {
    const [x, y] = [a[p * n + i], a[q * n + i]]
    a[p * n + i] = c * x - s * y
    a[q * n + i] = s * x + c * y
    const [z, w] = [v[p * n + i], v[q * n + i]]
    v[p * n + i] = c * z - s * w
    v[q * n + i] = s * z + c * w
  }
}

/** The eigenvalues of the matrix within a subspace, with their vectors and what the matrix makes of those. */
function rayleighRitz(matrix: Float64Array, n: number, basis: Float64Array[]): Eigen & { images: Float64Array[] } {
  const images = basis.map((vector) => multiply(matrix, n, vector))
  const projected = basis.flatMap((vector) => images.map((image) => inner(vector, image)))
  const { values, vectors } = symmetricEigen(projected, basis.length)
  const turn = (rows: Float64Array[]) => vectors.map((weights) => combine(rows, weights))
  return { values, vectors: turn(basis), images: turn(images) }
}

/** Gram and Schmidt's, twice, which is as good as exact. A vector that depends on those before becomes 0. */
function orthonormal(vectors: Float64Array[]): Float64Array[] {
  const result: Float64Array[] = []
  for (const vector of vectors) {
    const rest = vector.slice()
    for (const _ of [1, 2]) {
      for (const other of result) {
        const along = inner(rest, other)
        for (let i = 0; i < rest.length; i++) rest[i] -= along * other[i]
      }
    }
    const length = Math.sqrt(inner(rest, rest))
    result.push(rest.map((value) => (length > 0 ? value / length : 0)))
  }
  return result
}

function multiply(matrix: Float64Array, n: number, vector: Float64Array): Float64Array {
  return Float64Array.from(vector, (_, i) => inner(matrix.subarray(i * n, (i + 1) * n), vector))
}

function combine(rows: Float64Array[], weights: Float64Array): Float64Array {
  const sum = new Float64Array((rows[0] as Float64Array).length)
  for (const [r, row] of rows.entries()) for (let i = 0; i < sum.length; i++) sum[i] += weights[r] * row[i]
  return sum
}

function inner(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i]
  return sum
}

/** An eigenvector's sign is free: this one is the same on every machine. */
function withSign(vector: Float64Array): Float64Array {
  const largest = vector.reduce((most, value) => (Math.abs(value) > Math.abs(most) * (1 + 1e-9) ? value : most), 0)
  return largest < 0 ? vector.map((value) => -value) : vector
}
