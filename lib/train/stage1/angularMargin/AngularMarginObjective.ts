import { Matrix, multiply, symmetrised } from '../../../linear/index.js'
import { centred, dot } from '../../matrices.js'
import { personMeans, type ScanCoordinates } from '../ScanCoordinates.js'
import type { AngularMarginOptions } from '../Stage1Options.js'
import { chartDerivative, chartImages, chartPoint } from './chart.js'
import { cosFace } from './cosFace.js'
import { uniformity } from './uniformity.js'

/** What the objective is a function of. */
export interface AngularMarginState {
  /** [R] s. */
  mean: Float64Array
  /** [R,D] A. */
  basis: Matrix
  /** r */
  radius: number
  /** [n,D] normal coordinates of each scan. */
  identities: Matrix
  /** [g,D] unit vectors, one a person. */
  weights: Matrix
}

/** The objective at a state. */
export interface AngularMarginValue {
  value: number
  /** Its parts, weighted, of all scans together. */
  parts: Record<'likelihood' | 'prior' | 'identity' | 'centre' | 'uniformity', number>
  /** [n] what of the value belongs to each scan: all but the uniformity, which has none. */
  perScan: Float64Array
  /** [n,D] derivative by the identities. */
  gradient: Matrix
  /** [n,D] of that, the uniformity's. */
  uniformityGradient: Matrix
}

/**
 * The paper's objective, per scan i of person y:
 *
 *     1/2 |x_i - s - A u_i|^2_(N^-1) + 1/2 |v_i|^2 + l_id CosFace(n_i) + l_c 1/2 |u_i - mean of y|^2,   u = sinc(|v| / r) v, n = v / |v|
 *
 * and n l_u times the uniformity of the people's mean directions. N is the covariance of all that is not identity.
 */
export class AngularMarginObjective {
  readonly #scans: ScanCoordinates
  readonly #precision: Matrix
  readonly #options: AngularMarginOptions

  /** @param precision [R,R] N^-1. */
  constructor(scans: ScanCoordinates, precision: Matrix, options: AngularMarginOptions) {
    this.#scans = scans
    this.#precision = precision
    this.#options = options
  }

  /**
   * @param centres [g,D] means of the people's u to hold on to; by default those of the state, whose derivative is then part
   *   of the gradient (it vanishes, since deviations sum to zero).
   */
  evaluate(state: AngularMarginState, centres?: Matrix): AngularMarginValue {
    const { identities, weights, radius } = state
    const { person, counts } = this.#scans
    const { identityWeight, centreWeight, uniformityWeight } = this.#options
    const n = identities.rows
    const points = Array.from({ length: n }, (_, i) => chartPoint(identities.row(i), radius))
    const u = chartImages(identities, radius)
    const directions = new Matrix(n, identities.columns)
    for (const [i, { direction }] of points.entries()) directions.row(i).set(direction)

    const { costs, slopes } = this.#likelihood(state, u)
    const cos = cosFace(directions, weights, person, this.#options)
    const byDirections = multiply(cos.slopes, weights)
    const middle = centres ?? this.centresOf(u)
    const even = uniformityWeight > 0 ? uniformity(directions, person, counts) : undefined

    const perScan = new Float64Array(n)
    const gradient = new Matrix(n, identities.columns)
    const uniformityGradient = new Matrix(n, identities.columns)
    const parts = { likelihood: 0, prior: 0, identity: 0, centre: 0, uniformity: 0 }
    for (const [i, point] of points.entries()) {
      const [v, row, centre] = [identities.row(i), u.row(i), middle.row(person[i]!)]
      const offset = row.map((value, k) => value - centre[k]!)
      const own = {
        likelihood: costs[i]!,
        prior: 0.5 * point.length ** 2,
        identity: identityWeight * cos.values[i]!,
        centre: 0.5 * centreWeight * dot(offset, offset),
      }
      for (const name of Object.keys(own) as (keyof typeof own)[]) {
        parts[name] += own[name]
        perScan[i]! += own[name]
      }
      const byImage = slopes.row(i).map((value, k) => value + centreWeight * offset[k]!)
      const flat = chartDerivative(point, byImage)
      const round = acrossDirection(byDirections.row(i), point, identityWeight)
      gradient.row(i).set(flat.map((value, k) => value + v[k]! + round[k]!))
      if (even) uniformityGradient.row(i).set(acrossDirection(even.gradient.row(i), point, n * uniformityWeight))
    }
    if (even) {
      parts.uniformity = n * uniformityWeight * even.value
      for (const [i, value] of uniformityGradient.data.entries()) gradient.data[i]! += value
    }
    const value = Object.values(parts).reduce((sum, part) => sum + part, 0)
    return { value, parts, perScan, gradient, uniformityGradient }
  }

  /**
   * Derivatives by the mean and the basis: what the least squares of the basis make zero, but for their ridge.
   *
   * @returns mean [R], basis [R,D]
   */
  basisGradient(state: AngularMarginState): { mean: Float64Array; basis: Matrix } {
    const u = chartImages(state.identities, state.radius)
    const weighted = multiply(this.#residuals(state, u), this.#precision)
    const mean = new Float64Array(state.mean.length)
    for (let i = 0; i < weighted.rows; i++) for (const [j, value] of weighted.row(i).entries()) mean[j]! -= value
    const basis = multiply(weighted, u, { transposeA: true })
    for (let k = 0; k < basis.data.length; k++) basis.data[k] = -basis.data[k]!
    return { mean, basis }
  }

  /**
   * Means over each person's scans.
   *
   * @param u [n,D]
   * @returns [g,D]
   */
  centresOf(u: Matrix): Matrix {
    return personMeans(u, this.#scans)
  }

  /** [D,D] basis^T N^-1 basis. */
  information(basis: Matrix): Matrix {
    return symmetrised(multiply(basis, multiply(this.#precision, basis), { transposeA: true }))
  }

  #residuals({ mean, basis }: AngularMarginState, u: Matrix): Matrix {
    const residuals = centred(this.#scans.coordinates, mean)
    const explained = multiply(u, basis, { transposeB: true })
    for (let i = 0; i < residuals.data.length; i++) residuals.data[i]! -= explained.data[i]!
    return residuals
  }

  /** 1/2 |residual|^2_(N^-1) of each scan, and its derivative by u, [n,D]. */
  #likelihood(state: AngularMarginState, u: Matrix): { costs: Float64Array; slopes: Matrix } {
    const residuals = this.#residuals(state, u)
    const weighted = multiply(residuals, this.#precision)
    const costs = Float64Array.from({ length: u.rows }, (_, i) => 0.5 * dot(residuals.row(i), weighted.row(i)))
    const slopes = multiply(weighted, state.basis)
    for (let i = 0; i < slopes.data.length; i++) slopes.data[i] = -slopes.data[i]!
    return { costs, slopes }
  }
}

/** The derivative by v of what has the derivative `slope` by the direction n = v / |v|; at the pole there is none. */
function acrossDirection(
  slope: Float64Array,
  { direction, length }: { direction: Float64Array; length: number },
  weight: number,
): Float64Array {
  if (length === 0 || weight === 0) return new Float64Array(slope.length)
  const along = dot(direction, slope)
  return slope.map((value, k) => (weight * (value - along * direction[k]!)) / length)
}
