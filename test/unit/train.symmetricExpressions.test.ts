import { describe, expect, it } from 'vitest'
import { mirrorImage, symmetricExpressions } from '../../lib/train/symmetricExpressions.js'
import { randomMatrix } from '../fixtures/dense.js'
import { tinySphereModel } from '../fixtures/tinyModel.js'

const template = tinySphereModel()
const mirror = template.mirror!
const size = 3 * mirror.length

const shape = (seed: number, scale = 1) => Float32Array.from(randomMatrix(1, size, seed, scale).data)
const image = (column: Float32Array) => mirrorImage(column, mirror)
const plus = (a: Float32Array, b: Float32Array) => a.map((value, i) => value + b[i]!)

const left = shape(1)
const smile = plus(shape(2), image(shape(2)))
const other = shape(3)
const columns = [left, plus(image(left), shape(4, 0.01)), plus(smile, shape(5, 0.01)), other]
const model = {
  ...template,
  expressionCount: columns.length,
  expressionBasis: Float32Array.from(columns.flatMap((column) => [...column])),
}
const made = symmetricExpressions(model).expressionBasis as Float32Array
const column = (e: number) => made.slice(e * size, (e + 1) * size)
/** Without -0, which is equal and looks different. */
const list = (values: Float32Array) => Array.from(values, (value) => value + 0)
const distance = (a: Float32Array, b: Float32Array) => Math.hypot(...a.map((value, i) => value - b[i]!))

describe('symmetric expressions', () => {
  it('are mirror images to the last bit where they nearly were, and hardly others than before', () => {
    expect(list(column(1))).toEqual(list(image(column(0))))
    expect(list(column(2))).toEqual(list(image(column(2))))
    for (const e of [0, 1, 2]) {
      const moved = distance(column(e), columns[e]!)
      expect(moved).toBeGreaterThan(0)
      expect(moved).toBeLessThan(0.02 * Math.hypot(...columns[e]!))
    }
  })

  it('leave alone what is like nothing mirrored', () => {
    expect(column(3)).toEqual(other)
    const { mirror: _, ...unmirrored } = model
    expect(symmetricExpressions(unmirrored)).toBe(unmirrored)
  })
})
