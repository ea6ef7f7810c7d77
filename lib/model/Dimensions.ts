import type { Dimension, Shape } from './schema.js'

/** The sizes of one model's dimensions, settled one by one as its tensors are met. */
export class Dimensions {
  readonly #sizes: Map<Dimension, number>

  constructor(sizes: Iterable<readonly [Dimension, number]> = []) {
    this.#sizes = new Map(sizes)
  }

  get(dimension: Dimension): number | undefined {
    return this.#sizes.get(dimension)
  }

  set(dimension: Dimension, size: number): void {
    this.#sizes.set(dimension, size)
  }

  /** A copy, for dimensions such as L that one scheme's tensors share and the next scheme's do not. */
  fork(): Dimensions {
    return new Dimensions(this.#sizes)
  }

  /**
   * Whether a tensor of these sizes has this shape; settles the dimensions that were open, at 1 or more (E: at 0 or
   * more).
   */
  fits(shape: Shape, sizes: readonly number[]): boolean {
    if (sizes.length !== shape.length) return false
    return shape.every((dimension, i) => {
      const size = sizes[i]!
      if (typeof dimension === 'number') return size === dimension
      const settled = this.#sizes.get(dimension)
      if (settled !== undefined) return size === settled
      this.#sizes.set(dimension, size)
      return size > 0 || dimension === 'E'
    })
  }

  /** The sizes of a flat array of this shape, which may have one open dimension; undefined where none fit. */
  sizesOf(shape: Shape, length: number): number[] | undefined {
    const sizes = shape.map((dimension) => (typeof dimension === 'number' ? dimension : this.#sizes.get(dimension)))
    const known = sizes.reduce<number>((product, size) => product * (size ?? 1), 1)
    if (!sizes.includes(undefined)) return known === length ? (sizes as number[]) : undefined
    return known > 0 && length % known === 0 ? sizes.map((size) => size ?? length / known) : undefined
  }

  /** A shape in words, `[K = 101, N = 8780, 3]`. */
  describe(shape: Shape): string {
    const words = shape.map((dimension) => {
      const size = typeof dimension === 'number' ? undefined : this.#sizes.get(dimension)
      return size === undefined ? `${dimension}` : `${dimension} = ${size}`
    })
    return `[${words.join(', ')}]`
  }
}
