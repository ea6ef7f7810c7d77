import { centroidOf, transformed } from '../../alignment.js'
import type { MatrixLike } from '../../linear/index.js'
import { alignPoints } from '../alignment.js'

/**
 * What registered faces differ by from a reference shape, each moved rigidly onto it first. Only the rotation that is
 * left is to be small afterwards, so that fits may take it as linear.
 *
 * @param vertices [n,3N] mm, one face after the other.
 * @param reference [3N] mm.
 * @param targets [n,3N] mm: what each face is to be moved onto, less the reference; the reference itself without.
 * @returns [n,3N] mm.
 * @throws SfmError INVALID_ARGUMENT
 */
export function alignFaces(vertices: Float32Array, reference: Float64Array, targets?: MatrixLike): MatrixLike {
  const width = reference.length
  const displacements = new Float32Array(vertices.length)
  for (let start = 0; start < vertices.length; start += width) {
    const face = vertices.subarray(start, start + width)
    const target = targets ? reference.map((value, i) => value + targets.data[start + i]) : reference
    const placed = transformed(face, alignPoints(face, target))
    for (let i = 0; i < width; i++) displacements[start + i] = placed[i] - reference[i]
  }
  return { rows: vertices.length / width, columns: width, data: displacements }
}

/**
 * The six fields of small rigid motions of a shape: translations along the axes, rotations about those through its
 * centroid, all of the length of a translation by 1 mm or thereabouts.
 *
 * @param shape [3N] mm.
 * @returns [6,3N]
 */
export function rigidFields(shape: Float64Array): Float32Array {
  const width = shape.length
  const centroid = centroidOf(shape)
  const from = shape.map((value, i) => value - centroid[i % 3])
  const size = Math.sqrt((3 * from.reduce((sum, value) => sum + value * value, 0)) / width) || 1
  const fields = new Float32Array(6 * width)
  for (let i = 0; i < width; i += 3) {
    for (let a = 0; a < 3; a++) {
      const [next, last] = [(a + 1) % 3, (a + 2) % 3]
      fields[a * width + i + a] = 1
      fields[(3 + a) * width + i + next] = -from[i + last] / size
      fields[(3 + a) * width + i + last] = from[i + next] / size
    }
  }
  return fields
}
