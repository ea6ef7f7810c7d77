import type { Picture } from '../render/Picture.js'
import type { Square } from './Square.js'

/** How {@link Pyramid.sample} turns colours into a network's input. */
export interface Sampling {
  /** Samples along a side. */
  size: number
  /** What 0 and 255 become. */
  range: readonly [black: number, white: number]
  /** What lies outside the picture: its border drawn out, or black. */
  outside: 'border' | 'black'
  /** Left and right exchanged. */
  mirrored?: boolean
}

/** A picture is not halved below this side: nothing is sampled from so little. */
const SMALLEST_SIDE = 32

/** A level is used as long as it has this many pixels a sample: halving has done the smoothing, down to here. */
const PIXELS_A_SAMPLE = 0.9

/** A picture's copy after some halvings, with the size of the picture itself. */
export interface HalvedPicture {
  pixels: Picture
  halvings: number
  width: number
  height: number
}

/** Thrown where a copy of a picture has too few pixels for what is to be sampled from it. */
export class TooCoarse extends Error {}

/**
 * A picture halved until its longer side has less than twice `side` pixels: as the levels of its {@link Pyramid} are, so
 * that what is sampled from it is the same.
 */
export function halvedTo(picture: Picture, side: number): HalvedPicture {
  let pixels = picture
  let halvings = 0
  for (; Math.max(pixels.width, pixels.height) >= 2 * side; halvings++) {
    if (Math.min(pixels.width, pixels.height) < 2 * SMALLEST_SIDE) break
    pixels = halved(pixels)
  }
  return { pixels, halvings, width: picture.width, height: picture.height }
}

/** A picture at full, half, quarter size, ..., from which turned squares are sampled without aliasing. */
export class Pyramid {
  readonly width: number
  readonly height: number
  readonly #levels: [Picture, ...Picture[]]
  /** Of the first of the levels. */
  readonly #halvings: number

  /** @param picture Or a copy of it, from which only coarse things can be sampled. */
  constructor(picture: Picture | HalvedPicture) {
    const { pixels, halvings } = 'pixels' in picture ? picture : { pixels: picture, halvings: 0 }
    this.width = picture.width
    this.height = picture.height
    this.#halvings = halvings
    this.#levels = [pixels]
    for (let level = pixels; Math.min(level.width, level.height) >= 2 * SMALLEST_SIDE; ) {
      level = halved(level)
      this.#levels.push(level)
    }
  }

  /**
   * Samples a turned square, bilinearly, from the smallest copy that is still fine enough.
   *
   * @returns [size, size, 3]
   * @throws TooCoarse
   */
  sample({ x, y, side, angle }: Square, { size, range: [black, white], outside, mirrored }: Sampling): Float32Array {
    const isFineEnough = (halvings: number) => side / 2 ** halvings >= PIXELS_A_SAMPLE * size
    let number = this.#halvings
    if (number > 0 && !isFineEnough(number)) throw new TooCoarse()
    const last = this.#halvings + this.#levels.length - 1
    while (number < last && isFineEnough(number + 1)) number++
    const { width, height, data } = this.#levels[number - this.#halvings] as Picture
    const reduction = 2 ** number
    const along = (Math.cos(angle) * side) / reduction / size
    const across = (Math.sin(angle) * side) / reduction / size
    const gain = (white - black) / 255
    const samples = new Float32Array(size * size * 3)
    const lastColumn = Math.max(0, width - 2)
    const lastRow = Math.max(0, height - 2)
    const right = width > 1 ? 4 : 0
    const below = height > 1 ? 4 * width : 0
    for (let row = 0, at = 0; row < size; row++) {
      const v = row + 0.5 - size / 2
      for (let column = 0; column < size; column++, at += 3) {
        const u = (mirrored ? size - 1 - column : column) + 0.5 - size / 2
        // Half a pixel less: the colours are those at the pixels' centres.
        const px = x / reduction + along * u - across * v - 0.5
        const py = y / reduction + across * u + along * v - 0.5
        if (outside === 'black' && (px < -0.5 || py < -0.5 || px > width - 0.5 || py > height - 0.5)) {
          samples.fill(black, at, at + 3)
          continue
        }
        const cx = Math.min(Math.max(px, 0), width - 1)
        const cy = Math.min(Math.max(py, 0), height - 1)
        const x0 = Math.min(Math.floor(cx), lastColumn)
        const y0 = Math.min(Math.floor(cy), lastRow)
        const fx = cx - x0
        const fy = cy - y0
        const corner = 4 * (y0 * width + x0)
        for (let k = corner; k < corner + 3; k++) {
          const above = (data[k] as number) * (1 - fx) + (data[k + right] as number) * fx
          const under = (data[k + below] as number) * (1 - fx) + (data[k + below + right] as number) * fx
          samples[at + k - corner] = black + gain * (above * (1 - fy) + under * fy)
        }
      }
    }
    return samples
  }
}

/** Every second channel of a pixel, with room above each for the sum of four. */
const LANES = 0x00ff00ff
/** A half, to be rounded, in both lanes, of a sum of four. */
const HALF = 0x00020002

/** Each pixel the mean of four, two channels at a time; an odd last row or column is dropped. */
function halved(picture: Picture): Picture {
  const [width, height] = [picture.width >> 1, picture.height >> 1]
  const from = wordsOf(picture)
  const to = new Uint32Array(width * height)
  const below = picture.width
  for (let row = 0, at = 0; row < height; row++)
    for (let column = 0, k = 2 * row * below; column < width; column++, k += 2) {
      const a = from[k] as number
      const b = from[k + 1] as number
      const c = from[k + below] as number
      const d = from[k + below + 1] as number
      const even = (a & LANES) + (b & LANES) + (c & LANES) + (d & LANES) + HALF
      const odd = ((a >>> 8) & LANES) + ((b >>> 8) & LANES) + ((c >>> 8) & LANES) + ((d >>> 8) & LANES) + HALF
      to[at++] = ((even >>> 2) & LANES) | (((odd >>> 2) & LANES) << 8)
    }
  return { width, height, data: new Uint8Array(to.buffer) }
}

/** A number for each pixel, in whatever order of its channels; a copy only where they do not lie on words' borders. */
function wordsOf({ data }: Picture): Uint32Array {
  const { buffer, byteOffset, length } = data.byteOffset % 4 === 0 ? data : data.slice()
  return new Uint32Array(buffer, byteOffset, length / 4)
}
