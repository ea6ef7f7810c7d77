import { requireFinite, requireLength, requireVectors } from './checks.js'

/**
 * Pearson's correlation: how nearly y is a linear function of x.
 *
 * @param x [n] finite numbers.
 * @param y [n] finite numbers.
 * @returns -1 to 1; 0 where either does not vary, since nothing then goes with anything.
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * pearson([1, 2, 3], [2, 4, 6])   // 1
 */
export function pearson(x: ArrayLike<number>, y: ArrayLike<number>): number {
  requireFinite('x', x)
  requireFinite('y', y)
  requireLength('y', y, x.length)
  const [meanX, meanY] = [average(x), average(y)]
  let [xx, xy, yy] = [0, 0, 0]
  for (let i = 0; i < x.length; i++) {
    const [dx, dy] = [x[i] - meanX, y[i] - meanY]
    xx += dx * dx
    xy += dx * dy
    yy += dy * dy
  }
  const scale = Math.sqrt(xx) * Math.sqrt(yy)
  return scale > 0 ? Math.min(1, Math.max(-1, xy / scale)) : 0
}

/** Spearman's correlation: that of the {@link ranks}, how nearly y is a monotone function of x. */
export function spearman(x: ArrayLike<number>, y: ArrayLike<number>): number {
  requireFinite('x', x)
  requireFinite('y', y)
  requireLength('y', y, x.length)
  return pearson(ranks(x), ranks(y))
}

/** The place of each value in the sorted list, from 1; equal values share the mean of theirs. */
export function ranks(values: ArrayLike<number>): Float64Array {
  const order = Int32Array.from(values, (_, i) => i).sort((a, b) => values[a] - values[b])
  const result = new Float64Array(values.length)
  for (let start = 0; start < order.length; ) {
    let end = start + 1
    while (end < order.length && values[order[end]] === values[order[start]]) end++
    for (let i = start; i < end; i++) result[order[i]] = (start + 1 + end) / 2
    start = end
  }
  return result
}

/** How the coordinates of embeddings go with a number that they should not depend on, such as yaw. */
export interface Drift {
  /** The largest |rho| of Pearson and Spearman over all coordinates. */
  largest: number
  /** The coordinate it belongs to. */
  coordinate: number
  /** [D] Pearson's of each coordinate. */
  pearson: Float64Array
  /** [D] Spearman's of each coordinate. */
  spearman: Float64Array
}

/**
 * The correlation of a pose angle with each coordinate of the embeddings.
 *
 * @param angles [n] yaw, say; any unit.
 * @param embeddings [n] of D numbers each.
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * drift(results.map(({ pose }) => pose.yaw), results.map(({ embedding }) => embedding)).largest   // below 0.3
 */
export function drift(angles: ArrayLike<number>, embeddings: ReadonlyArray<ArrayLike<number>>): Drift {
  requireFinite('angles', angles)
  requireVectors('embeddings', embeddings)
  requireLength('embeddings', embeddings, angles.length)
  const dimension = (embeddings[0] as ArrayLike<number>).length
  const columns = Array.from({ length: dimension }, (_, d) => Float64Array.from(embeddings, (row) => row[d]))
  const linear = Float64Array.from(columns, (column) => pearson(angles, column))
  const monotone = Float64Array.from(columns, (column) => spearman(angles, column))
  const size = (d: number) => Math.max(Math.abs(linear[d]), Math.abs(monotone[d]))
  const coordinate = linear.reduce((most, _, d) => (size(d) > size(most) ? d : most), 0)
  return { largest: size(coordinate), coordinate, pearson: linear, spearman: monotone }
}

function average(values: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]
  return sum / values.length
}
