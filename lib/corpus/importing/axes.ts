import { invalidArgument } from '../../errors.js'

/** Which axis of a scan stands for each of the model's, with its sign: `x,z,-y` for a scan whose Z points up. */
export type Axes = readonly [string, string, string]

const NAMES = ['x', 'y', 'z'] as const

/** As scans are expected: the same axes as the model's. */
export const MODEL_AXES: Axes = ['x', 'y', 'z']

/**
 * Reads axes from a text.
 *
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * parseAxes('x,z,-y')   // ['x', 'z', '-y']
 */
export function parseAxes(text: string): Axes {
  const axes = text.split(',').map((word) => word.trim().replace(/^\+/, ''))
  const letters = axes.map((axis) => axis.replace(/^-/, ''))
  if (axes.length !== 3 || [...letters].sort().join('') !== 'xyz')
    throw invalidArgument('axes', 'each of x, y and z once, with its sign, such as x,z,-y', text)
  return axes as unknown as Axes
}

/** The signed permutation that brings a scan with such axes to the model's, row-major. */
export function axesMatrix(axes: Axes): number[] {
  return axes.flatMap((axis) => NAMES.map((name) => (axis.endsWith(name) ? (axis.startsWith('-') ? -1 : 1) : 0)))
}

/** Three axes in each order. */
const ORDERS = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
] as const

/**
 * The axes that a turn of a scan is nearest to.
 *
 * @param matrix Row-major, from the scan to the model; orthogonal.
 * @returns Also the cosine of the angle between the two, by the trace; of a reflection as of the rotation within it.
 */
export function nearestAxes(matrix: ArrayLike<number>): { axes: Axes; cosine: number } {
  const score = (order: readonly number[]) => order.reduce((sum, c, r) => sum + Math.abs(matrix[3 * r + c]!), 0)
  const order = ORDERS.reduce<readonly number[]>((a, b) => (score(b) > score(a) ? b : a), ORDERS[0])
  const axes = order.map((c, r) => (matrix[3 * r + c]! < 0 ? `-${NAMES[c]}` : NAMES[c]!)) as unknown as Axes
  return { axes, cosine: (score(order) - 1) / 2 }
}

/** Which axes are not where they belong, in words: `y and z are swapped`, `x is flipped`. */
export function describeAxes(axes: Axes): string {
  const letter = (axis: string) => axis.replace('-', '')
  const moved = NAMES.filter((name, i) => letter(axes[i]!) !== name)
  const flipped = NAMES.filter((name, i) => axes[i] === `-${name}`)
  const parts: string[] = []
  if (moved.length > 0) parts.push(`${inWords(moved)} are swapped`)
  if (flipped.length > 0) parts.push(`${inWords(flipped)} ${flipped.length > 1 ? 'are' : 'is'} flipped`)
  return parts.join(', ')
}

function inWords(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
}
