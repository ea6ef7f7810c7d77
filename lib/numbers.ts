import { invalidArgument } from './errors.js'

/** Numbers of a kind that holds them side by side. */
export type Numbers = Float32Array | Float64Array

export function isNumbers(value: unknown): value is Numbers {
  return value instanceof Float32Array || value instanceof Float64Array
}

/**
 * The numbers themselves, as another kind of array or the same: by its constructor, which sees the memory and not what a
 * subclass says of it.
 *
 * @throws SfmError INVALID_ARGUMENT where it is no array of numbers.
 */
export function numbersFrom<A extends Numbers>(
  Kind: new (from: ArrayLike<number>) => A,
  from: unknown,
  name: string,
  expected: string,
): A {
  if (!isNumbers(from)) throw invalidArgument(name, expected, from)
  return new Kind(from.length === 0 ? [] : from)
}
