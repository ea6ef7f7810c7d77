import type { Openings } from '../render/openings.js'
import type { Picture } from '../render/Picture.js'

/** A shape that a viewer may blend in: one expression. */
export interface Morph {
  /** For example `jawOpen`. */
  name: string
  /** [N,3] mm at weight 1. */
  displacements: Float32Array
  /** How much of it the face shows. */
  weight: number
}

/**
 * A surface to be written to a file: N vertices, F triangles, in model space (+X the subject's left, +Y up, +Z front).
 */
export interface Mesh {
  /** What the object is called in the file. */
  name: string
  /** [N,3] mm, without the morphs. */
  vertices: Float32Array
  /** [F,3] counter-clockwise seen from outside. */
  triangles: Int32Array
  /** [N,2] in 0..1, the origin at the bottom-left corner. */
  uv?: Float32Array
  /** Its colours, laid out by `uv`; glb and pictures have them. */
  texture?: Picture
  /** [N,3] linear RGB, 0..1: its colours in pictures, where there is no texture. */
  colours?: Float32Array
  /** [N] the index of each vertex's counterpart on the other half of the face. */
  mirror?: Int32Array
  /** Where the surface has holes; pictures show eyes and teeth in them. */
  openings?: Openings
  /** Formats that know morph targets keep them apart; the others get the face as it looks with them. */
  morphs?: readonly Morph[]
  /** Whom the licence of the model wants named; it goes into every file. */
  attribution?: string
  /** The model's licence. */
  license?: string
}

/**
 * The face as it looks: vertices plus each morph times its weight.
 *
 * @returns [N,3] mm; the mesh's own array where there is nothing to add.
 * @example
 * const vertices = withMorphs(mesh)
 */
export function withMorphs({ vertices, morphs = [] }: Pick<Mesh, 'vertices' | 'morphs'>): Float32Array {
  const active = morphs.filter(({ weight }) => weight !== 0)
  if (active.length === 0) return vertices
  const result = Float32Array.from(vertices)
  for (const { displacements, weight } of active) {
    for (let i = 0; i < result.length; i++) result[i]! += weight * displacements[i]!
  }
  return result
}
