import { type Matrix, multiply } from '../../../linear/index.js'

/** The CosFace term of each scan, and its derivatives. */
export interface CosFaceTerms {
  /** [n] -log softmax of the scan's own person. */
  values: Float64Array
  /** [n,g] derivative of each value by the scan's cosines. */
  slopes: Matrix
}

/**
 * CosFace (Wang et al., 2018): the cross entropy of telling people by the cosines of directions and their weights, scaled
 * by gamma, the own one less a margin.
 *
 * @param directions [n,D] unit vectors.
 * @param weights [g,D] unit vectors, one a person.
 * @param person [n]
 */
export function cosFace(
  directions: Matrix,
  weights: Matrix,
  person: Int32Array,
  { scale, margin }: { scale: number; margin: number },
): CosFaceTerms {
  const slopes = multiply(directions, weights, { transposeB: true })
  const values = new Float64Array(directions.rows)
  for (let i = 0; i < directions.rows; i++) {
    const row = slopes.row(i)
    const own = person[i]!
    row[own]! -= margin
    const largest = row.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY)
    const logit = row[own]! - largest
    let sum = 0
    for (let j = 0; j < row.length; j++) {
      row[j] = Math.exp(scale * (row[j]! - largest))
      sum += row[j]!
    }
    values[i] = Math.log(sum) - scale * logit
    for (let j = 0; j < row.length; j++) row[j] = (scale * row[j]!) / sum
    row[own]! -= scale
  }
  return { values, slopes }
}
