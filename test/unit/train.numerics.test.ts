import { describe, expect, it } from 'vitest'
import { Matrix, multiply } from '../../lib/linear/index.js'
import { addDiagonal, loadingsOf, outer, positiveInverse, scaleColumns } from '../../lib/train/matrices.js'
import { boxLeastSquares } from '../../lib/train/stage1/boxLeastSquares.js'
import { DenseFit } from '../../lib/train/stage1/DenseFit.js'
import type { FaceSpace } from '../../lib/train/stage1/FaceSpace.js'
import { factorAnalysis } from '../../lib/train/stage1/factorAnalysis.js'
import { sphereRadius } from '../../lib/train/stage1/sphereRadius.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'
import { normals } from '../fixtures/random.js'

const normal = normals(5)
const random = (rows: number, columns: number, scale = 1) =>
  new Matrix(
    rows,
    columns,
    Float64Array.from({ length: rows * columns }, () => scale * normal()),
  )

function largest(values: Iterable<number>): number {
  return Math.max(...Array.from(values, Math.abs))
}

function difference(a: Matrix, b: Matrix): number {
  return largest(a.data.map((value, i) => value - b.data[i]!))
}

describe('matrices', () => {
  it('inverts to the identity', () => {
    const a = addDiagonal(outer(random(6, 6)), 1)
    expect(difference(multiply(a, positiveInverse(a)), Matrix.identity(6))).toBeLessThan(1e-12)
  })

  it('makes of all loadings the matrix that they are of', () => {
    const a = outer(random(6, 6))
    expect(difference(outer(loadingsOf(a, 0, 6).loadings), a)).toBeLessThan(1e-12)
  })
})

describe('factor analysis', () => {
  const known = random(12, 2, 3)
  const hidden = random(12, 3, 2)
  const covariance = addDiagonal(
    new Matrix(
      12,
      12,
      outer(scaleColumns(known, [Math.sqrt(0.5), 1])).data.map((v, i) => v + outer(hidden).data[i]!),
    ),
    0.25,
  )

  it('finds the factors and the noise that a covariance is made of', () => {
    const { loadings, noise } = factorAnalysis(covariance, known, [0.5, 1], { factors: 3, iterations: 3000 })
    expect(noise).toBeCloseTo(0.25, 6)
    expect(difference(outer(loadings), outer(hidden))).toBeLessThan(1e-4)
  })

  it('finds how strong the known factors are', () => {
    const { variances } = factorAnalysis(covariance, known, [0.1, 0.1], {
      factors: 3,
      iterations: 3000,
      learnVariances: true,
    })
    expect(variances[0]).toBeCloseTo(0.5, 2)
    expect(variances[1]).toBeCloseTo(1, 2)
  })
})

describe('least squares within bounds', () => {
  const h = addDiagonal(outer(random(8, 8)), 0.5)
  const b = random(1, 8, 5).data
  const bounds = Array.from({ length: 8 }, () => [0, 1]).flat()

  it('meets the conditions of Karush, Kuhn and Tucker', () => {
    const x = boxLeastSquares(h, b, bounds)
    const gradient = multiply(h, new Matrix(8, 1, x)).data.map((value, i) => value - b[i]!)
    expect(x.some((value) => value === 0)).toBe(true)
    expect(x.some((value) => value > 0)).toBe(true)
    for (const [i, value] of x.entries()) {
      if (value === 0) expect(gradient[i]).toBeGreaterThanOrEqual(0)
      else if (value === 1) expect(gradient[i]).toBeLessThanOrEqual(0)
      else expect(Math.abs(gradient[i]!)).toBeLessThan(1e-9)
    }
  })

  it('solves the equations where no bound is met', () => {
    const x = boxLeastSquares(h, b, Array.from({ length: 8 }, () => [-1e9, 1e9]).flat())
    expect(largest(multiply(h, new Matrix(8, 1, x)).data.map((value, i) => value - b[i]!))).toBeLessThan(1e-8)
  })
})

describe('the radius of the sphere', () => {
  it('reaches every identity, and most of them well', () => {
    expect(sphereRadius([3, 4, 20], 9)).toBeCloseTo(22, 12)
    expect(sphereRadius([1, 1], 9)).toBeCloseTo(3.3, 12)
  })

  it('wants identities', () => {
    expectSfmError(() => sphereRadius([], 9), 'INVALID_ARGUMENT', 'lengths')
  })
})

describe('fitting scans in the span', () => {
  const R = 14
  const expressions = random(R, 2, 0.5)
  const linear: FaceSpace = { mean: random(1, R).data, basis: random(R, 4, 2), within: random(R, 3), noise: 0.7 }
  const scans = random(5, R, 3)

  /** The covariance of all that is not identity. */
  const noise = addDiagonal(
    new Matrix(
      R,
      R,
      outer(expressions).data.map((value, i) => value + outer(linear.within!).data[i]!),
    ),
    linear.noise ** 2,
  )

  /** 1/2 |x - s - A u|^2_(N^-1) + 1/2 |v|^2, from its definition. */
  function cost(space: FaceSpace, scan: Float64Array, v: Float64Array): number {
    const angle = Math.hypot(...v) / (space.radius ?? Number.POSITIVE_INFINITY)
    const sinc = angle === 0 ? 1 : Math.sin(angle) / angle
    const face = multiply(
      space.basis,
      new Matrix(
        4,
        1,
        v.map((value) => sinc * value),
      ),
    ).data
    const residual = new Matrix(
      R,
      1,
      scan.map((value, j) => value - space.mean[j]! - face[j]!),
    )
    const weighted = multiply(positiveInverse(noise), residual)
    return 0.5 * multiply(residual, weighted, { transposeA: true }).at(0, 0) + 0.5 * Math.hypot(...v) ** 2
  }

  it.each([
    ['Gaussian latents', undefined],
    ['a sphere on which they lie far out', 3],
    ['a sphere on which they lie near the pole', 50],
  ])('finds the least cost with %s', (_, radius) => {
    const space: FaceSpace = radius === undefined ? linear : { ...linear, radius }
    const identities = new DenseFit(space, expressions).identities(scans)
    for (let i = 0; i < scans.rows; i++) {
      const v = identities.row(i)
      const least = cost(space, scans.row(i), v)
      for (let trial = 0; trial < 20; trial++) {
        const nearby = v.map((value) => value + 1e-3 * normal())
        if (radius !== undefined && Math.hypot(...nearby) > 0.999 * (Math.PI / 2) * radius) continue
        expect(cost(space, scans.row(i), nearby)).toBeGreaterThanOrEqual(least)
      }
    }
  })

  it('is that of Gaussian latents on a sphere that is all but flat', () => {
    const flat = new DenseFit(linear, expressions).identities(scans)
    const round = new DenseFit({ ...linear, radius: 1e5 }, expressions).identities(scans)
    expect(difference(flat, round)).toBeLessThan(1e-6)
  })

  it('stays in the near hemisphere, whose shapes the far one repeats', () => {
    const far = new Matrix(1, R, multiply(linear.basis, random(4, 1, 100)).data)
    const v = new DenseFit({ ...linear, radius: 3 }, expressions).identities(far).row(0)
    expect(Math.hypot(...v)).toBeLessThan((Math.PI / 2) * 3)
  })
})
