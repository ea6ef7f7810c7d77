import { transformed } from '../alignment.js'
import { invalidArgument } from '../errors.js'
import { alignPoints } from './alignment.js'
import { requireCount, requireFinite, requireLength, requireSome } from './checks.js'
import { SurfaceTree } from './SurfaceTree.js'
import { type Summary, sortedOrder, summarise } from './statistics.js'

/** A face scan, in its own coordinates, mm. */
export interface Scan {
  /** [P, 3] */
  points: ArrayLike<number>
  /** [7, 3] the corners of the eyes, the nose's base and the corners of the mouth; or any others, three at least. */
  landmarks: ArrayLike<number>
  /** [3] the tip of the nose: the face is what lies around it. */
  noseTip: ArrayLike<number>
}

/** A reconstructed face, in its own coordinates, mm. */
export interface Reconstruction {
  /** [N, 3] */
  vertices: ArrayLike<number>
  /** [F, 3] */
  triangles: ArrayLike<number>
  /** [7, 3] the landmarks of the scan, in the same order. */
  landmarks: ArrayLike<number>
}

/** What {@link scanToMesh} may be told. */
export interface ScanToMeshOptions {
  /** Whether the reconstruction's size is fitted as well; by default it must be right. */
  scale?: boolean
  /** Points of the scan farther from the nose tip do not count; default 95 mm. */
  radius?: number
}

/** How far a scan is from a reconstruction, in mm. */
export interface ScanDistance extends Summary {
  /** [points in the face region] in the order of the scan. */
  distances: Float64Array
}

/**
 * How far the points of a scan are from a reconstructed face: the reconstruction is moved onto the scan by its landmarks
 * alone, then each point in the face region is measured to the nearest point of the triangles. The protocol of the NoW
 * benchmark (Sanyal et al., 2019) up to its refinement of the alignment (docs/evaluation.md).
 *
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * const { median, mean, standardDeviation } = scanToMesh(scan, reconstruction)
 */
export function scanToMesh(
  scan: Scan,
  reconstruction: Reconstruction,
  { scale = false, radius = 95 }: ScanToMeshOptions = {},
): ScanDistance {
  requireFinite('scan.points', scan.points)
  requireFinite('scan.noseTip', scan.noseTip)
  requireLength('scan.noseTip', scan.noseTip, 3)
  if (!(radius > 0)) throw invalidArgument('radius', 'a length above 0 mm', radius)
  const motion = alignPoints(reconstruction.landmarks, scan.landmarks, { scale })
  const tree = new SurfaceTree(transformed(reconstruction.vertices, motion), reconstruction.triangles)
  const face = around(scan.points, scan.noseTip, radius)
  if (face.length === 0) throw invalidArgument('scan.points', `points within ${radius} mm of the nose tip`, scan.points)
  const distances = tree.distances(face)
  return { ...summarise(distances), distances }
}

/**
 * The share of errors up to each of some sizes: the cumulative error curve of several scans together.
 *
 * @param errors At least one.
 * @param options.upTo The largest size, mm.
 * @param options.steps Default 100.
 * @returns [steps + 1] of size and share, from 0 on.
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * cumulativeErrors(distances, { upTo: 7 })
 */
export function cumulativeErrors(
  errors: ArrayLike<number>,
  { upTo, steps = 100 }: { upTo: number; steps?: number },
): { error: number; share: number }[] {
  requireSome('errors', errors)
  requireFinite('errors', errors)
  requireCount('steps', steps)
  if (!(upTo > 0 && Number.isFinite(upTo))) throw invalidArgument('upTo', 'a length above 0', upTo)
  const order = sortedOrder(errors)
  let within = 0
  return Array.from({ length: steps + 1 }, (_, i) => {
    const error = (upTo * i) / steps
    while (within < order.length && errors[order[within]] <= error) within++
    return { error, share: within / order.length }
  })
}

/** The points in a ball. */
function around(points: ArrayLike<number>, centre: ArrayLike<number>, radius: number): Float64Array {
  const inside = new Float64Array(points.length)
  let length = 0
  for (let i = 0; i + 2 < points.length; i += 3) {
    const square = (points[i] - centre[0]) ** 2 + (points[i + 1] - centre[1]) ** 2 + (points[i + 2] - centre[2]) ** 2
    if (square > radius * radius) continue
    for (let axis = 0; axis < 3; axis++) inside[length++] = points[i + axis]
  }
  return inside.slice(0, length)
}
