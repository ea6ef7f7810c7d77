import { byteOfLight, LIGHT_OF_BYTE } from '../render/light.js'
import { createPicture, type Picture } from '../render/Picture.js'
import type { Region } from '../render/View.js'

/** A copy of a part of a picture: its pixel (0, 0) begins at (left, top), each is `factor` pixels wide. */
export interface ReducedPicture {
  picture: Picture
  left: number
  top: number
  factor: number
}

/**
 * The part of a picture within a region, made smaller by a whole factor: each pixel the mean, in light, of those it
 * stands for. Reads every pixel once.
 *
 * @returns Undefined where nothing of the region lies within the picture.
 */
export function reduced(source: Picture, region: Region, factor: number): ReducedPicture | undefined {
  const left = Math.max(0, Math.floor(region.x))
  const top = Math.max(0, Math.floor(region.y))
  const right = Math.min(source.width, Math.ceil(region.x + region.width))
  const bottom = Math.min(source.height, Math.ceil(region.y + region.height))
  if (right <= left || bottom <= top) return undefined
  const picture = createPicture(Math.ceil((right - left) / factor), Math.ceil((bottom - top) / factor))
  const { width, height, data } = picture
  /** Of each pixel of a row: red, green and blue, times the alpha; the alpha; how many there were. */
  const sums = new Float64Array(width * 5)
  for (let y = 0; y < height; y++) {
    sums.fill(0)
    for (let row = top + y * factor, end = Math.min(bottom, row + factor); row < end; row++)
      addRow(source, row, left, right, factor, sums)
    for (let x = 0, from = 0, to = y * width * 4; x < width; x++, from += 5, to += 4) {
      const alpha = sums[from + 3]!
      const share = alpha > 0 ? 1 / alpha : 0
      for (let channel = 0; channel < 3; channel++) data[to + channel] = byteOfLight(sums[from + channel]! * share)
      data[to + 3] = Math.round((255 * alpha) / sums[from + 4]!)
    }
  }
  return { picture, left, top, factor }
}

function addRow(
  { width, data }: Picture,
  row: number,
  left: number,
  right: number,
  factor: number,
  sums: Float64Array,
): void {
  let at = (row * width + left) * 4
  for (let column = left, to = 0; column < right; to += 5) {
    const end = Math.min(right, column + factor)
    let [red, green, blue, alphas] = [0, 0, 0, 0]
    sums[to + 4]! += end - column
    for (; column < end; column++, at += 4) {
      const alpha = data[at + 3]! === 255 ? 1 : data[at + 3]! / 255
      red += alpha * LIGHT_OF_BYTE[data[at]!]!
      green += alpha * LIGHT_OF_BYTE[data[at + 1]!]!
      blue += alpha * LIGHT_OF_BYTE[data[at + 2]!]!
      alphas += alpha
    }
    sums[to]! += red
    sums[to + 1]! += green
    sums[to + 2]! += blue
    sums[to + 3]! += alphas
  }
}
