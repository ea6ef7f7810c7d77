import { describe, expect, it } from 'vitest'
import { Matrix } from '../../lib/linear/index.js'
import {
  AngularMarginObjective,
  type AngularMarginState,
} from '../../lib/train/stage1/angularMargin/AngularMarginObjective.js'
import {
  chartDerivative,
  chartImages,
  chartInverseDerivative,
  chartPoint,
} from '../../lib/train/stage1/angularMargin/chart.js'
import { cosFace } from '../../lib/train/stage1/angularMargin/cosFace.js'
import { uniformity } from '../../lib/train/stage1/angularMargin/uniformity.js'
import type { ScanCoordinates } from '../../lib/train/stage1/ScanCoordinates.js'
import { STAGE1_DEFAULTS } from '../../lib/train/stage1/Stage1Options.js'
import { normals } from '../fixtures/random.js'

const PEOPLE = 4
const SCANS = 3
const R = 7
const D = 5
const STEP = 1e-5
/** Of central differences at this step in double precision. */
const TOLERANCE = 1e-5

const normal = normals(11)
const random = (rows: number, columns: number, scale = 1) =>
  new Matrix(
    rows,
    columns,
    Float64Array.from({ length: rows * columns }, () => scale * normal()),
  )

function unitRows(matrix: Matrix): Matrix {
  for (let i = 0; i < matrix.rows; i++) {
    const length = Math.hypot(...matrix.row(i))
    matrix.row(i).forEach((value, k, row) => {
      row[k] = value / length
    })
  }
  return matrix
}

const person = Int32Array.from({ length: PEOPLE * SCANS }, (_, i) => Math.floor(i / SCANS))
const scans: ScanCoordinates = {
  coordinates: random(PEOPLE * SCANS, R, 3),
  person,
  people: ['a', 'b', 'c', 'd'],
  counts: new Int32Array(PEOPLE).fill(SCANS),
  captured: 1,
}

function someState(): AngularMarginState {
  return {
    mean: random(1, R).data,
    basis: random(R, D),
    radius: 4,
    identities: random(PEOPLE * SCANS, D),
    weights: unitRows(random(PEOPLE, D)),
  }
}

/** Symmetric, positive definite. */
function somePrecision(): Matrix {
  const a = random(R, R)
  const product = Matrix.identity(R)
  for (let i = 0; i < R; i++)
    for (let j = 0; j < R; j++) for (let k = 0; k < R; k++) product.data[i * R + j]! += a.at(i, k) * a.at(j, k)
  return product
}

const options = {
  ...STAGE1_DEFAULTS.angularMargin,
  identityWeight: 0.7,
  centreWeight: 1.3,
  uniformityWeight: 0.4,
  scale: 6,
  margin: 0.2,
}

/** Central differences of a function of some numbers, which are changed in place and put back. */
function differences(numbers: Float64Array, value: () => number): Float64Array {
  return numbers.map((number, i) => {
    numbers[i] = number + STEP
    const above = value()
    numbers[i] = number - STEP
    const below = value()
    numbers[i] = number
    return (above - below) / (2 * STEP)
  })
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  const size = Math.max(...Array.from(expected, Math.abs))
  expect(actual.length).toBe(expected.length)
  for (let i = 0; i < expected.length; i++) expect(Math.abs(actual[i]! - expected[i]!)).toBeLessThan(TOLERANCE * size)
}

describe('the chart of the sphere', () => {
  it('has the derivatives of its images', () => {
    for (const scale of [1e-9, 0.3, 2]) {
      const v = random(1, D, scale)
      const x = random(1, D).data
      const point = chartPoint(v.row(0), 4)
      const ahead = chartImages(
        new Matrix(
          1,
          D,
          v.data.map((value, k) => value + STEP * x[k]!),
        ),
        4,
      ).data
      const behind = chartImages(
        new Matrix(
          1,
          D,
          v.data.map((value, k) => value - STEP * x[k]!),
        ),
        4,
      ).data
      expectClose(
        chartDerivative(point, x),
        ahead.map((value, k) => (value - behind[k]!) / (2 * STEP)),
      )
      expectClose(chartInverseDerivative(point, chartDerivative(point, x)), x)
    }
  })
})

