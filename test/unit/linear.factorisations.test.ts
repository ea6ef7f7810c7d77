import { afterEach, describe, expect, it } from 'vitest'
import { configureCpu, devices } from '../../lib/devices.js'
import {
  cholesky,
  gram,
  logDeterminant,
  Matrix,
  multiply,
  orthonormalise,
  solveCholesky,
  solveLower,
  solveLowerTransposed,
  symmetricEigen,
} from '../../lib/linear/index.js'
import { Random } from '../../lib/random.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'
import { fingerprint } from '../fixtures/fingerprint.js'

const SIZES = [0, 1, 2, 3, 31, 64, 65, 130]

function randomMatrix(rows: number, columns: number, seed: number): Matrix {
  const random = new Random(seed)
  return new Matrix(
    rows,
    columns,
    Float64Array.from({ length: rows * columns }, () => random.normal()),
  )
}

/** Symmetric and positive definite, with a condition number of about a hundred. */
function randomSystem(n: number, seed: number): Matrix {
  const a = gram(randomMatrix(n, n, seed))
  for (let i = 0; i < n; i++) a.data[i * n + i]! += 0.1 * n
  return a
}

function expectClose(a: Matrix, b: Matrix, tolerance = 1e-12): void {
  expect([a.rows, a.columns]).toEqual([b.rows, b.columns])
  const size = b.data.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1)
  const worst = a.data.reduce((largest, value, i) => Math.max(largest, Math.abs(value - b.data[i]!)), 0)
  expect(worst / size).toBeLessThan(tolerance)
}

/** a diag(factors) */
function scaleColumns(a: Matrix, factors: ArrayLike<number>): Matrix {
  return new Matrix(
    a.rows,
    a.columns,
    a.data.map((value, i) => value * factors[i % a.columns]!),
  )
}

describe('cholesky', () => {
  it('of a known matrix', () => {
    const l = cholesky(
      Matrix.from([
        [4, 12, -16],
        [12, 37, -43],
        [-16, -43, 98],
      ]),
    )
    expect(l).toEqual(
      Matrix.from([
        [2, 0, 0],
        [6, 1, 0],
        [-8, 5, 3],
      ]),
    )
    expect(logDeterminant(l)).toBeCloseTo(Math.log(36), 14)
  })

  it.each(SIZES)('of %d rows: a = l l^T, and the solutions of systems', (n) => {
    const a = randomSystem(n, 1)
    const before = a.copy()
    const l = cholesky(a)
    expect(a).toEqual(before)
    expectClose(multiply(l, l, { transposeB: true }), a, 1e-14)
    for (let i = 0; i < n; i++)
      expect(
        l
          .row(i)
          .subarray(i + 1)
          .every((value) => value === 0),
      ).toBe(true)
    const b = randomMatrix(n, 3, 2)
    expectClose(multiply(a, solveCholesky(l, b)), b)
    expectClose(multiply(l, solveLower(l, b)), b)
    expectClose(multiply(l, solveLowerTransposed(l, b), { transposeA: true }), b)
    const { values } = symmetricEigen(a)
    const expected = values.reduce((sum, value) => sum + Math.log(value), 0)
    expect(Math.abs(logDeterminant(l) - expected)).toBeLessThan(1e-12 * (n + 1))
  })

  it('refuses what is not positive definite', () => {
    const a = randomSystem(70, 3)
    a.data[66 * 71] = -1
    expectSfmError(() => cholesky(a), 'NUMERICAL', 'the matrix is not positive definite: pivot 66 is')
    expectSfmError(() => cholesky(new Matrix(2, 2)), 'NUMERICAL', 'pivot 0 is 0')
    expectSfmError(() => cholesky(Matrix.from([[Number.NaN]])), 'NUMERICAL', 'pivot 0 is')
  })

  it('refuses what is not symmetric, not square, not a matrix', () => {
    const lopsided = Matrix.from([
      [1, 0.5],
      [0.25, 1],
    ])
    expectSfmError(() => cholesky(lopsided), 'INVALID_ARGUMENT', 'a: expected a symmetric matrix')
    expectSfmError(
      () => cholesky(new Matrix(2, 3)),
      'INVALID_ARGUMENT',
      'a: expected a square matrix, received one of 2 x 3',
    )
    for (const bad of [null, 1, {}, { rows: 1, columns: 1, data: new Float32Array(1) }]) {
      expectSfmError(() => cholesky(bad as never), 'INVALID_ARGUMENT', /^a[.:]/)
      expectSfmError(() => logDeterminant(bad as never), 'INVALID_ARGUMENT', /^l[.:]/)
      expectSfmError(() => solveLower(bad as never, new Matrix(1, 1)), 'INVALID_ARGUMENT', /^l[.:]/)
      expectSfmError(() => solveCholesky(new Matrix(1, 1), bad as never), 'INVALID_ARGUMENT', /^b[.:]/)
    }
    expectSfmError(() => solveLower(Matrix.identity(3), new Matrix(2, 1)), 'INVALID_ARGUMENT', 'b: expected 3 rows')
  })

  it('refuses singular factors', () => {
    const l = Matrix.identity(3)
    l.data[4] = 0
    const b = new Matrix(3, 1)
    expectSfmError(() => solveLower(l, b), 'NUMERICAL', 'number 1 of its diagonal is 0')
    expectSfmError(() => solveLowerTransposed(l, b), 'NUMERICAL', /singular/)
    expectSfmError(() => logDeterminant(l), 'NUMERICAL', /no Cholesky factor/)
  })
})

