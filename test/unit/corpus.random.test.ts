import { describe, expect, it } from 'vitest'
import { Random } from '../../lib/random.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'

/** PCG-XSH-RR 32 in arithmetic that has 64 bits. */
class Reference {
  #state: bigint

  constructor(seed: bigint) {
    this.#state = BigInt.asUintN(64, 0n)
    this.bits()
    this.#state = BigInt.asUintN(64, this.#state + seed)
    this.bits()
  }

  bits(): number {
    const old = this.#state
    this.#state = BigInt.asUintN(64, old * 6364136223846793005n + 1442695040888963407n)
    const shifted = Number((((old >> 18n) ^ old) >> 27n) & 0xffffffffn)
    const turn = Number(old >> 59n)
    return ((shifted >>> turn) | (shifted << (-turn & 31))) >>> 0
  }
}

describe('the bits', () => {
  it.each([0, 1, 0xffffffff, 2 ** 32 + 5, 2 ** 52 + 12345, Number.MAX_SAFE_INTEGER, -1, -(2 ** 40)])(
    'are those of 64-bit arithmetic for seed %d, far into the stream',
    (seed) => {
      const random = new Random(seed)
      const reference = new Reference(BigInt(seed))
      for (let i = 0; i < 20_000; i++) if (random.bits() !== reference.bits()) expect(i).toBe('equal')
    },
  )

  it('have not changed since the first version', () => {
    const random = new Random(42)
    expect([random.bits(), random.bits(), random.bits()]).toEqual(BITS_OF_42)
    expect([random.uniform(), random.normal(), random.normal()]).toEqual(NUMBERS_OF_42)
  })
})

describe('streams', () => {
  it('are the same for the same path, and differ in any of its steps', () => {
    const first = (...path: number[]) => Random.stream(7, ...path).bits()
    expect(first(1, 2)).toBe(first(1, 2))
    const paths = [[], [0], [1], [0, 0], [0, 1], [1, 0], [1, 1], [0, 0, 0], [2 ** 32 - 1]]
    expect(new Set(paths.map((path) => first(...path))).size).toBe(paths.length)
    expect(Random.stream(8, 1).bits()).not.toBe(first(1))
    expect(Random.stream(2 ** 40 + 7, 1).bits()).not.toBe(first(1))
  })

  it('are not correlated with their neighbours', () => {
    const n = 20_000
    const draw = (step: number) => Random.stream(1, step).uniform() - 0.5
    let product = 0
    for (let i = 0; i < n; i++) product += draw(i) * draw(i + 1)
    // The standard deviation of the mean is 1 / (12 sqrt n) = 6e-4.
    expect(Math.abs(product / n)).toBeLessThan(2.5e-3)
  })
})

describe('fillNormal', () => {
  const n = 400_000
  const values = new Random(5).fillNormal(new Float64Array(n))
  const mean = (f: (x: number, i: number) => number) => values.reduce((sum, x, i) => sum + f(x, i), 0) / n

  it('has the moments of the normal distribution, and no memory', () => {
    const within = (value: number, expected: number, variance: number) =>
      expect(Math.abs(value - expected)).toBeLessThan(4 * Math.sqrt(variance / n))
    within(
      mean((x) => x),
      0,
      1,
    )
    within(
      mean((x) => x ** 2),
      1,
      2,
    )
    within(
      mean((x) => x ** 3),
      0,
      15,
    )
    within(
      mean((x) => x ** 4),
      3,
      96,
    )
    within(
      mean((x, i) => x * values[(i + 1) % n]!),
      0,
      1,
    )
    within(
      mean((x, i) => x ** 2 * values[(i + 1) % n]! ** 2),
      1,
      8,
    )
  })

  it('has its distribution function, in the middle and in the tails', () => {
    const below = (limit: number) => mean((x) => (x < limit ? 1 : 0))
    const expected: [number, number][] = [
      [-4, 3.1671e-5],
      [-3.654152885, 1.2901e-4],
      [-2, 0.02275013],
      [-0.5, 0.30853754],
      [-0.01, 0.49601064],
      [0, 0.5],
      [0.3, 0.61791142],
      [1, 0.84134475],
      [2.5, 0.99379033],
      [3.654152885, 0.99987099],
    ]
    for (const [limit, p] of expected)
      expect(Math.abs(below(limit) - p), `below ${limit}`).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / n))
  })

  it('draws the same for a seed, whatever the array', () => {
    const float = new Random(5).fillNormal(new Float32Array(100))
    expect(float).toEqual(Float32Array.from(values.subarray(0, 100)))
    const random = new Random(5)
    const pieces = [new Float64Array(30), new Float64Array(70)].map((piece) => [...random.fillNormal(piece)])
    expect(pieces.flat()).toEqual([...values.subarray(0, 100)])
    expect(Array.from(values.subarray(0, 4))).toEqual(NORMALS_OF_5)
  })

  it('refuses other arrays', () => {
    expectSfmError(() => new Random(1).fillNormal([] as never), 'INVALID_ARGUMENT', /^out: expected a Float32Array/)
  })
})

describe('other variates', () => {
  it.each([0.4, 1, 2.5, 30])('gamma of shape %d has its mean and variance', (shape) => {
    const random = new Random(9)
    const n = 40_000
    const values = Float64Array.from({ length: n }, () => random.gamma(shape))
    const mean = values.reduce((sum, x) => sum + x, 0) / n
    const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / n
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0)
    expect(Math.abs(mean / shape - 1)).toBeLessThan(4 / Math.sqrt(n * shape))
    expect(Math.abs(variance / shape - 1)).toBeLessThan(4 * Math.sqrt((2 + 6 / shape) / n))
  })

  it('below draws every number alike', () => {
    const random = new Random(11)
    const counts = new Array(7).fill(0)
    for (let i = 0; i < 14_000; i++) counts[random.below(7)]++
    // Chi squared of 6 degrees of freedom: beyond 27.9 once in 10,000.
    expect(counts.reduce((sum, count) => sum + (count - 2000) ** 2 / 2000, 0)).toBeLessThan(27.9)
    expect(random.below(1)).toBe(0)
    expect(random.below(2 ** 32)).toBeGreaterThanOrEqual(0)
  })

  it('between keeps within its limits', () => {
    const random = new Random(12)
    for (let i = 0; i < 1000; i++) {
      const value = random.between(-2, 3)
      expect(value >= -2 && value < 3).toBe(true)
    }
  })

  it('shuffle gives every order, each as often', () => {
    const counts = new Map<string, number>()
    const random = new Random(13)
    for (let i = 0; i < 6000; i++) {
      const order = random.shuffle(['a', 'b', 'c']).join('')
      counts.set(order, (counts.get(order) ?? 0) + 1)
    }
    expect(counts.size).toBe(6)
    // Chi squared of 5 degrees of freedom: beyond 25.7 once in 10,000.
    expect([...counts.values()].reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0)).toBeLessThan(25.7)
  })
})

const BITS_OF_42 = [3270867926, 1795671209, 1924641435]
const NUMBERS_OF_42 = [0.2661335177253932, -2.1326646187956917, 1.3692719462404401]
const NORMALS_OF_5 = [0.28141729206542476, -0.7425344198403016, 0.9104066561283508, 0.5719695605565104]
