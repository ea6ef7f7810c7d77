import { describe, expect, it } from 'vitest'
import { firstNonFinite } from '../../lib/model/finite.js'
import { asFloat32, floatToHalf, halfToFloat, withBasisPrecision } from '../../lib/model/half.js'
import { uniforms } from '../fixtures/random.js'
import { tinyFullModel } from '../fixtures/tinyModel.js'

const everyHalf = Uint16Array.from({ length: 0x10000 }, (_, bits) => bits)
const isNaNHalf = (bits: number) => (bits & 0x7c00) === 0x7c00 && (bits & 0x3ff) !== 0

describe('16-bit floats', () => {
  it('decode as IEEE 754 says', () => {
    const cases: [number, number][] = [
      [0x0000, 0],
      [0x8000, -0],
      [0x3c00, 1],
      [0xc000, -2],
      [0x3555, 0.333251953125],
      [0x7bff, 65504],
      [0x0400, 2 ** -14],
      [0x03ff, 1023 * 2 ** -24],
      [0x0001, 2 ** -24],
      [0x7c00, Number.POSITIVE_INFINITY],
      [0xfc00, Number.NEGATIVE_INFINITY],
      [0x7e00, Number.NaN],
    ]
    const values = halfToFloat(Uint16Array.from(cases, ([bits]) => bits))
    expect([...values]).toEqual(cases.map(([, value]) => value))
  })

  it('survive the way to 32 bits and back, every one of them', () => {
    const back = floatToHalf(halfToFloat(everyHalf))
    expect(back.every((bits, i) => bits === i || (isNaNHalf(bits) && isNaNHalf(i)))).toBe(true)
  })

  it('are the nearest to any 32-bit float, and the even one of two', () => {
    const finite = everyHalf.subarray(0, 0x7c00)
    const values = halfToFloat(finite)
    for (let i = 0; i + 1 < finite.length; i++) {
      const [low, high] = [values[i]!, values[i + 1]!]
      const middle = (low + high) / 2
      const even = i % 2 === 0 ? i : i + 1
      const gap = (high - low) / 8
      const inputs = [middle - gap, middle, middle + gap, -middle]
      expect([...floatToHalf(Float32Array.from(inputs))]).toEqual([i, even, i + 1, even | 0x8000])
    }
  })

  it('become infinite from halfway beyond the greatest on', () => {
    expect([...floatToHalf(Float32Array.of(65519.99, 65520, -1e30, Number.POSITIVE_INFINITY))]).toEqual([
      0x7bff, 0x7c00, 0xfc00, 0x7c00,
    ])
  })

  it('round below the least to zero', () => {
    expect([...floatToHalf(Float32Array.of(2 ** -25, 2 ** -25 * 1.001, -1e-30, 1.5 * 2 ** -24))]).toEqual([
      0, 1, 0x8000, 2,
    ])
  })

  it('write to the array given', () => {
    const out = new Float32Array(2)
    expect(halfToFloat(Uint16Array.of(0x3c00, 0), out)).toBe(out)
    expect(out[0]).toBe(1)
  })
})

describe('withBasisPrecision', () => {
  it('converts each basis, and shares the rest', () => {
    const data = tinyFullModel()
    const half = withBasisPrecision(data, 'f16')
    for (const field of ['identityBasis', 'expressionBasis', 'withinIdentityBasis', 'albedoBasis'] as const) {
      expect(half[field]).toBeInstanceOf(Uint16Array)
      expect(half[field]).toHaveLength(data[field]!.length)
    }
    expect(half.mean).toBe(data.mean)
    const back = withBasisPrecision(half, 'f32')
    const error = asFloat32(back.identityBasis).map(
      (value, i) => Math.abs(value - data.identityBasis[i]!) / (Math.abs(value) + 1e-3),
    )
    expect(Math.max(...error)).toBeLessThan(2 ** -11)
  })

  it('leaves what has the precision already, and what is absent', () => {
    const { withinIdentityBasis: _, albedoBasis: __, ...data } = tinyFullModel()
    const same = withBasisPrecision(data, 'f32')
    expect(same.identityBasis).toBe(data.identityBasis)
    expect(same).not.toHaveProperty('withinIdentityBasis')
    const half = withBasisPrecision(data, 'f16')
    expect(withBasisPrecision(half, 'f16').identityBasis).toBe(half.identityBasis)
  })
})

describe('firstNonFinite', () => {
  it('knows every half', () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      const expected = (bits & 0x7c00) === 0x7c00 ? 0 : -1
      if (firstNonFinite(Uint16Array.of(bits)) !== expected) expect.fail(`0x${bits.toString(16)}`)
    }
  })

  it('finds a half at any place of an array at any alignment', () => {
    for (let length = 0; length < 8; length++) {
      for (let offset = 0; offset < 4; offset++) {
        const values = new Uint16Array(new ArrayBuffer(64), 2 * offset, length).fill(0xfbff)
        expect(firstNonFinite(values)).toBe(-1)
        for (let at = 0; at < length; at++) {
          const spoiled = new Uint16Array(new ArrayBuffer(64), 2 * offset, length).fill(0x7bff)
          spoiled[at] = 0xfc01
          expect(firstNonFinite(spoiled)).toBe(at)
        }
      }
    }
  })

  it('does not look beyond the array', () => {
    const buffer = new Uint16Array(8).fill(0x7c00)
    buffer.fill(0, 3, 6)
    expect(firstNonFinite(buffer.subarray(3, 6))).toBe(-1)
    expect(firstNonFinite(buffer.subarray(3, 7))).toBe(3)
    expect(firstNonFinite(buffer.subarray(4, 4))).toBe(-1)
  })

  it('agrees with Number.isFinite on any 32 bits', () => {
    const uniform = uniforms(7)
    for (let i = 0; i < 10_000; i++) {
      const word = Uint32Array.of((uniform() * 2 ** 32) | (i % 3 === 0 ? 0x7f800000 : 0))
      const value = new Float32Array(word.buffer)
      expect(firstNonFinite(value)).toBe(Number.isFinite(value[0]) ? -1 : 0)
    }
    expect(firstNonFinite(Float32Array.of(3.4e38, -3.4e38, 1e-45, 0, Number.NEGATIVE_INFINITY))).toBe(4)
  })
})
