import { asFloat32 } from '../model/half.js'
import type { ModelData } from '../model/ModelData.js'

/** mm: a vertex that an expression moves by that much otherwise than its neighbours, ... */
const STRAY = 2
/** ... who are of one mind within this share of it, is torn out of the surface. */
const AGREED = 0.5

/** Where there are two sides to belong to. Elsewhere it may be the tip of a bump. */
const TORN = 'lips'

/**
 * The model without strings in open mouths: a vertex of the lips that an expression moves its own way in the midst of neighbours
 * who go another goes with them, in every expression. Blendshapes that were resampled on another mesh have such vertices at the
 * corners of the mouth, which took after the wrong lip.
 *
 * @returns The model itself, where it has none or no region of that name.
 */
export function withoutStrays(data: ModelData): ModelData {
  const { region, metadata, vertexCount, expressionCount } = data
  const lips = Array.from({ length: vertexCount }, (_, v) => v).filter(
    (v) => region && metadata.regionNames[region[v]!] === TORN,
  )
  const neighbours = neighboursOf(data)
  const basis = new Float32Array(asFloat32(data.expressionBasis))
  const columns = Array.from({ length: expressionCount }, (_, e) =>
    basis.subarray(e * 3 * vertexCount, (e + 1) * 3 * vertexCount),
  )
  const strays = new Set(columns.flatMap((column) => straysIn(column, lips, neighbours)))
  if (strays.size === 0) return data
  for (const column of columns) for (const vertex of strays) column.set(meanOf(column, neighbours[vertex]!), 3 * vertex)
  return { ...data, expressionBasis: basis }
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
