import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { exponential, logarithm, reflectToPole, sphereToTangent, tangentToSphere } from '../../lib/model/sphere.js'
import { normals, unitVector } from '../fixtures/random.js'

/** A mean anywhere on a sphere of 2 to 40 dimensions, and a unit vector of normal coordinates there. */
const meanAndDirection = fc.record({ K: fc.integer({ min: 2, max: 40 }), seed: fc.integer() }).map(({ K, seed }) => {
  const normal = normals(seed)
  return { mean: unitVector(K, normal), direction: unitVector(K - 1, normal), normal }
})
const angle = fc.double({ min: 1e-6, max: 3.1, noNaN: true })

const along = (direction: Float64Array, length: number) => direction.map((value) => value * length)
const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0)
const distance = (a: Float64Array, b: Float64Array) => Math.hypot(...a.map((value, i) => value - b[i]!))
/** Angle between unit vectors, accurate for all. */
const between = (a: Float64Array, b: Float64Array) =>
  2 * Math.atan2(distance(a, b), Math.hypot(...a.map((value, i) => value + b[i]!)))

describe('exponential and logarithmic map', () => {
  it('undo each other', () => {
    fc.assert(
      fc.property(meanAndDirection, angle, ({ mean, direction }, theta) => {
        const v = along(direction, theta)
        const z = tangentToSphere(v, mean)
        expect(Math.abs(Math.hypot(...z) - 1)).toBeLessThan(1e-13)
        // Near the antipode all directions meet: an error of the point is one of the direction, pi - theta times as
        // large.
        expect(distance(sphereToTangent(z, mean), v)).toBeLessThan(1e-12 + (1e-14 * Math.PI) / (Math.PI - theta))
      }),
    )
  })

  it('walk as far as the tangent vector is long', () => {
    fc.assert(
      fc.property(meanAndDirection, angle, ({ mean, direction }, theta) => {
        expect(between(tangentToSphere(along(direction, theta), mean), mean)).toBeCloseTo(theta, 12)
      }),
    )
  })

  it('have tangents orthogonal to the mean', () => {
    fc.assert(
      fc.property(meanAndDirection, ({ mean, normal }) => {
        const w = logarithm(unitVector(mean.length, normal), mean)
        expect(Math.abs(dot(w, mean))).toBeLessThan(1e-13)
      }),
    )
  })

  it('go round the great circle at an even pace: steps along one direction add up', () => {
    fc.assert(
      fc.property(meanAndDirection, angle, angle, ({ mean, direction }, a, b) => {
        const [near, far] = [Math.min(a, b), Math.max(a, b)]
        const p = tangentToSphere(along(direction, near), mean)
        const q = tangentToSphere(along(direction, far), mean)
        expect(between(p, q)).toBeCloseTo(far - near, 12)
        // From p the rest of the way starts in the direction in which the first part arrived.
        const arriving = logarithm(mean, p).map((value) => (-value / near) * (far - near))
        expect(distance(exponential(arriving, p), q)).toBeLessThan(
          1e-12 + 1e-14 / near + (1e-14 * Math.PI) / (Math.PI - near),
        )
      }),
    )
  })

  it('are the derivative that the rank-one form says', () => {
    fc.assert(
      fc.property(meanAndDirection, angle, ({ mean, direction, normal }, theta) => {
        const v = along(direction, theta)
        const dv = unitVector(v.length, normal)
        const h = 1e-5
        const shift = (sign: number) =>
          reflectToPole(
            tangentToSphere(
              v.map((value, i) => value + sign * h * dv[i]!),
              mean,
            ),
            mean,
          )
        const [after, before] = [shift(1), shift(-1)]
        const sinc = Math.sin(theta) / theta
        const parallel = dot(direction, dv)
        for (let i = 0; i < v.length; i++) {
          const analytic = sinc * dv[i]! + (Math.cos(theta) - sinc) * parallel * direction[i]!
          expect((after[i]! - before[i]!) / (2 * h)).toBeCloseTo(analytic, 8)
        }
        expect((after.at(-1)! - before.at(-1)!) / (2 * h)).toBeCloseTo(-Math.sin(theta) * parallel, 8)
      }),
    )
  })
})

describe('reflection to the pole', () => {
  it('takes the mean there and back, and keeps lengths and angles', () => {
    fc.assert(
      fc.property(meanAndDirection, ({ mean, normal }) => {
        const K = mean.length
        const pole = Float64Array.from({ length: K }, (_, i) => (i === K - 1 ? 1 : 0))
        expect(distance(reflectToPole(mean, mean), pole)).toBeLessThan(1e-13)
        expect(distance(reflectToPole(pole, mean), mean)).toBeLessThan(1e-13)
        const [x, y] = [unitVector(K, normal), unitVector(K, normal)]
        expect(dot(reflectToPole(x, mean), reflectToPole(y, mean))).toBeCloseTo(dot(x, y), 13)
        expect(distance(reflectToPole(reflectToPole(x, mean), mean), x)).toBeLessThan(1e-13)
      }),
    )
  })

  it('is no worse next to either pole', () => {
    for (const tilt of [0, 1e-16, 1e-9, 1e-6, 1e-4]) {
      for (const sign of [1, -1]) {
        const mean = [tilt, 0, sign * Math.sqrt(1 - tilt * tilt)]
        const x = Float64Array.of(0.3, -0.5, 0.2)
        expect(distance(reflectToPole(reflectToPole(x, mean), mean), x)).toBeLessThan(1e-15)
        expect(reflectToPole(mean, mean)[2]).toBeCloseTo(1, 9)
      }
    }
  })
})
