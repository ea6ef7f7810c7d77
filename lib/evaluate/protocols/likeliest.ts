import { SfmError } from '../../errors.js'
import { cholesky, Matrix, solveCholesky } from '../../linear/index.js'
import { likeliestOnRoundSphere, shrunk } from './sphereSolutions.js'

/** A step this small, by the size of x, was the last: the next would be its square. */
const SMALL_STEP = 1e-8
/** As near to 0 as rounding lets a slope come. */
const SMALL_SLOPE = 1e-12
/** Two to eight are usual. */
const MOST_STEPS = 60
/** Where a cost is the same but for rounding. */
const SAME_COST = 1e-13
const LARGEST_DAMPING = 1e8

/**
 * The likeliest identity x ~ N(0, I) under 1/2 w^T S w - b^T w, S = diag(s), w = sinc(theta) x, theta^2 = x^T M x: what
 * {@link ShapeSpace} makes of it.
 *
 * Where spreads are alike in all directions, M = I / r^2, the secular equation has the solution; from that of the mean
 * of M Newton's method finds the others. The cost is convex in w: there is but one minimum (docs/evaluation.md).
 *
 * @param b [D]
 * @param s [D] at least 0.
 * @param metric [D,D] M; without it w = x, a Gaussian model's.
 * @returns [D] x, within a quarter turn of the mean.
 */
export function likeliest(b: Float64Array, s: Float64Array, metric?: Matrix): Float64Array {
  if (metric === undefined) return shrunk(b, s, 1)
  const problem = new Problem(b, s, metric)
  let x = problem.within(likeliestOnRoundSphere(b, s, meanRadius(metric)))
  let cost = problem.cost(x)
  let damping = 0
  for (let i = 0; i < MOST_STEPS && damping < LARGEST_DAMPING; i++) {
    const gradient = problem.gradient(x)
    const size = 1 + largest(x)
    if (largest(gradient.map((value, k) => value / (1 + s[k]))) <= SMALL_SLOPE * size) break
    const step = solved(problem.hessian(x, damping), gradient)
    const next = step && problem.within(x.map((value, k) => value - step[k]))
    const nextCost = next ? problem.cost(next) : Number.POSITIVE_INFINITY
    if (step && next && nextCost <= cost + SAME_COST * Math.abs(cost)) {
      x = next
      cost = nextCost
      damping = damping > 1e-3 ? damping / 10 : 0
      if (largest(step) <= SMALL_STEP * size) break
    } else damping = Math.max(1e-3, 10 * damping)
  }
  return x
}

/** w = sinc(theta) x, theta^2 = x^T metric x; x itself where there is no metric. */
export function onSphere(x: Float64Array, metric?: Matrix): Float64Array {
  if (metric === undefined) return x
  const { value } = sinc(inner(x, applied(metric, x)))
  return x.map((each) => value * each)
}

/** 1/2 |x|^2 + 1/2 w^T S w - b^T w with its derivatives by x. */
class Problem {
  readonly #b: Float64Array
  readonly #s: Float64Array
  readonly #metric: Matrix

  constructor(b: Float64Array, s: Float64Array, metric: Matrix) {
    this.#b = b
    this.#s = s
    this.#metric = metric
  }

  cost(x: Float64Array): number {
    const w = onSphere(x, this.#metric)
    let cost = 0
    for (let k = 0; k < x.length; k++) cost += 0.5 * x[k] * x[k] + (0.5 * this.#s[k] * w[k] - this.#b[k]) * w[k]
    return cost
  }

  /** x + J^T (S w - b), J = sinc I + 2 sinc' x m^T, m = M x, sinc' by theta^2. */
  gradient(x: Float64Array): Float64Array {
    const { m, slope, along, sinc } = this.#at(x)
    return x.map((value, k) => value + sinc.value * slope[k] + 2 * sinc.first * along * m[k])
  }

  /** Of the cost, plus `damping` (I + S). */
  hessian(x: Float64Array, damping: number): Matrix {
    const s = this.#s
    const D = x.length
    const { m, slope, along, sinc } = this.#at(x)
    const sx = x.map((value, k) => s[k] * value)
    // J^T S J and the bend of w, in I, S, M and products of m with S x, with the slope and with itself.
    const ofMetric = 2 * sinc.first * along
    const ofSquare = 4 * (sinc.first * sinc.first * inner(x, sx) + sinc.second * along)
    const mixed = slope.map((value, k) => 2 * sinc.first * (value + sinc.value * sx[k]))
    const hessian = new Matrix(D, D)
    for (let i = 0; i < D; i++) {
      const [row, metric] = [hessian.row(i), this.#metric.row(i)]
      for (let j = 0; j < D; j++) row[j] = ofMetric * metric[j] + (ofSquare * m[i] + mixed[i]) * m[j] + mixed[j] * m[i]
      row[i] += 1 + sinc.value * sinc.value * s[i] + damping * (1 + s[i])
    }
    return hessian
  }

  /** x, brought back to where the near hemisphere ends, as far as the far one's shapes are the same. */
  within(x: Float64Array): Float64Array {
    const theta = Math.sqrt(inner(x, applied(this.#metric, x)))
    return theta <= Math.PI / 2 ? x : x.map((value) => (value * Math.PI) / (2 * theta))
  }

  #at(x: Float64Array) {
    const m = applied(this.#metric, x)
    const scale = sinc(inner(x, m))
    const slope = x.map((value, k) => this.#s[k] * scale.value * value - this.#b[k])
    return { m, sinc: scale, slope, along: inner(slope, x) }
  }
}

/** sin theta / theta and its first two derivatives by p = theta^2. */
function sinc(p: number): { value: number; first: number; second: number } {
  if (p < SERIES)
    return {
      value: 1 - (p / 6) * (1 - (p / 20) * (1 - p / 42)),
      first: -1 / 6 + (p / 60) * (1 - (p / 28) * (1 - p / 54)),
      second: 1 / 60 - (p / 840) * (1 - (p / 36) * (1 - p / 66)),
    }
  const theta = Math.sqrt(p)
  const value = Math.sin(theta) / theta
  const first = (Math.cos(theta) - value) / (2 * p)
  return { value, first, second: -(value + 6 * first) / (4 * p) }
}

/** Below it the differences cancel; up to it the series are exact to rounding. */
const SERIES = 0.01

/** The radius of the round sphere with the mean spread. */
function meanRadius(metric: Matrix): number {
  let trace = 0
  for (let d = 0; d < metric.rows; d++) trace += metric.at(d, d)
  return Math.sqrt(metric.rows / trace)
}

/** a^-1 b, or undefined where a is not positive definite. */
function solved(a: Matrix, b: Float64Array): Float64Array | undefined {
  try {
    return solveCholesky(cholesky(a), new Matrix(b.length, 1, b)).data
  } catch (error) {
    if (error instanceof SfmError && error.code === 'NUMERICAL') return undefined
    throw error
  }
}

function applied(a: Matrix, x: Float64Array): Float64Array {
  return x.map((_, i) => inner(a.row(i), x))
}

function inner(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let k = 0; k < a.length; k++) sum += a[k] * b[k]
  return sum
}

function largest(x: Float64Array): number {
  let most = 0
  for (let k = 0; k < x.length; k++) most = Math.max(most, Math.abs(x[k]))
  return most
}
