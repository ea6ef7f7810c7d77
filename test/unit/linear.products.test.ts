import { afterEach, describe, expect, it } from 'vitest'
import { configureCpu, devices } from '../../lib/devices.js'
import { gram, Matrix, type MatrixLike, multiply, symmetrised } from '../../lib/linear/index.js'
import { Random } from '../../lib/random.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'
import { fingerprint } from '../fixtures/fingerprint.js'

function randomMatrix(rows: number, columns: number, seed: number): Matrix {
  const random = new Random(seed)
  return new Matrix(
    rows,
    columns,
    Float64Array.from({ length: rows * columns }, () => random.normal()),
  )
}

function singlePrecision({ rows, columns, data }: Matrix): MatrixLike {
  return { rows, columns, data: Float32Array.from(data) }
}

/** The sum of products in the plainest way. */
function product(a: MatrixLike, b: MatrixLike): Matrix {
  const c = new Matrix(a.rows, b.columns)
  for (let i = 0; i < a.rows; i++)
    for (let j = 0; j < b.columns; j++)
      for (let k = 0; k < a.columns; k++)
        c.data[i * c.columns + j]! += a.data[i * a.columns + k]! * b.data[k * b.columns + j]!
  return c
}

function largestDifference(a: Matrix, b: Matrix): number {
  expect([a.rows, a.columns]).toEqual([b.rows, b.columns])
  return a.data.reduce((worst, value, i) => Math.max(worst, Math.abs(value - b.data[i]!)), 0)
}

describe('Matrix', () => {
  const a = Matrix.from([
    [1, 2, 3],
    [4, 5, 6],
  ])

  it('holds its numbers row by row', () => {
    expect([a.rows, a.columns]).toEqual([2, 3])
    expect(a.data).toEqual(Float64Array.of(1, 2, 3, 4, 5, 6))
    expect(a.at(1, 2)).toBe(6)
    expect(a.row(1)).toEqual(Float64Array.of(4, 5, 6))
    expect(a.row(1).buffer).toBe(a.data.buffer)
    expect(a.column(1)).toEqual(Float64Array.of(2, 5))
    expect(new Matrix(2, 2).data).toEqual(new Float64Array(4))
    expect(Matrix.identity(2).data).toEqual(Float64Array.of(1, 0, 0, 1))
    expect(Matrix.from([]).data).toHaveLength(0)
  })

  it('is transposed and copied', () => {
    expect(a.transpose()).toEqual(
      Matrix.from([
        [1, 4],
        [2, 5],
        [3, 6],
      ]),
    )
    const copy = a.copy()
    copy.data[0] = 9
    expect(a.at(0, 0)).toBe(1)
  })

  it('keeps the data it is given', () => {
    const data = new Float64Array(6)
    expect(new Matrix(3, 2, data).data).toBe(data)
  })

  it('refuses sizes and data that do not agree', () => {
    for (const size of [-1, 1.5, Number.NaN, 2 ** 31, '2', undefined]) {
      expectSfmError(() => new Matrix(size as number, 1), 'INVALID_ARGUMENT', /^rows: expected an integer from 0/)
      expectSfmError(() => new Matrix(1, size as number), 'INVALID_ARGUMENT', /^columns: expected an integer from 0/)
    }
    for (const data of [new Float64Array(5), new Float32Array(6), [1, 2, 3, 4, 5, 6], null])
      expectSfmError(
        () => new Matrix(2, 3, data as Float64Array),
        'INVALID_ARGUMENT',
        /^data: .* Float64Array of 2 x 3/,
      )
    expectSfmError(() => Matrix.from([[1, 2], [3]]), 'INVALID_ARGUMENT', 'rows[1]: expected 2 numbers')
    expectSfmError(() => new Matrix(2 ** 30, 2 ** 30), 'OUT_OF_MEMORY', /2\d+ numbers|1\d+ numbers/)
  })
})

