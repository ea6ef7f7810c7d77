import type { Morph } from '../outputs/Mesh.js'

/** Where the surface of a face has holes: vertices along their rims, in the order of {@link borderLoops}. */
export interface Openings {
  /** The subject's own left. */
  leftEye: readonly number[]
  rightEye: readonly number[]
  mouth?: readonly number[]
}

/** Something drawn behind the openings of a face. */
export interface ColouredSurface {
  /** [N,3] mm. */
  vertices: Float32Array
  /** [F,3] */
  triangles: Int32Array
  /** [N,3] linear RGB. */
  colours: Float32Array
}

/** A face with openings: a mesh is one. */
export interface OpenFace {
  /** [N,3] mm, without the morphs. */
  vertices: Float32Array
  openings: Openings
  morphs?: readonly Morph[]
}

export type Point = [number, number, number]

/** Collects the vertices of a surface. */
export class SurfaceBuilder {
  readonly #vertices: number[] = []
  readonly #colours: number[] = []
  readonly #triangles: number[] = []

  /** @returns The index of the new vertex. */
  vertex(place: readonly number[], colour: readonly number[]): number {
    this.#vertices.push(...place)
    this.#colours.push(...colour)
    return this.#vertices.length / 3 - 1
  }

  triangle(a: number, b: number, c: number): void {
    this.#triangles.push(a, b, c)
  }

  /** Joins two rows of as many vertices; the surface faces whoever sees `upper` above `lower`, both left to right. */
  strip(upper: readonly number[], lower: readonly number[]): void {
    for (let i = 0; i + 1 < upper.length; i++) {
      this.triangle(upper[i]!, lower[i]!, lower[i + 1]!)
      this.triangle(upper[i]!, lower[i + 1]!, upper[i + 1]!)
    }
  }

  build(): ColouredSurface {
    return {
      vertices: Float32Array.from(this.#vertices),
      triangles: Int32Array.from(this.#triangles),
      colours: Float32Array.from(this.#colours),
    }
  }
}

/** A vertex of [N,3]. */
export function at(vertices: Float32Array, vertex: number): Point {
  return [vertices[vertex * 3]!, vertices[vertex * 3 + 1]!, vertices[vertex * 3 + 2]!]
}

/** The mean of points. */
export function centreOf(points: readonly Point[]): Point {
  return [0, 1, 2].map((axis) => points.reduce((sum, point) => sum + point[axis]!, 0) / points.length) as Point
}

/** From a (0) to b (1), and beyond. */
export function between(a: readonly number[], b: readonly number[], share: number): Point {
  return a.map((value, axis) => value + share * (b[axis]! - value)) as Point
}
