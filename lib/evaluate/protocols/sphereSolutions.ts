/**
 * Quadratics on a round hemisphere, solved exactly: with the matrix diagonal, what remains is one equation in one unknown,
 * the secular equation.
 */

/** Halvings of an interval: to the last bit of a double. */
const HALVINGS = 100

/**
 * The x that makes 1/2 u^T S u - b^T u + 1/2 |x|^2 least, u = r sin(|x| / r) x / |x|, S = diag(s).
 *
 * With theta = |x| / r the prior is 1/2 r^2 theta^2 and |u| = r sin theta, so (S + lambda) u = b with lambda = theta / (sin
 * theta cos theta). lambda grows with theta, so |u| shrinks: there is one solution.
 *
 * @param b [D]
 * @param s [D] at least 0.
 * @param radius r
 * @returns [D] x, within a quarter turn of the mean.
 */
export function likeliestOnRoundSphere(b: Float64Array, s: Float64Array, radius: number): Float64Array {
  let [low, high] = [0, Math.PI / 2]
  for (let i = 0; i < HALVINGS; i++) {
    const theta = (low + high) / 2
    if (lengthOf(shrunk(b, s, weightAt(theta))) > radius * Math.sin(theta)) low = theta
    else high = theta
  }
  const theta = (low + high) / 2
  const stretch = theta > 0 ? theta / Math.sin(theta) : 1
  return shrunk(b, s, weightAt(theta)).map((value) => stretch * value)
}

/**
 * The least of 1/2 u^T S u - b^T u over |u| <= r.
 *
 * @param s [D] above 0.
 * @returns [D] u
 */
export function nearest(b: Float64Array, s: Float64Array, radius = Number.POSITIVE_INFINITY): Float64Array {
  const free = shrunk(b, s, 0)
  if (lengthOf(free) <= radius) return free
  // |u| <= |b| / lambda.
  let [low, high] = [0, lengthOf(b) / radius]
  for (let i = 0; i < HALVINGS; i++) {
    const weight = (low + high) / 2
    if (lengthOf(shrunk(b, s, weight)) > radius) low = weight
    else high = weight
  }
  return shrunk(b, s, high)
}

function weightAt(theta: number): number {
  return theta === 0 ? 1 : theta / (Math.sin(theta) * Math.cos(theta))
}

/** (S + weight I)^-1 b */
export function shrunk(b: Float64Array, s: Float64Array, weight: number): Float64Array {
  return b.map((value, k) => value / (s[k] + weight))
}

function lengthOf(x: Float64Array): number {
  let sum = 0
  for (let k = 0; k < x.length; k++) sum += x[k] * x[k]
  return Math.sqrt(sum)
}
