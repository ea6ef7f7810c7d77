import { describe, expect, it } from 'vitest'
import { Matrix, multiply, symmetricEigen } from '../../lib/linear/index.js'
import { diagonal } from '../../lib/train/matrices.js'
import { exactSymmetry } from '../../lib/train/stage2/exactSymmetry.js'
import { asymmetryWithin, foldMetric } from '../../lib/train/stage2/foldMetric.js'
import { dictionaryOf } from '../../lib/train/stage2/ShapeDictionary.js'
import { randomMatrix } from '../fixtures/dense.js'
import { tinySphereModel } from '../fixtures/tinyModel.js'

const data = tinySphereModel()
const dictionary = dictionaryOf(data)
const k = dictionary.size
const stride = dictionary.mean.length

/** Coordinates in which the last two directions, turned by a rotation, are antisymmetric. */
const { vectors: turn } = symmetricEigen(multiply(randomMatrix(k, k, 60), randomMatrix(k, k, 60), { transposeB: true }))
const turned = (values: readonly number[]) => multiply(multiply(turn, diagonal(values)), turn, { transposeB: true })
const mirror = turned([...new Array(k - 2).fill(1), -1, -1])

const fold = (asymmetry: number) =>
  foldMetric(
    data,
    dictionary,
    {
      mean: new Float64Array(k),
      between: turned([2, 1.5, ...new Array(k - 4).fill(1), 0.8, 0.6]),
      // More than any asymmetry in symmetric directions: that is no matter.
      within: turned([...new Array(k - 2).fill(9), asymmetry, 0.5]),
    },
    mirror,
  )

describe('asymmetry in photos', () => {
  it('is measured by the antisymmetric shape that varies most within a person', () => {
    const within = turned([...new Array(k - 2).fill(9), 0.5, 3])
    expect(asymmetryWithin(within, mirror)).toBeCloseTo(3, 10)
    expect(asymmetryWithin(within, Matrix.identity(k))).toBeCloseTo(0, 10)
  })

  it('is the person’s where photos of one person differ little in it: every latent stays, with its share', () => {
    const { model, shares } = fold(3)
    expect(model.identityCount).toBe(k + 1)
    expect(model.withinIdentityBasis).toBe(data.withinIdentityBasis)
    const expected = [2 / 11, 1.5 / 10.5, ...new Array(k - 4).fill(0.1), 0.8 / 3.8, 0.6 / 1.1]
    expect([...shares].map((share) => share.toFixed(8))).toEqual(
      expected.sort((a, b) => b - a).map((share) => share.toFixed(8)),
    )
  })

  it('is pose where they differ in it by far more than people: all of it becomes variation within a person', () => {
    const { model } = fold(5)
    expect(model.identityCount).toBe(k - 1)
    expect(model.withinIdentityBasis).toHaveLength(2 * stride)
    // Columns of T^1/2 U: the square of one sums to the variance of the shape, between and within.
    const shape = (column: Float64Array) =>
      Float64Array.from({ length: stride }, (_, i) =>
        column.reduce((sum, value, c) => sum + value * dictionary.shapes[c * stride + i]!, 0),
      )
    const expected = [k - 2, k - 1].map((i) => shape(turn.column(i)))
    const variance = (i: number) => [5 + 0.8, 0.5 + 0.6].map((v, j) => v * expected[j]![i]! ** 2)
    for (let i = 0; i < stride; i++) {
      const actual = [0, 1].reduce((sum, j) => sum + model.withinIdentityBasis![j * stride + i]! ** 2, 0)
      expect(actual).toBeCloseTo(
        variance(i).reduce((a, b) => a + b),
        3,
      )
    }
  })
})

describe('exact symmetry', () => {
  const partner = data.mirror!
  const reflect = (shape: ArrayLike<number>, sign: number) =>
    Float32Array.from(
      shape,
      (_, i) => sign * (i % 3 === 0 ? -1 : 1) * shape[3 * partner[Math.floor(i / 3)]! + (i % 3)]!,
    )
  const random = Float32Array.from(randomMatrix(1, stride, 61).data)
  const part = (sign: number) => {
    const image = reflect(random, sign)
    return random.map((value, i) => (value + image[i]!) / 2)
  }
  const mixed = part(1).map((value, i) => value + part(-1)[i]!)
  const nearly = (sign: number) => part(sign).map((value, i) => value + 0.1 * part(-sign)[i]!)
  const columns = [nearly(1), nearly(-1), mixed, new Float32Array(stride)]
  const basis = new Float32Array(columns.flatMap((column) => [...column]))
  // + 0: there is no -0 in this.
  const list = (values: Float32Array) => Array.from(values, (value) => value + 0)
  const columnOf = (values: ArrayLike<number>, i: number) =>
    list(Float32Array.from(values).slice(i * stride, (i + 1) * stride))
  const close = (values: Float32Array) => [...values].map((value) => expect.closeTo(value, 5))

  it('is given to identities by what they are like', () => {
    const { identityBasis } = exactSymmetry({ ...data, identityBasis: basis })
    const [first, second] = [columnOf(identityBasis, 0), columnOf(identityBasis, 1)]
    expect(first).toEqual(close(part(1)))
    expect(first).toEqual(list(reflect(first, 1)))
    expect(second).toEqual(close(part(-1)))
    expect(second).toEqual(list(reflect(second, -1)))
    expect(columnOf(identityBasis, 2)).toEqual(list(mixed))
    expect(columnOf(identityBasis, 3)).toEqual(list(columns[3]!))
  })

  it('takes all but the asymmetry out of variation that stage 2 has added, and leaves what was there before', () => {
    const before = { ...data, withinIdentityBasis: basis.slice(0, stride) }
    const { withinIdentityBasis } = exactSymmetry({ ...data, withinIdentityBasis: basis }, before)
    expect(columnOf(withinIdentityBasis!, 0)).toEqual(list(columns[0]!))
    expect(columnOf(withinIdentityBasis!, 1)).toEqual(close(part(-1)))
    expect(columnOf(withinIdentityBasis!, 2)).toEqual(close(part(-1)))
  })
})
