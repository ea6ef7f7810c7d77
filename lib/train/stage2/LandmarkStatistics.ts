import type { LandmarkScheme } from '../../model/ModelData.js'
import { reliabilityOf } from '../../model/noiseFactors.js'
import { dot } from '../matrices.js'
import type { LinearisedPhoto } from './photoEvidence.js'
import type { LandmarkRows } from './ShapeDictionary.js'

/**
 * How many photos an offset of zero counts for, for each photo that there is: half of what the residuals ask for. The
 * rest stays a residual, which the robust loss holds against the landmark (docs/training.md has the figures).
 */
const PRIOR_PHOTOS = 1

/**
 * The habits of a detector, from the residuals of many fits: where, in model space, it puts each landmark beside the
 * place that the model has for it, and how far it strays from there.
 */
export class LandmarkStatistics {
  readonly scheme: LandmarkScheme
  readonly rows: LandmarkRows
  /** [L,3,3] sum of weight G^T G. */
  readonly #information: Float64Array
  /** [L,3] sum of weight G^T residual. */
  readonly #shift: Float64Array
  /** [L] sum of weights. */
  readonly #weight: Float64Array
  /** [L] sum of weight |residual|^2. */
  readonly #energy: Float64Array
  /** [L] photos that show it. */
  readonly #seen: Float64Array

  constructor(scheme: LandmarkScheme, rows: LandmarkRows) {
    this.scheme = scheme
    this.rows = rows
    this.#information = new Float64Array(9 * scheme.count)
    this.#shift = new Float64Array(3 * scheme.count)
    this.#weight = new Float64Array(scheme.count)
    this.#energy = new Float64Array(scheme.count)
    this.#seen = new Float64Array(scheme.count)
  }

  /** Takes a photo in. */
  add({ landmarks, projection, residual, inverseDeviation }: LinearisedPhoto): void {
    for (const [i, l] of landmarks.entries()) {
      const weight = inverseDeviation[i]! ** 2
      this.#weight[l]! += weight
      this.#seen[l]! += 1
      for (let a = 0; a < 2; a++) {
        const r = residual[2 * i + a]!
        this.#energy[l]! += weight * r * r
        const g = projection.subarray(6 * i + 3 * a, 6 * i + 3 * a + 3)
        for (let b = 0; b < 3; b++) {
          this.#shift[3 * l + b]! += weight * g[b]! * r
          for (let c = 0; c < 3; c++) this.#information[9 * l + 3 * b + c]! += weight * g[b]! * g[c]!
        }
      }
    }
  }

  /**
   * The scheme with the offset and the reliabilities that the residuals ask for.
   *
   * @param noise Standard deviation of a good landmark that the fits assumed, mm.
   * @param standard The standard deviation that reliabilities are relative to, mm.
   */
  calibrated(noise: number, standard: number): LandmarkScheme {
    const { scheme, rows } = this
    const offset = scheme.offset?.slice() ?? new Float32Array(3 * scheme.count)
    const deviations = new Float64Array(scheme.count)
    const seen = rows.present.filter((l) => this.#seen[l]! > 0)
    for (const l of seen) {
      // Maximisation step for the scale of Student's distribution; the weights hold the scale of before.
      const scale = noise * rows.noiseFactors[l]!
      deviations[l] = scale * Math.sqrt(this.#energy[l]! / (2 * this.#seen[l]!))
      for (const [a, value] of this.#offset(l).entries()) offset[3 * l + a]! += value
    }
    // How noisy the landmarks are as a whole is a choice: their errors are correlated, which makes each count for less.
    const typical = median(seen.map((l) => deviations[l]!))
    const reliability = Float32Array.from(deviations, (deviation) =>
      reliabilityOf(((deviation / typical) * noise) / standard),
    )
    return { ...scheme, offset, reliability }
  }

  #offset(l: number): number[] {
    const ridge = PRIOR_PHOTOS * this.#weight[l]!
    const a = this.#information.slice(9 * l, 9 * l + 9)
    for (let b = 0; b < 3; b++) a[4 * b]! += ridge
    return solve3(a, this.#shift.subarray(3 * l, 3 * l + 3))
  }
}

/** [L,3] mm: the landmarks' displacement by a face of the dictionary with expressions. */
export function populationOffset({ mean, columns }: LandmarkRows, coefficients: ArrayLike<number>): Float64Array {
  const width = coefficients.length
  return mean.map((_, row) => dot(columns.subarray(row * width, (row + 1) * width), coefficients))
}

/** The solution of a 3 x 3 system by Cramer's rule. */
function solve3(a: Float64Array, b: Float64Array): number[] {
  const determinant = (m: ArrayLike<number>) =>
    m[0]! * (m[4]! * m[8]! - m[5]! * m[7]!) -
    m[1]! * (m[3]! * m[8]! - m[5]! * m[6]!) +
    m[2]! * (m[3]! * m[7]! - m[4]! * m[6]!)
  const whole = determinant(a)
  return [0, 1, 2].map(
    (column) => determinant(a.map((value, i) => (i % 3 === column ? b[(i / 3) | 0]! : value))) / whole,
  )
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!
}
