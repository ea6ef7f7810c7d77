import { bounds, type Region } from '../render/View.js'
import { VisibilityBuffer } from '../render/VisibilityBuffer.js'

/** Side of the z-buffer that tells what the camera saw. */
const SIZE = 768
/** Of the head's depth: how far behind what is seen a point may lie. Some 4 mm. */
const DEPTH_TOLERANCE = 0.016
/** Of the head's size: what is so near to an edge is left to be filled, as a fit is not exact. */
const EDGE = 0.005

/** Tells what of a surface the camera saw, and what its own parts hid. */
export class Shadow {
  readonly #nearness: Float32Array
  readonly #left: number
  readonly #top: number
  readonly #scale: number
  readonly #depth: number
  /** Pixels of the z-buffer: the edge, which is no narrower than what is read of the photo at a point. */
  readonly #edge: number

  /**
   * @param image [N,3] of `project`.
   * @param triangles [F,3]
   * @param head The square of the image that the surface lies in.
   */
  constructor(image: Float32Array, triangles: Int32Array, { x, y, width }: Region) {
    this.#left = x
    this.#top = y
    this.#scale = SIZE / width
    this.#edge = Math.max(EDGE * SIZE, 1.5 * this.#scale)
    const points = new Float32Array(image.length)
    for (let i = 0; i < image.length; i += 3) {
      points[i] = (image[i]! - x) * this.#scale
      points[i + 1] = (image[i + 1]! - y) * this.#scale
      points[i + 2] = image[i + 2]!
    }
    const buffer = new VisibilityBuffer(SIZE, SIZE)
    buffer.draw(points, triangles, 'both')
    this.#nearness = buffer.nearness
    const [low, high] = bounds(image, 3)
    this.#depth = high[2]! - low[2]!
  }

  /**
   * Whether the camera saw a point for certain: the points around lie on the same surface, one that faces the camera so
   * much. Where one is nearer it hides this one, or would if the fit were a little off; where one is farther, beside a
   * nostril or the edge of the head, the photo may show what lies there.
   */
  sees(x: number, y: number, near: number, cosine: number): boolean {
    // Seen at a slant, neighbours lie behind one another.
    const slope = Math.sqrt(Math.max(0, 1 - cosine * cosine)) / cosine
    const edge = this.#edge
    const step = this.#depth * (DEPTH_TOLERANCE + ((2 * edge) / SIZE) * slope)
    const column = (x - this.#left) * this.#scale
    const row = (y - this.#top) * this.#scale
    const left = Math.floor(column - edge)
    const right = Math.floor(column + edge)
    const top = Math.floor(row - edge)
    const bottom = Math.floor(row + edge)
    if (!(left >= 0 && right < SIZE && top >= 0 && bottom < SIZE)) return false
    const nearness = this.#nearness
    // Empty places are infinitely far.
    return (
      Math.abs(nearness[top * SIZE + left]! - near) <= step &&
      Math.abs(nearness[top * SIZE + right]! - near) <= step &&
      Math.abs(nearness[bottom * SIZE + left]! - near) <= step &&
      Math.abs(nearness[bottom * SIZE + right]! - near) <= step
    )
  }
}
