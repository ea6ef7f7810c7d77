import { Matrix, symmetricEigen } from '../../linear/index.js'

/** A rigid motion and how well it fits. */
export interface Alignment {
  /** [9] row-major; of the points about their centroid. */
  rotation: Float64Array
  /** [3] of the points. */
  centroid: Float64Array
  /** Radians. */
  angle: number
  /** Root mean square length of the points about their centroid over that of the target: 1 for the same size. */
  size: number
  /** 0 to 1: how alike the shapes are once aligned, 1 for the same up to size. */
  agreement: number
  /** The same if a reflection were allowed: larger where the points are a mirror image. */
  mirroredAgreement: number
}

/** Points that others are aligned to. */
export class AlignmentTarget {
  /** [3] */
  readonly centroid: Float64Array
  /** [N,3] about the centroid. */
  readonly #centred: Float64Array
  readonly #spread: number

  /** @param points [N,3] */
  constructor(points: ArrayLike<number>) {
    this.centroid = centroidOf(points)
    this.#centred = Float64Array.from(points, (value, i) => value - this.centroid[i % 3]!)
    this.#spread = this.#centred.reduce((sum, value) => sum + value * value, 0)
  }

  /**
   * The rotation that brings points nearest to the target in least squares, after their centroids: the leading
   * eigenvector of Horn's matrix (1987), as a quaternion.
   *
   * @param points [N,3] not all in one place.
   */
  align(points: Float32Array): Alignment {
    const centroid = centroidOf(points)
    const [cx, cy, cz] = centroid as unknown as [number, number, number]
    const target = this.#centred
    let [xx, xy, xz, yx, yy, yz, zx, zy, zz, spread] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    for (let i = 0; i < points.length; i += 3) {
      const x = points[i]! - cx
      const y = points[i + 1]! - cy
      const z = points[i + 2]! - cz
      const [p, q, r] = [target[i]!, target[i + 1]!, target[i + 2]!]
      spread += x * x + y * y + z * z
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
    const horn = Matrix.from([
      [xx + yy + zz, yz - zy,      zx - xz,      xy - yx],
      [yz - zy,      xx - yy - zz, xy + yx,      zx + xz],
      [zx - xz,      xy + yx,      yy - xx - zz, yz + zy],
      [xy - yx,      zx + xz,      yz + zy,      zz - xx - yy],
    ])
    const { values, vectors } = symmetricEigen(horn)
    const scale = Math.sqrt(spread * this.#spread)
    const quaternion = vectors.column(0)
    return {
      rotation: rotationOf(quaternion),
      centroid,
      angle: 2 * Math.atan2(Math.hypot(quaternion[1]!, quaternion[2]!, quaternion[3]!), Math.abs(quaternion[0]!)),
      size: Math.sqrt(spread / this.#spread),
      agreement: values[0]! / scale,
      // The eigenvalues of Horn's matrix are +-s1 +- s2 +- s3 of the singular values; the best reflection has minus the
      // least of them.
      mirroredAgreement: -values[3]! / scale,
    }
  }
}

/**
 * Writes `rotation (points - centroid) + to` minus `origin`: where aligned points are displaced to.
 *
 * @param points [N,3]
 * @param to [3]
 * @param origin [N,3]
 * @param out [N,3]
 */
export function displace(
  points: Float32Array,
  { rotation: r, centroid }: Pick<Alignment, 'rotation' | 'centroid'>,
  to: ArrayLike<number>,
  origin: ArrayLike<number>,
  out: Float32Array,
): void {
  const [r0, r1, r2, r3, r4, r5, r6, r7, r8] = r as unknown as number[] as [
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
  const [cx, cy, cz] = centroid as unknown as [number, number, number]
  const [tx, ty, tz] = [to[0]!, to[1]!, to[2]!]
  for (let i = 0; i < points.length; i += 3) {
    const x = points[i]! - cx
    const y = points[i + 1]! - cy
    const z = points[i + 2]! - cz
    out[i] = r0 * x + r1 * y + r2 * z + tx - origin[i]!
    out[i + 1] = r3 * x + r4 * y + r5 * z + ty - origin[i + 1]!
    out[i + 2] = r6 * x + r7 * y + r8 * z + tz - origin[i + 2]!
  }
}

/** The mean of points, [3]. */
export function centroidOf(points: ArrayLike<number>): Float64Array {
  let [x, y, z] = [0, 0, 0]
  for (let i = 0; i < points.length; i += 3) {
    x += points[i]!
    y += points[i + 1]!
    z += points[i + 2]!
  }
  const count = points.length / 3
  return Float64Array.of(x / count, y / count, z / count)
}

/** [9] row-major, of a unit quaternion (w, x, y, z). */
function rotationOf([w, x, y, z]: Float64Array): Float64Array {
  const [a, b, c, d] = [w!, x!, y!, z!]
  return Float64Array.of(
    1 - 2 * (c * c + d * d),
    2 * (b * c - a * d),
    2 * (b * d + a * c),
    2 * (b * c + a * d),
    1 - 2 * (b * b + d * d),
    2 * (c * d - a * b),
    2 * (b * d - a * c),
    2 * (c * d + a * b),
    1 - 2 * (b * b + c * c),
  )
}
