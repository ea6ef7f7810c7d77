import { counterparts, type MirroredSurface } from './counterparts.js'
import { Enlarged, emptyColours, halved, pushPull, type WeightedColours } from './pushPull.js'

/** Halvings before the light of the halves is compared: it changes slowly over a face, and a mole is no light. */
const COARSER = 4

/** How much brighter or darker than the other half a half may be made. */
const GAIN = { least: 0.4, most: 2.5 }

/** Light that is too little to tell a gain by. */
const DARK = 0.01

/**
 * What is not known of one half of a face, from the other half, in the light of this one: the other's colours times a
 * gain, which is that of the two halves where both are known, carried on smoothly to where one is not.
 *
 * Texels are worked out where they are asked for: most are known, and need none of it.
 */
export class OtherHalf {
  /** [size,size] the texel of the same place of the other half; -1 where there is none. */
  readonly texels: Int32Array
  /** [4] What {@link read} has found: red, green and blue, times the weight; the weight. */
  readonly found = new Float64Array(4)
  readonly #own: WeightedColours
  readonly #gains: Enlarged

  /** @param own What is known. It is not changed: what is filled must not be taken for known by its counterpart. */
  constructor(own: WeightedColours, surface: MirroredSurface) {
    this.#own = own
    this.texels = counterparts(surface, own.width)
    const coarse = halved(own, COARSER)
    this.#gains = new Enlarged(gainsOver(coarse, surface), coarse.width, coarse.height, 2 ** COARSER, own.width)
  }

  /** Goes to a row; they are best taken from the top. */
  goTo(y: number): void {
    this.#gains.goTo(y)
  }

  /** Leaves in {@link found} a texel of the present row, with what the other half adds to it. */
  read(at: number, x: number): void {
    const { colours, weights } = this.#own
    const { found } = this
    const gains = this.#gains
    const from = this.texels[at]! * 3
    const missing = 1 - weights[at]!
    const to = at * 3
    const gain = x * 3
    found[0] = colours[to]! + missing * gains.value(gain) * colours[from]!
    found[1] = colours[to + 1]! + missing * gains.value(gain + 1) * colours[from + 1]!
    found[2] = colours[to + 2]! + missing * gains.value(gain + 2) * colours[from + 2]!
    found[3] = weights[at]! + missing * weights[this.texels[at]!]!
  }
}

/** [height,width,3] by how much each place of a small image is brighter than its counterpart. */
function gainsOver({ width, height, colours, weights }: WeightedColours, surface: MirroredSurface): Float32Array {
  const others = counterparts(surface, Math.max(width, height))
  const known = emptyColours(width, height)
  let isEmpty = true
  for (let at = 0; at < weights.length; at++) {
    const other = others[at]!
    if (other < 0) continue
    const weight = weights[at]! * weights[other]!
    if (weight < 1e-3) continue
    isEmpty = false
    known.weights[at] = weight
    for (let channel = 0; channel < 3; channel++) {
      const mine = colours[at * 3 + channel]! / weights[at]!
      const its = colours[other * 3 + channel]! / weights[other]!
      const gain = Math.min(GAIN.most, Math.max(GAIN.least, (mine + DARK) / (its + DARK)))
      known.colours[at * 3 + channel] = weight * gain
    }
  }
  // Halves that have nothing in common cannot be compared.
  return isEmpty ? known.colours.fill(1) : pushPull(known)
}
