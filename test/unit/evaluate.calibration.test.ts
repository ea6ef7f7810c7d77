import { describe, expect, it } from 'vitest'
import { isotonic, leastCost, likelihoodRatioCost, meanCost, trialCosts } from '../../lib/evaluate/calibration.js'
import { RankedScores } from '../../lib/evaluate/RankedScores.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'
import { normals } from '../fixtures/random.js'

const least = (scores: ArrayLike<number>, same: ArrayLike<number>, weights?: number[]) =>
  leastCost(new RankedScores(scores, same).runs(weights))

describe('isotonic regression', () => {
  it('pools what falls', () => {
    expect(isotonic([1, 3, 2, 4])).toEqual(Float64Array.of(1, 2.5, 2.5, 4))
    expect(isotonic([3, 2, 1])).toEqual(Float64Array.of(2, 2, 2))
    expect(isotonic([1, 2, 2, 5])).toEqual(Float64Array.of(1, 2, 2, 5))
    expect(isotonic([4, 0], [1, 3])).toEqual(Float64Array.of(1, 1))
    expect(isotonic([5, 1, 2], [1, 0, 1])).toEqual(Float64Array.of(3.5, 3.5, 3.5))
    expect(isotonic([])).toEqual(new Float64Array())
  })

  it('is the nearest non-decreasing sequence', () => {
    const normal = normals(6)
    const values = Float64Array.from({ length: 40 }, (_, i) => i / 20 + normal())
    const weights = values.map(() => 0.1 + Math.abs(normal()))
    const fitted = isotonic(values, weights)
    for (let i = 1; i < 40; i++) expect(fitted[i]).toBeGreaterThanOrEqual(fitted[i - 1] as number)
    // The projection on a cone: residual orthogonal to the projection, and at most 0 with anything in the cone.
    const inner = (other: Float64Array) =>
      values.reduce(
        (sum, value, i) => sum + (weights[i] as number) * (value - (fitted[i] as number)) * (other[i] as number),
        0,
      )
    expect(inner(fitted)).toBeCloseTo(0, 12)
    for (let k = 0; k < 40; k++) expect(inner(values.map((_, i) => (i >= k ? 1 : 0)))).toBeLessThan(1e-12)
  })
})

describe('the cost of likelihood ratios', () => {
  it('is one bit for who knows nothing, none for an oracle', () => {
    expect(likelihoodRatioCost([0, 0, 0], [1, 0, 0])).toBe(1)
    expect(likelihoodRatioCost([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY], [1, 0])).toBe(0)
    expect(likelihoodRatioCost([-50, 50], [1, 0])).toBeCloseTo(50 / Math.LN2, 10)
  })

  it('agrees with values computed by hand', () => {
    // log2(1 + 1/3), log2(1 + 1), log2(1 + 1/4)
    const expected = ((Math.log2(4 / 3) + Math.log2(2)) / 2 + Math.log2(5 / 4)) / 2
    expect(likelihoodRatioCost([Math.log(3), 0, -Math.log(4)], [1, 1, 0])).toBeCloseTo(expected, 15)
    const costs = trialCosts([Math.log(3), 0, -Math.log(4)], [1, 1, 0])
    expect(meanCost(costs, [1, 1, 0], [0, 1, 2])).toBeCloseTo((1 + Math.log2(5 / 4)) / 2, 15)
  })

  it('is least after the best monotone map', () => {
    expect(least([3, 2, 1], [1, 1, 0])).toBe(0)
    expect(least([1, 1, 1], [1, 0, 0])).toBeCloseTo(1, 15)
    expect(least([1, 2, 3], [1, 1, 0])).toBeCloseTo(1, 15)
    // From below: different, then a pool of one each, then same. In the pool the ratio is (1/2) / (1/2) = 1: one bit.
    expect(least([4, 3, 2, 1], [1, 0, 1, 0])).toBeCloseTo(0.5, 15)
    expect(least([4, 3, 2, 1], [1, 0, 1, 0], [1, 2, 2, 1])).toBeCloseTo(2 / 3, 15)
  })

  it('is nearly the least already where the ratios are right', () => {
    // Two normals two apart: the ratio of densities is 2x - 2.
    const normal = normals(9)
    const same = Array.from({ length: 20_000 }, (_, i) => i % 2)
    const scores = same.map((is) => 2 * is + normal())
    const right = scores.map((x) => 2 * x - 2)
    const wrong = scores.map((x) => 6 * x + 1)
    const [cost, best] = [likelihoodRatioCost(right, same), least(right, same)]
    expect(best).toBeLessThan(cost)
    expect(cost - best).toBeLessThan(0.02)
    expect(least(wrong, same)).toBeCloseTo(best, 12)
    expect(likelihoodRatioCost(wrong, same)).toBeGreaterThan(1)
  })

  it('needs both kinds of trials', () => {
    expectSfmError(() => likelihoodRatioCost([1, 2], [1, 1]), 'INVALID_ARGUMENT', /^same/)
    expectSfmError(() => likelihoodRatioCost([Number.NaN, 2], [0, 1]), 'INVALID_ARGUMENT', /^ratios\[0\]/)
  })
})
