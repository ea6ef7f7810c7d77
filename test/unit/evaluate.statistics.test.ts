import { describe, expect, it } from 'vitest'
import { drift, pearson, ranks, spearman } from '../../lib/evaluate/correlation.js'
import { mean, median, percentile, summarise, variance } from '../../lib/evaluate/statistics.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'
import { normals } from '../fixtures/random.js'

describe('percentile', () => {
  it('interpolates between neighbours', () => {
    expect(percentile([1, 2, 4], 0)).toBe(1)
    expect(percentile([4, 1, 2], 0.5)).toBe(2)
    expect(percentile([1, 2, 4], 0.75)).toBe(3)
    expect(percentile([4, 2, 1], 1)).toBe(4)
    expect(percentile([7], 0.3)).toBe(7)
    expect(median([1, 2, 3, 10])).toBe(2.5)
  })

  it('counts a value as often as it is told, as if the list had it that often', () => {
    const values = [5, 1, 3, 2]
    const multiplicities = [0, 3, 1, 2]
    const expanded = values.flatMap((value, i) => Array<number>(multiplicities[i] as number).fill(value))
    for (const p of [0, 0.1, 0.4, 0.5, 0.55, 0.75, 0.9, 1])
      expect(percentile(values, p, multiplicities)).toBeCloseTo(percentile(expanded, p), 14)
    expect(percentile(values, 0.5, [0, 0, 0, 0])).toBeNaN()
  })

  it('refuses what has none', () => {
    expectSfmError(() => percentile([], 0.5), 'INVALID_ARGUMENT', /^values: expected at least one/)
    expectSfmError(() => percentile([1], 1.5), 'INVALID_ARGUMENT', /^p: expected/)
    expectSfmError(() => percentile([1], 0.5, [1, 1]), 'INVALID_ARGUMENT', /^multiplicities: expected 1 values/)
  })
})

describe('mean, variance and summarise', () => {
  it('are those of the list as it is', () => {
    expect(mean([1, 2, 6])).toBe(3)
    expect(mean([1, 2, 6], [1, 0, 1])).toBe(3.5)
    expect(variance([1, 3])).toBe(1)
    expect(variance([1, 3, 9], [1, 1, 0])).toBe(1)
    const values = Array.from({ length: 101 }, (_, i) => i)
    expect(summarise(values)).toEqual({
      count: 101,
      mean: 50,
      standardDeviation: Math.sqrt((101 ** 2 - 1) / 12),
      median: 50,
      percentile90: 90,
      percentile95: 95,
      largest: 100,
    })
  })

  it('refuse what is not finite', () => {
    expectSfmError(() => summarise([1, Number.NaN]), 'INVALID_ARGUMENT', /^values\[1\]: expected a finite number/)
    expectSfmError(() => summarise([]), 'INVALID_ARGUMENT', /^values/)
  })
})

describe('correlations', () => {
  it('are 1 for what rises together, linearly or not', () => {
    expect(pearson([1, 2, 3], [2, 4, 6])).toBeCloseTo(1, 15)
    expect(pearson([1, 2, 3], [6, 4, 2])).toBeCloseTo(-1, 15)
    expect(spearman([1, 2, 3, 4], [1, 8, 27, 64])).toBeCloseTo(1, 15)
    expect(pearson([1, 2, 3, 4], [1, 8, 27, 64])).toBeLessThan(0.96)
  })

  it('agree with values computed by hand', () => {
    // Deviations -1.5 -.5 .5 1.5 and -.5 -1.5 1.5 .5: 3 / 5.
    expect(pearson([1, 2, 3, 4], [2, 1, 4, 3])).toBeCloseTo(0.6, 15)
    // Ranks 1.5 1.5 3 against 1 2 3: deviations -.5 -.5 1 and -1 0 1: 1.5 / sqrt(1.5 2).
    expect(spearman([0, 0, 5], [10, 20, 30])).toBeCloseTo(1.5 / Math.sqrt(3), 15)
    expect(ranks([3, 1, 3, 2])).toEqual(Float64Array.of(3.5, 1, 3.5, 2))
  })

  it('are 0 where nothing varies', () => {
    expect(pearson([1, 1, 1], [1, 2, 3])).toBe(0)
    expect(spearman([1, 2, 3], [4, 4, 4])).toBe(0)
  })

  it('find the coordinate that goes with an angle', () => {
    const normal = normals(3)
    const angles = Array.from({ length: 400 }, () => 30 * normal())
    const embeddings = angles.map((angle) => [normal(), normal(), Math.tanh(angle / 20) + 0.2 * normal(), normal()])
    const found = drift(angles, embeddings)
    expect(found.coordinate).toBe(2)
    expect(found.largest).toBe(Math.max(Math.abs(found.pearson[2] as number), Math.abs(found.spearman[2] as number)))
    expect(found.largest).toBeGreaterThan(0.9)
    for (const d of [0, 1, 3]) expect(Math.abs(found.pearson[d] as number)).toBeLessThan(0.2)
  })

  it('refuse lists of two lengths', () => {
    expectSfmError(() => pearson([1, 2], [1]), 'INVALID_ARGUMENT', /^y: expected 2 values/)
    expectSfmError(() => drift([1, 2], [[1, 2]]), 'INVALID_ARGUMENT', /^embeddings: expected 2 values/)
    expectSfmError(() => drift([1, Number.NaN], [[1], [2]]), 'INVALID_ARGUMENT', /^angles\[1\]/)
  })
})
