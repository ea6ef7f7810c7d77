import { describe, expect, it } from 'vitest'
import { compactness, generalisation, rmsDistance, specificity, vertexDistances } from '../../lib/evaluate/shapes.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'
import { normals, normalVector } from '../fixtures/random.js'

describe('distances between shapes', () => {
  it('are those of the vertices', () => {
    const [a, b] = [
      [0, 0, 0, 1, 1, 1],
      [3, 4, 0, 1, 1, 1],
    ]
    expect(vertexDistances(a!, b!)).toEqual(Float64Array.of(5, 0))
    expect(rmsDistance(a!, b!)).toBeCloseTo(5 / Math.SQRT2, 15)
    expectSfmError(() => rmsDistance([1, 2], [1, 2]), 'INVALID_ARGUMENT', /^a: expected x, y, z/)
    expectSfmError(() => rmsDistance([1, 2, 3], [1, 2]), 'INVALID_ARGUMENT', /^b: expected 3 values/)
  })
})

describe('compactness, generalisation, specificity', () => {
  it('is the cumulative share of variance', () => {
    expect(compactness([3, 1])).toEqual(Float64Array.of(0.75, 1))
    expect(compactness([3, 1], 8)).toEqual(Float64Array.of(0.375, 0.5))
    expectSfmError(() => compactness([0, 0]), 'INVALID_ARGUMENT', /^total/)
    expectSfmError(() => compactness([1, -1]), 'INVALID_ARGUMENT', /^variances\[1\]/)
  })

  it('is the error of the best fits', () => {
    const errors = generalisation(
      [
        [1, 2, 2],
        [0, 0, 5],
      ],
      (shape) => [shape[0] as number, shape[1] as number, 0],
    )
    expect(errors).toEqual(Float64Array.of(2, 5))
  })

  it('is the distance to the nearest real shape, for shapes of any length', () => {
    const normal = normals(5)
    const shapes = Array.from({ length: 20 }, () => normalVector(3000, normal))
    const samples = Array.from({ length: 30 }, () => normalVector(3000, normal))
    const found = specificity(samples, shapes)
    for (const [i, sample] of samples.entries()) {
      expect(found[i]).toBeCloseTo(Math.min(...shapes.map((shape) => rmsDistance(sample, shape))), 12)
    }
    expect(specificity([shapes[7] as Float64Array], shapes)).toEqual(Float64Array.of(0))
    expectSfmError(() => specificity([[1, 2, 3]], shapes), 'INVALID_ARGUMENT', /^samples\[0\]: expected 3000/)
  })
})
