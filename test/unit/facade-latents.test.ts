import { describe, expect, it } from 'vitest'
import { asList, type LatentArrays, type Latents, packLatents, requireOptions } from '../../lib/decode/Latents.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'

const model = { identityCount: 2, expressionCount: 3, expressionNames: ['a', 'b', 'c'] }
const pose = { rotation: [1, 2, 3, 4, 5, 6, 7, 8, 9], translation: [10, 11, 12] }

describe('packLatents', () => {
  it('packs faces one after the other', () => {
    const faces: Latents[] = [
      { identity: [1, 2], expression: [3, 4, 5], pose },
      {
        identity: Float32Array.of(6, 7),
        expression: { c: 8 },
        pose: { ...pose, translation: Float64Array.of(0, 0, 1) },
      },
    ]
    expect(packLatents(faces, model, true)).toEqual({
      count: 2,
      identity: Float32Array.of(1, 2, 6, 7),
      expression: Float32Array.of(3, 4, 5, 0, 0, 8),
      poses: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 1),
    })
  })

  it('leaves out what nobody has', () => {
    expect(packLatents([{ identity: [1, 2] }], model, false)).toMatchObject({ expression: null, poses: null })
    expect(packLatents([], model, true)).toEqual({
      count: 0,
      identity: new Float32Array(0),
      expression: null,
      poses: new Float32Array(0),
    })
    expect(packLatents([{ identity: [1, 2] }, { identity: [1, 2], expression: {} }], model, false).expression).toEqual(
      new Float32Array(6),
    )
  })

  it('takes whatever has a length and numbers', () => {
    const identity = { length: 2, 0: 1, 1: 2 }
    expect(packLatents([{ identity }], model, false).identity).toEqual(Float32Array.of(1, 2))
    // Names come from own properties alone.
    const expression = Object.assign(Object.create({ z: 1 }), { a: 1 })
    expect(packLatents([{ identity, expression }], model, false).expression).toEqual(Float32Array.of(1, 0, 0))
  })

  it('names a face by its place, unless it is the only one', () => {
    const good = { identity: [1, 2] }
    expectSfmError(() => packLatents([{ identity: [1] }], model, false), 'INVALID_ARGUMENT', /^latents\.identity/)
    expectSfmError(
      () => packLatents([good, { identity: [1] }], model, false),
      'INVALID_ARGUMENT',
      /^latents\[1\]\.identity/,
    )
    expectSfmError(() => packLatents([good], model, true), 'INVALID_ARGUMENT', /^latents\.pose/)
  })
})

describe('packLatents of arrays', () => {
  const arrays = {
    count: 2,
    identity: Float32Array.of(1, 2, 6, 7),
    expression: Float32Array.of(3, 4, 5, 0, 0, 8),
    rotation: Float64Array.from({ length: 18 }, (_, i) => i),
    translation: Float64Array.of(10, 11, 12, Number.NaN, 0, 1),
  }

  it('copies them', () => {
    const packed = packLatents(arrays, model, true)
    expect(packed).toEqual({
      count: 2,
      identity: arrays.identity,
      expression: arrays.expression,
      poses: Float32Array.of(
        0,
        1,
        2,
        3,
        4,
        5,
        6,
        7,
        8,
        10,
        11,
        12,
        9,
        10,
        11,
        12,
        13,
        14,
        15,
        16,
        17,
        Number.NaN,
        0,
        1,
      ),
    })
    expect(packed.identity).not.toBe(arrays.identity)
    expect(packLatents({ count: 2, identity: arrays.identity }, model, false)).toMatchObject({
      expression: null,
      poses: null,
    })
    expect(packLatents({ count: 0, identity: new Float32Array(0) }, model, false).count).toBe(0)
  })

  it.each([
    ['latents.count', { ...arrays, count: -1 }],
    ['latents.count', { ...arrays, count: 2 ** 20 + 1 }],
    ['latents.count', { ...arrays, count: 'two' }],
    ['latents.identity', { ...arrays, count: 3 }],
    ['latents.identity', { ...arrays, identity: [1, 2, 6, 7] }],
    ['latents.identity[1]', { ...arrays, identity: Float32Array.of(1, Number.NaN, 6, 7) }],
    ['latents.expression', { ...arrays, expression: new Float32Array(5) }],
    ['latents.expression', { ...arrays, expression: null }],
    ['latents.expression[5]', { ...arrays, expression: Float64Array.of(0, 0, 0, 0, 0, 1e300) }],
    ['latents.rotation', { ...arrays, rotation: undefined }],
    ['latents.translation', { ...arrays, translation: new Float32Array(7) }],
    ['latents.translation[0]', { ...arrays, translation: new Float32Array(6).fill(Number.POSITIVE_INFINITY) }],
  ])('names %s', (name, latents) => {
    const message = new RegExp(`^${name.replace(/[.[\]]/g, '\\$&')}: expected`)
    expectSfmError(() => packLatents(latents as unknown as LatentArrays, model, true), 'INVALID_ARGUMENT', message)
  })
})

describe('asList', () => {
  it('makes a list of one, and leaves a list alone', () => {
    const one = { x: 1 }
    expect(asList(one, 'x')).toEqual([one])
    const many = [one, one]
    expect(asList(many, 'x')).toBe(many)
    expect(asList([], 'x')).toEqual([])
  })

  it('refuses the rest', () => {
    for (const value of [undefined, null, 0, 'x', true, 1n, Symbol('x'), () => 1])
      expectSfmError(
        () => asList(value as unknown as object, 'things'),
        'INVALID_ARGUMENT',
        /^things: expected an object or/,
      )
  })
})

describe('requireOptions', () => {
  it('takes objects alone', () => {
    requireOptions({})
    requireOptions(Object.create(null))
    for (const value of [undefined, null, 0, 'x', true, () => 1])
      expectSfmError(() => requireOptions(value), 'INVALID_ARGUMENT', /^options: expected an object/)
  })
})