describe('symmetricEigen', () => {
  it('of a known matrix', () => {
    const { values, vectors } = symmetricEigen(
      Matrix.from([
        [2, -1, 0],
        [-1, 2, -1],
        [0, -1, 2],
      ]),
    )
    const [half, root] = [0.5, Math.SQRT1_2]
    expectClose(new Matrix(1, 3, values), Matrix.from([[2 + Math.SQRT2, 2, 2 - Math.SQRT2]]), 1e-15)
    expectClose(new Matrix(1, 3, vectors.column(0)), Matrix.from([[-half, root, -half]]), 1e-15)
    expectClose(new Matrix(1, 3, vectors.column(2)), Matrix.from([[half, root, half]]), 1e-15)
  })

  it.each(SIZES)('of %d rows: a = v diag v^T, v^T v = 1, in order, signs as agreed', (n) => {
    const half = randomMatrix(n, n, 4)
    const a = new Matrix(
      n,
      n,
      half.data.map((value, i) => value + half.at(i % n, Math.floor(i / n))),
    )
    const { values, vectors } = symmetricEigen(a)
    expectClose(multiply(scaleColumns(vectors, values), vectors, { transposeB: true }), a, 1e-13)
    expectClose(gram(vectors), Matrix.identity(n), 1e-13)
    expect([...values].sort((x, y) => y - x)).toEqual([...values])
    for (let j = 0; j < n; j++) {
      const extreme = vectors.column(j).reduce((e, value) => (Math.abs(value) > Math.abs(e) ? value : e), 0)
      expect(extreme).toBeGreaterThan(0)
    }
  })

  it('of few large values among many equal ones and zeros', () => {
    const { basis } = orthonormalise(randomMatrix(120, 120, 5))
    const expected = Float64Array.from({ length: 120 }, (_, i) => (i < 3 ? 100 - i : i < 60 ? 1 : 0))
    const a = multiply(scaleColumns(basis, expected), basis, { transposeB: true })
    const { values, vectors } = symmetricEigen(a)
    expectClose(new Matrix(1, 120, values), new Matrix(1, 120, expected), 1e-14)
    expectClose(multiply(scaleColumns(vectors, values), vectors, { transposeB: true }), a, 1e-14)
    expectClose(gram(vectors), Matrix.identity(120), 1e-13)
  })

  it('refuses what is not finite, not symmetric, not square', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const a = Matrix.identity(3)
      a.data[4] = value
      expectSfmError(() => symmetricEigen(a), 'NUMERICAL', /not finite/)
    }
    const lopsided = Matrix.identity(3)
    lopsided.data[1] = 1
    expectSfmError(() => symmetricEigen(lopsided), 'INVALID_ARGUMENT', 'a: expected a symmetric matrix')
    expectSfmError(() => symmetricEigen(new Matrix(1, 2)), 'INVALID_ARGUMENT', /^a: expected a square/)
    expectSfmError(() => symmetricEigen(undefined as never), 'INVALID_ARGUMENT', /^a:/)
  })
})

