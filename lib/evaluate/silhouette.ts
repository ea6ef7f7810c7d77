import { invalidArgument } from '../errors.js'
import { requireCount, requireLength, requireVectors } from './checks.js'
import { dot, normalised, squaredDistance } from './vectors.js'

/**
 * The silhouette of each item (Rousseeuw, 1987): (b - a) / max(a, b), where a is its mean distance to the others of its
 * cluster, b that to the nearest other cluster. 1: well inside; 0: between two; -1: in the wrong one. An item alone in
 * its cluster has 0.
 *
 * @param vectors [n] of one length each.
 * @param clusters [n] number of each item's cluster, 0 ... c - 1: its person's, say. At least two clusters.
 * @param options.distance `cosine` (default): 1 - cosine; or `euclidean`.
 * @returns [n] -1 to 1; their mean is the silhouette of the whole.
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * mean(silhouettes(embeddings, people.person))
 */
export function silhouettes(
  vectors: ReadonlyArray<ArrayLike<number>>,
  clusters: ArrayLike<number>,
  { distance = 'cosine' }: { distance?: 'cosine' | 'euclidean' } = {},
): Float64Array {
  requireVectors('vectors', vectors)
  const sizes = clusterSizes(clusters, vectors.length)
  const points = distance === 'cosine' ? vectors.map(normalised) : vectors
  const between =
    distance === 'cosine'
      ? (a: ArrayLike<number>, b: ArrayLike<number>) => 1 - dot(a, b)
      : (a: ArrayLike<number>, b: ArrayLike<number>) => Math.sqrt(squaredDistance(a, b))

  // Sum of distances from each item to each cluster.
  const sums = new Float64Array(vectors.length * sizes.length)
  for (let i = 0; i < points.length; i++) {
    for (let j = i + 1; j < points.length; j++) {
      const d = between(points[i] as ArrayLike<number>, points[j] as ArrayLike<number>)
      sums[i * sizes.length + clusters[j]] += d
      sums[j * sizes.length + clusters[i]] += d
    }
  }
  return Float64Array.from(points, (_, i) => {
    const own = clusters[i]
    if (sizes[own] === 1) return 0
    let nearest = Number.POSITIVE_INFINITY
    for (let c = 0; c < sizes.length; c++) {
      if (c !== own && sizes[c] > 0) nearest = Math.min(nearest, sums[i * sizes.length + c] / sizes[c])
    }
    const inside = sums[i * sizes.length + own] / (sizes[own] - 1)
    const larger = Math.max(inside, nearest)
    return larger > 0 ? (nearest - inside) / larger : 0
  })
}

function clusterSizes(clusters: ArrayLike<number>, count: number): Int32Array {
  requireLength('clusters', clusters, count)
  const sizes: number[] = []
  for (let i = 0; i < count; i++) {
    requireCount(`clusters[${i}]`, clusters[i], 0)
    while (sizes.length <= clusters[i]) sizes.push(0)
    sizes[clusters[i]]++
  }
  if (sizes.filter((size) => size > 0).length < 2) throw invalidArgument('clusters', 'at least two clusters', clusters)
  return Int32Array.from(sizes)
}
