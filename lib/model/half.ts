import type { BasisArray, ModelData } from './ModelData.js'

/** Value of every bit pattern of a 16-bit float (IEEE 754 binary16); made when first needed, 256 KB. */
let valueOfBits: Float32Array | undefined

/**
 * 16-bit floats as 32-bit floats; exact.
 *
 * @param halves Bit patterns of 16-bit floats.
 * @param out Where to write; of the same length.
 * @example
 * halfToFloat(new Uint16Array([0x3c00, 0xc000]))   // Float32Array [1, -2]
 */
export function halfToFloat(halves: Uint16Array, out: Float32Array = new Float32Array(halves.length)): Float32Array {
  valueOfBits ??= Float32Array.from({ length: 0x10000 }, (_, bits) => decode(bits))
  const table = valueOfBits
  for (let i = 0; i < halves.length; i++) out[i] = table[halves[i]!]!
  return out
}

/**
 * 32-bit floats as 16-bit floats, rounded to the nearest, ties to even; what is beyond the range (65504) becomes
 * infinite, NaN stays NaN.
 *
 * @returns Bit patterns.
 * @example
 * floatToHalf(new Float32Array([1, -2]))   // Uint16Array [0x3c00, 0xc000]
 */
export function floatToHalf(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const halves = new Uint16Array(values.length)
  for (let i = 0; i < halves.length; i++) halves[i] = encode(words[i]!)
  return halves
}

/**
 * A basis as 32-bit floats: itself where it is that already, else a copy.
 *
 * @example
 * asFloat32(data.identityBasis)[0]   // mm per unit of latent, first coordinate of the first vertex
 */
export function asFloat32(basis: BasisArray): Float32Array {
  return basis instanceof Float32Array ? basis : halfToFloat(basis)
}

/**
 * The same model with its bases in another precision: `f16` halves the file and costs 11 bits of mantissa, relative to
 * each entry; `f32` undoes it, except for the rounding. All else is shared with `data`.
 *
 * @example
 * await writeModelFile('face.safetensors', withBasisPrecision(data, 'f16'))
 */
export function withBasisPrecision(data: ModelData, precision: 'f16' | 'f32'): ModelData {
  const convert = (basis: BasisArray): BasisArray =>
    precision === 'f32' ? asFloat32(basis) : basis instanceof Uint16Array ? basis : floatToHalf(basis)
  return {
    ...data,
    identityBasis: convert(data.identityBasis),
    expressionBasis: convert(data.expressionBasis),
    ...(data.withinIdentityBasis && { withinIdentityBasis: convert(data.withinIdentityBasis) }),
    ...(data.albedoBasis && { albedoBasis: convert(data.albedoBasis) }),
  }
}

/** sign (1 bit), exponent (5), fraction (10). */
function decode(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25)
}

/** From the bits of a 32-bit float: sign (1 bit), exponent (8, biased by 127 instead of 15), fraction (23). */
function encode(word: number): number {
  const sign = (word >>> 16) & 0x8000
  const magnitude = word & 0x7fffffff
  if (magnitude > 0x7f800000) return sign | 0x7e00
  if (magnitude >= 0x47800000) return sign | 0x7c00
  if (magnitude < 0x38800000) return sign | subnormal(magnitude)
  const rebiased = magnitude - ((127 - 15) << 23)
  // Half of the last place kept, less one bit where that is even already: ties go to even. A carry moves into the
  // exponent, as it should.
  return sign | ((rebiased + 0xfff + ((rebiased >> 13) & 1)) >> 13)
}

const word = new Uint32Array(1)
const float = new Float32Array(word.buffer)

/** Below 2^-14 the halves are the multiples of 2^-24. */
function subnormal(magnitude: number): number {
  word[0] = magnitude
  const multiple = float[0]! * 2 ** 24
  // Doubles of this size have no room for a fraction, so that the addition rounds it away, ties to even.
  return multiple + 2 ** 52 - 2 ** 52
}