describe('multiply', () => {
  afterEach(() => configureCpu({ threads: initial.threads, instructionSet: initial.instructionSet }))
  const [initial] = devices() as [ReturnType<typeof devices>[0]]

  it.each([
    [0, 3, 2],
    [3, 0, 2],
    [1, 1, 1],
    [13, 17, 19],
    [12, 256, 16],
    [65, 300, 33],
  ])('%d x %d times %d columns', (m, k, n) => {
    const a = randomMatrix(m, k, 1)
    const b = randomMatrix(k, n, 2)
    const expected = product(a, b)
    const c = multiply(a, b)
    expect(largestDifference(c, expected)).toBeLessThan(1e-13 * (k + 1))
    expect(multiply(a.transpose(), b, { transposeA: true })).toEqual(c)
    expect(multiply(a, b.transpose(), { transposeB: true })).toEqual(c)
    expect(multiply(a.transpose(), b.transpose(), { transposeA: true, transposeB: true })).toEqual(c)
  })

  it('takes 32-bit numbers as what they are', () => {
    const x = singlePrecision(randomMatrix(31, 270, 3))
    const inDouble = new Matrix(x.rows, x.columns, Float64Array.from(x.data))
    const b = randomMatrix(270, 11, 4)
    const y = randomMatrix(31, 5, 5)
    expect(multiply(x, b)).toEqual(multiply(inDouble, b))
    expect(multiply(x, y, { transposeA: true })).toEqual(multiply(inDouble, y, { transposeA: true }))
    expect(multiply(y, x, { transposeA: true })).toEqual(multiply(y, inDouble, { transposeA: true }))
    expect(gram(x)).toEqual(gram(inDouble))
  })

  it('adds to what is there', () => {
    const a = randomMatrix(9, 20, 6)
    const b = randomMatrix(20, 7, 7)
    const sum = new Matrix(9, 7, new Float64Array(63).fill(100))
    expect(multiply(a, b, { addTo: sum })).toBe(sum)
    const once = product(a, b)
    expect(
      largestDifference(
        new Matrix(
          9,
          7,
          sum.data.map((value) => value - 100),
        ),
        once,
      ),
    ).toBeLessThan(1e-12)
    const g = gram(a)
    const twice = gram(a, { addTo: gram(a) })
    expect(twice).toEqual(
      new Matrix(
        20,
        20,
        g.data.map((value) => 2 * value),
      ),
    )
  })

  it('lets NaN through', () => {
    const a = randomMatrix(3, 4, 8)
    a.data[1] = Number.NaN
    const c = multiply(a, randomMatrix(4, 2, 9))
    expect([...c.row(0)]).toEqual([Number.NaN, Number.NaN])
    expect(c.row(1).every(Number.isFinite)).toBe(true)
  })

  it('gives the same bits for any number of threads and every instruction set', () => {
    const a = singlePrecision(randomMatrix(150, 700, 10))
    const b = randomMatrix(700, 90, 11)
    const y = randomMatrix(150, 90, 12)
    const products = () => [multiply(a, b), multiply(a, y, { transposeA: true }), gram(b)]
    const all = () => products().map(({ data }) => fingerprint(data))
    configureCpu({ threads: 1 })
    const expected = all()
    for (const instructionSet of initial.instructionSets)
      for (const threads of [1, 2, 5]) {
        configureCpu({ threads, instructionSet })
        expect(all(), `${instructionSet}, ${threads} threads`).toEqual(expected)
      }
  })

  it('refuses what does not fit', () => {
    const a = randomMatrix(3, 4, 13)
    const b = randomMatrix(5, 2, 14)
    const message = 'b: expected 4 rows, for an a of 3 x 4; received 5 x 2'
    expectSfmError(() => multiply(a, b), 'INVALID_ARGUMENT', message)
    expectSfmError(() => multiply(a, b, { transposeA: true }), 'INVALID_ARGUMENT', 'b: expected 3 rows')
    expectSfmError(() => multiply(a, b, { transposeB: true }), 'INVALID_ARGUMENT', 'b: expected 4 columns')
    expectSfmError(() => multiply(a, a.transpose(), { addTo: new Matrix(3, 4) }), 'INVALID_ARGUMENT', /^addTo: .*3 x 3/)
    expectSfmError(() => gram(a, { addTo: new Matrix(3, 3) }), 'INVALID_ARGUMENT', /^addTo: .*4 x 4/)
    expectSfmError(() => multiply(a, b, null as never), 'INVALID_ARGUMENT', /^options:/)
    for (const bad of [null, undefined, 3, 'a', [], {}, { rows: 1, columns: 1 }, { rows: 1, columns: 1, data: [1] }]) {
      expectSfmError(() => multiply(bad as never, b), 'INVALID_ARGUMENT', /^a[.:]/)
      expectSfmError(() => multiply(a, bad as never), 'INVALID_ARGUMENT', /^b[.:]/)
      expectSfmError(() => gram(bad as never), 'INVALID_ARGUMENT', /^a[.:]/)
    }
  })

  it('refuses a result on top of an operand', () => {
    const a = randomMatrix(4, 4, 15)
    expectSfmError(() => multiply(a, Matrix.identity(4), { addTo: a }), 'INVALID_ARGUMENT', /^a: .* apart/)
    expectSfmError(() => multiply(Matrix.identity(4), a, { addTo: a }), 'INVALID_ARGUMENT', /^b: .* apart/)
    expectSfmError(() => gram(a, { addTo: a }), 'INVALID_ARGUMENT', /^a: .* apart/)
  })

  it('reads shared memory, and refuses memory that is gone', () => {
    const a = randomMatrix(4, 4, 16)
    const shared = new Matrix(4, 4, new Float64Array(new SharedArrayBuffer(128)))
    shared.data.set(a.data)
    expect(multiply(shared, Matrix.identity(4))).toEqual(a)
    structuredClone(a.data, { transfer: [a.data.buffer as ArrayBuffer] })
    expectSfmError(() => multiply(a, Matrix.identity(4)), 'INVALID_ARGUMENT', /^a\.data/)
    expectSfmError(() => multiply(shared, shared, { addTo: a }), 'INVALID_ARGUMENT', /^addTo\.data/)
  })
})

describe('gram', () => {
  it.each([
    [0, 3],
    [5, 1],
    [40, 33],
    [300, 65],
  ])('%d x %d: symmetric, and the product with itself', (m, n) => {
    const a = randomMatrix(m, n, 17)
    const g = gram(a)
    expect(g).toEqual(g.transpose())
    expect(g).toEqual(multiply(a, a, { transposeA: true }))
  })
})

it('symmetrised leaves the symmetric part', () => {
  const a = Matrix.from([
    [1, 2],
    [4, 3],
  ])
  expect(Array.from(symmetrised(a).data)).toEqual([1, 3, 3, 3])
  expect(Array.from(a.data)).toEqual([1, 2, 4, 3])
})
