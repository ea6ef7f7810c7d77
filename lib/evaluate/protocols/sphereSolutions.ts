/**
 * Quadratics on the near hemisphere, solved exactly: with the matrix diagonal, what remains is one equation in one
 * unknown, the secular equation.
 */

/** Halvings of an interval: to the last bit of a double. */
const HALVINGS = 100

/**
 * The likeliest identity x ~ N(0, I) under 1/2 u^T S u - b^T u, S = diag(s), u = r sin(|x| / r) x / |x|.
 *
 * With rho = |u| / r the prior is 1/2 r^2 asin(rho)^2, so (S + lambda) u = b with lambda = asin(rho) / (rho sqrt(1 -
 * rho^2)). lambda grows with rho, so |u| shrinks: there is one solution.
 *
 * @param b [D]
 * @param s [D] at least 0.
 * @param radius r; without it u = x, a Gaussian model's.
 * @returns [D] x, within a quarter turn of the mean.
 */
export function likeliest(b: Float64Array, s: Float64Array, radius?: number): Float64Array {
  if (radius === undefined) return shrunk(b, s, 1)
  let [low, high] = [0, 1]
  for (let i = 0; i < HALVINGS; i++) {
    const rho = (low + high) / 2
    if (lengthOf(shrunk(b, s, weightAt(rho))) > rho * radius) low = rho
    else high = rho
  }
  const rho = (low + high) / 2
  const stretch = rho > 0 ? Math.asin(rho) / rho : 1
  return shrunk(b, s, weightAt(rho)).map((value) => stretch * value)
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

/** u = r sin(|x| / r) x / |x|, or x where there is no radius. */
export function onSphere(x: Float64Array, radius?: number): Float64Array {
  const length = lengthOf(x)
  if (radius === undefined || length === 0) return x
  return x.map((value) => (value * radius * Math.sin(length / radius)) / length)
}

function weightAt(rho: number): number {
  return rho === 0 ? 1 : Math.asin(rho) / (rho * Math.sqrt((1 - rho) * (1 + rho)))
}

/** (S + weight I)^-1 b */
function shrunk(b: Float64Array, s: Float64Array, weight: number): Float64Array {
  return b.map((value, k) => value / (s[k] + weight))
}

function lengthOf(x: Float64Array): number {
  let sum = 0
  for (let k = 0; k < x.length; k++) sum += x[k] * x[k]
  return Math.sqrt(sum)
}
