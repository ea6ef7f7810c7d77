import { describe, expect, it } from 'vitest'
import { alignFaces, rigidFields } from '../../lib/evaluate/protocols/alignFaces.js'
import { DenseModel } from '../../lib/evaluate/protocols/DenseModel.js'
import { shapeSpaceOf } from '../../lib/evaluate/protocols/ShapeSpace.js'
import { likeliest, nearest } from '../../lib/evaluate/protocols/sphereSolutions.js'
import { type MatrixLike, multiply } from '../../lib/linear/index.js'
import { liftingOf, liftLatent } from '../../lib/model/lift.js'
import type { ModelData } from '../../lib/model/ModelData.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'
import { normals, normalVector } from '../fixtures/random.js'
import {
  decodeTiny,
  tinyFullModel,
  tinyGaussianModel,
  tinySphereModel,
  turnedSphereModel,
} from '../fixtures/tinyModel.js'

const MODES = 6
const reference = (data: ModelData) => Float64Array.from(data.mean)

/** [n,3N] of some latents, and expressions. */
function faces(
  data: ModelData,
  latents: readonly ArrayLike<number>[],
  expressions?: readonly number[][],
): Float32Array {
  return Float32Array.from(latents.flatMap((z, i) => Array.from(decodeTiny(data, z, expressions?.[i]))))
}

/** Displacements from the mean, where nothing moves rigidly. */
function displaced(data: ModelData, vertices: Float32Array): MatrixLike {
  const width = data.mean.length
  const rows = vertices.length / width
  return { rows, columns: width, data: vertices.map((value, i) => value - data.mean[i % width]) }
}

describe('alignFaces', () => {
  const data = tinyGaussianModel()
  const shape = reference(data)

  it('takes rigid motion out, and nothing else', () => {
    const [c, s] = [Math.cos(0.7), Math.sin(0.7)]
    const turned = Float32Array.from(shape, (_, i) => {
      const [x, y, z] = [0, 1, 2].map((a) => shape[i - (i % 3) + a]) as [number, number, number]
      return [c * x - s * z + 12, y - 30, s * x + c * z + 400][i % 3]!
    })
    const { rows, columns, data: left } = alignFaces(turned, shape)
    expect([rows, columns]).toEqual([1, shape.length])
    expect(Math.max(...left.map(Math.abs))).toBeLessThan(1e-3)
    const grown = Float32Array.from(shape, (value) => 1.05 * value)
    const squares = Float64Array.from(alignFaces(grown, shape).data).reduce((sum, value) => sum + value * value, 0)
    const centre = [0, 1, 2].map(
      (a) => shape.filter((_, i) => i % 3 === a).reduce((x, y) => x + y) / (shape.length / 3),
    )
    const expected = shape.reduce((sum, value, i) => sum + (0.05 * (value - centre[i % 3]!)) ** 2, 0)
    expect(squares).toBeCloseTo(expected, 3)
  })

  it('leaves small motions to six fields', () => {
    const fields = rigidFields(shape)
    const moved = shape.map((value, i) => value + 0.001 * fields[3 * shape.length + i]! + 0.002 * fields[i]!)
    const left = alignFaces(Float32Array.from(moved), shape).data
    expect(Math.max(...left.map(Math.abs))).toBeLessThan(2e-5)
  })
})

describe('shapeSpaceOf', () => {
  it('finds the same directions, orthogonal and in order, however the latents are turned', () => {
    const [sphere, turned] = [shapeSpaceOf(tinySphereModel()), shapeSpaceOf(turnedSphereModel().data)]
    expect(sphere.fields.rows).toBe(MODES)
    const inner = multiply(sphere.fields, sphere.fields, { transposeB: true })
    for (let i = 0; i < MODES; i++) {
      expect(turned.variances[i]! / sphere.variances[i]!).toBeCloseTo(1, 4)
      if (i > 0) expect(sphere.variances[i]).toBeLessThanOrEqual(sphere.variances[i - 1]!)
      for (let j = 0; j < MODES; j++)
        expect(inner.at(i, j) / sphere.variances[0]!).toBeCloseTo(
          i === j ? sphere.variances[i]! / sphere.variances[0]! : 0,
          5,
        )
    }
    expect(turned.radius).toBeCloseTo(sphere.radius!, 3)
    expect(shapeSpaceOf(tinyGaussianModel()).radius).toBeUndefined()
  })

  it('refuses a sphere with another prior, or with a slack column', () => {
    const data = tinySphereModel()
    const factor = data.identityPriorFactor!.map((value, i) => (i === 0 ? 2 * value : value))
    expectSfmError(
      () => shapeSpaceOf({ ...data, identityPriorFactor: factor }),
      'INVALID_MODEL',
      /identity_prior_factor/,
    )
    const basis = Float32Array.from(data.identityBasis)
    basis.set(basis.subarray(0, data.mean.length), MODES * data.mean.length)
    expectSfmError(() => shapeSpaceOf({ ...data, identityBasis: basis }), 'INVALID_MODEL', /slack column/)
  })
})

