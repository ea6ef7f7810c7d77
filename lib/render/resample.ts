import { byteOfLight, LIGHT_OF_BYTE } from './light.js'
import { createPicture, type Picture } from './Picture.js'
import type { Region } from './View.js'

/** A point on a picture, in linear light. */
export type Sampler = (x: number, y: number) => void

/**
 * Reads a picture between its pixels: bilinear, its border continued outwards.
 *
 * @param out Where each call leaves red, green and blue, linear, and the alpha, 0 to 1.
 * @returns For a point in pixels, the centre of the first being (0.5, 0.5).
 */
export function bilinear({ width, height, data }: Picture, out: Float64Array): Sampler {
  return (x, y) => {
    const column = Math.min(Math.max(x - 0.5, 0), width - 1)
    const row = Math.min(Math.max(y - 0.5, 0), height - 1)
    const x0 = column | 0
    const y0 = row | 0
    const fx = column - x0
    const fy = row - y0
    const p00 = (y0 * width + x0) * 4
    const p01 = x0 + 1 < width ? p00 + 4 : p00
    const below = y0 + 1 < height ? width * 4 : 0
    const p10 = p00 + below
    const p11 = p01 + below
    const w00 = (1 - fx) * (1 - fy)
    const w01 = fx * (1 - fy)
    const w10 = (1 - fx) * fy
    const w11 = fx * fy
    const a00 = data[p00 + 3]!
    const a01 = data[p01 + 3]!
    const a10 = data[p10 + 3]!
    const a11 = data[p11 + 3]!
    let u00 = w00
    let u01 = w01
    let u10 = w10
    let u11 = w11
    out[3] = 1
    if ((a00 & a01 & a10 & a11) !== 255) {
      // What is transparent has no colour to mix in.
      const alpha = w00 * a00 + w01 * a01 + w10 * a10 + w11 * a11
      out[3] = alpha / 255
      const share = alpha > 0 ? 1 / alpha : 0
      u00 *= a00 * share
      u01 *= a01 * share
      u10 *= a10 * share
      u11 *= a11 * share
    }
    for (let channel = 0; channel < 3; channel++)
      out[channel] =
        u00 * LIGHT_OF_BYTE[data[p00 + channel]!]! +
        u01 * LIGHT_OF_BYTE[data[p01 + channel]!]! +
        u10 * LIGHT_OF_BYTE[data[p10 + channel]!]! +
        u11 * LIGHT_OF_BYTE[data[p11 + channel]!]!
  }
}

/**
 * A part of a picture in another size: between pixels where it is enlarged, their mean where it is made smaller.
 *
 * @param background RGBA where the part reaches beyond the picture.
 * @example
 * const thumbnail = resample(photo, { x: 0, y: 0, width: photo.width, height: photo.height }, 64, 64)
 */
export function resample(
  picture: Picture,
  region: Region,
  width: number,
  height: number,
  background: readonly number[] = [0, 0, 0, 0],
): Picture {
  const result = createPicture(width, height)
  const [scaleX, scaleY] = [region.width / width, region.height / height]
  if (scaleX === 1 && scaleY === 1 && Number.isInteger(region.x) && Number.isInteger(region.y))
    return copied(picture, region, result, background)
  const taps = Math.min(16, Math.max(1, Math.ceil(Math.max(scaleX, scaleY))))
  const sample = new Float64Array(4)
  const read = bilinear(picture, sample)
  const sums = new Float64Array(4)
  const beyond = [...[0, 1, 2].map((channel) => LIGHT_OF_BYTE[background[channel]!]!), background[3]! / 255]
  for (let j = 0, at = 0; j < height; j++)
    for (let i = 0; i < width; i++, at += 4) {
      sums.fill(0)
      for (let tap = 0; tap < taps * taps; tap++) {
        const x = region.x + (i + ((tap % taps) + 0.5) / taps) * scaleX
        const y = region.y + (j + (Math.floor(tap / taps) + 0.5) / taps) * scaleY
        if (x < 0 || y < 0 || x > picture.width || y > picture.height) sample.set(beyond)
        else read(x, y)
        // What is transparent has no colour to mix in.
        for (let channel = 0; channel < 3; channel++) sums[channel]! += sample[3]! * sample[channel]!
        sums[3]! += sample[3]!
      }
      const share = sums[3]! > 0 ? 1 / sums[3]! : 0
      for (let channel = 0; channel < 3; channel++) result.data[at + channel] = byteOfLight(sums[channel]! * share)
      result.data[at + 3] = Math.round((255 * sums[3]!) / (taps * taps))
    }
  return result
}

/** Pixel by pixel. */
function copied(picture: Picture, { x, y }: Region, result: Picture, background: readonly number[]): Picture {
  for (let j = 0; j < result.height; j++) {
    const row = j + y
    for (let i = 0; i < result.width; i++) {
      const column = i + x
      const inside = row >= 0 && row < picture.height && column >= 0 && column < picture.width
      const from = (row * picture.width + column) * 4
      for (let channel = 0; channel < 4; channel++)
        result.data[(j * result.width + i) * 4 + channel] = inside
          ? picture.data[from + channel]!
          : background[channel]!
    }
  }
  return result
}
