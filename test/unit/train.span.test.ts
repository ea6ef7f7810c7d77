import { describe, expect, it } from 'vitest'
import { Matrix, multiply, symmetricEigen } from '../../lib/linear/index.js'
import type { ModelData } from '../../lib/model/ModelData.js'
import { findSpan } from '../../lib/train/stage1/findSpan.js'
import { Mirror } from '../../lib/train/stage1/mirror.js'
import type { DisplacementShard } from '../../lib/train/stage1/readScans.js'
import { Span } from '../../lib/train/stage1/Span.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'
import { normals } from '../fixtures/random.js'
import { tinyGaussianModel } from '../fixtures/tinyModel.js'

const template = tinyGaussianModel()
const width = 3 * template.vertexCount
const normal = normals(3)

/** The tiny face, made symmetric. */
function symmetricTemplate(): ModelData {
  const { mean, mirror } = template
  const symmetric = mean.map((value, i) => {
    const [v, axis] = [Math.floor(i / 3), i % 3]
    const other = mean[3 * mirror![v]! + axis]!
    return (value + (axis === 0 ? -other : other)) / 2
  })
  return { ...template, mean: symmetric }
}

function rotation(x: number, y: number, z: number): number[] {
  const angle = Math.hypot(x, y, z)
  const [a, b, c] = [x / angle, y / angle, z / angle]
  const [s, t] = [Math.sin(angle), 1 - Math.cos(angle)]
  return [
    1 - t * (b * b + c * c),
    t * a * b - s * c,
    t * a * c + s * b,
    t * a * b + s * c,
    1 - t * (a * a + c * c),
    t * b * c - s * a,
    t * a * c - s * b,
    t * b * c + s * a,
    1 - t * (a * a + b * b),
  ]
}

function moved(points: ArrayLike<number>, r: readonly number[], t: readonly number[]): Float32Array {
  return Float32Array.from({ length: points.length }, (_, i) => {
    const [at, axis] = [i - (i % 3), i % 3]
    return (
      r[3 * axis]! * points[at]! + r[3 * axis + 1]! * points[at + 1]! + r[3 * axis + 2]! * points[at + 2]! + t[axis]!
    )
  })
}

/** Scans of a low-rank population, in shards. */
function lowRank(count: number, rank: number): { shards: DisplacementShard[]; factors: Matrix } {
  const factors = new Matrix(
    rank,
    width,
    Float64Array.from({ length: rank * width }, () => normal()),
  )
  const scores = new Matrix(
    count,
    rank,
    Float64Array.from({ length: count * rank }, (_, i) => (10 / (1 + (i % rank))) * normal()),
  )
  const all = multiply(scores, factors)
  const shards: DisplacementShard[] = []
  for (let from = 0; from < count; from += 7) {
    const rows = Math.min(7, count - from)
    const data = Float32Array.from(all.data.subarray(from * width, (from + rows) * width))
    shards.push({ displacements: { rows, columns: width, data }, subjects: new Array(rows).fill('a') })
  }
  return { shards, factors }
}

async function* stream<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values
}

/** Length of what of a row the span cannot show, rigid motions apart. */
function outside(span: Span, rows: Matrix): number {
  const rest = multiply(span.coordinates(rows), span.basis, { transposeB: true })
  return Math.max(
    ...Array.from({ length: rows.rows }, (_, i) =>
      Math.hypot(...withoutRigid(rows.row(i).map((value, j) => value - rest.row(i)[j]!))),
    ),
  )
}

function withoutRigid(field: Float64Array): Float64Array {
  const empty = Span.of(template, new Matrix(width, 0))
  const full = Span.of(template, new Matrix(width, 1, field))
  if (full.rank === empty.rank) return new Float64Array(width)
  const last = full.basis.column(full.rank - 1)
  const along = last.reduce((sum, value, i) => sum + value * field[i]!, 0)
  return last.map((value) => value * along)
}

