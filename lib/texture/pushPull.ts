/** Colours that are known to some degree: [height,width,3], each times its weight, and the weights [height,width]. */
export interface WeightedColours {
  width: number
  height: number
  colours: Float32Array
  weights: Float32Array
}

/**
 * Fills what is not known from what is known around it: smoothly, near what is near, and however large the hole (Gortler
 * et al., The Lumigraph, 1996). Colours are averaged into ever smaller images until nothing is missing, and on the way
 * back each image fills its holes from the smaller one.
 *
 * @returns [height,width,3] colours, all of them known; black where nothing was known at all.
 */
export function pushPull(known: WeightedColours): Float32Array {
  const { width, height, colours, weights } = known
  const isSmallest = width === 1 && height === 1
  const smaller = isSmallest ? undefined : halved(known)
  const enlarged = smaller && new Enlarged(pushPull(smaller), smaller.width, smaller.height, 2, width)
  const result = new Float32Array(colours.length)
  for (let y = 0, at = 0; y < height; y++) {
    const filled = enlarged?.row(y)
    for (let x = 0; x < width; x++, at++) {
      const weight = weights[at]!
      const share = weight > 1 || (!filled && weight > 0) ? 1 / weight : 1
      const missing = filled && weight < 1 ? 1 - weight : 0
      for (let channel = 0; channel < 3; channel++) {
        const value = colours[at * 3 + channel]! * share
        result[at * 3 + channel] = missing > 0 ? value + missing * filled![x * 3 + channel]! : value
      }
    }
  }
  return result
}

/** Half as large, `times` times; a weight becomes the sum of four, so that a few known pixels are soon enough. */
export function halved(known: WeightedColours, times = 1): WeightedColours {
  const { width, height, colours, weights } = known
  if (times === 0) return known
  const [w, h] = [(width + 1) >> 1, (height + 1) >> 1]
  const half = { width: w, height: h, colours: new Float32Array(w * h * 3), weights: new Float32Array(w * h) }
  for (let y = 0, at = 0; y < height; y++)
    for (let x = 0; x < width; x++, at++) {
      const weight = weights[at]!
      if (weight === 0) continue
      const to = (y >> 1) * w + (x >> 1)
      half.weights[to]! += weight
      half.colours[to * 3]! += colours[at * 3]!
      half.colours[to * 3 + 1]! += colours[at * 3 + 1]!
      half.colours[to * 3 + 2]! += colours[at * 3 + 2]!
    }
  for (let at = 0; at < w * h; at++) {
    const weight = half.weights[at]!
    if (weight <= 1) continue
    half.weights[at] = 1
    for (let channel = 0; channel < 3; channel++) half.colours[at * 3 + channel]! /= weight
  }
  return halved(half, times - 1)
}

/** An image [height,width,3] made larger, bilinear, a row at a time. */
export class Enlarged {
  readonly #colours: Float32Array
  /** A row of the small image, between two of its own. */
  readonly #between: Float32Array
  readonly #height: number
  readonly #scale: number
  readonly #row: Float32Array
  /** Of each column of the large image: where its left neighbour's red is, its right neighbour's, and that one's share. */
  readonly #left: Int32Array
  readonly #right: Int32Array
  readonly #share: Float32Array

  /** @param wanted Columns of the large image. */
  constructor(colours: Float32Array, width: number, height: number, scale: number, wanted: number) {
    this.#colours = colours
    this.#between = new Float32Array(width * 3)
    this.#height = height
    this.#scale = scale
    this.#row = new Float32Array(wanted * 3)
    this.#left = new Int32Array(wanted)
    this.#right = new Int32Array(wanted)
    this.#share = new Float32Array(wanted)
    for (let x = 0; x < wanted; x++) {
      const [first, second, share] = neighbours(x, scale, width)
      this.#left[x] = first * 3
      this.#right[x] = second * 3
      this.#share[x] = share
    }
  }

  /** [wanted,3] Row y of the large image; to be read before the next one is asked for. */
  row(y: number): Float32Array {
    const [upper, lower, down] = neighbours(y, this.#scale, this.#height)
    const colours = this.#colours
    const between = this.#between
    const above = upper * between.length
    const below = lower * between.length
    for (let i = 0; i < between.length; i++)
      between[i] = colours[above + i]! + down * (colours[below + i]! - colours[above + i]!)

    const row = this.#row
    for (let x = 0, to = 0; to < row.length; x++, to += 3) {
      const left = this.#left[x]!
      const right = this.#right[x]!
      const share = this.#share[x]!
      row[to] = between[left]! + share * (between[right]! - between[left]!)
      row[to + 1] = between[left + 1]! + share * (between[right + 1]! - between[left + 1]!)
      row[to + 2] = between[left + 2]! + share * (between[right + 2]! - between[left + 2]!)
    }
    return row
  }
}

/** The two places of a small image that one of a large image lies between, and how near it is to the second. */
function neighbours(place: number, scale: number, count: number): [first: number, second: number, share: number] {
  const exact = Math.min(Math.max((place + 0.5) / scale - 0.5, 0), count - 1)
  const first = Math.floor(exact)
  return [first, Math.min(first + 1, count - 1), exact - first]
}
