/** Lengths, distances and angles of plain vectors. Nothing is checked here: loops over all pairs call these. */

/** a . b */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i]
  return sum
}

/** |a| */
export function norm(a: ArrayLike<number>): number {
  return Math.sqrt(dot(a, a))
}

/** |a - b|^2 */
export function squaredDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2
  return sum
}

/** The vector at length 1; one of length 0 stays what it is. */
export function normalised(a: ArrayLike<number>): Float64Array {
  const length = norm(a)
  return Float64Array.from(a, (value) => (length === 0 ? 0 : value / length))
}

/** The cosine of the angle between two unit vectors; 0 where one of them is 0, a face without a direction. */
export function cosineOfUnit(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Math.min(1, Math.max(-1, dot(a, b)))
}

/** The angle between two unit vectors in radians, accurate near 0 and near pi; pi / 2 where one of them is 0. */
export function angleOfUnit(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [difference, sum] = [0, 0]
  for (let i = 0; i < a.length; i++) {
    difference += (a[i] - b[i]) ** 2
    sum += (a[i] + b[i]) ** 2
  }
  return 2 * Math.atan2(Math.sqrt(difference), Math.sqrt(sum))
}
