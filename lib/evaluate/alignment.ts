import { invalidArgument } from '../errors.js'
import { requireFinite, requireLength } from './checks.js'
import { symmetricEigen } from './symmetricEigen.js'

/** x -> scale rotation x + translation */
export interface Similarity {
  /** 1 for a rigid motion. */
  scale: number
  /** [9] row-major. */
  rotation: Float64Array
  /** [3] */
  translation: Float64Array
}

/**
 * The rigid motion, or similarity, that brings points nearest to others in least squares. The rotation is the quaternion
 * of Horn (Closed-form solution of absolute orientation using unit quaternions, 1987), never a reflection; the scale is
 * Umeyama's (1991), that of the error measured on the side of the target.
 *
 * @param source [n, 3] at least three points that are not on a line.
 * @param target [n, 3] where they should be.
 * @param options.scale Whether the size is free; by default it is kept.
 * @throws SfmError INVALID_ARGUMENT where the points do not determine a rotation.
 * @example
 * const aligned = transformed(mesh.vertices, alignPoints(meshLandmarks, scanLandmarks))
 */
export function alignPoints(
  source: ArrayLike<number>,
  target: ArrayLike<number>,
  { scale: free = false }: { scale?: boolean } = {},
): Similarity {
  requireFinite('source', source)
  requireFinite('target', target)
  if (source.length < 9 || source.length % 3 !== 0) throw invalidArgument('source', 'three points or more', source)
  requireLength('target', target, source.length)
  const from = centroid(source)
  const to = centroid(target)

  // Sum of (source - mean) (target - mean)^T, and the spread of the source.
  const cross = new Float64Array(9)
  let spread = 0
  for (let i = 0; i < source.length; i += 3) {
    for (let a = 0; a < 3; a++) {
      const x = source[i + a] - from[a]
      spread += x * x
      for (let b = 0; b < 3; b++) cross[3 * a + b] += x * (target[i + b] - to[b])
    }
  }
  const rotation = rotationOf(cross)
  if (rotation === undefined)
    throw invalidArgument('source and target', 'points that determine a rotation: not all on a line', source)
  // tr(R cross), the covariance that the rotation leaves on the diagonal.
  let along = 0
  for (let a = 0; a < 3; a++) for (let b = 0; b < 3; b++) along += rotation[3 * b + a] * cross[3 * a + b]
  const scale = free ? along / spread : 1
  const translation = to.map((value, a) => {
    const row = 3 * a
    return value - scale * (rotation[row] * from[0] + rotation[row + 1] * from[1] + rotation[row + 2] * from[2])
  })
  return { scale, rotation, translation }
}

/**
 * Points moved.
 *
 * @param points [n, 3]
 * @returns [n, 3]
 */
export function transformed(
  points: ArrayLike<number>,
  { scale, rotation: r, translation: t }: Similarity,
): Float64Array {
  const result = new Float64Array(points.length)
  for (let i = 0; i < points.length; i += 3) {
    const [x, y, z] = [points[i], points[i + 1], points[i + 2]]
    for (let a = 0; a < 3; a++) result[i + a] = scale * (r[3 * a] * x + r[3 * a + 1] * y + r[3 * a + 2] * z) + t[a]
  }
  return result
}

/** Two rotations as good as each other to this relative difference are not told apart. */
const AMBIGUOUS = 1e-9

/**
 * The rotation R that makes tr(R cross) the largest: the leading eigenvector of Horn's matrix, as a quaternion.
 * Undefined where many are.
 */
function rotationOf(cross: Float64Array): Float64Array | undefined {
  const [xx, xy, xz, yx, yy, yz, zx, zy, zz] = cross as unknown as [
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
  // biome-ignore format: a matrix
  const { values, vectors } = symmetricEigen([
    xx + yy + zz, yz - zy,      zx - xz,       xy - yx,
    yz - zy,      xx - yy - zz, xy + yx,       zx + xz,
    zx - xz,      xy + yx,      -xx + yy - zz, yz + zy,
    xy - yx,      zx + xz,      yz + zy,       -xx - yy + zz,
  ], 4)
  const size = Math.max(...values.map(Math.abs))
  if (!(values[0] - values[1] > AMBIGUOUS * size)) return undefined
  const [w, x, y, z] = vectors[0] as unknown as [number, number, number, number]
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

function centroid(points: ArrayLike<number>): Float64Array {
  const sum = new Float64Array(3)
  for (let i = 0; i < points.length; i++) sum[i % 3] += points[i]
  return sum.map((value) => (3 * value) / points.length)
}
