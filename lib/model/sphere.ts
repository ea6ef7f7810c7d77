/**
 * The unit sphere in R^K seen from a model's mean: exponential and logarithmic map, and the chart of K - 1 normal
 * coordinates in which identities are fitted, sampled and compared (docs/sphere.md derives all of it). Plain double
 * precision; what a batch needs, the native core does.
 *
 * Lengths of tangent vectors are angles in radians.
 */

import { invalidArgument } from '../errors.js'

/** A mean this close to the pole is the pole: the rounding of a file's 32-bit floats must not turn the chart. */
const AT_POLE = 1e-7

/**
 * The point reached from `mean` by walking along the tangent vector `w` for |w| radians: cos|w| mean + sinc|w| w.
 *
 * @param w [K] orthogonal to the mean.
 * @param mean [K] unit vector.
 * @returns [K] unit vector.
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * exponential([Math.PI / 2, 0, 0], [0, 0, 1])   // [1, 0, 0]
 */
export function exponential(w: ArrayLike<number>, mean: ArrayLike<number>): Float64Array {
  const mu = unit(mean)
  requireVector('w', w, mu.length)
  const angle = norm(w)
  return combine(Math.cos(angle), mu, sinc(angle), w)
}

/**
 * The tangent vector at `mean` that leads to `z` on the shortest way: the inverse of {@link exponential} up to the
 * antipode. All directions lead to the antipode itself; the answer then is one of them, always the same.
 *
 * @param z [K] a point of the sphere; its length does not matter.
 * @param mean [K] unit vector.
 * @returns [K] orthogonal to the mean, of length 0 to pi.
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * logarithm([1, 0, 0], [0, 0, 1])   // [pi / 2, 0, 0]
 */
export function logarithm(z: ArrayLike<number>, mean: ArrayLike<number>): Float64Array {
  const mu = unit(mean)
  requireVector('z', z, mu.length)
  const along = dot(z, mu)
  const across = combine(1, z, -along, mu)
  const length = norm(across)
  if (length === 0 && along === 0) throw invalidArgument('z', 'a point of the sphere', z)
  if (length === 0) return along > 0 ? across : scale(Math.PI, someTangent(mu))
  // Of both components, because an arc cosine is inaccurate near 0 and near pi.
  return scale(Math.atan2(length, along) / length, across)
}

/**
 * The point of the sphere with normal coordinates `v`: {@link exponential} of the tangent vector that
 * {@link reflectToPole} makes of (v, 0).
 *
 * @param v [K-1] normal coordinates at the mean; |v| is the angle to the mean, v/|v| the embedding.
 * @param mean [K] unit vector.
 * @returns [K] unit vector.
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * tangentToSphere([Math.PI / 2, 0], [0, 0, 1])   // [1, 0, 0]
 */
export function tangentToSphere(v: ArrayLike<number>, mean: ArrayLike<number>): Float64Array {
  const mu = unit(mean)
  requireVector('v', v, mu.length - 1)
  const atPole = new Float64Array(mu.length)
  atPole.set(v)
  return exponential(reflectToPole(atPole, mu), mu)
}

/**
 * The normal coordinates of a point: the inverse of {@link tangentToSphere} for |v| < pi.
 *
 * @param z [K] a point of the sphere; its length does not matter.
 * @param mean [K] unit vector.
 * @returns [K-1]
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * sphereToTangent([1, 0, 0], [0, 0, 1])   // [pi / 2, 0]
 */
export function sphereToTangent(z: ArrayLike<number>, mean: ArrayLike<number>): Float64Array {
  return reflectToPole(logarithm(z, mean), mean).slice(0, -1)
}

/**
 * Reflects `x` in the plane that swaps `mean` and the pole, the last axis: H = I - 2 w w^T, w = (mean - pole) / |mean -
 * pole|, its own inverse. Normal coordinates are those of the reflected sphere at its pole, in the native core as well.
 *
 * @param x [K] any vector.
 * @param mean [K] unit vector. Where it is the pole, to single precision, nothing moves.
 * @returns [K]
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * reflectToPole(mean, mean)   // [0, ..., 0, 1]
 */
export function reflectToPole(x: ArrayLike<number>, mean: ArrayLike<number>): Float64Array {
  const mu = unit(mean)
  requireVector('x', x, mu.length)
  mu[mu.length - 1]! -= 1
  const distance = norm(mu)
  if (distance <= AT_POLE) return Float64Array.from(x)
  const w = scale(1 / distance, mu)
  return combine(1, x, -2 * dot(w, x), w)
}

/** A unit vector orthogonal to mu: what the first axis is reflected to when the pole is to mu. */
function someTangent(mu: Float64Array): Float64Array {
  const first = new Float64Array(mu.length)
  first[0] = 1
  return reflectToPole(first, mu)
}

/** sin x / x, and 1 at 0: the quotient itself is accurate at every other double. */
function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(x) / x
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

function norm(a: ArrayLike<number>): number {
  return Math.sqrt(dot(a, a))
}

/** p a + q b */
function combine(p: number, a: ArrayLike<number>, q: number, b: ArrayLike<number>): Float64Array {
  return Float64Array.from(a, (value, i) => p * value + q * b[i]!)
}

function scale(p: number, a: Float64Array): Float64Array {
  return a.map((value) => p * value)
}

/** The mean in double precision: one read from a file has unit length to single precision only. */
function unit(mean: ArrayLike<number>): Float64Array {
  requireVector('mean', mean, Math.max(mean?.length ?? 0, 2))
  const length = norm(mean)
  if (Math.abs(length - 1) > 1e-3) throw invalidArgument('mean', 'a unit vector', mean)
  return Float64Array.from(mean, (value) => value / length)
}

function requireVector(argument: string, x: ArrayLike<number>, length: number): void {
  if (x?.length !== length || !Array.from(x).every(Number.isFinite)) {
    throw invalidArgument(argument, `${length} finite numbers`, x)
  }
}
