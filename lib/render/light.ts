/**
 * Between the bytes of a picture (sRGB) and light: colours are mixed and shaded as light, 0 to 1, because that is what
 * adds up.
 */

/** Steps of light that are told apart on the way back: the darkest bytes of sRGB are 0.0003 from one another. */
const STEPS = 8192

/** The light of each byte. */
export const LIGHT_OF_BYTE = Float32Array.from({ length: 256 }, (_, byte) => {
  const value = byte / 255
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
})

const BYTE_OF_STEP = Uint8Array.from({ length: STEPS + 1 }, (_, step) => {
  const light = step / STEPS
  const value = light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055
  return Math.round(255 * value)
})

/** The byte for light; what is below 0 or above 1 becomes 0 or 255. */
export function byteOfLight(light: number): number {
  return BYTE_OF_STEP[light <= 0 ? 0 : light >= 1 ? STEPS : (light * STEPS + 0.5) | 0]!
}
