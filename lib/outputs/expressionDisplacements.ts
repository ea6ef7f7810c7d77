import { asFloat32 } from '../model/half.js'
import type { ModelData } from '../model/ModelData.js'
import { share } from './sharedArrays.js'

/** mm: a vertex that an expression moves by that much otherwise than its neighbours, ... */
const STRAY = 2
/** ... who are of one mind within this share of it, is torn out of the surface. */
const AGREED = 0.5

/** Where there are two sides to belong to. Elsewhere it may be the tip of a bump. */
const TORN = 'lips'

/** By model: they are as large as the rest of a mesh together. */
const known = new WeakMap<ModelData, Float32Array[]>()

/**
 * What a model's expressions move, for what is to be looked at: meshes, pictures, pages. A vertex of the lips that goes its
 * own way in the midst of neighbours who go another goes with them here: it would hang in an open mouth like a string. The
 * embedded model has one at each corner of the mouth, which follows the wrong lip.
 *
 * @returns [E] of [N,3] mm, shared by all faces of the model: not to be written to.
 */
export function expressionDisplacements(data: ModelData): Float32Array[] {
  let all = known.get(data)
  if (all === undefined) {
    const length = data.vertexCount * 3
    // A copy also where the basis has 32 bits already: that is the caller's.
    const basis = new Float32Array(asFloat32(data.expressionBasis))
    all = Array.from({ length: data.expressionCount }, (_, e) => share(basis.subarray(e * length, (e + 1) * length)))
    const neighbours = neighboursOf(data)
    const { region, metadata } = data
    const lips = [...neighbours.keys()].filter((v) => region && metadata.regionNames[region[v]!] === TORN)
    const strays = new Set(all.flatMap((displacements) => straysIn(displacements, lips, neighbours)))
    for (const displacements of all)
      for (const vertex of strays) displacements.set(meanOf(displacements, neighbours[vertex]!), 3 * vertex)
    known.set(data, all)
  }
  return all
}

/** Each vertex's neighbours; those along an edge of two triangles are there twice, so that the rims of holes count half. */
function neighboursOf({ vertexCount, triangles }: ModelData): number[][] {
  const neighbours = Array.from({ length: vertexCount }, (): number[] => [])
  for (let t = 0; t < triangles.length; t += 3)
    for (let corner = 0; corner < 3; corner++) {
      const vertex = triangles[t + corner]!
      for (const step of [1, 2]) neighbours[vertex]!.push(triangles[t + ((corner + step) % 3)]!)
    }
  return neighbours
}

/** Of some vertices those that an expression tears out of the surface. */
function straysIn(displacements: Float32Array, vertices: readonly number[], neighbours: readonly number[][]): number[] {
  return vertices.filter((vertex) => {
    const around = neighbours[vertex]!
    if (around.length === 0) return false
    const mean = meanOf(displacements, around)
    const own = distance(displacements, vertex, mean)
    return own > STRAY && around.every((other) => distance(displacements, other, mean) < AGREED * own)
  })
}

function meanOf(displacements: Float32Array, vertices: readonly number[]): [number, number, number] {
  let [x, y, z] = [0, 0, 0]
  for (const vertex of vertices) {
    x += displacements[3 * vertex]!
    y += displacements[3 * vertex + 1]!
    z += displacements[3 * vertex + 2]!
  }
  return [x / vertices.length, y / vertices.length, z / vertices.length]
}

function distance(displacements: Float32Array, vertex: number, [x, y, z]: readonly [number, number, number]): number {
  const [dx, dy, dz] = [
    displacements[3 * vertex]! - x,
    displacements[3 * vertex + 1]! - y,
    displacements[3 * vertex + 2]! - z,
  ]
  return Math.sqrt(dx * dx + dy * dy + dz * dz)
}
