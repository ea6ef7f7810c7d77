import { Matrix, multiply } from '../../../linear/index.js'
import { dot } from '../../matrices.js'

/**
 * How evenly the people's mean directions m lie on the sphere (Wang and Isola, 2020): log mean of exp(-2 |m_a - m_b|^2) over
 * the pairs of two people; the less, the more even.
 *
 * @param directions [n,D] unit vectors.
 * @returns Also its derivative by the directions, [n,D].
 */
export function uniformity(
  directions: Matrix,
  person: Int32Array,
  counts: Int32Array,
): { value: number; gradient: Matrix } {
  const people = counts.length
  const { means, lengths } = meanDirections(directions, person, counts)
  const kernel = multiply(means, means, { transposeB: true })
  let sum = 0
  for (let a = 0; a < people; a++) {
    for (let b = 0; b < people; b++) {
      const value = a === b ? 0 : Math.exp(4 * kernel.at(a, b) - 4)
      kernel.data[a * people + b] = value
      sum += value
    }
  }
  // d/dm_a = 2 * 4 sum_b k_ab m_b / sum: each pair stands twice in the sum.
  const byMeans = multiply(kernel, means)
  const gradient = new Matrix(directions.rows, directions.columns)
  for (const [i, p] of person.entries()) {
    const mean = means.row(p)
    const slope = byMeans.row(p)
    const along = dot(mean, slope)
    const factor = sum > 0 ? 8 / sum / (lengths[p]! * counts[p]!) : 0
    for (let k = 0; k < mean.length; k++) gradient.row(i)[k] = factor * (slope[k]! - along * mean[k]!)
  }
  return { value: Math.log(sum / (people * (people - 1))), gradient }
}

/**
 * The mean of each person's directions as a unit vector, and the length that it had.
 *
 * @returns means [g,D], lengths [g]
 */
export function meanDirections(
  directions: Matrix,
  person: Int32Array,
  counts: Int32Array,
): { means: Matrix; lengths: Float64Array } {
  const means = new Matrix(counts.length, directions.columns)
  for (const [i, p] of person.entries()) {
    const mean = means.row(p)
    for (const [k, value] of directions.row(i).entries()) mean[k]! += value / counts[p]!
  }
  const lengths = new Float64Array(counts.length)
  for (let p = 0; p < counts.length; p++) {
    const mean = means.row(p)
    lengths[p] = Math.sqrt(dot(mean, mean)) || 1
    for (let k = 0; k < mean.length; k++) mean[k]! /= lengths[p]!
  }
  return { means, lengths }
}
