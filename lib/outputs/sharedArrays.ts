/** What was made of an array, by what it was made for. */
const made = new WeakMap<object, Map<string, unknown>>()

/**
 * Says that an array belongs to a model: many meshes have it, and nobody writes to it. What is made of it for one file
 * is then kept for the next.
 */
export function share<T extends object>(array: T): T {
  if (!made.has(array)) made.set(array, new Map())
  return array
}

/**
 * What `make` makes of an array; of a shared one, only the first time.
 *
 * @param purpose Tells things apart that are made of the same array.
 */
export function madeOf<A extends object, T>(array: A, purpose: string, make: (array: A) => T): T {
  const known = made.get(array)
  if (known === undefined) return make(array)
  if (!known.has(purpose)) known.set(purpose, make(array))
  return known.get(purpose) as T
}
