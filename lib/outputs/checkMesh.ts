import { invalidArgument } from '../errors.js'
import type { Mesh } from './Mesh.js'

/**
 * Throws unless the arrays of a mesh belong together.
 *
 * @throws SfmError INVALID_ARGUMENT naming the array.
 */
export function checkMesh({ vertices, triangles, uv, colours, morphs = [] }: Mesh): void {
  const count = vertices?.length / 3
  if (!Number.isInteger(count) || count === 0) throw invalidArgument('vertices', 'three numbers a vertex', vertices)
  if (!triangles || triangles.length % 3 !== 0)
    throw invalidArgument('triangles', 'three indices a triangle', triangles)
  for (const index of triangles) {
    if (!(index >= 0 && index < count)) throw invalidArgument('triangles', `indices in 0..${count - 1}`, index)
  }
  if (uv && uv.length !== count * 2) throw invalidArgument('uv', `${count * 2} numbers`, uv)
  if (colours && colours.length !== vertices.length)
    throw invalidArgument('colours', `${vertices.length} numbers`, colours)
  for (const { name, displacements } of morphs) {
    if (displacements.length !== vertices.length) {
      throw invalidArgument(`displacements of ${name}`, `${vertices.length} numbers`, displacements)
    }
  }
}
