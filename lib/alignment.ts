import { Matrix, symmetricEigen } from './linear/index.js'

/** x -> scale rotation x + translation */
export interface Similarity {
  /** 1 for a rigid motion. */
  scale: number
  /** [9] row-major. */
  rotation: ArrayLike<number>
  /** [3] */
  translation: Float64Array
}

/** A rotation, or a rotation with a reflection, that takes one set of points as near as it can to another. */
export interface Turn {
  /** [9] row-major, of determinant 1 (`proper`) or -1. */
  matrix: Float64Array
  /** Sum over the points, about their centroids, of to . (matrix from): what is gained over points of no relation. */
  gain: number
}

/** Two sets of corresponding points against each other. */
export interface Alignment {
  proper: Turn
  improper: Turn
  /** Whether the proper turn is the only one as good: not so where all points are on a line. */
  isUnique: boolean
  /** Centroids. */
  from: Point
  to: Point
  /** Sums of squared distances from the centroids. */
  fromSpread: number
  toSpread: number
}

type Point = [number, number, number]

/** Two rotations as good as each other to this relative difference are not told apart. */
const AMBIGUOUS = 1e-9

/**
 * The best rotation between corresponding points, and the best rotation with a reflection, by unit quaternions (Horn,
 * Closed-form solution of absolute orientation using unit quaternions, 1987): they are the eigenvectors of the largest and of
 * the smallest eigenvalue of one symmetric 4x4 matrix.
 *
 * @param from [N,3] finite.
 * @param to [N,3] finite.
 */
export function align(from: ArrayLike<number>, to: ArrayLike<number>): Alignment {
  const [a, b] = [centroidOf(from), centroidOf(to)]
  // Sums of (from - a) (to - b)^T, and of the squares of both.
  let [xx, xy, xz, yx, yy, yz, zx, zy, zz] = [0, 0, 0, 0, 0, 0, 0, 0, 0]
  let [fromSpread, toSpread] = [0, 0]
  for (let i = 0; i < from.length; i += 3) {
    const [x, y, z] = [from[i]! - a[0], from[i + 1]! - a[1], from[i + 2]! - a[2]]
    const [p, q, r] = [to[i]! - b[0], to[i + 1]! - b[1], to[i + 2]! - b[2]]
    fromSpread += x * x + y * y + z * z
    toSpread += p * p + q * q + r * r
    xx += x * p
    xy += x * q
    xz += x * r
    yx += y * p
    yy += y * q
    yz += y * r
    zx += z * p
    zy += z * q
    zz += z * r
  }
  // biome-ignore format: a matrix
  const { values, vectors } = symmetricEigen(Matrix.from([
    [xx + yy + zz, yz - zy,      zx - xz,      xy - yx],
    [yz - zy,      xx - yy - zz, xy + yx,      zx + xz],
    [zx - xz,      xy + yx,      yy - xx - zz, yz + zy],
    [xy - yx,      zx + xz,      yz + zy,      zz - xx - yy],
  ]))
  const [first, second, , last] = values as unknown as [number, number, number, number]
  return {
    proper: { matrix: rotationOf(vectors.column(0)), gain: first },
    // The best rotation of the points turned inside out.
    improper: { matrix: rotationOf(vectors.column(3)).map((value) => -value), gain: -last },
    isUnique: first - second > AMBIGUOUS * Math.max(first, -last),
    from: a,
    to: b,
    fromSpread,
    toSpread,
  }
}

/** How alike the shapes are once turned: 1 the same up to size, 0 nothing in common. */
export function agreement({ gain }: Turn, { fromSpread, toSpread }: Alignment): number {
  return Math.max(0, gain) / Math.sqrt(fromSpread * toSpread)
}

/** What is left of the distance after the best similarity, as a share of the size of `to`: 0 the same shape. */
export function misfit(turn: Turn, alignment: Alignment): number {
  return Math.sqrt(Math.max(0, 1 - agreement(turn, alignment) ** 2))
}

/** The angle of a rotation in radians, 0 to pi. */
export function angleOf(rotation: ArrayLike<number>): number {
  const [a, b, c, d, e, f, g, h, i] = numbers(rotation)
  return Math.atan2(Math.hypot(h - f, c - g, d - b), a + e + i - 1)
}

/** scale matrix (x - from) + to: centroids on each other. */
export function similarityOf(
  { from, to }: Pick<Alignment, 'from' | 'to'>,
  matrix: ArrayLike<number>,
  scale = 1,
): Similarity {
  const [a, b, c, d, e, f, g, h, i] = numbers(matrix)
  const [x, y, z] = from
  const translation = Float64Array.of(
    to[0] - scale * (a * x + b * y + c * z),
    to[1] - scale * (d * x + e * y + f * z),
    to[2] - scale * (g * x + h * y + i * z),
  )
  return { scale, rotation: matrix, translation }
}

/**
 * Points moved.
 *
 * @param points [N,3]
 * @returns [N,3]
 */
export function transformed(points: ArrayLike<number>, { scale, rotation, translation }: Similarity): Float64Array {
  const [a, b, c, d, e, f, g, h, i] = numbers(rotation)
  const [p, q, r] = [translation[0]!, translation[1]!, translation[2]!]
  const result = new Float64Array(points.length)
  for (let at = 0; at < points.length; at += 3) {
    const [x, y, z] = [points[at]!, points[at + 1]!, points[at + 2]!]
    result[at] = scale * (a * x + b * y + c * z) + p
    result[at + 1] = scale * (d * x + e * y + f * z) + q
    result[at + 2] = scale * (g * x + h * y + i * z) + r
  }
  return result
}

/** The mean of points, [N,3]. */
export function centroidOf(points: ArrayLike<number>): Point {
  let [x, y, z] = [0, 0, 0]
  for (let i = 0; i < points.length; i += 3) {
    x += points[i]!
    y += points[i + 1]!
    z += points[i + 2]!
  }
  const count = points.length / 3
  return [x / count, y / count, z / count]
}

/** [9] row-major, of a unit quaternion (w, x, y, z). */
function rotationOf(quaternion: Float64Array): Float64Array {
  const [w, x, y, z] = quaternion as unknown as [number, number, number, number]
  return Float64Array.of(
    1 - 2 * (y * y + z * z),
    2 * (x * y - w * z),
    2 * (x * z + w * y),
    2 * (x * y + w * z),
    1 - 2 * (x * x + z * z),
    2 * (y * z - w * x),
    2 * (x * z - w * y),
    2 * (y * z + w * x),
    1 - 2 * (x * x + y * y),
  )
}

type Nine = [number, number, number, number, number, number, number, number, number]

/** The entries of a 3x3 matrix. */
function numbers(matrix: ArrayLike<number>): Nine {
  return matrix as unknown as Nine
}
