import { describe, expect, it } from 'vitest'
import { compare } from '../../lib/compare.js'
import type { FitResult } from '../../lib/fit/FitResult.js'
import { parseEmbedding } from '../../lib/inputs/parseEmbedding.js'
import { isReference, mayBeOfOneModel, modelLabel, referenceOf } from '../../lib/model/ModelReference.js'
import { SphereFaceModel } from '../../lib/model/SphereFaceModel.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'
import { drawFace, see } from '../fixtures/observe.js'
import { tinySphereModel } from '../fixtures/tinyModel.js'

const HD = { type: 'perspective', focal: 1400, principal: [640, 360] } as const
const data = tinySphereModel()
const TINY = { name: 'tiny', version: '1.0.0' }
const OTHER = { name: 'tiny', version: '2.0.0' }

/** The tiny model under a name. */
const named = (name: string, version: string) =>
  SphereFaceModel.fromData({ ...data, metadata: { ...data.metadata, name, version } })

const observations = [1, 2, 3].map(
  (seed) => see(data, 'ibug68', drawFace(data, seed, 0.5), { yaw: 5 * seed, camera: HD }).observation,
)
async function fits(model: SphereFaceModel): Promise<FitResult[]> {
  return (await model.createFitter({ posterior: true })).fit(observations)
}

describe('a reference to a model', () => {
  it('is what the model calls itself, and nothing where it has no name', () => {
    expect(referenceOf(data.metadata)).toEqual(TINY)
    expect(referenceOf({ ...data.metadata, name: '' })).toBeUndefined()
    expect([TINY, {}, null, 'tiny', { name: 'tiny', version: 1 }].map(isReference)).toEqual([
      true,
      false,
      false,
      false,
      false,
    ])
    expect([modelLabel(TINY), modelLabel({ name: 'a', version: '' })]).toEqual(['"tiny 1.0.0"', '"a"'])
  })

  it('differs by name or version; whoever says nothing may be of any', () => {
    expect(mayBeOfOneModel(TINY, { ...TINY })).toBe(true)
    expect(mayBeOfOneModel(TINY, OTHER)).toBe(false)
    expect(mayBeOfOneModel(TINY, { ...TINY, name: 'other' })).toBe(false)
    expect(mayBeOfOneModel(TINY, undefined)).toBe(true)
    expect(mayBeOfOneModel(undefined, undefined)).toBe(true)
  })
})

describe('results', () => {
  it('say which model they are of, in memory and as JSON; all share one object', async () => {
    using model = SphereFaceModel.fromData(data)
    const results = await fits(model)
    expect(results[0]!.model).toEqual(TINY)
    expect(results.every((result) => result.model === results[0]!.model)).toBe(true)
    expect(Object.isFrozen(results[0]!.model)).toBe(true)
    expect(JSON.parse(JSON.stringify(results[0])).model).toEqual(TINY)
    expect(model.fuse(results).model).toEqual(TINY)
    using nameless = named('', '')
    expect('model' in (await fits(nameless))[0]!).toBe(false)
    expect('model' in nameless.fuse(await fits(nameless))).toBe(false)
  })

  it('of different models are not compared or fused', async () => {
    using model = SphereFaceModel.fromData(data)
    using other = named('tiny', '2.0.0')
    const [[a], [b]] = [await fits(model), await fits(other)]
    const message = 'b.model: expected "tiny 1.0.0", as a is of, received "tiny 2.0.0"'
    expectSfmError(() => compare(a!, b!), 'INVALID_ARGUMENT', message)
    const [p, q] = [a, b].map((result) => parseEmbedding(JSON.parse(JSON.stringify(result))))
    expectSfmError(() => compare(p!, q!), 'INVALID_ARGUMENT', message)
    expectSfmError(
      () => model.fuse([a!, b!]),
      'INVALID_ARGUMENT',
      'results[1].model: expected "tiny 1.0.0", received "tiny 2.0.0"',
    )
  })

  it('that do not say whose they are, as older ones, are compared with any', async () => {
    using model = SphereFaceModel.fromData(data)
    const [a, b] = await fits(model)
    const { model: _, ...older } = JSON.parse(JSON.stringify(b))
    expect(compare(a!, parseEmbedding(older)).cosine).toBeCloseTo(compare(a!, b!).cosine, 6)
    expect(compare(a!, { ...b!, model: undefined })).toEqual(compare(a!, b!))
  })

  it('are not decided on by the thresholds of another model', () => {
    const of = (...embedding: number[]) => ({ embedding, model: TINY })
    const cosine = { threshold: 0.5 }
    expect(compare(of(1, 0), of(1, 0), { thresholds: { cosine, model: TINY } }).samePerson).toBe(true)
    expect(compare(of(1, 0), of(1, 0), { thresholds: { cosine } }).samePerson).toBe(true)
    expect(
      compare({ embedding: [1, 0] }, { embedding: [1, 0] }, { thresholds: { cosine, model: OTHER } }).samePerson,
    ).toBe(true)
    expectSfmError(
      () => compare({ embedding: [1, 0] }, of(1, 0), { thresholds: { cosine, model: OTHER } }),
      'INVALID_ARGUMENT',
      'thresholds.model: expected "tiny 1.0.0", as b is of, received "tiny 2.0.0"',
    )
  })

  it.each([[{ name: 'tiny' }], ['tiny'], [{ name: 1, version: '' }]])('with the model %j are refused', (model) => {
    const face = { embedding: [1, 0], model } as never
    const expected = 'expected an object with the strings "name" and "version"'
    expectSfmError(() => compare({ embedding: [1, 0] }, face), 'INVALID_ARGUMENT', `b.model: ${expected}`)
    expectSfmError(() => parseEmbedding(face), 'INVALID_INPUT', `model: ${expected}`)
    const thresholds = { model } as never
    expectSfmError(
      () => compare({ embedding: [1, 0] }, { embedding: [1, 0] }, { thresholds }),
      'INVALID_ARGUMENT',
      `thresholds.model: ${expected}`,
    )
  })
})
