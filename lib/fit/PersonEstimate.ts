import { cholesky, Matrix, solveLower, solveLowerTransposed } from '../linear/index.js'
import { triangle } from './Posterior.js'

/** What one image says of the person's w, to second order: information [D(D+1)/2] and shift [D], without a prior. */
export interface ImageEvidence {
  information: Float64Array
  shift: Float64Array
}

/** Sums of evidence, each times its weight. */
export class PersonEstimate {
  readonly #size: number
  readonly #prior: number
  readonly information: Float64Array
  readonly shift: Float64Array

  /** @param prior p, the weight of the prior of w. */
  constructor(size: number, prior: number) {
    this.#size = size
    this.#prior = prior
    this.information = new Float64Array(triangle(size))
    this.shift = new Float64Array(size)
  }

  /** Adds `weight` times what an image says; a negative weight takes it away. */
  add({ information, shift }: ImageEvidence, weight: number): this {
    addTimes(this.information, information, weight)
    addTimes(this.shift, shift, weight)
    return this
  }

  /** p I + S. */
  #precision(): Matrix {
    const D = this.#size
    const precision = new Matrix(D, D)
    for (let i = 0, at = 0; i < D; i++) {
      for (let j = 0; j <= i; j++, at++) {
        precision.data[i * D + j] = this.information[at]!
        precision.data[j * D + i] = this.information[at]!
      }
      precision.data[i * D + i]! += this.#prior
    }
    return precision
  }

  /** What follows from the sum as it is now. */
  solve(): PersonSolution {
    const lower = cholesky(this.#precision())
    return new PersonSolution(lower, solveLower(lower, new Matrix(this.#size, 1, this.shift)), this.#prior)
  }
}

/** The posterior of w, N((p I + S)^-1 h, (p I + S)^-1). */
export class PersonSolution {
  readonly #lower: Matrix
  readonly #half: Matrix
  readonly #prior: number

  /**
   * @param lower L of p I + S = L L^T.
   * @param half L^-1 h
   */
  constructor(lower: Matrix, half: Matrix, prior: number) {
    this.#lower = lower
    this.#half = half
    this.#prior = prior
  }

  mean(): Float64Array {
    return solveLowerTransposed(this.#lower, this.#half).data
  }

  /**
   * The logarithm of the integral of the likelihood over the prior.
   *
   * @param scale Of the shift.
   */
  logEvidence(scale = 1): number {
    const size = this.#half.rows
    let sum = 0.5 * scale ** 2 * squaredNorm(this.#half.data) + 0.5 * size * Math.log(this.#prior)
    for (let i = 0; i < size; i++) sum -= Math.log(this.#lower.at(i, i))
    return sum
  }

  /** What to multiply the shift by, so that the mean has the length that the prior expects of it (personPosterior.ts). */
  expectedScale(): number {
    const size = this.#half.rows
    const expected = size / this.#prior - this.spread(Matrix.identity(size))
    const squared = squaredNorm(this.mean())
    return squared > 0 ? Math.sqrt(Math.max(expected, 0) / squared) : 1
  }

  /** The trace of T C T^T, C the covariance of w. */
  spread(transfer: Matrix): number {
    return squaredNorm(solveLower(this.#lower, transfer.transpose()).data)
  }
}

/** sum += weight * values */
export function addTimes(sum: Float64Array, values: Float64Array, weight: number): void {
  for (let i = 0; i < sum.length; i++) sum[i]! += weight * values[i]!
}

export function squaredNorm(values: Float64Array): number {
  let sum = 0
  for (const value of values) sum += value * value
  return sum
}

/** S w for a packed S. */
export function packedProduct(information: Float64Array, w: Float64Array): Float64Array {
  const product = new Float64Array(w.length)
  for (let i = 0, at = 0; i < w.length; i++) {
    for (let j = 0; j < i; j++, at++) {
      product[i]! += information[at]! * w[j]!
      product[j]! += information[at]! * w[i]!
    }
    product[i]! += information[at++]! * w[i]!
  }
  return product
}
