/** How far two partitions of the same items agree: a clustering found, and the people there are. */

import { requireCount, requireLength, requireSome } from './checks.js'

/**
 * Normalised mutual information: what one partition tells of the other, over the mean of their entropies. 1: the same
 * up to names; 0: nothing (but chance alone gives more where clusters are many and small).
 *
 * @param a [n] number of each item's cluster.
 * @param b [n] the same in the other partition.
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * normalisedMutualInformation([0, 0, 1, 1], [5, 5, 3, 3])   // 1
 */
export function normalisedMutualInformation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const { cells, rows, columns, total } = contingency(a, b)
  const entropies = (entropy(rows, total) + entropy(columns, total)) / 2
  // Two partitions into one cluster each are the same.
  if (entropies === 0) return 1
  let information = 0
  for (const { row, column, count } of cells) {
    const expected = ((rows[row] as number) * (columns[column] as number)) / total
    information += (count / total) * Math.log(count / expected)
  }
  return Math.min(1, Math.max(0, information / entropies))
}

/**
 * The adjusted Rand index (Hubert and Arabie, 1985): the share of pairs on which the partitions agree, moved and scaled
 * so that chance has 0 and equality 1.
 */
export function adjustedRandIndex(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const { cells, rows, columns, total } = contingency(a, b)
  const pairs = (count: number) => (count * (count - 1)) / 2
  const sum = (counts: readonly number[]) => counts.reduce((all, count) => all + pairs(count), 0)
  const together = sum(cells.map(({ count }) => count))
  const [inA, inB] = [sum(rows), sum(columns)]
  const expected = total > 1 ? (inA * inB) / pairs(total) : 0
  const most = (inA + inB) / 2
  return most === expected ? 1 : (together - expected) / (most - expected)
}

interface Contingency {
  cells: { row: number; column: number; count: number }[]
  rows: number[]
  columns: number[]
  total: number
}

/** How many items lie in each cluster of the one and of the other. */
function contingency(a: ArrayLike<number>, b: ArrayLike<number>): Contingency {
  requireSome('a', a)
  requireLength('b', b, a.length)
  const names = { a: new Map<number, number>(), b: new Map<number, number>() }
  const numberIn = (map: Map<number, number>, name: number) => map.get(name) ?? map.set(name, map.size).size - 1
  const cells = new Map<string, { row: number; column: number; count: number }>()
  const rows: number[] = []
  const columns: number[] = []
  for (let i = 0; i < a.length; i++) {
    requireCount(`a[${i}]`, a[i], 0)
    requireCount(`b[${i}]`, b[i], 0)
    const [row, column] = [numberIn(names.a, a[i]), numberIn(names.b, b[i])]
    const cell = cells.get(`${row},${column}`) ?? { row, column, count: 0 }
    cells.set(`${row},${column}`, cell)
    cell.count++
    rows[row] = (rows[row] ?? 0) + 1
    columns[column] = (columns[column] ?? 0) + 1
  }
  return { cells: [...cells.values()], rows, columns, total: a.length }
}

function entropy(counts: readonly number[], total: number): number {
  return counts.reduce((sum, count) => sum - (count / total) * Math.log(count / total), 0)
}
