/** Distances between shapes in correspondence, and what a model can and cannot represent of them. */

import { invalidArgument } from '../errors.js'
import { requireFinite, requireLength, requireSome } from './checks.js'

/** [3N] x, y, z of each vertex in mm. */
export type Shape = ArrayLike<number>

/**
 * The distance of each vertex from its place in the other shape.
 *
 * @returns [N] mm.
 * @throws SfmError INVALID_ARGUMENT
 */
export function vertexDistances(a: Shape, b: Shape): Float64Array {
  requireShape('a', a)
  requireLength('b', b, a.length)
  return Float64Array.from({ length: a.length / 3 }, (_, v) =>
    Math.sqrt((a[3 * v] - b[3 * v]) ** 2 + (a[3 * v + 1] - b[3 * v + 1]) ** 2 + (a[3 * v + 2] - b[3 * v + 2]) ** 2),
  )
}

/**
 * Root mean square distance of the vertices, in mm: the error of a representation or reconstruction.
 *
 * @example
 * rmsDistance([0, 0, 0, 0, 0, 0], [3, 4, 0, 0, 0, 0])   // 5 / sqrt(2)
 */
export function rmsDistance(a: Shape, b: Shape): number {
  requireShape('a', a)
  requireLength('b', b, a.length)
  return Math.sqrt((squaredDistanceUpTo(a, b, Number.POSITIVE_INFINITY) * 3) / a.length)
}

/**
 * Compactness: the share of the variance that the first k modes hold, for k = 1 ... K. A model is compact where few
 * modes hold much.
 *
 * @param variances [K] of the modes in order, at least 0, not all 0.
 * @param total Where the model lacks modes: the variance of the data.
 * @returns [K]
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * compactness([3, 1])   // [0.75, 1]
 */
export function compactness(variances: ArrayLike<number>, total?: number): Float64Array {
  requireFinite('variances', variances)
  const sums = new Float64Array(variances.length)
  let sum = 0
  for (let k = 0; k < sums.length; k++) {
    if (variances[k] < 0) throw invalidArgument(`variances[${k}]`, 'at least 0', variances[k])
    sum += variances[k]
    sums[k] = sum
  }
  const whole = total ?? sum
  if (!(whole > 0 && Number.isFinite(whole))) throw invalidArgument('total', 'a number above 0', whole)
  return sums.map((value) => value / whole)
}

/**
 * Generalisation: how well the model represents faces it has not seen.
 *
 * @param shapes [n] of unseen people.
 * @param reconstruct The model's best fit to a shape.
 * @returns [n] RMS mm of each; see {@link summarise}.
 * @example
 * const errors = generalisation(testShapes, (shape) => project(shape, k))
 */
export function generalisation(
  shapes: readonly Shape[],
  reconstruct: (shape: Shape, i: number) => Shape,
): Float64Array {
  requireSome('shapes', shapes)
  return Float64Array.from(shapes, (shape, i) => rmsDistance(shape, reconstruct(shape, i)))
}

/**
 * Specificity: how near to real faces the model's own are. Low where every face drawn from it is like one that exists.
 *
 * @param samples [m] shapes drawn from the model.
 * @param shapes [n] real ones.
 * @returns [m] RMS mm from each sample to the nearest real shape; their mean is the model's specificity.
 * @throws SfmError INVALID_ARGUMENT
 */
export function specificity(samples: readonly Shape[], shapes: readonly Shape[]): Float64Array {
  requireSome('samples', samples)
  requireSome('shapes', shapes)
  const length = (shapes[0] as Shape).length
  for (const [i, shape] of shapes.entries()) {
    requireShape(`shapes[${i}]`, shape)
    requireLength(`shapes[${i}]`, shape, length)
  }
  return Float64Array.from(samples, (sample, i) => {
    requireLength(`samples[${i}]`, sample, length)
    let least = Number.POSITIVE_INFINITY
    for (const shape of shapes) least = Math.min(least, squaredDistanceUpTo(sample, shape, least))
    return Math.sqrt((least * 3) / length)
  })
}

/** Coordinates between looks at the sum so far. */
const BLOCK = 512

/** |a - b|^2, or anything above `limit` as soon as the sum is. */
function squaredDistanceUpTo(a: Shape, b: Shape, limit: number): number {
  let sum = 0
  for (let start = 0; start < a.length && sum <= limit; start += BLOCK) {
    const end = Math.min(a.length, start + BLOCK)
    for (let i = start; i < end; i++) sum += (a[i] - b[i]) ** 2
  }
  return sum
}

function requireShape(name: string, shape: Shape): void {
  if (!(shape?.length > 0 && shape.length % 3 === 0)) throw invalidArgument(name, 'x, y, z of vertices', shape)
}
