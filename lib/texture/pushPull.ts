/** Colours that are known to some degree: [height,width,3], each times its weight, and the weights [height,width]. */
export interface WeightedColours {
  width: number
  height: number
  colours: Float32Array
  weights: Float32Array
}

/** An image of which nothing is known. */
export function emptyColours(width: number, height: number): WeightedColours {
  return { width, height, colours: new Float32Array(width * height * 3), weights: new Float32Array(width * height) }
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
    enlarged?.goTo(y)
    for (let x = 0; x < width; x++, at++) {
      const weight = weights[at]!
      const share = weight > 1 || (!enlarged && weight > 0) ? 1 / weight : 1
      const missing = enlarged && weight < 1 ? 1 - weight : 0
      for (let channel = 0; channel < 3; channel++) {
        const value = colours[at * 3 + channel]! * share
        result[at * 3 + channel] = missing > 0 ? value + missing * enlarged!.value(x * 3 + channel) : value
      }
    }
  }
  return result
}

/** Half as large, `times` times; a weight becomes the sum of four, so that a few known pixels are soon enough. */
export function halved(known: WeightedColours, times = 1): WeightedColours {
  const { width, height, colours, weights } = known
  if (times === 0) return known
  const half = emptyColours((width + 1) >> 1, (height + 1) >> 1)
  for (let y = 0, at = 0; y < height; y++)
    for (let x = 0; x < width; x++, at++) {
      const weight = weights[at]!
      if (weight === 0) continue
      const to = (y >> 1) * half.width + (x >> 1)
      half.weights[to]! += weight
      half.colours[to * 3]! += colours[at * 3]!
      half.colours[to * 3 + 1]! += colours[at * 3 + 1]!
      half.colours[to * 3 + 2]! += colours[at * 3 + 2]!
    }
  boundWeights(half)
  return halved(half, times - 1)
}

/** Makes weights above 1 to 1, after sums. */
export function boundWeights({ colours, weights }: WeightedColours): void {
  for (let at = 0; at < weights.length; at++) {
    const weight = weights[at]!
    if (weight <= 1) continue
    weights[at] = 1
    for (let channel = 0; channel < 3; channel++) colours[at * 3 + channel]! /= weight
  }
}

/** An image [height,width,3] made larger, bilinear, a row at a time from the top. */
export class Enlarged {
  readonly #colours: Float32Array
  readonly #width: number
  readonly #height: number
  readonly #scale: number
  /** Of each column of the large image: where its left neighbour's red is, its right neighbour's, and that one's share. */
  readonly #left: Int32Array
  readonly #right: Int32Array
  readonly #share: Float32Array
  /** The rows of the small image that the present one lies between, as wide as the large one, and which they are. */
  #upper: Float32Array
  #lower: Float32Array
  #upperRow = -1
  #lowerRow = -1
  #down = 0

  /** @param wanted Columns of the large image. */
  constructor(colours: Float32Array, width: number, height: number, scale: number, wanted: number) {
    this.#colours = colours
    this.#width = width
    this.#height = height
    this.#scale = scale
    this.#upper = new Float32Array(wanted * 3)
    this.#lower = new Float32Array(wanted * 3)
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

  /** Makes row y of the large image the one that {@link value} reads. */
  goTo(y: number): void {
    const [upper, lower, down] = neighbours(y, this.#scale, this.#height)
    this.#down = down
    if (upper === this.#lowerRow) {
      const spare = this.#upper
      this.#upper = this.#lower
      this.#upperRow = upper
      this.#lower = spare
      this.#lowerRow = -1
    }
    if (upper !== this.#upperRow) this.#widen(upper, this.#upper)
    if (lower !== this.#lowerRow) this.#widen(lower, this.#lower)
    this.#upperRow = upper
    this.#lowerRow = lower
  }

  /** The i-th number of the present row, [wanted,3]. */
  value(i: number): number {
    const above = this.#upper[i]!
    return above + this.#down * (this.#lower[i]! - above)
  }

  #widen(from: number, row: Float32Array): void {
    const colours = this.#colours
    const start = from * this.#width * 3
    for (let x = 0, to = 0; to < row.length; x++, to += 3) {
      const left = start + this.#left[x]!
      const right = start + this.#right[x]!
      const share = this.#share[x]!
      row[to] = colours[left]! + share * (colours[right]! - colours[left]!)
      row[to + 1] = colours[left + 1]! + share * (colours[right + 1]! - colours[left + 1]!)
      row[to + 2] = colours[left + 2]! + share * (colours[right + 2]! - colours[left + 2]!)
    }
  }
}

/** The two places of a small image that one of a large image lies between, and how near it is to the second. */
function neighbours(place: number, scale: number, count: number): [first: number, second: number, share: number] {
  const exact = Math.min(Math.max((place + 0.5) / scale - 0.5, 0), count - 1)
  const first = Math.floor(exact)
  return [first, Math.min(first + 1, count - 1), exact - first]
}