describe('orthonormalise', () => {
  it.each([
    [1, 1],
    [40, 7],
    [90, 33],
    [65, 65],
  ])('%d x %d: orthonormal, and spans the columns', (m, n) => {
    const a = randomMatrix(m, n, 6)
    const { basis, columns } = orthonormalise(a)
    expect(columns).toEqual(Array.from({ length: n }, (_, j) => j))
    expectClose(gram(basis), Matrix.identity(n), 1e-14)
    expectClose(multiply(basis, multiply(basis, a, { transposeA: true })), a, 1e-13)
  })

  it('leaves out what depends on the columns before', () => {
    const a = randomMatrix(50, 6, 7)
    for (let i = 0; i < 50; i++) {
      const row = a.row(i)
      row[2] = row[0]! - 2 * row[1]!
      row[4] = 0
    }
    const { basis, columns } = orthonormalise(a)
    expect(columns).toEqual([0, 1, 3, 5])
    expect([basis.rows, basis.columns, basis.data.length]).toEqual([50, 4, 200])
    expectClose(gram(basis), Matrix.identity(4), 1e-14)
    expectClose(multiply(basis, multiply(basis, a, { transposeA: true })), a, 1e-13)
    expect(orthonormalise(new Matrix(4, 3)).columns).toEqual([])
    expect(orthonormalise(randomMatrix(3, 8, 8)).columns).toEqual([0, 1, 2])
    expect(orthonormalise(new Matrix(0, 2)).basis).toEqual(new Matrix(0, 0))
  })

  it('takes its tolerance from the caller', () => {
    const a = Matrix.from([
      [1, 1],
      [0, 1e-6],
    ])
    expect(orthonormalise(a).columns).toEqual([0, 1])
    expect(orthonormalise(a, { tolerance: 1e-5 }).columns).toEqual([0])
    for (const tolerance of [0, 1, -1, 1e-16, Number.NaN, '1e-9'])
      expectSfmError(() => orthonormalise(a, { tolerance: tolerance as number }), 'INVALID_ARGUMENT', /^tolerance:/)
  })

  it('refuses what is not finite or not a matrix', () => {
    const a = randomMatrix(5, 3, 9)
    a.data[7] = Number.NaN
    expectSfmError(() => orthonormalise(a), 'NUMERICAL', 'column 1 holds a number that is not finite')
    expectSfmError(() => orthonormalise({} as Matrix), 'INVALID_ARGUMENT', /^a\.rows:/)
  })
})

describe('every factorisation', () => {
  const [initial] = devices() as [ReturnType<typeof devices>[0]]
  afterEach(() => configureCpu({ threads: initial.threads, instructionSet: initial.instructionSet }))

  it('gives the same bits for any number of threads and every instruction set', () => {
    const a = randomSystem(140, 10)
    const b = randomMatrix(140, 300, 11)
    const tall = randomMatrix(2500, 40, 12)
    const all = () => {
      const l = cholesky(a)
      const { values, vectors } = symmetricEigen(a)
      const numbers = [l.data, solveCholesky(l, b).data, values, vectors.data, orthonormalise(tall).basis.data]
      return numbers.map((each) => fingerprint(each)).concat(String(logDeterminant(l)))
    }
    configureCpu({ threads: 1 })
    const expected = all()
    for (const instructionSet of initial.instructionSets)
      for (const threads of [1, 2, 5]) {
        configureCpu({ threads, instructionSet })
        expect(all(), `${instructionSet}, ${threads} threads`).toEqual(expected)
      }
  })
})
