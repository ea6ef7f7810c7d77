import { invalidArgument } from '../errors.js'
import { Random } from '../random.js'
import { requireCount, requireVectors } from './checks.js'
import { normalised, squaredDistance } from './vectors.js'

/** What {@link kMeans} may be told. */
export interface KMeansOptions {
  /** How many clusters. */
  clusters: number
  /** `spherical` (default): directions, by cosine; or `euclidean`. */
  geometry?: 'spherical' | 'euclidean'
  /** Starts, of which the best is kept; default 8. */
  restarts?: number
  /** Most rounds of a start; default 100. */
  iterations?: number
  /** Default 1. */
  seed?: number
}

/** A partition of n vectors. */
export interface KMeans {
  /** [n] number of each vector's cluster. */
  assignment: Int32Array
  /** [clusters] */
  centres: Float64Array[]
  /** Sum of the squared distances to the centres; on the sphere twice the sum of 1 - cosine. */
  inertia: number
}

/**
 * Lloyd's k-means from k-means++ starts (Arthur and Vassilvitskii, 2007). On the sphere vectors and centres have length
 * 1, and the squared distance 2 (1 - cosine) is that of Euclid.
 *
 * @param vectors [n] of one length each, n at least `clusters`.
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * const { assignment } = kMeans(embeddings, { clusters: people.count })
 */
export function kMeans(
  vectors: ReadonlyArray<ArrayLike<number>>,
  { clusters, geometry = 'spherical', restarts = 8, iterations = 100, seed = 1 }: KMeansOptions,
): KMeans {
  requireVectors('vectors', vectors)
  requireCount('clusters', clusters)
  requireCount('restarts', restarts)
  requireCount('iterations', iterations)
  requireCount('seed', seed, 0)
  if (clusters > vectors.length) throw invalidArgument('clusters', `at most ${vectors.length}, the vectors`, clusters)
  const onSphere = geometry === 'spherical'
  const points = vectors.map((vector) => (onSphere ? normalised(vector) : Float64Array.from(vector)))
  const random = new Random(seed)
  let best: KMeans | undefined
  for (let start = 0; start < restarts; start++) {
    const result = refine(points, spreadCentres(points, clusters, random), onSphere, iterations)
    if (best === undefined || result.inertia < best.inertia) best = result
  }
  return best as KMeans
}

/** k-means++: each centre is a point, drawn in proportion to its squared distance from the centres before. */
function spreadCentres(points: readonly Float64Array[], clusters: number, random: Random): Float64Array[] {
  const centres = [points[Math.floor(random.uniform() * points.length)] as Float64Array]
  const distances = new Float64Array(points.length).fill(Number.POSITIVE_INFINITY)
  while (centres.length < clusters) {
    const newest = centres.at(-1) as Float64Array
    let total = 0
    for (const [i, point] of points.entries()) {
      distances[i] = Math.min(distances[i] as number, squaredDistance(point, newest))
      total += distances[i] as number
    }
    let left = random.uniform() * total
    // Where all points are centres already, any other will do.
    let chosen = total > 0 ? points.length - 1 : centres.length
    for (let i = 0; i < points.length && total > 0; i++) {
      left -= distances[i] as number
      if (left < 0) {
        chosen = i
        break
      }
    }
    centres.push(points[chosen] as Float64Array)
  }
  return centres.map((centre) => centre.slice())
}

function refine(
  points: readonly Float64Array[],
  centres: Float64Array[],
  onSphere: boolean,
  iterations: number,
): KMeans {
  const assignment = new Int32Array(points.length).fill(-1)
  const distances = new Float64Array(points.length)
  for (let iteration = 0; iteration < iterations; iteration++) {
    if (!assign(points, centres, assignment, distances)) break
    moveCentres(points, centres, assignment, distances, onSphere)
  }
  assign(points, centres, assignment, distances)
  return { assignment, centres, inertia: distances.reduce((sum, value) => sum + value, 0) }
}

/** Gives each point to its nearest centre; whether any changed hands. */
function assign(
  points: readonly Float64Array[],
  centres: readonly Float64Array[],
  assignment: Int32Array,
  distances: Float64Array,
): boolean {
  let changed = false
  for (const [i, point] of points.entries()) {
    let nearest = 0
    let least = Number.POSITIVE_INFINITY
    for (let c = 0; c < centres.length; c++) {
      const distance = squaredDistance(point, centres[c] as Float64Array)
      if (distance < least) {
        least = distance
        nearest = c
      }
    }
    changed ||= assignment[i] !== nearest
    assignment[i] = nearest
    distances[i] = least
  }
  return changed
}

function moveCentres(
  points: readonly Float64Array[],
  centres: Float64Array[],
  assignment: Int32Array,
  distances: Float64Array,
  onSphere: boolean,
): void {
  const counts = new Int32Array(centres.length)
  const sums = centres.map((centre) => new Float64Array(centre.length))
  for (const [i, point] of points.entries()) {
    const cluster = assignment[i] as number
    counts[cluster]++
    const sum = sums[cluster] as Float64Array
    for (let d = 0; d < point.length; d++) sum[d] += point[d] as number
  }
  for (const [c, sum] of sums.entries()) {
    const count = counts[c] as number
    if (count > 0) {
      centres[c] = onSphere ? normalised(sum) : sum.map((value) => value / count)
    } else {
      // An empty cluster starts again at the point that is worst off.
      const farthest = distances.reduce((most, value, i) => (value > (distances[most] as number) ? i : most), 0)
      centres[c] = (points[farthest] as Float64Array).slice()
      distances[farthest] = 0
    }
  }
}
