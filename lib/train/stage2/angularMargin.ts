import { type Matrix, multiply } from '../../linear/index.js'
import { dot } from '../matrices.js'

/** Of the loss that tells people apart. */
export interface AngularMarginOptions {
  /** gamma: what a cosine is multiplied by. */
  scale: number
  /** m: by how much the cosine with the own class is to exceed those with the others. */
  margin: number
}

/** The loss and its derivatives. */
export interface AngularMargin {
  /** Mean over the latents. */
  loss: number
  /** [n,k] by the latents. */
  latents: Matrix
  /** [people,k] by the classes' vectors. */
  classes: Matrix
}

/**
 * The large margin cosine loss (Wang et al. 2018, "CosFace"): with n_i = y_i / |y_i|, w_j the unit class vectors and c(i)
 * the person of i, the mean over i of -log p_i,c(i), where
 *
 *     p_ij = softmax_j (gamma (n_i^T w_j - m [j = c(i)]))
 *
 * With q_ij = gamma (p_ij - [j = c(i)]) / n the derivatives are sum_j q_ij w_j by n_i and sum_i q_ij n_i by w_j, of which
 * the normalisation lets through what is perpendicular to the vector, over its length.
 *
 * @param latents [n,k] y, of any length but zero.
 * @param people [n] c(i).
 * @param classes [people,k] of any length but zero.
 */
export function angularMargin(
  latents: Matrix,
  people: ArrayLike<number>,
  classes: Matrix,
  { scale, margin }: AngularMarginOptions,
): AngularMargin {
  const n = latents.rows
  const directions = unitRows(latents)
  const vectors = unitRows(classes)
  // From here on in place: cosines, logits, probabilities, q.
  const q = multiply(directions, vectors, { transposeB: true })
  let loss = 0
  for (let i = 0; i < n; i++) {
    const row = q.row(i)
    const own = people[i]!
    row[own]! -= margin
    const top = Math.max(...row)
    let sum = 0
    for (let j = 0; j < row.length; j++) sum += Math.exp(scale * (row[j]! - top))
    loss += (Math.log(sum) - scale * (row[own]! - top)) / n
    for (let j = 0; j < row.length; j++) row[j] = (scale * Math.exp(scale * (row[j]! - top))) / sum / n
    row[own]! -= scale / n
  }
  return {
    loss,
    latents: throughNormalisation(latents, directions, multiply(q, vectors)),
    classes: throughNormalisation(classes, vectors, multiply(q, directions, { transposeA: true })),
  }
}

/** Each row divided by its length; zeros, which have no direction, stay zeros. */
export function unitRows(a: Matrix): Matrix {
  const unit = a.copy()
  for (let i = 0; i < a.rows; i++) {
    const row = unit.row(i)
    const length = Math.sqrt(dot(row, row)) || 1
    for (let j = 0; j < row.length; j++) row[j]! /= length
  }
  return unit
}

/** The derivative by rows from the one by their directions: (I - n n^T) g / |y|, in g's place. */
function throughNormalisation(rows: Matrix, directions: Matrix, gradient: Matrix): Matrix {
  for (let i = 0; i < rows.rows; i++) {
    const g = gradient.row(i)
    const direction = directions.row(i)
    const along = dot(g, direction)
    const length = Math.sqrt(dot(rows.row(i), rows.row(i)))
    for (let j = 0; j < g.length; j++) g[j] = length > 0 ? (g[j]! - along * direction[j]!) / length : 0
  }
  return gradient
}
