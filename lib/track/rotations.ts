/** Rotations as 3x3 matrices, row-major, and as rotation vectors: axis times angle in radians. */

export type Vector = [number, number, number]

/** a b, or a b^T. */
export function times(a: ArrayLike<number>, b: ArrayLike<number>, transposeB = false): Float64Array {
  const product = new Float64Array(9)
  for (let i = 0; i < 3; i++)
    for (let j = 0; j < 3; j++)
      for (let k = 0; k < 3; k++) product[3 * i + j]! += a[3 * i + k]! * (transposeB ? b[3 * j + k]! : b[3 * k + j]!)
  return product
}

/** The rotation about a vector by its length (Rodrigues). */
export function rotationOf([x, y, z]: Vector): Float64Array {
  const angle = Math.hypot(x, y, z)
  const sine = angle > 1e-8 ? Math.sin(angle) / angle : 1
  const versine = angle > 1e-4 ? (1 - Math.cos(angle)) / angle ** 2 : 0.5
  return Float64Array.of(
    1 - versine * (y * y + z * z),
    versine * x * y - sine * z,
    versine * x * z + sine * y,
    versine * x * y + sine * z,
    1 - versine * (x * x + z * z),
    versine * y * z - sine * x,
    versine * x * z - sine * y,
    versine * y * z + sine * x,
    1 - versine * (x * x + y * y),
  )
}

/** The rotation vector of a rotation by less than half a turn. */
export function vectorOf(r: ArrayLike<number>): Vector {
  const twice: Vector = [r[7]! - r[5]!, r[2]! - r[6]!, r[3]! - r[1]!]
  const sine = Math.hypot(...twice) / 2
  const angle = Math.atan2(sine, (r[0]! + r[4]! + r[8]! - 1) / 2)
  const scale = sine > 1e-8 ? angle / (2 * sine) : 0.5
  return [scale * twice[0], scale * twice[1], scale * twice[2]]
}
