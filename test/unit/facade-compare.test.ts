import { describe, expect, it } from 'vitest'
import { compare } from '../../lib/compare.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'
import { defaultModel } from '../fixtures/models.js'
import { disturb, drawFace, see } from '../fixtures/observe.js'
import { normals, unitVector } from '../fixtures/random.js'

const of = (...embedding: number[]) => ({ embedding })

describe('compare', () => {
  it('gives cosine and angle of two directions', () => {
    expect(compare(of(1, 0), of(1, 0))).toEqual({ cosine: 1, angle: 0 })
    expect(compare(of(1, 0), of(0, 1))).toEqual({ cosine: 0, angle: Math.PI / 2 })
    expect(compare(of(1, 0), of(-1, 0))).toEqual({ cosine: -1, angle: Math.PI })
    const half = compare(of(1, 0, 0), of(0.5, Math.sqrt(0.75), 0))
    expect(half.cosine).toBeCloseTo(0.5, 15)
    expect(half.angle).toBeCloseTo(Math.PI / 3, 15)
  })

  it('does not mind the lengths, however extreme', () => {
    const [a, b] = [of(3, 4), of(-4, 3.5)]
    const expected = compare(a, b)
    for (const [p, q] of [
      [10, 0.001],
      [1e200, 1e200],
      [1e-200, 1e-300],
      [1e300, 1e-300],
    ] as const) {
      const { cosine, angle } = compare(of(...a.embedding.map((x) => p * x)), of(...b.embedding.map((x) => q * x)))
      expect(cosine).toBeCloseTo(expected.cosine, 12)
      expect(angle).toBeCloseTo(expected.angle, 12)
    }
  })

  it('is accurate where an arc cosine is not: next to 0 and pi', () => {
    for (const small of [1e-3, 1e-6, 1e-9, 1e-12]) {
      expect(compare(of(1, 0), of(Math.cos(small), Math.sin(small))).angle / small).toBeCloseTo(1, 6)
      const angle = compare(of(-1, 0), of(Math.cos(small), Math.sin(small))).angle
      expect((Math.PI - angle) / small).toBeCloseTo(1, 3)
    }
  })

  it('is symmetric, and within its range for any pair', () => {
    const normal = normals(4)
    for (let i = 0; i < 200; i++) {
      const [a, b] = [of(...unitVector(20, normal)), of(...unitVector(20, normal).map(Math.fround))]
      const { cosine, angle } = compare(a, b)
      expect(compare(b, a)).toEqual({ cosine, angle })
      expect(cosine).toBeGreaterThanOrEqual(-1)
      expect(cosine).toBeLessThanOrEqual(1)
      expect(Math.cos(angle)).toBeCloseTo(cosine, 12)
      expect(compare(a, a).cosine).toBeLessThanOrEqual(1)
      expect(compare(a, a).angle).toBe(0)
    }
  })

  it('knows nothing of a face at the mean', () => {
    expect(compare(of(0, 0), of(1, 0))).toEqual({ cosine: 0, angle: Math.PI / 2 })
    expect(compare(of(0, 0), of(0, 0))).toEqual({ cosine: 0, angle: Math.PI / 2 })
  })

  it('takes plain and typed arrays, and the JSON of results', () => {
    const expected = compare(of(0.6, 0.8), of(0, 1))
    expect(compare({ embedding: Float64Array.of(0.6, 0.8) }, { embedding: { length: 2, 0: 0, 1: 1 } })).toEqual(
      expected,
    )
  })

  it('refuses what is no embedding', () => {
    for (const bad of [
      undefined,
      null,
      7,
      {},
      { embedding: null },
      { embedding: 'x' },
      { embedding: [] },
      { embedding: {} },
    ]) {
      expectSfmError(
        () => compare(bad as { embedding: number[] }, of(1)),
        'INVALID_ARGUMENT',
        /^a\.embedding: expected/,
      )
      expectSfmError(
        () => compare(of(1), bad as { embedding: number[] }),
        'INVALID_ARGUMENT',
        /^b\.embedding: expected/,
      )
    }
    expectSfmError(
      () => compare(of(1, 2), of(1)),
      'INVALID_ARGUMENT',
      /^b\.embedding: expected 2 numbers, as a\.embedding/,
    )
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, undefined, null, '1', 1n]) {
      const bad = { embedding: [1, value as number] }
      expectSfmError(() => compare(bad, of(1, 2)), 'INVALID_ARGUMENT', /^a\.embedding\[1\]: expected a finite number/)
      expectSfmError(() => compare(of(1, 2), bad), 'INVALID_ARGUMENT', /^b\.embedding\[1\]: expected a finite number/)
    }
  })

  it('decides by the thresholds that it is given', () => {
    const thresholds = { cosine: { threshold: 0.5, falseAcceptRate: 0.01 }, logLikelihoodRatio: { threshold: 2 } }
    const at = (cosine: number) => of(cosine, Math.sqrt(1 - cosine * cosine))
    expect(compare(of(1, 0), at(0.51), { thresholds }).samePerson).toBe(true)
    expect(compare(of(1, 0), at(0.49), { thresholds }).samePerson).toBe(false)
    for (const options of [
      {},
      { thresholds: undefined },
      { thresholds: {} },
      { thresholds: { logLikelihoodRatio: { threshold: 2 } } },
    ])
      expect('samePerson' in compare(of(1, 0), at(0.9), options)).toBe(false)
    // What the two say does not have to agree: the likelihood ratio knows more.
    const seen = (x: number) => ({ ...of(1, 0), posterior: { information: [99, 0, 99], shift: [100 * x, 0] } })
    const near = compare(seen(1.5), seen(1.5), { thresholds })
    expect(near.logLikelihoodRatio).toBeGreaterThan(2)
    expect(near.samePerson).toBe(true)
    const far = compare(seen(1.5), seen(0.5), { thresholds })
    expect(far).toMatchObject({ cosine: 1, samePerson: false })
    expect(far.logLikelihoodRatio).toBeLessThan(2)
    expect(compare(seen(1.5), seen(0.5), { thresholds: { cosine: { threshold: 0.5 } } }).samePerson).toBe(true)
  })

  it('refuses thresholds that are none', () => {
    for (const [options, message] of [
      [null, /^options: expected an object/],
      [{ thresholds: 0.5 }, /^thresholds: expected a model's/],
      [{ thresholds: { cosine: 0.5 } }, /^thresholds\.cosine\.threshold: expected a finite number/],
      [{ thresholds: { cosine: { threshold: Number.NaN } } }, /^thresholds\.cosine\.threshold/],
    ] as const)
      expectSfmError(() => compare(of(1, 0), of(1, 0), options as never), 'INVALID_ARGUMENT', message)
  })

  it('tells the same person from another', async () => {
    const model = await defaultModel()
    const fitter = await model.createFitter()
    const people = Array.from({ length: 8 }, (_, i) => drawFace(model.data, 50 + i))
    const camera = { type: 'perspective', focal: 1400, principal: [640, 360] } as const
    const photo = (person: number, shot: number) => {
      const view = { yaw: 30 * shot - 30, pitch: 8 * shot, camera }
      const { observation } = see(model.data, 'mediapipe478', people[person]!, view)
      return { ...observation, points: disturb(observation.points, 0.5, 10 * person + shot) }
    }
    const results = await fitter.fit(people.flatMap((_, person) => [photo(person, 0), photo(person, 2)]))
    for (let a = 0; a < 16; a += 2) {
      const same = compare(results[a]!, results[a + 1]!).cosine
      for (let b = 0; b < 16; b++)
        if (b !== a && b !== a + 1) expect(compare(results[a]!, results[b]!).cosine).toBeLessThan(same)
    }
  })
})
