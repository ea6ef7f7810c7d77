import { invalidArgument } from './errors.js'
import { FAST_BELOW, HEIGHTS, LAYERS, TAIL, WIDTHS } from './ziggurat.js'

/**
 * Seeded random numbers, the same on every machine: PCG-XSH-RR 32 (O'Neill 2014) for bits, Box and Muller (1958) for
 * single normal variates, the ziggurat of Marsaglia and Tsang (2000) for many at once.
 *
 * The generator's state has 64 bits, which no JavaScript number holds: it is kept as two halves, and multiplied by the
 * schoolbook method.
 */
export class Random {
  #high: number
  #low: number
  #spare: number | undefined

  /** @param seed An integer; its lowest 64 bits count. */
  constructor(seed: number) {
    this.#high = 0
    this.#low = 0
    this.bits()
    this.#add(Math.floor(seed / 2 ** 32) >>> 0, seed >>> 0)
    this.bits()
  }

  /**
   * A stream of its own for every purpose, scan or whatever has a number: what is drawn for one does not change with
   * how much was drawn for the others, so that they can be drawn in any order, or not at all.
   *
   * @param seed An integer of 0 or more.
   * @param path Integers of 0 or more (32 bits): all of them tell streams apart, and their order does.
   * @example
   * const noise = Random.stream(seed, NOISE, scan)
   */
  static stream(seed: number, ...path: readonly number[]): Random {
    let high = Math.floor(seed / 2 ** 32) >>> 0
    let low = seed >>> 0
    for (const step of path) {
      low = mix(low ^ mix((step >>> 0) + 0x9e3779b9))
      high = mix((high + low) >>> 0)
      low = mix((low + high) >>> 0)
    }
    const random = new Random(0)
    random.#add(high, low)
    random.bits()
    return random
  }

  /** 32 random bits. */
  bits(): number {
    const high = this.#high
    const low = this.#low
    // state * 6364136223846793005 + 1442695040888963407, modulo 2^64; the low half's product of 16-bit digits.
    const a = low & 0xffff
    const b = low >>> 16
    const aa = Math.imul(a, 0x7f2d)
    const ab = Math.imul(a, 0x4c95)
    const ba = Math.imul(b, 0x7f2d)
    const middle = (aa >>> 16) + (ab & 0xffff) + (ba & 0xffff)
    const carried = Math.imul(b, 0x4c95) + (ab >>> 16) + (ba >>> 16) + (middle >>> 16)
    const product = (middle << 16) | (aa & 0xffff)
    const sum = (product + 0xf767814f) | 0
    // A sum that wrapped is less than what was added; flipped signs compare as unsigned numbers do.
    const carry = (sum ^ SIGN) < (0xf767814f ^ SIGN) ? 1 : 0
    this.#low = sum
    this.#high = (carried + Math.imul(low, 0x5851f42d) + Math.imul(high, 0x4c957f2d) + 0x14057b7e + carry) | 0
    // The old state folded to 32 bits, turned by its highest five.
    const folded = ((high ^ (high >>> 18)) << 5) | ((low ^ ((high << 14) | (low >>> 18))) >>> 27)
    const turn = high >>> 27
    return ((folded >>> turn) | (folded << (-turn & 31))) >>> 0
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    return this.bits() / 2 ** 32
  }

  /** Uniform in [lower, upper). */
  between(lower: number, upper: number): number {
    return lower + (upper - lower) * this.uniform()
  }

  /**
   * An integer from 0 to `count` - 1, each equally likely.
   *
   * @param count 1 to 2^32.
   */
  below(count: number): number {
    // What does not fill a whole round of `count` would favour the small ones.
    const fair = 2 ** 32 - (2 ** 32 % count)
    for (;;) {
      const bits = this.bits()
      if (bits < fair) return bits % count
    }
  }

  /** Puts an array into random order, in place (Fisher and Yates), and returns it. */
  shuffle<T>(values: T[]): T[] {
    for (let i = values.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      const value = values[i] as T
      values[i] = values[j] as T
      values[j] = value
    }
    return values
  }

  /** Standard normal. */
  normal(): number {
    if (this.#spare !== undefined) {
      const value = this.#spare
      this.#spare = undefined
      return value
    }
    // 1 - u is never 0.
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()))
    const angle = 2 * Math.PI * this.uniform()
    this.#spare = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }

  /**
   * Gamma variate of this shape and scale 1 (Marsaglia and Tsang 2000); twice one of shape n/2 is chi-squared with n
   * degrees of freedom.
   *
   * @param shape Above 0.
   */
  gamma(shape: number): number {
    // Below 1 the method does not hold: one shape more, times u^(1/shape).
    if (shape < 1) return this.gamma(shape + 1) * Math.exp(Math.log(1 - this.uniform()) / shape)
    const d = shape - 1 / 3
    const c = 1 / Math.sqrt(9 * d)
    for (;;) {
      const x = this.normal()
      const root = 1 + c * x
      const v = root * root * root
      if (v > 0 && Math.log(1 - this.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v
    }
  }

  /**
   * Fills an array with standard normal variates, several times as fast as {@link normal} and from other bits: one draw
   * serves most of them. Their resolution is some 2^-21, their tails go on as they should.
   *
   * @returns `out`
   * @example
   * const noise = random.fillNormal(new Float32Array(3 * vertexCount))
   */
  fillNormal<T extends Float32Array | Float64Array>(out: T): T {
    if (!(out instanceof Float32Array || out instanceof Float64Array))
      throw invalidArgument('out', 'a Float32Array or a Float64Array', out)
    const { length } = out
    for (let i = 0; i < length; i++) {
      const bits = this.bits()
      const layer = bits & (LAYERS - 1)
      const place = bits >> 8
      // The part of the layer that lies below the curve over its whole width: nearly all of it.
      out[i] = Math.abs(place) < FAST_BELOW[layer]! ? place * WIDTHS[layer]! : this.#slowNormal(layer, place)
    }
    return out
  }

  /** A variate that began in this layer, but not in the sure part of it. */
  #slowNormal(layer: number, place: number): number {
    for (;;) {
      const x = place * WIDTHS[layer]!
      if (Math.abs(place) < FAST_BELOW[layer]!) return x
      if (layer === 0) return place < 0 ? -this.#tail() : this.#tail()
      const height = HEIGHTS[layer]! + this.uniform() * (HEIGHTS[layer + 1]! - HEIGHTS[layer]!)
      if (height < Math.exp(-0.5 * x * x)) return x
      const bits = this.bits()
      layer = bits & (LAYERS - 1)
      place = bits >> 8
    }
  }

  /** The size of a variate beyond the last edge (Marsaglia 1964). */
  #tail(): number {
    for (;;) {
      const x = -Math.log(1 - this.uniform()) / TAIL
      const y = -Math.log(1 - this.uniform())
      if (2 * y > x * x) return TAIL + x
    }
  }

  #add(high: number, low: number): void {
    const sum = (this.#low >>> 0) + low
    this.#low = sum | 0
    this.#high = (this.#high + high + (sum > 0xffffffff ? 1 : 0)) | 0
  }
}

const SIGN = 0x80000000

/** The finaliser of MurmurHash3 (Appleby 2011): every bit of the input turns about half of the output's. */
function mix(word: number): number {
  let h = word >>> 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
