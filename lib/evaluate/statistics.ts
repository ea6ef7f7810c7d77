import { invalidArgument } from '../errors.js'
import { requireFinite, requireLength, requireSome } from './checks.js'

/** A list of numbers in a few: of errors in mm, say. All have the unit of the list. */
export interface Summary {
  count: number
  mean: number
  /** Of the list itself, as if it were the whole population: divided by n. */
  standardDeviation: number
  median: number
  percentile90: number
  percentile95: number
  largest: number
}

/** The arithmetic mean; each value may count with a weight. NaN where the weights sum to 0. */
export function mean(values: ArrayLike<number>, weights?: ArrayLike<number>): number {
  requireSome('values', values)
  if (weights !== undefined) requireLength('weights', weights, values.length)
  let [sum, total] = [0, 0]
  for (let i = 0; i < values.length; i++) {
    const weight = weights === undefined ? 1 : weights[i]
    sum += weight * values[i]
    total += weight
  }
  return sum / total
}

/** Mean square distance from the mean, divided by the sum of the weights (n where there are none). */
export function variance(values: ArrayLike<number>, weights?: ArrayLike<number>): number {
  const centre = mean(values, weights)
  return mean(
    Float64Array.from(values, (value) => (value - centre) ** 2),
    weights,
  )
}

/**
 * The value below which the share `p` of the list lies, interpolated linearly between neighbours: at rank p (n - 1) of
 * 0 ... n - 1.
 *
 * @param p 0 to 1.
 * @param multiplicities How many times each value is in the list, whole numbers; once where absent. NaN where none is.
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * percentile([1, 2, 4], 0.75)   // 3
 */
export function percentile(values: ArrayLike<number>, p: number, multiplicities?: ArrayLike<number>): number {
  return percentileOf(sortedOrder(values), values, p, multiplicities)
}

/** {@link percentile} of a list whose {@link sortedOrder} is known: for a list that is asked many times. */
export function percentileOf(
  order: Int32Array,
  values: ArrayLike<number>,
  p: number,
  multiplicities?: ArrayLike<number>,
): number {
  if (!(p >= 0 && p <= 1)) throw invalidArgument('p', 'a number of 0 to 1', p)
  if (multiplicities !== undefined) requireLength('multiplicities', multiplicities, values.length)
  let total = values.length
  if (multiplicities !== undefined) {
    total = 0
    for (let i = 0; i < multiplicities.length; i++) total += multiplicities[i]
  }
  if (total === 0) return Number.NaN
  const rank = p * (total - 1)
  // The list's values at the whole ranks around it.
  const [low, high] = [Math.floor(rank), Math.ceil(rank)]
  let below: number | undefined
  let seen = 0
  for (const i of order) {
    seen += multiplicities === undefined ? 1 : multiplicities[i]
    if (seen > low) below ??= values[i]
    if (seen > high && below !== undefined) {
      return values[i] === below ? below : below + (rank - low) * (values[i] - below)
    }
  }
  return Number.NaN
}

/** The indices of a list from its smallest value to its largest. */
export function sortedOrder(values: ArrayLike<number>): Int32Array {
  requireSome('values', values)
  return Int32Array.from(values, (_, i) => i).sort((a, b) => values[a] - values[b] || a - b)
}

/** The value in the middle. */
export function median(values: ArrayLike<number>): number {
  return percentile(values, 0.5)
}

/**
 * A list in a few numbers.
 *
 * @param values Finite numbers, at least one.
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * summarise([1, 2, 6]).mean   // 3
 */
export function summarise(values: ArrayLike<number>): Summary {
  requireFinite('values', values)
  const order = sortedOrder(values)
  return {
    count: values.length,
    mean: mean(values),
    standardDeviation: Math.sqrt(variance(values)),
    median: percentileOf(order, values, 0.5),
    percentile90: percentileOf(order, values, 0.9),
    percentile95: percentileOf(order, values, 0.95),
    largest: percentileOf(order, values, 1),
  }
}
