import { fromNative, native } from '../native.js'
import type { Posterior } from './Posterior.js'

/**
 * From what a photo says of the latents it shows to what it says of the person: x = sqrt(c) w + sqrt(1 - c) d, w ~ N(0,
 * I) the person's whitened latents, d ~ N(0, I) the photo's own deviation, which is integrated out; and scaled to the length
 * that the prior expects. native/cpu/PersonPosterior.h has the formulas; fits do it where they run.
 *
 * @param share [D] c, the person's share of each latent's variance.
 * @throws SfmError NUMERICAL where the information is not positive semidefinite.
 */
export function personPosterior({ information, shift }: Posterior, share: ArrayLike<number>): Posterior {
  const result = { information: information.slice(), shift: shift.slice() }
  try {
    native().joint.personPosterior(Float32Array.from(share), result.information, result.shift)
  } catch (error) {
    throw fromNative(error)
  }
  return result
}
