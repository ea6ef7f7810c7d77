import { describe, expect, it } from 'vitest'
import { Random } from '../../lib/random.js'

/** PCG-XSH-RR 32 as its authors wrote it, with the increment of the package. */
function* reference(seed: bigint): Generator<number> {
  const mask = (1n << 64n) - 1n
  const increment = 1442695040888963407n
  let state = 0n
  const step = () => {
    const old = state
    state = (old * 6364136223846793005n + increment) & mask
    const shifted = (((old >> 18n) ^ old) >> 27n) & 0xffffffffn
    const turn = old >> 59n
    return Number(((shifted >> turn) | (shifted << ((32n - turn) & 31n))) & 0xffffffffn)
  }
  step()
  state = (state + seed) & mask
  step()
  for (;;) yield step()
}

describe('Random', () => {
  it.each([0, 1, 42, 2 ** 32, Number.MAX_SAFE_INTEGER])('draws the bits of its generator for seed %d', (seed) => {
    const random = new Random(seed)
    const expected = reference(BigInt(seed))
    for (let i = 0; i < 500; i++) expect(random.bits()).toBe(expected.next().value)
  })

  it('draws the same for a seed, and something else for another', () => {
    const draw = (seed: number) => {
      const random = new Random(seed)
      return Array.from({ length: 8 }, () => random.normal())
    }
    expect(draw(7)).toEqual(draw(7))
    expect(draw(7)).not.toEqual(draw(8))
  })

  it('draws uniform numbers in [0, 1)', () => {
    const random = new Random(3)
    const bins = new Array(16).fill(0)
    for (let i = 0; i < 16_000; i++) {
      const value = random.uniform()
      expect(value >= 0 && value < 1).toBe(true)
      bins[Math.floor(16 * value)]++
    }
    // Chi squared of 15 degrees of freedom: beyond 44 once in 10,000.
    expect(bins.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0)).toBeLessThan(44)
  })

  it('draws normal numbers, uncorrelated', () => {
    const random = new Random(4)
    const n = 20_000
    const x = Array.from({ length: n }, () => random.normal())
    const mean = (f: (i: number) => number) => x.reduce((sum, _, i) => sum + f(i), 0) / n
    expect(Math.abs(mean((i) => x[i]!))).toBeLessThan(0.03)
    expect(Math.abs(mean((i) => x[i]! ** 2) - 1)).toBeLessThan(0.05)
    expect(Math.abs(mean((i) => x[i]! ** 3))).toBeLessThan(0.12)
    expect(Math.abs(mean((i) => x[i]! ** 4) - 3)).toBeLessThan(0.4)
    expect(Math.abs(mean((i) => x[i]! * x[(i + 1) % n]!))).toBeLessThan(0.03)
    expect(x.every(Number.isFinite)).toBe(true)
  })
})
