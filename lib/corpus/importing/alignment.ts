import { centroidOf } from '../fields.js'

/** A rotation, or a rotation with a reflection, that takes one set of points as near as it can to another. */
export interface Turn {
  /** Row-major 3x3, of determinant 1 (`proper`) or -1. */
  matrix: readonly number[]
  /** Sum over the points, about their centroids, of to . (matrix from): what is gained over points of no relation. */
  gain: number
}

/** Two sets of corresponding points against each other. */
export interface Alignment {
  proper: Turn
  improper: Turn
  /** Centroids. */
  from: readonly [number, number, number]
  to: readonly [number, number, number]
  /** Sums of squared distances from the centroids. */
  fromSpread: number
  toSpread: number
}

/**
 * The best rotation between corresponding points, and the best rotation with a reflection, by unit quaternions (Horn
 * 1987): they are the eigenvectors of the largest and of the smallest eigenvalue of one symmetric 4x4 matrix.
 *
 * @param from [N,3]
 * @param to [N,3]
 */
export function align(from: ArrayLike<number>, to: ArrayLike<number>): Alignment {
  const [a, b] = [centroidOf(from), centroidOf(to)]
  const s = new Float64Array(9)
  let [fromSpread, toSpread] = [0, 0]
  for (let i = 0; i < from.length; i += 3) {
    for (let p = 0; p < 3; p++) {
      const x = from[i + p]! - a[p]!
      const y = to[i + p]! - b[p]!
      fromSpread += x * x
      toSpread += y * y
      for (let q = 0; q < 3; q++) s[3 * p + q]! += x * (to[i + q]! - b[q]!)
    }
  }
  const [xx, xy, xz, yx, yy, yz, zx, zy, zz] = s as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const { values, vectors } = symmetricEigen4([
    [xx + yy + zz, yz - zy, zx - xz, xy - yx],
    [yz - zy, xx - yy - zz, xy + yx, zx + xz],
    [zx - xz, xy + yx, yy - xx - zz, yz + zy],
    [xy - yx, zx + xz, yz + zy, zz - xx - yy],
  ])
  const largest = values.indexOf(Math.max(...values))
  const smallest = values.indexOf(Math.min(...values))
  const column = (k: number) => vectors.map((row) => row[k]!)
  return {
    proper: { matrix: rotation(column(largest)), gain: values[largest]! },
    // The best rotation of the points turned inside out.
    improper: { matrix: rotation(column(smallest)).map((x) => -x), gain: -values[smallest]! },
    from: a,
    to: b,
    fromSpread,
    toSpread,
  }
}

/**
 * What is left of the distance after the best similarity, as a share of the size of `to`: 0 the same shape, 1 nothing in
 * common.
 */
export function misfit({ gain }: Turn, { fromSpread, toSpread }: Alignment): number {
  const cosine = Math.max(0, gain) / Math.sqrt(fromSpread * toSpread)
  return Math.sqrt(Math.max(0, 1 - cosine * cosine))
}

/** matrix (point - from) + to for every point, [N,3]. */
export function moved(points: ArrayLike<number>, matrix: readonly number[], { from, to }: Alignment): Float32Array {
  const result = new Float32Array(points.length)
  for (let i = 0; i < points.length; i += 3) {
    const [x, y, z] = [points[i]! - from[0], points[i + 1]! - from[1], points[i + 2]! - from[2]]
    for (let p = 0; p < 3; p++)
      result[i + p] = matrix[3 * p]! * x + matrix[3 * p + 1]! * y + matrix[3 * p + 2]! * z + to[p]!
  }
  return result
}

/** Of a unit quaternion (w, x, y, z), row-major. */
function rotation(quaternion: readonly number[]): number[] {
  const [w, x, y, z] = quaternion as [number, number, number, number]
  return [
    w * w + x * x - y * y - z * z,
    2 * (x * y - w * z),
    2 * (x * z + w * y),
    2 * (y * x + w * z),
    w * w - x * x + y * y - z * z,
    2 * (y * z - w * x),
    2 * (z * x - w * y),
    2 * (z * y + w * x),
    w * w - x * x - y * y + z * z,
  ]
}

/** Far more than the handful that a matrix of this size takes. */
const MAX_SWEEPS = 50

/** Eigenvalues and, as columns, orthonormal eigenvectors of a symmetric matrix, by the rotations of Jacobi. */
function symmetricEigen4(matrix: number[][]): { values: number[]; vectors: number[][] } {
  const a = matrix.map((row) => [...row])
  const size = a.length
  const v = a.map((_, i) => a.map((_, j) => (i === j ? 1 : 0)))
  for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
    const off = a.reduce((sum, row, i) => sum + row.slice(i + 1).reduce((s, x) => s + x * x, 0), 0)
    if (off === 0) break
    for (let p = 0; p < size; p++) {
      for (let q = p + 1; q < size; q++) {
        if (a[p]![q] === 0) continue
        const theta = (a[q]![q]! - a[p]![p]!) / (2 * a[p]![q]!)
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1))
        const c = 1 / Math.sqrt(t * t + 1)
        const s = t * c
        for (const rows of [a, v]) {
          for (const row of rows) {
            const [x, y] = [row[p]!, row[q]!]
            row[p] = c * x - s * y
            row[q] = s * x + c * y
          }
        }
        for (let k = 0; k < size; k++) {
          const [x, y] = [a[p]![k]!, a[q]![k]!]
          a[p]![k] = c * x - s * y
          a[q]![k] = s * x + c * y
        }
      }
    }
  }
  return { values: a.map((row, i) => row[i]!), vectors: v }
}
