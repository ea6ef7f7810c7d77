import { rotationOf, times, type Vector, vectorOf } from './rotations.js'

/** Places in a seed (native/core/FitSeed.h): the rotation, and after it what tells the place, of a scan and of an image. */
export const ROTATION_END = 9
const PLACE_END = 15

/** How much of a frame's movement is taken for the next one's, the rest from what went before: noise is averaged out. */
const NEWS = 0.5

/**
 * Where a face will be in the next frame, if it goes on as it moves: a fit that begins there takes fewer steps than one
 * that begins where the face was.
 */
export class SeedMotion {
  readonly #bounds: ArrayLike<number>
  #last: Float64Array | undefined
  #turn: Vector = [0, 0, 0]
  /** A frame's change of what is no rotation: the place, then the expressions. */
  readonly #change: Float64Array

  /** @param bounds [E,2] of the expressions, which are the last of a seed. */
  constructor(bounds: ArrayLike<number>) {
    this.#bounds = bounds
    this.#change = new Float64Array(PLACE_END - ROTATION_END + bounds.length / 2)
  }

  /** The next frame has nothing to do with those before it. */
  restart(): void {
    this.#last = undefined
    this.#turn = [0, 0, 0]
    this.#change.fill(0)
  }

  /** Takes where the fit of a frame has ended. */
  saw(seed: Float64Array): void {
    const before = this.#last
    this.#last = seed
    if (before === undefined) return
    const turned = vectorOf(times(seed, before, true))
    this.#turn = this.#turn.map((angle, axis) => angle + NEWS * (turned[axis]! - angle)) as Vector
    for (const [i, at] of this.#places().entries())
      this.#change[i]! += NEWS * (seed[at]! - before[at]! - this.#change[i]!)
  }

  /** The last seed moved on by a frame; undefined where none has been seen. */
  ahead(): Float64Array | undefined {
    if (this.#last === undefined) return undefined
    const seed = this.#last.slice()
    seed.set(times(rotationOf(this.#turn), seed))
    const firstExpression = seed.length - this.#bounds.length / 2
    for (const [i, at] of this.#places().entries()) {
      const moved = seed[at]! + this.#change[i]!
      const bound = 2 * (at - firstExpression)
      seed[at] = bound < 0 ? moved : Math.min(this.#bounds[bound + 1]!, Math.max(this.#bounds[bound]!, moved))
    }
    return seed
  }

  /** Places of a seed that change by addition. */
  #places(): number[] {
    const { length } = this.#last!
    const expressions = this.#bounds.length / 2
    return [
      ...Array.from({ length: PLACE_END - ROTATION_END }, (_, i) => ROTATION_END + i),
      ...Array.from({ length: expressions }, (_, e) => length - expressions + e),
    ]
  }
}
