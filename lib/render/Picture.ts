import { invalidArgument } from '../errors.js'

/** Pixels, row by row from the top: red, green, blue, alpha of 8 bits each (sRGB, alpha not premultiplied). */
export interface Picture {
  width: number
  height: number
  /** [height,width,4] */
  data: Uint8Array | Uint8ClampedArray
}

/** The longest side of a picture: what every viewer and format takes. */
export const LONGEST_SIDE = 16_384

/** The most pixels of a picture: a quarter of a gigabyte. */
const MOST_PIXELS = 2 ** 26

/** An empty picture: all of it transparent black. */
export function createPicture(width: number, height: number): Picture {
  checkSize(width, 'width')
  checkSize(height, 'height')
  if (width * height > MOST_PIXELS)
    throw invalidArgument('width * height', `at most ${MOST_PIXELS} pixels`, width * height)
  return { width, height, data: new Uint8Array(width * height * 4) }
}

/**
 * Throws unless a value is a picture.
 *
 * @throws SfmError INVALID_ARGUMENT naming the argument.
 */
export function checkPicture(picture: Picture, name: string): void {
  if (typeof picture !== 'object' || picture === null)
    throw invalidArgument(name, 'pixels: { width, height, data }', picture)
  const { width, height, data } = picture
  checkSize(width, `${name}.width`)
  checkSize(height, `${name}.height`)
  if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray) || data.length !== width * height * 4)
    throw invalidArgument(`${name}.data`, `${width * height * 4} bytes, RGBA`, data)
}

/** Throws unless a number is a side of a picture. */
export function checkSize(size: number, name: string): void {
  if (!Number.isInteger(size) || size < 1 || size > LONGEST_SIDE)
    throw invalidArgument(name, `a whole number of pixels in 1..${LONGEST_SIDE}`, size)
}
