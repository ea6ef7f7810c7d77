import { describe, expect, it } from 'vitest'
import { exponential, logarithm, reflectToPole, sphereToTangent, tangentToSphere } from '../../lib/model/sphere.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'

const pole = [0, 0, 1]

describe('at the pole', () => {
  it('normal coordinates are z = (sinc|v| v, cos|v|)', () => {
    const v = [0.3, -0.4]
    const z = tangentToSphere(v, pole)
    expect([...z]).toEqual([(Math.sin(0.5) / 0.5) * 0.3, (Math.sin(0.5) / 0.5) * -0.4, Math.cos(0.5)])
  })

  it('the reflection to the pole changes nothing, not even in the last bit', () => {
    const x = [0.1, 1 / 3, -0.7]
    expect([...reflectToPole(x, pole)]).toEqual(x)
    expect([...reflectToPole(x, Float32Array.of(3e-9, 0, 1))]).toEqual(x)
  })

  it('a quarter turn ends on the equator', () => {
    expect(tangentToSphere([Math.PI / 2, 0], pole)[0]).toBe(1)
    expect([...sphereToTangent([1, 0, 0], pole)]).toEqual([Math.PI / 2, 0])
  })
})

describe('the limits', () => {
  it('no step stays where it is', () => {
    expect([...tangentToSphere([0, 0], pole)]).toEqual(pole)
    expect([...sphereToTangent(pole, pole)]).toEqual([0, 0])
    expect([...exponential([0, 0, 0], [0, 1, 0])]).toEqual([0, 1, 0])
  })

  it('the smallest steps keep their direction', () => {
    const v = [3e-12, -4e-12]
    expect([...sphereToTangent(tangentToSphere(v, pole), pole)]).toEqual(v)
  })

  it('the antipode is pi away, in a direction that leads back to it', () => {
    for (const mean of [pole, [0, 0, -1], [0.6, 0, 0.8], [0, -0.6, -0.8]]) {
      const antipode = mean.map((value) => -value)
      const v = sphereToTangent(antipode, mean)
      expect(Math.hypot(...v)).toBeCloseTo(Math.PI, 14)
      tangentToSphere(v, mean).forEach((value, i) => {
        expect(value).toBeCloseTo(antipode[i]!, 14)
      })
    }
  })

  it('next to the antipode the angle is accurate', () => {
    const v = [Math.PI - 1e-9, 0]
    expect(sphereToTangent(tangentToSphere(v, pole), pole)[0]! - v[0]!).toBeCloseTo(0, 15)
  })

  it('the length of z does not matter, nor does a mean rounded to single precision', () => {
    const mean = Float32Array.of(0.6, 0.48, 0.64)
    const z = tangentToSphere([0.2, 0.1], mean)
    const longer = z.map((value) => 3 * value)
    const v = sphereToTangent(longer, mean)
    expect(v[0]).toBeCloseTo(0.2, 14)
    expect(v[1]).toBeCloseTo(0.1, 14)
  })
})

describe('arguments', () => {
  it('that do not fit are refused by name', () => {
    expectSfmError(() => tangentToSphere([1], pole), 'INVALID_ARGUMENT', /^v: expected 2 finite numbers/)
    expectSfmError(() => tangentToSphere([1, Number.NaN], pole), 'INVALID_ARGUMENT', /^v:/)
    expectSfmError(() => sphereToTangent([0, 1], pole), 'INVALID_ARGUMENT', /^z:/)
    expectSfmError(() => sphereToTangent([0, 0, 0], pole), 'INVALID_ARGUMENT', /^z:/)
    expectSfmError(() => exponential([0, 0], pole), 'INVALID_ARGUMENT', /^w:/)
    expectSfmError(() => logarithm([0, 0, Number.POSITIVE_INFINITY], pole), 'INVALID_ARGUMENT', /^z:/)
    expectSfmError(() => reflectToPole([1], pole), 'INVALID_ARGUMENT', /^x:/)
    for (const mean of [[0, 0, 2], [1], [], [Number.NaN, 0, 0], undefined as unknown as number[]]) {
      expectSfmError(() => tangentToSphere([0, 0], mean), 'INVALID_ARGUMENT', /^mean:/)
      expectSfmError(() => reflectToPole([0, 0], mean), 'INVALID_ARGUMENT', /^mean:/)
    }
  })
})
