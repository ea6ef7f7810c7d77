import type { LandmarkScheme } from '../../model/ModelData.js'
import { dot } from '../symmetric.js'
import type { LinearisedPhoto } from './photoEvidence.js'
import type { LandmarkRows } from './ShapeDictionary.js'

/** How many photos a landmark's offset of zero counts for: what few photos say is not believed. */
const PRIOR_PHOTOS = 20

/**
 * The habit of a detector: where, in model space, it puts each landmark beside the place that the model has for it. The
 * least-squares offset of the residuals of many fits, landmark by landmark, shrunk towards zero.
 */
export class LandmarkStatistics {
  /** [L,3,3] sum of weight G^T G, upper and lower. */
  readonly #information: Float64Array
  /** [L,3] sum of weight G^T residual. */
  readonly #shift: Float64Array
  /** [L] sum of weights, in photos. */
  readonly #weight: Float64Array

  readonly scheme: LandmarkScheme
  readonly rows: LandmarkRows

  constructor(scheme: LandmarkScheme, rows: LandmarkRows) {
    this.scheme = scheme
    this.rows = rows
    this.#information = new Float64Array(9 * scheme.count)
    this.#shift = new Float64Array(3 * scheme.count)
    this.#weight = new Float64Array(scheme.count)
  }

  /** Takes a photo in. */
  add({ landmarks, projection, residual, inverseDeviation }: LinearisedPhoto): void {
    for (const [i, l] of landmarks.entries()) {
      const weight = inverseDeviation[i]! ** 2
      this.#weight[l]! += weight
      for (let a = 0; a < 2; a++) {
        const g = projection.subarray(6 * i + 3 * a, 6 * i + 3 * a + 3)
        for (let b = 0; b < 3; b++) {
          this.#shift[3 * l + b]! += weight * g[b]! * residual[2 * i + a]!
          for (let c = 0; c < 3; c++) this.#information[9 * l + 3 * b + c]! += weight * g[b]! * g[c]!
        }
      }
    }
  }

  /** [L,3] mm: the offset that the fitted faces' residuals ask for, with the one they were fitted with. */
  offset(photos: number): Float32Array {
    const { count } = this.scheme
    const offset = this.scheme.offset?.slice() ?? new Float32Array(3 * count)
    for (let l = 0; l < count; l++) {
      if (this.#weight[l] === 0) continue
      const ridge = (PRIOR_PHOTOS * this.#weight[l]!) / photos
      const a = this.#information.slice(9 * l, 9 * l + 9)
      for (let b = 0; b < 3; b++) a[4 * b]! += ridge
      for (const [b, value] of solve3(a, this.#shift.subarray(3 * l, 3 * l + 3)).entries()) offset[3 * l + b]! += value
    }
    return offset
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