describe('quadratics on the near hemisphere', () => {
  const normal = normals(5)
  const s = Float64Array.from({ length: 8 }, (_, k) => 0.1 + 2 ** k)
  const b = Float64Array.from(s, (value) => value * 2 * normal())
  const radius = 3
  const place = (x: Float64Array) => {
    const length = Math.hypot(...x)
    return x.map((value) => (value * radius * Math.sin(length / radius)) / length)
  }
  const quadratic = (u: Float64Array) =>
    u.reduce((sum, value, k) => sum + 0.5 * s[k]! * value * value - b[k]! * value, 0)
  const cost = (x: Float64Array) => quadratic(place(x)) + x.reduce((sum, value) => sum + 0.5 * value * value, 0)

  it('have their likeliest point where the slope is 0 and all others cost more', () => {
    const x = likeliest(b, s, radius)
    expect(Math.hypot(...x)).toBeLessThan((Math.PI / 2) * radius)
    const h = 1e-5
    for (let k = 0; k < x.length; k++) {
      const step = (sign: number) => x.map((value, i) => value + (i === k ? sign * h : 0))
      expect((cost(step(1)) - cost(step(-1))) / (2 * h)).toBeCloseTo(0, 4)
    }
    for (let i = 0; i < 200; i++) {
      const other = x.map((value) => value + normal())
      if (Math.hypot(...other) < (Math.PI / 2) * radius) expect(cost(other)).toBeGreaterThan(cost(x))
    }
  })

  it('are those of a Gaussian model on a sphere without end', () => {
    const flat = likeliest(b, s)
    flat.forEach((value, k) => {
      expect(value).toBeCloseTo(b[k]! / (s[k]! + 1), 12)
    })
    likeliest(b, s, 1e6).forEach((value, k) => {
      expect(value).toBeCloseTo(flat[k]!, 6)
    })
    expect(Array.from(likeliest(new Float64Array(3), Float64Array.of(1, 2, 3), 2))).toEqual([0, 0, 0])
  })

  it('have their nearest point within the ball, on its edge where the free one is outside', () => {
    const free = nearest(b, s)
    expect(Math.hypot(...free)).toBeGreaterThan(1)
    expect(nearest(b, s, 1e3)).toEqual(free)
    const edge = nearest(b, s, 1)
    expect(Math.hypot(...edge)).toBeCloseTo(1, 10)
    for (let i = 0; i < 100; i++) {
      const other = edge.map((value) => value + 0.3 * normal())
      const length = Math.hypot(...other)
      expect(quadratic(other.map((value) => (length > 1 ? value / length : value)))).toBeGreaterThan(
        quadratic(edge) - 1e-9,
      )
    }
  })
})

