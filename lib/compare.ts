import { invalidArgument } from './errors.js'

/** How alike two identities are. */
export interface Comparison {
  /** Cosine of the embeddings: 1 the same direction from the mean, 0 unrelated. */
  cosine: number
  /** The angle between them, in radians. */
  angle: number
}

/**
 * Compares two people by the embeddings of their fits: the directions from the mean identity, which do not shrink when a face is badly seen.
 *
 * @param a A fit result, or anything with an `embedding` of K-1 numbers. Its length does not matter.
 * @param b Another one of the same model.
 * @returns A face that stands at the mean itself has no direction: its cosine with everything is 0.
 * @throws SfmError INVALID_ARGUMENT where the lengths differ or a number is not finite.
 * @example
 * const { cosine } = compare(results[0], results[1])
 */
export function compare(a: { embedding: ArrayLike<number> }, b: { embedding: ArrayLike<number> }): Comparison {
  const left = embedding(a, 'a')
  const right = embedding(b, 'b')
  if (left.length !== right.length)
    throw invalidArgument('b.embedding', `${left.length} numbers, as a.embedding has`, right)
  let dot = 0
  let leftSquared = 0
  let rightSquared = 0
  let distance = 0
  for (let i = 0; i < left.length; i++) {
    const x = left[i] as number
    const y = right[i] as number
    if (!Number.isFinite(x)) throw invalidArgument(`a.embedding[${i}]`, 'a finite number', x)
    if (!Number.isFinite(y)) throw invalidArgument(`b.embedding[${i}]`, 'a finite number', y)
    dot += x * y
    leftSquared += x * x
    rightSquared += y * y
  }
  if (leftSquared === 0 || rightSquared === 0) return { cosine: 0, angle: Math.PI / 2 }
  const leftNorm = Math.sqrt(leftSquared)
  const rightNorm = Math.sqrt(rightSquared)
  const cosine = Math.min(1, Math.max(-1, dot / (leftNorm * rightNorm)))
  // From the chord, because an arc cosine loses half its digits near 0.
  for (let i = 0; i < left.length; i++) distance += ((left[i] as number) / leftNorm - (right[i] as number) / rightNorm) ** 2
  const angle = cosine > 0 ? 2 * Math.asin(Math.min(1, Math.sqrt(distance) / 2)) : Math.acos(cosine)
  return { cosine, angle }
}

function embedding(value: { embedding: ArrayLike<number> }, name: string): ArrayLike<number> {
  const vector = value?.embedding
  if (typeof vector !== 'object' || vector === null || !(vector.length > 0))
    throw invalidArgument(`${name}.embedding`, 'an array of numbers', vector)
  return vector
}
