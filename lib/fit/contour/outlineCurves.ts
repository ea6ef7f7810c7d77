import type { LandmarkScheme, ModelData } from '../../model/ModelData.js'

/** Where a landmark may lie: a point of the mesh's surface. */
export interface SurfacePoint {
  vertices: readonly [number, number, number]
  /** Of sum 1. */
  weights: readonly [number, number, number]
  /** [3] mm, of the mean face. */
  at: readonly number[]
}

/** The way that a landmark of the outline takes over the cheek as the head turns its side away from the camera. */
export interface OutlineCurve {
  /** Its place in the scheme. */
  landmark: number
  /** Of the face: 1 left, where x > 0, and -1 right. */
  side: 1 | -1
  /** In no order, but for the first: where the landmark is in a face that looks into the camera. */
  points: readonly SurfacePoint[]
}

/** Points of the jaw in `ibug68`, from the first on: the one scheme that everybody numbers alike. */
export const IBUG68_JAW = 17

/** Regions that stand before the outline of the cheek in profile, and are no part of it. */
const BEFORE = ['nose', 'lips']

/** mm: landmarks that are nearer to the middle of the face than that do not slide. */
const MIDDLE = 5
/** How near to the middle of the face a landmark slides, in shares of its own distance from it. */
const INNERMOST = 0.3
/** mm: how far behind the landmark its curve goes. */
const BEHIND = 2
/** mm: of two points so near to each other in x the one behind is inside of the head, if it is so far behind. */
const [BESIDE, INSIDE] = [1.5, 4]

/** What curves are made of. */
export type OutlineMesh = Pick<ModelData, 'mean' | 'triangles' | 'region' | 'metadata'>

/**
 * The curves of a scheme's landmarks that lie on the outline: the cuts through the mean face at the landmarks' height, from
 * where they are in front view to beside nose and mouth. As points of the mesh they go where identity and expression take
 * them.
 *
 * @returns None for schemes whose landmarks stay where they are on the skin.
 * @example
 * const curves = outlineCurves(model.data, model.data.schemes.get('ibug68')!)   // 16: the tip of the chin stays
 */
export function outlineCurves(model: OutlineMesh, scheme: LandmarkScheme): OutlineCurve[] {
  if (scheme.name !== 'ibug68') return []
  const edges = edgesOf(model)
  return Array.from({ length: Math.min(IBUG68_JAW, scheme.count) }, (_, landmark) => landmark).flatMap((landmark) => {
    const start = startOf(model.mean, scheme, landmark)
    const [x] = start.at as [number]
    // A landmark that the model lacks has no weights, and is at 0.
    if (Math.abs(x) < MIDDLE) return []
    const side = x > 0 ? 1 : -1
    return [{ landmark, side, points: [start, ...outermost(cut(model.mean, edges, start, side))] }]
  })
}

function startOf(mean: Float32Array, { indices, weights }: LandmarkScheme, landmark: number): SurfacePoint {
  const three = (from: ArrayLike<number>) =>
    [from[3 * landmark]!, from[3 * landmark + 1]!, from[3 * landmark + 2]!] as const
  const [vertices, shares] = [three(indices), three(weights)]
  const at = [0, 1, 2].map((axis) => vertices.reduce((sum, v, c) => sum + shares[c]! * mean[3 * v + axis]!, 0))
  return { vertices, weights: shares, at }
}

/** Each edge of what may be outline once, as pairs of vertices [2n]: its other triangle has it the other way round. */
function edgesOf({ triangles, region, metadata }: OutlineMesh): Int32Array {
  const isBefore = metadata.regionNames.map((name) => BEFORE.includes(name))
  const edges = new Int32Array(2 * triangles.length)
  let count = 0
  for (let corner = 0; corner < triangles.length; corner++) {
    const a = triangles[corner]!
    const b = triangles[corner % 3 === 2 ? corner - 2 : corner + 1]!
    if (a > b || (region && (isBefore[region[a]!] || isBefore[region[b]!]))) continue
    edges[count++] = a
    edges[count++] = b
  }
  return edges.subarray(0, count)
}

/** Where the plane of the start's height crosses the edges of its side of the face. */
function cut(mean: Float32Array, edges: Int32Array, start: SurfacePoint, side: 1 | -1): SurfacePoint[] {
  const [x, height, depth] = start.at as [number, number, number]
  const crossings: SurfacePoint[] = []
  for (let e = 0; e < edges.length; e += 2) {
    const a = edges[e]!
    const b = edges[e + 1]!
    const above = mean[3 * a + 1]! - height
    const below = mean[3 * b + 1]! - height
    if (above * below > 0 || above === below) continue
    const share = above / (above - below)
    const at = [0, 1, 2].map((axis) => (1 - share) * mean[3 * a + axis]! + share * mean[3 * b + axis]!)
    if (side * at[0]! < INNERMOST * Math.abs(x) || at[2]! < depth - BEHIND) continue
    crossings.push({ vertices: [a, b, b], weights: [1 - share, share, 0], at })
  }
  return crossings
}

/** Without what lies inside of the head: the mouth's and the eyes' hollows. */
function outermost(points: readonly SurfacePoint[]): SurfacePoint[] {
  return points.filter(
    ({ at: [x, , z] }) => !points.some(({ at }) => Math.abs(at[0]! - x!) < BESIDE && at[2]! > z! + INSIDE),
  )
}
