/**
 * The index of the first value that is NaN or infinite, or -1. Both have all exponent bits set: adding one to the
 * exponent then carries into the sign's place, which a branch-free pass over 32-bit words (two halves at a time)
 * collects.
 *
 * @param values 32-bit floats, or the bit patterns of 16-bit floats.
 * @example
 * firstNonFinite(new Float32Array([1, Number.NaN]))   // 1
 * firstNonFinite(new Uint16Array([0x3c00, 0x7c00]))   // 1: 0x7c00 is infinity
 */
export function firstNonFinite(values: Float32Array | Uint16Array): number {
  return values instanceof Float32Array ? firstNonFiniteFloat(values) : firstNonFiniteHalf(values)
}

function firstNonFiniteFloat(values: Float32Array): number {
  const words = new Int32Array(values.buffer, values.byteOffset, values.length)
  return someCarry(words, 0x7f800000, 0x00800000, 0x80000000 | 0)
    ? values.findIndex((value) => !Number.isFinite(value))
    : -1
}

function firstNonFiniteHalf(values: Uint16Array): number {
  // A view of 32-bit words starts at a multiple of 4: a half before it and a half after it may be left over.
  const lead = Math.min((values.byteOffset / 2) % 2, values.length)
  const pairs = (values.length - lead) >> 1
  const words = new Int32Array(
    pairs === 0 ? new ArrayBuffer(0) : values.buffer,
    pairs === 0 ? 0 : values.byteOffset + 2 * lead,
    pairs,
  )
  const ends = [values[0] ?? 0, values.at(-1) ?? 0]
  const suspect = ends.some(isNonFiniteHalf) || someCarry(words, 0x7c007c00, 0x04000400, 0x80008000 | 0)
  return suspect ? values.findIndex(isNonFiniteHalf) : -1
}

function isNonFiniteHalf(bits: number): boolean {
  return (bits & 0x7c00) === 0x7c00
}

/** Whether any word, masked to its exponents, overflows into the carry bits when each exponent grows by one. */
function someCarry(words: Int32Array, exponents: number, one: number, carry: number): boolean {
  let sums = 0
  // The length is read once: the first model of a process is checked before the loop has been compiled.
  const { length } = words
  for (let i = 0; i < length; i++) sums |= (words[i]! & exponents) + one
  return (sums & carry) !== 0
}