describe('CosFace', () => {
  it('is log 2 and a half of the scale for two people that cannot be told apart', () => {
    const directions = new Matrix(1, 2, Float64Array.of(1, 0))
    const weights = new Matrix(2, 2, Float64Array.of(1, 0, 1, 0))
    const { values, slopes } = cosFace(directions, weights, Int32Array.of(0), { scale: 10, margin: 0 })
    expect(values[0]).toBeCloseTo(Math.LN2, 12)
    expect([...slopes.data]).toEqual([-5, 5])
  })

  it('has no overflow at a large scale', () => {
    const directions = new Matrix(1, 2, Float64Array.of(1, 0))
    const weights = new Matrix(2, 2, Float64Array.of(-1, 0, 1, 0))
    const { values, slopes } = cosFace(directions, weights, Int32Array.of(0), { scale: 1e4, margin: 0.1 })
    expect(values[0]).toBeCloseTo(2.1e4, 6)
    expect([...slopes.data]).toEqual([-1e4, 1e4])
  })
})

describe('uniformity', () => {
  it('is 0 for people who are all in one place, and least for opposite ones', () => {
    const people = Int32Array.of(0, 1)
    const counts = Int32Array.of(1, 1)
    const same = uniformity(new Matrix(2, 2, Float64Array.of(1, 0, 1, 0)), people, counts)
    expect(same.value).toBeCloseTo(0, 12)
    const opposite = uniformity(new Matrix(2, 2, Float64Array.of(1, 0, -1, 0)), people, counts)
    expect(opposite.value).toBeCloseTo(-8, 12)
  })

  it('pushes people apart', () => {
    const directions = unitRows(new Matrix(2, 2, Float64Array.of(1, 0.2, 1, -0.2)))
    const { gradient } = uniformity(directions, Int32Array.of(0, 1), Int32Array.of(1, 1))
    // Descent takes the first up and the second down.
    expect(gradient.at(0, 1)).toBeLessThan(0)
    expect(gradient.at(1, 1)).toBeGreaterThan(0)
  })
})

describe('the angular-margin objective', () => {
  const state = someState()
  const objective = new AngularMarginObjective(scans, somePrecision(), options)

  it('has the gradient by the latents that finite differences give', () => {
    const { gradient } = objective.evaluate(state)
    expectClose(
      gradient.data,
      differences(state.identities.data, () => objective.evaluate(state).value),
    )
  })

  it.each(['identityWeight', 'centreWeight', 'uniformityWeight'] as const)('has it without %s as well', (weight) => {
    const other = new AngularMarginObjective(scans, somePrecision(), { ...options, [weight]: 0 })
    expectClose(
      other.evaluate(state).gradient.data,
      differences(state.identities.data, () => other.evaluate(state).value),
    )
  })

  it('has the gradients by mean and basis that finite differences give', () => {
    const { mean, basis } = objective.basisGradient(state)
    expectClose(
      mean,
      differences(state.mean, () => objective.evaluate(state).value),
    )
    expectClose(
      basis.data,
      differences(state.basis.data, () => objective.evaluate(state).value),
    )
  })

  it('is the sum of its parts and, but for the uniformity, of what belongs to the scans', () => {
    const { value, parts, perScan } = objective.evaluate(state)
    expect(Object.values(parts).reduce((a, b) => a + b)).toBeCloseTo(value, 8)
    expect(perScan.reduce((a, b) => a + b) + parts.uniformity).toBeCloseTo(value, 8)
  })

  it('has a gradient at the pole', () => {
    const atPole = { ...state, identities: new Matrix(PEOPLE * SCANS, D) }
    const { gradient } = new AngularMarginObjective(scans, somePrecision(), {
      ...options,
      identityWeight: 0,
      uniformityWeight: 0,
    }).evaluate(atPole)
    expect(gradient.data.every(Number.isFinite)).toBe(true)
  })
})