describe('the mirror of a template', () => {
  const symmetric = symmetricTemplate()
  const mirror = Mirror.require(symmetric)

  it('divides fields into a symmetric and an antisymmetric part', () => {
    const fields = new Matrix(
      width,
      3,
      Float64Array.from({ length: 3 * width }, () => normal()),
    )
    const [even, odd] = [mirror.part(fields, 1), mirror.part(fields, -1)]
    for (const [i, value] of fields.data.entries()) expect(even.data[i]! + odd.data[i]!).toBeCloseTo(value, 12)
    expect(Math.max(...multiply(even, odd, { transposeA: true }).data.map(Math.abs))).toBeLessThan(1e-10)
    expect(mirror.part(even, 1).data).toEqual(even.data)
  })

  it('is not there without a map, nor where the template is crooked', () => {
    const { mirror: _, ...without } = symmetric
    expect(Mirror.of(without)).toMatch('mirror')
    const crooked = {
      ...symmetric,
      mean: symmetric.mean.map((value, i) => (i % 3 === 1 && i < width / 2 ? value + (i % 9) * 5 : value)),
    }
    expect(Mirror.of(crooked)).toMatch('mm')
    expectSfmError(() => Mirror.require(crooked), 'INVALID_INPUT', 'symmetric')
  })
})

describe('a span', () => {
  it('has an orthonormal basis that holds expressions and no rigid motion', () => {
    const span = Span.of(
      template,
      new Matrix(
        width,
        2,
        Float64Array.from({ length: 2 * width }, () => normal()),
      ),
    )
    expect(span.rank).toBe(template.expressionCount + 2)
    const gram = multiply(span.basis, span.basis, { transposeA: true })
    expect(
      Math.max(...gram.data.map((value, i) => Math.abs(value - (i % (span.rank + 1) === 0 ? 1 : 0)))),
    ).toBeLessThan(1e-12)
    // A turn by a thousandth of a degree is linear.
    const turned = moved(template.mean, rotation(1e-5, 2e-5, -1e-5), [0.01, 0.02, -0.01])
    const motion = new Matrix(
      1,
      width,
      Float64Array.from(turned, (value, i) => value - template.mean[i]!),
    )
    expect(Math.hypot(...span.coordinates(motion).data)).toBeLessThan(1e-3 * Math.hypot(...motion.data))
  })

  it('knows which of its fields are symmetric', () => {
    const symmetric = symmetricTemplate()
    const mirror = Mirror.require(symmetric)
    const fields = new Matrix(
      width,
      3,
      Float64Array.from({ length: 3 * width }, () => normal()),
    )
    const span = Span.of(symmetric, fields, mirror)
    const [even, odd] = [mirror.part(span.basis, 1), mirror.part(span.basis, -1)]
    for (let j = 0; j < span.rank; j++) {
      const other = span.signs![j]! > 0 ? odd : even
      expect(Math.hypot(...other.column(j))).toBeLessThan(1e-10)
    }
    expect(span.signs!.some((sign) => sign > 0)).toBe(true)
    expect(span.signs!.some((sign) => sign < 0)).toBe(true)
  })

  it('holds the fields that it was made of, mirrored or not', () => {
    const symmetric = symmetricTemplate()
    const fields = new Matrix(
      width,
      3,
      Float64Array.from({ length: 3 * width }, () => normal()),
    )
    expect(outside(Span.of(template, fields), fields.transpose())).toBeLessThan(1e-9)
    expect(outside(Span.of(symmetric, fields, Mirror.require(symmetric)), fields.transpose())).toBeLessThan(0.02)
  })
})

describe('the range finder', () => {
  it('finds the whole span of low-rank scans', async () => {
    const { shards, factors } = lowRank(40, 8)
    const span = await findSpan(() => stream(shards), template, { rank: 12, seed: 1 })
    expect(span.rank).toBeLessThanOrEqual(12 + template.expressionCount)
    expect(outside(span, factors)).toBeLessThan(1e-3)
  })

  it('finds it with fewer scans than directions asked for', async () => {
    const { shards, factors } = lowRank(10, 4)
    const span = await findSpan(() => stream(shards), template, { rank: 60, seed: 1 })
    expect(outside(span, factors)).toBeLessThan(1e-3)
  })

  it('finds the leading directions of scans that fill more than it may', async () => {
    const { shards } = lowRank(60, 40)
    const span = await findSpan(() => stream(shards), template, { rank: 20, seed: 1 })
    const all = new Matrix(width, width)
    for (const { displacements } of shards) multiply(displacements, displacements, { transposeA: true, addTo: all })
    const leading = symmetricEigen(all).vectors.column(0)
    const row = new Matrix(1, width, leading)
    expect(outside(span, row)).toBeLessThan(0.02)
  })

  it('gives the same bits for the same seed, and others for another', async () => {
    const { shards } = lowRank(30, 40)
    const find = (seed: number) => findSpan(() => stream(shards), template, { rank: 10, seed })
    const [a, b, c] = [await find(1), await find(1), await find(2)]
    expect(a.basis.data).toEqual(b.basis.data)
    expect(a.basis.data).not.toEqual(c.basis.data)
  })
})
