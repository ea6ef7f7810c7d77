import { cholesky, gram, Matrix, multiply, solveCholesky, solveLower } from '../linear/index.js'
import { type Posterior, triangle } from './Posterior.js'

/**
 * From what a photo says of the latents it shows to what it says of the person: x = sqrt(c) w + sqrt(1 - c) d, w ~ N(0,
 * I) the person's whitened latents, d ~ N(0, I) the photo's own deviation, which is integrated out (docs/fitting.md). With
 * B = sqrt(1 - c) the information S becomes S - S B (I + B S B)^-1 B S, scaled by sqrt(c) on both sides.
 *
 * The shift is then scaled so that the estimate (I + S)^-1 h has the length that the prior expects of it, tr (I + S)^-1 S
 * squared: on the sphere the length of an identity says nothing about whose it is, and an odd photo, whose landmarks are
 * off as a whole, must not pass for an odd face (docs/paper.md has what it is worth).
 *
 * @param share [D] c, the person's share of each latent's variance.
 */
export function personPosterior({ information, shift }: Posterior, share: ArrayLike<number>): Posterior {
  const D = shift.length
  const scale = Float64Array.from({ length: D }, (_, i) => Math.sqrt(share[i]!))
  const own = Float64Array.from({ length: D }, (_, i) => Math.sqrt(1 - share[i]!))
  // [B S, B h], and I + B S B.
  const seen = new Matrix(D, D + 1)
  const system = new Matrix(D, D)
  const at = (i: number, j: number) => information[i >= j ? triangle(i) + j : triangle(j) + i]!
  for (let i = 0; i < D; i++) {
    for (let j = 0; j < D; j++) {
      seen.data[i * (D + 1) + j] = own[i]! * at(i, j)
      system.data[i * D + j] = (i === j ? 1 : 0) + own[i]! * at(i, j) * own[j]!
    }
    seen.data[i * (D + 1) + D] = own[i]! * shift[i]!
  }
  const taken = gram(solveLower(cholesky(system), seen))
  const result = { information: new Float32Array(triangle(D)), shift: new Float32Array(D) }
  for (let i = 0; i < D; i++) {
    for (let j = 0; j <= i; j++)
      result.information[triangle(i) + j] = scale[i]! * (at(i, j) - taken.at(i, j)) * scale[j]!
    result.shift[i] = scale[i]! * (shift[i]! - taken.at(i, D))
  }
  return toExpectedLength(result)
}

/**
 * What is said of a person, with the shift scaled so that the estimate has the length that the prior expects.
 *
 * @param evidence S [D(D+1)/2] and h [D]; S stays, h is replaced.
 */
export function toExpectedLength<T extends Float32Array | Float64Array>({
  information,
  shift,
}: {
  information: T
  shift: T
}): { information: T; shift: T } {
  const D = shift.length
  const precision = new Matrix(D, D)
  for (let i = 0; i < D; i++)
    for (let j = 0; j < D; j++)
      precision.data[i * D + j] = (i === j ? 1 : 0) + information[i >= j ? triangle(i) + j : triangle(j) + i]!
  const covariance = solveCholesky(cholesky(precision), Matrix.identity(D))
  const estimate = multiply(covariance, new Matrix(D, 1, Float64Array.from(shift))).data
  let expected = D
  let squared = 0
  for (let i = 0; i < D; i++) {
    expected -= covariance.at(i, i)
    squared += estimate[i]! ** 2
  }
  const scale = squared > 0 ? Math.sqrt(Math.max(expected, 0) / squared) : 1
  return { information, shift: shift.map((value) => scale * value) as T }
}
