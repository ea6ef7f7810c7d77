import { cholesky, gram, Matrix, solveLower } from '../linear/index.js'
import { type Posterior, triangle } from './Posterior.js'

/**
 * From what a photo says of the latents it shows to what it says of the person: x = sqrt(c) w + sqrt(1 - c) d, w ~ N(0,
 * I) the person's whitened latents, d ~ N(0, I) the photo's own deviation, which is integrated out (docs/fitting.md). With
 * B = sqrt(1 - c) the information S becomes S - S B (I + B S B)^-1 B S, scaled by sqrt(c) on both sides.
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
  return result
}