describe('DenseModel', () => {
  const gaussian = tinyGaussianModel()
  const normal = normals(9)
  const latents = Array.from({ length: 12 }, () => Array.from(normalVector(MODES, normal)))
  const unseen = displaced(gaussian, faces(gaussian, latents))

  it('represents its own faces, whatever they are like, and others as well as its modes can', () => {
    const model = new DenseModel(gaussian, { reference: reference(gaussian) })
    const moments = model.moments(unseen)
    for (const error of model.bestFits(moments).errors) expect(error).toBeLessThan(1e-3)
    const errors = Array.from({ length: MODES }, (_, k) => model.bestFits(moments, k + 1))
    errors.forEach((fit, k) => {
      const residuals = model.residuals(unseen, fit)
      fit.errors.forEach((error, i) => {
        const direct = Math.sqrt(residuals.row(i).reduce((sum, value) => sum + value * value, 0) / gaussian.vertexCount)
        expect(error).toBeCloseTo(direct, 3)
        if (k > 0) expect(error).toBeLessThanOrEqual(errors[k - 1]!.errors[i]! + 1e-4)
      })
    })
    expect(errors[0]!.errors[0]).toBeGreaterThan(0.1)
  })

  it('reaches the same on the sphere, up to its edge', () => {
    const near = latents.map((g) => g.map((value) => 0.5 * value))
    const sphere = tinySphereModel()
    const model = new DenseModel(sphere, { reference: reference(sphere) })
    for (const error of model.bestFits(model.moments(displaced(gaussian, faces(gaussian, near)))).errors)
      expect(error).toBeLessThan(1e-3)
    const far = model.bestFits(model.moments(displaced(gaussian, faces(gaussian, [[60, 0, 0, 0, 0, 0]])))).errors[0]!
    expect(far).toBeGreaterThan(10)
  })

  it('does not mind where displacements are measured from', () => {
    const other = reference(gaussian).map((value, i) => value + Math.sin(i))
    const [a, b] = [reference(gaussian), other].map((from) => {
      const model = new DenseModel(gaussian, { reference: from, expressions: true })
      const vertices = faces(gaussian, latents)
      const rows = {
        rows: latents.length,
        columns: other.length,
        data: vertices.map((v, i) => v - from[i % from.length]!),
      }
      return model.identities(model.moments(rows), 0.5)
    })
    a!.data.forEach((value, i) => {
      expect(value).toBeCloseTo(b!.data[i]!, 4)
    })
  })

  it('finds the identity that went into a face, with expressions and all', () => {
    const expressions = latents.map((_, i) => [0.1 * (i % 3), 0.2, 0, 0.1])
    const data = tinyFullModel()
    const lifting = liftingOf(MODES)
    const small = latents.map((g) => g.map((value) => 0.4 * value))
    const points = small.map((g) => liftLatent(g, lifting))
    const scans = displaced(data, faces(data, points, expressions))
    const model = new DenseModel(data, { reference: reference(data), expressions: true, within: true })
    const place = new DenseModel(data, { reference: reference(data) })
    const exact = place.identities(place.moments(displaced(data, faces(data, points))), 1e-3)
    const found = model.identities(model.moments(scans), 1e-3)
    found.data.forEach((value, i) => {
      expect(value).toBeCloseTo(exact.data[i]!, 1)
    })
    // At the angle that the point of the sphere has, in standard deviations.
    small.forEach((g, i) => {
      const angle = Math.asin(Math.hypot(...g) / lifting.radius)
      expect(Math.hypot(...exact.row(i))).toBeCloseTo((angle * lifting.radius) / lifting.scale, 2)
    })
  })

  it('finds the likeliest of a Gaussian model: where the slope of the whole problem is 0', () => {
    const noise = 0.7
    const model = new DenseModel(gaussian, { reference: reference(gaussian), expressions: true })
    const space = shapeSpaceOf(gaussian)
    const scan = unseen.data.subarray(0, unseen.columns) as Float32Array
    const x = model.identities(model.moments({ rows: 1, columns: unseen.columns, data: scan }), noise).row(0)
    // With x known, the rest is linear: its best fit by all columns, priors included, must not pull x anywhere.
    const columns = [
      ...rowsOf(space.fields.data, unseen.columns),
      ...rowsOf(gaussian.expressionBasis as Float32Array, unseen.columns).map((row) => row.map((v) => 0.3 * v)),
      ...rowsOf(rigidFields(space.mean), unseen.columns),
    ]
    const weights = columns.map((_, p) => (p < columns.length - 6 ? 1 : 0))
    const c = solve(
      columns,
      scan,
      weights.map((w) => w * noise * noise),
    )
    c.slice(0, MODES).forEach((value, k) => {
      expect(x[k]).toBeCloseTo(value, 3)
    })
  })

  it('tells the noise of scans', () => {
    const noisy = { ...unseen, data: Float32Array.from(unseen.data, (value) => value + 0.3 * normal()) }
    const model = new DenseModel(gaussian, { reference: reference(gaussian) })
    expect(model.noise(model.moments(noisy))).toBeGreaterThan(0.26)
    expect(model.noise(model.moments(noisy))).toBeLessThan(0.31)
  })
})

function rowsOf(data: Float32Array | Float64Array, width: number): Float64Array[] {
  return Array.from({ length: data.length / width }, (_, i) =>
    Float64Array.from(data.subarray(i * width, (i + 1) * width)),
  )
}

/** (C C^T + diag(weights))^-1 C y by Gaussian elimination. */
function solve(columns: Float64Array[], y: ArrayLike<number>, weights: number[]): number[] {
  const inner = (a: ArrayLike<number>, b: ArrayLike<number>) =>
    Array.from(a, (v, i) => v * b[i]!).reduce((p, q) => p + q, 0)
  const rows = columns.map((a, i) => [...columns.map((b, j) => inner(a, b) + (i === j ? weights[i]! : 0)), inner(a, y)])
  for (const [i, row] of rows.entries())
    for (const other of rows) {
      if (other === row) continue
      const factor = other[i]! / row[i]!
      for (let j = i; j < row.length; j++) other[j]! -= factor * row[j]!
    }
  return rows.map((row, i) => row.at(-1)! / row[i]!)
}
