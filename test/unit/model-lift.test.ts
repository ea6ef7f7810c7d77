import { describe, expect, it } from 'vitest'
import { chiQuantile } from '../../lib/model/chi.js'
import { floatToHalf } from '../../lib/model/half.js'
import { lift, liftingOf, liftLatent, unliftLatent } from '../../lib/model/lift.js'
import { sphereToTangent } from '../../lib/model/sphere.js'
import { validateModel } from '../../lib/model/validate.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'
import { normals, normalVector, unitVector } from '../fixtures/random.js'
import { decodeTiny, tinyGaussianModel, tinySphereModel } from '../fixtures/tinyModel.js'

const gaussian = tinyGaussianModel()
const lifting = liftingOf(gaussian.identityCount)

describe('lift', () => {
  it('gives a valid sphere model with one latent more, its mean on the last axis', () => {
    const sphere = lift(gaussian)
    validateModel(sphere)
    expect(sphere.metadata.latent).toBe('sphere')
    expect(sphere.identityCount).toBe(gaussian.identityCount + 1)
    expect([...sphere.identityPriorMean!]).toEqual([0, 0, 0, 0, 0, 0, 1])
    const K = sphere.identityCount
    const spread = Math.fround(lifting.scale / lifting.radius)
    for (let i = 0; i < K * K; i++) {
      const onDiagonal = i % (K + 1) === 0 && i < K * (K - 1)
      expect(sphere.identityPriorFactor![i]).toBe(onDiagonal ? spread : 0)
    }
    expect(sphere.identityBasis.slice((K - 1) * 3 * sphere.vertexCount).every((value) => value === 0)).toBe(true)
  })

  it('changes no shape: z(g) decodes to m + B g for every |g| < r, in the near hemisphere', () => {
    const sphere = lift(gaussian)
    const normal = normals(1)
    for (let draw = 0; draw < 200; draw++) {
      // Lengths up to the very edge, where the Gaussian itself hardly ever goes.
      const length = lifting.radius * (draw / 200 + 0.00499)
      const g = unitVector(gaussian.identityCount, normal).map((value) => length * value)
      const z = liftLatent(g, lifting)
      expect(Math.hypot(...z)).toBeCloseTo(1, 14)
      expect(z.at(-1)).toBeGreaterThan(0)
      const [before, after] = [decodeTiny(gaussian, g), decodeTiny(sphere, z)]
      const error = Math.max(...before.map((value, i) => Math.abs(value - after[i]!)))
      // Vertices have up to 105 mm, of which single precision keeps 24 bits.
      expect(error).toBeLessThan(2e-6)
    }
  })

  it('leaves all else as it was', () => {
    const sphere = lift(gaussian)
    expect(sphere.mean).toBe(gaussian.mean)
    expect(sphere.expressionBasis).toBe(gaussian.expressionBasis)
    expect(sphere.schemes).toBe(gaussian.schemes)
    expect(sphere.metadata.attribution).toBe(gaussian.metadata.attribution)
    expect(gaussian.metadata.latent).toBe('gaussian')
  })

  it('says in the provenance what was done to what', () => {
    expect(JSON.parse(lift(gaussian).metadata.provenance)).toEqual({
      method: 'Gaussian model lifted onto the sphere',
      ...lifting,
      from: gaussian.metadata.provenance,
    })
  })

  it('takes a basis of 16-bit floats', () => {
    const half = lift({ ...gaussian, identityBasis: floatToHalf(gaussian.identityBasis as Float32Array) })
    expect(half.identityBasis).toBeInstanceOf(Float32Array)
    expect(half.identityBasis[0]! / lift(gaussian).identityBasis[0]!).toBeCloseTo(1, 3)
  })

  it('refuses a model that is on the sphere already', () => {
    expectSfmError(() => lift(tinySphereModel()), 'INVALID_ARGUMENT', /^data: expected a model with gaussian latents/)
  })
})

