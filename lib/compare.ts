import { invalidArgument } from './errors.js'

/** How alike two identities are. */
export interface Comparison {
  /** Cosine of the embeddings: 1 the same direction from the mean, 0 unrelated. */
  cosine: number
  /** The angle between them, in radians. */
  angle: number
}

/**
 * Compares two people by the embeddings of their fits: the directions from the mean identity, which do not shrink when
 * a face is badly seen.
 *
 * @param a A fit result, or anything with an `embedding` of K-1 numbers. Its length does not matter.
 * @param b Another one of the same model.
 * @returns A face that stands at the mean itself has no direction: its cosine with everything is 0.
 * @throws SfmError INVALID_ARGUMENT where the lengths differ or a number is not finite.
 * @example
 * const { cosine } = compare(results[0], results[1])
 */
export function compare(a: { embedding: ArrayLike<number> }, b: { embedding: ArrayLike<number> }): Comparison {
  const left = direction(a, 'a')
  const right = direction(b, 'b')
  if (left.length !== right.length)
    throw invalidArgument('b.embedding', `${left.length} numbers, as a.embedding has`, right)
  if (left.every(isZero) || right.every(isZero)) return { cosine: 0, angle: Math.PI / 2 }
  let dot = 0
  let difference = 0
  let sum = 0
  for (let i = 0; i < left.length; i++) {
    const [x, y] = [left[i] as number, right[i] as number]
    dot += x * y
    difference += (x - y) ** 2
    sum += (x + y) ** 2
  }
  // Not an arc cosine, which loses half its digits near 0 and pi.
  return { cosine: Math.min(1, Math.max(-1, dot)), angle: 2 * Math.atan2(Math.sqrt(difference), Math.sqrt(sum)) }
}

/** No model has as many latents: what claims to is no embedding. */
const LARGEST = 2 ** 20

const isZero = (value: number) => value === 0

/** The embedding at length 1, or 0. */
function direction(value: { embedding: ArrayLike<number> }, name: string): Float64Array {
  const vector = value?.embedding
  if (typeof vector !== 'object' || vector === null || !(vector.length > 0 && vector.length <= LARGEST))
    throw invalidArgument(`${name}.embedding`, 'an array of numbers', vector)
  const numbers = Float64Array.from({ length: vector.length }, (_, i) => {
    const x = vector[i]
    if (!Number.isFinite(x)) throw invalidArgument(`${name}.embedding[${i}]`, 'a finite number', x)
    return x as number
  })
  // In two steps, so that no square over- or underflows.
  const largest = numbers.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
  if (largest === 0) return numbers
  const scaled = numbers.map((x) => x / largest)
  const norm = Math.sqrt(scaled.reduce((total, x) => total + x * x, 0))
  return scaled.map((x) => x / norm)
}
