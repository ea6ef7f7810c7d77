import { invalidArgument } from '../errors.js'

/** Refuses anything but a list of numbers without NaN; infinite ones are allowed. */
export function requireNumbers(name: string, values: ArrayLike<number>): void {
  requireEach(name, values, 'a number', (value) => typeof value === 'number' && !Number.isNaN(value))
}

/** Refuses anything but a list of finite numbers. */
export function requireFinite(name: string, values: ArrayLike<number>): void {
  requireEach(name, values, 'a finite number', Number.isFinite)
}

function requireEach(
  name: string,
  values: ArrayLike<number>,
  expected: string,
  accepts: (value: unknown) => boolean,
): void {
  if (typeof values !== 'object' || values === null || !Number.isSafeInteger(values.length))
    throw invalidArgument(name, 'an array of numbers', values)
  for (let i = 0; i < values.length; i++)
    if (!accepts(values[i])) throw invalidArgument(`${name}[${i}]`, expected, values[i])
}

/** Refuses a list of another length. */
export function requireLength(name: string, values: ArrayLike<unknown>, length: number): void {
  if (values?.length !== length) throw invalidArgument(name, `${length} values`, values)
}

/** Refuses an empty list. */
export function requireSome(name: string, values: ArrayLike<unknown>): void {
  if (!(values?.length > 0)) throw invalidArgument(name, 'at least one value', values)
}

/** Refuses anything but a whole number of at least `least`. */
export function requireCount(name: string, value: number, least = 1): void {
  if (!Number.isSafeInteger(value) || value < least)
    throw invalidArgument(name, `a whole number of at least ${least}`, value)
}

/** Refuses vectors that are not finite or not all of one length. */
export function requireVectors(name: string, vectors: ReadonlyArray<ArrayLike<number>>): void {
  requireSome(name, vectors)
  for (const [i, vector] of vectors.entries()) {
    requireFinite(`${name}[${i}]`, vector)
    requireLength(`${name}[${i}]`, vector, (vectors[0] as ArrayLike<number>).length)
  }
}
