import { centroidOf } from '../../alignment.js'
import type { Random } from '../../random.js'
import { project, scaleTo } from '../fields.js'

/** Enough for bumps of some 3 cm on a face. */
const CENTRES = 48

/**
 * Smooth random deformations of a mesh: every centre of an even set moves its surroundings, less with the distance (a
 * Gaussian), in a direction of its own.
 */
export class SmoothFields {
  /** [centres][N] weights of the vertices. */
  readonly #kernels: Float64Array[]
  readonly #vertexCount: number

  /** @param shape [N,3] mm. */
  constructor(shape: ArrayLike<number>) {
    this.#vertexCount = shape.length / 3
    const { centres, spacing } = farthestPoints(shape, Math.min(CENTRES, this.#vertexCount))
    // As wide as the centres are apart, so that their bumps merge.
    const factor = -0.5 / spacing ** 2
    this.#kernels = centres.map((centre) =>
      squaredDistances(shape, pointOf(shape, centre)).map((square) => Math.exp(factor * square)),
    )
  }

  /**
   * One deformation, of an RMS length of 1 mm.
   *
   * @param without [n,3N] orthonormal fields that it is to have no part in.
   * @returns [3N]
   */
  draw(random: Random, without: Float64Array): Float64Array {
    const field = new Float64Array(3 * this.#vertexCount)
    for (const kernel of this.#kernels) {
      const [x, y, z] = [random.normal(), random.normal(), random.normal()]
      for (let v = 0; v < kernel.length; v++) {
        const weight = kernel[v]!
        field[3 * v]! += weight * x
        field[3 * v + 1]! += weight * y
        field[3 * v + 2]! += weight * z
      }
    }
    return scaleTo(project(field, without), 1)
  }
}

/**
 * Vertices that cover a shape evenly: each is the one farthest from all before it, the first the one farthest from the
 * centroid.
 *
 * @returns Also how far the last vertex was from its nearest neighbour among the others.
 */
function farthestPoints(shape: ArrayLike<number>, count: number): { centres: number[]; spacing: number } {
  const centres: number[] = []
  let nearest = squaredDistances(shape, centroidOf(shape))
  let spacing = 0
  while (centres.length < count) {
    let farthest = 0
    for (let v = 1; v < nearest.length; v++) if (nearest[v]! > nearest[farthest]!) farthest = v
    spacing = Math.sqrt(nearest[farthest]!)
    const distances = squaredDistances(shape, pointOf(shape, farthest))
    // The centroid is no centre itself.
    nearest = centres.length === 0 ? distances : distances.map((square, v) => Math.min(square, nearest[v]!))
    centres.push(farthest)
  }
  return { centres, spacing }
}

type Point = readonly [number, number, number]

function pointOf(shape: ArrayLike<number>, vertex: number): Point {
  return [shape[3 * vertex]!, shape[3 * vertex + 1]!, shape[3 * vertex + 2]!]
}

/** From every vertex to a point, [N]. */
function squaredDistances(shape: ArrayLike<number>, [x, y, z]: Point): Float64Array {
  return Float64Array.from(
    { length: shape.length / 3 },
    (_, v) => (shape[3 * v]! - x) ** 2 + (shape[3 * v + 1]! - y) ** 2 + (shape[3 * v + 2]! - z) ** 2,
  )
}
