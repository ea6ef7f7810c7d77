import { describe, expect, it } from 'vitest'
import { chiCdf, chiQuantile } from '../../lib/model/chi.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'
import { normals } from '../fixtures/random.js'

describe('chiCdf', () => {
  it('is 1 - exp(-x^2 / 2) in two dimensions', () => {
    for (const x of [0, 1e-6, 0.1, 1, 3, 6, 9, 30, 60]) {
      expect(chiCdf(x, 2)).toBeCloseTo(-Math.expm1((-x * x) / 2), 12)
    }
  })

  it('is 1 - exp(-x^2 / 2) (1 + x^2 / 2) in four', () => {
    for (const x of [0, 0.5, 1, 2, 4, 8]) {
      expect(chiCdf(x, 4)).toBeCloseTo(1 - Math.exp((-x * x) / 2) * (1 + (x * x) / 2), 14)
    }
  })

  it('stays a probability far out in either tail', () => {
    for (const degrees of [1, 7, 100, 3000]) {
      expect(chiCdf(0, degrees)).toBe(0)
      expect(chiCdf(1e-3, degrees)).toBeLessThan(1e-2)
      expect(chiCdf(1e4, degrees)).toBe(1)
      expect(chiCdf(Number.MAX_VALUE, degrees)).toBe(1)
    }
    expect(chiCdf(Number.POSITIVE_INFINITY, 3)).toBe(1)
  })
})

describe('chiQuantile', () => {
  it('agrees with tables of the chi-squared distribution', () => {
    // Squares of the quantiles, to the digits of the usual tables and beyond.
    const table: [number, number, number][] = [
      [0.5, 1, 0.454936423119573],
      [0.95, 1, 3.84145882069412],
      [0.999, 1, 10.8275661706627],
      [0.99, 5, 15.086272469389],
      [0.999, 10, 29.5882984450744],
      [0.001, 10, 1.47874346383567],
      [0.999, 50, 86.6608151904032],
      [0.5, 100, 99.3341292359885],
      [0.999, 100, 149.449252779039],
      [0.999, 500, 603.446005795178],
    ]
    for (const [p, degrees, square] of table) expect(chiQuantile(p, degrees) ** 2 / square).toBeCloseTo(1, 10)
  })

  it('undoes chiCdf', () => {
    for (const degrees of [1, 2, 3, 40, 101, 1000]) {
      for (const p of [1e-6, 0.1, 0.5, 0.9, 0.999, 1 - 1e-9])
        expect(chiCdf(chiQuantile(p, degrees), degrees)).toBeCloseTo(p, 12)
    }
  })

  it('is what samples say', () => {
    const normal = normals(1)
    const degrees = 12
    const limit = chiQuantile(0.9, degrees)
    let within = 0
    for (let i = 0; i < 20_000; i++) {
      let square = 0
      for (let k = 0; k < degrees; k++) square += normal() ** 2
      if (Math.sqrt(square) <= limit) within++
    }
    // The standard error is 0.0021.
    expect(Math.abs(within / 20_000 - 0.9)).toBeLessThan(0.0085)
  })

  it('refuses what has no quantile', () => {
    for (const p of [0, 1, -1, Number.NaN]) expectSfmError(() => chiQuantile(p, 3), 'INVALID_ARGUMENT', /^p:/)
    for (const degrees of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expectSfmError(() => chiQuantile(0.5, degrees), 'INVALID_ARGUMENT', /^degrees:/)
    }
    expectSfmError(() => chiCdf(-1, 3), 'INVALID_ARGUMENT', /^x:/)
    expectSfmError(() => chiCdf(Number.NaN, 3), 'INVALID_ARGUMENT', /^x:/)
  })
})