describe('liftingOf', () => {
  it('has a radius of 1.1 times the 99.9% quantile, or as asked', () => {
    expect(lifting.radius).toBe(1.1 * chiQuantile(0.999, 6))
    expect(liftingOf(6, { quantile: 0.5, margin: 2 }).radius).toBe(2 * chiQuantile(0.5, 6))
  })

  it.each([1, 2, 6, 100])('normalises the covariance of the normal coordinates to I, %i modes', (modes) => {
    const { radius, scale } = liftingOf(modes)
    const pole = Float64Array.from({ length: modes + 1 }, (_, i) => (i === modes ? 1 : 0))
    const normal = normals(modes)
    const count = modes > 10 ? 3000 : 20_000
    let square = 0
    let first = 0
    let cross = 0
    let drawn = 0
    while (drawn < count) {
      const g = normalVector(modes, normal)
      if (Math.hypot(...g) >= radius) continue
      // In the chart of the sphere of radius r / c, whose tangent coordinates have unit variance.
      const v = sphereToTangent(liftLatent(g, { modes, radius, scale }), pole).map((value) => (radius / scale) * value)
      square += v.reduce((sum, value) => sum + value * value, 0)
      first += v[0]! ** 2
      cross += v[0]! * v[modes - 1]!
      drawn++
    }
    const error = (values: number) => Math.sqrt(2 / values)
    // Variances at large |g| are a little wider than a Gaussian's; four standard errors and a half are room for that.
    expect(Math.abs(square / (count * modes) - 1)).toBeLessThan(5 * error(count * modes))
    expect(Math.abs(first / count - 1)).toBeLessThan(5 * error(count))
    if (modes > 1) expect(Math.abs(cross / count)).toBeLessThan(4.5 / Math.sqrt(count))
  })

  it('agrees with the integral where it is elementary: two modes', () => {
    // d = 2: |g|^2 / 2 = s has density e^-s on 0..r^2/2; the mean of asin(sqrt(2 s) / r)^2 by a plain sum of 2 million
    // strips.
    const { radius, scale } = liftingOf(2)
    const top = radius ** 2 / 2
    const strips = 2_000_000
    let mass = 0
    let moment = 0
    for (let i = 0; i < strips; i++) {
      const s = ((i + 0.5) / strips) * top
      mass += Math.exp(-s)
      moment += Math.exp(-s) * Math.asin(Math.sqrt(2 * s) / radius) ** 2
    }
    expect(scale).toBeCloseTo(radius * Math.sqrt(moment / mass / 2), 8)
  })

  it('tends to the plain Gaussian as the radius grows', () => {
    expect(liftingOf(10, { margin: 1e4 }).scale).toBeCloseTo(1, 6)
  })

  it('refuses options that make no sphere', () => {
    for (const margin of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expectSfmError(() => liftingOf(3, { margin }), 'INVALID_ARGUMENT', /^margin:/)
    }
    expectSfmError(() => liftingOf(3, { quantile: 1 }), 'INVALID_ARGUMENT')
    expectSfmError(() => liftingOf(0), 'INVALID_ARGUMENT')
  })
})

describe('liftLatent and unliftLatent', () => {
  it('undo each other', () => {
    const normal = normals(5)
    for (let i = 0; i < 50; i++) {
      const g = normalVector(6, normal)
      unliftLatent(liftLatent(g, lifting), lifting).forEach((value, k) => {
        expect(value).toBeCloseTo(g[k]!, 13)
      })
    }
  })

  it('refuse what has no counterpart', () => {
    expectSfmError(
      () => liftLatent([lifting.radius, 0, 0, 0, 0, 0], lifting),
      'INVALID_ARGUMENT',
      /^g: expected latents of a length below/,
    )
    expectSfmError(() => liftLatent([0, 0, 0, 0, 0, Number.NaN], lifting), 'INVALID_ARGUMENT')
    expectSfmError(() => liftLatent([0], lifting), 'INVALID_ARGUMENT', /^g: expected 6 numbers/)
    expectSfmError(() => unliftLatent([0], lifting), 'INVALID_ARGUMENT', /^z: expected 7 numbers/)
  })
})
