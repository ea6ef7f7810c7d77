import { describe, expect, it } from 'vitest'
import { compare, type JointFitResult, type Observation, SphereFaceModel } from '../../lib/index.js'
import type { ModelData } from '../../lib/model/ModelData.js'
import { bits } from '../fixtures/bits.js'
import { expectSfmRejection } from '../fixtures/expectSfmError.js'
import { TINY_MODELS } from '../fixtures/models.js'
import { neutralError } from '../fixtures/neutralError.js'
import { disturb, drawFace, see } from '../fixtures/observe.js'
import { largestDifference, rootMeanSquare } from '../fixtures/reference.js'
import { tinyFullModel, tinySphereModel } from '../fixtures/tinyModel.js'

const HD = { type: 'perspective', focal: 1400, principal: [640, 360] } as const

/** A photo of a person of the model's prior, with an expression and a view of its own. */
function photo(data: ModelData, person: number, shot: number, noise = 1, scheme = 'ibug68'): Observation {
  const face = { ...drawFace(data, person), expression: drawFace(data, 100 * person + shot, 0.4).expression }
  const view = {
    yaw: 35 * Math.cos(2 * shot),
    pitch: 12 * Math.sin(3 * shot),
    roll: 5 * Math.cos(shot),
    distance: 550 + 20 * shot,
  }
  const { observation } = see(data, scheme, face, { ...view, camera: HD })
  const points = noise > 0 ? disturb(observation.points, noise, 1000 * person + shot) : observation.points
  return { ...observation, points, ...(noise > 0 && { noise }) }
}

const photos = (data: ModelData, person: number, count: number, noise = 1, scheme = 'ibug68') =>
  Array.from({ length: count }, (_, shot) => photo(data, person, shot, noise, scheme))

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

/** Everything a result says, as JSON. */
const said = (result: JointFitResult) => JSON.parse(JSON.stringify(result))

describe.each(Object.entries(TINY_MODELS))('a joint fit of the model "%s"', (_, make) => {
  const scheme = make === tinyFullModel ? 'tiny12' : 'ibug68'

  it('is nearer to the person than single fits, and surer', async () => {
    using model = SphereFaceModel.fromData(make())
    const fitter = await model.createFitter()
    const people = [1, 2, 3, 4]
    const [joint, single, certain]: [number[], number[], boolean[]] = [[], [], []]
    for (const person of people) {
      const observations = photos(model.data, person, 5, 3, scheme)
      const result = await fitter.fitJoint(observations, { outliers: false })
      const alone = await fitter.fit(observations)
      joint.push(neutralError(model, result, person))
      single.push(mean(alone.map((each) => neutralError(model, each, person))))
      certain.push(alone.every((each) => result.identity_uncertainty! < each.identity_uncertainty!))
      expect(result).toMatchObject({ status: 'converged', usable: true, outlier_images: [] })
      expect(result.images).toHaveLength(5)
    }
    expect(mean(joint)).toBeLessThan(0.6 * mean(single))
    expect(certain).toEqual(people.map(() => true))
  })
})

describe('a joint fit', () => {
  it('of one image is the fit of that image', async () => {
    using model = SphereFaceModel.fromData(tinySphereModel())
    const fitter = await model.createFitter({ costTolerance: 1e-9 })
    const observation = photo(model.data, 5, 1)
    const [alone, { images, ...joint }] = [await fitter.fit(observation), await fitter.fitJoint([observation])]
    const distance = model
      .decodeSync({ identity: joint.identity })
      .map((value, i) => value - model.decodeSync({ identity: alone.identity })[i]!)
    expect(rootMeanSquare(distance)).toBeLessThan(0.01)
    expect(compare(joint, alone).cosine).toBeGreaterThan(0.9999)
    expect(images[0]!.rmse).toBeCloseTo(alone.rmse!, 2)
    // Both are of a matrix that was made a step before the end, and the joint one sees the bend of the sphere.
    expect(Math.abs(joint.identity_uncertainty! / alone.identity_uncertainty! - 1)).toBeLessThan(0.03)
  })

  it('finds the person in landmarks that are all but exact', async () => {
    using model = SphereFaceModel.fromData(tinySphereModel())
    const fitter = await model.createFitter({ noise: 0.1, maxIterations: 200 })
    const result = await fitter.fitJoint(photos(model.data, 6, 6, 0))
    expect(neutralError(model, result, 6)).toBeLessThan(0.5)
    for (const { rmse } of result.images) expect(rmse).toBeLessThan(0.1)
  })

  it('grows surer with every image', async () => {
    using model = SphereFaceModel.fromData(tinySphereModel())
    const fitter = await model.createFitter()
    const observations = photos(model.data, 7, 24)
    const uncertainties: number[] = []
    for (const count of [1, 2, 4, 8, 16, 24]) {
      const { identity_uncertainty } = await fitter.fitJoint(observations.slice(0, count), { outliers: false })
      uncertainties.push(identity_uncertainty!)
    }
    for (let i = 1; i < uncertainties.length; i++) expect(uncertainties[i]).toBeLessThan(uncertainties[i - 1]!)
    expect(uncertainties.at(-1)).toBeLessThan(0.9 * uncertainties[0]!)
  })

  it('gives the same bits again, and all but the same result in another order', async () => {
    using model = SphereFaceModel.fromData(tinySphereModel())
    const fitter = await model.createFitter({ posterior: true })
    const observations = photos(model.data, 8, 6)
    const result = await fitter.fitJoint(observations)
    const again = await fitter.fitJoint(observations)
    expect(bits(again as never)).toBe(bits(result as never))
    const reversed = await fitter.fitJoint(observations.toReversed())
    expect(compare(result, reversed).cosine).toBeGreaterThan(0.99999)
    expect(reversed.images.map(({ rmse }) => rmse).toReversed()).toEqual(
      result.images.map(({ rmse }) => expect.closeTo(rmse!, 2)),
    )
    expect(result.images.every(({ posterior }) => posterior!.shift.length === model.data.identityCount - 1)).toBe(true)
    expect(largestDifference(model.fuse(result.images).embedding, result.embedding)).toBeLessThan(0.01)
  })

  it('takes any schemes, cameras and scans together, in their order', async () => {
    using model = SphereFaceModel.fromData(tinySphereModel())
    const fitter = await model.createFitter()
    const { data } = model
    const face = drawFace(data, 9)
    const weak = { type: 'weak', scale: 2, principal: [640, 360] } as const
    const scan = see(data, 'ibug68', face, { camera: HD })
    const mixed: Observation[] = [
      { ...photo(data, 9, 1), id: 'photo' },
      { ...photo(data, 9, 2, 1, 'tiny12'), id: 'other scheme' },
      { ...see(data, 'ibug68', face, { yaw: 20, camera: weak }).observation, id: 'weak' },
      {
        scheme: 'ibug68',
        id: 'scan',
        points: Array.from({ length: 68 }, (_, l) => [...scan.landmarks.subarray(3 * l, 3 * l + 3)]),
      },
      { ...photo(data, 9, 3), id: 'unknown focal length', camera: {} },
    ]
    const result = await fitter.fitJoint(mixed)
    expect(result.images.map(({ id, usable }) => [id, usable])).toEqual(mixed.map(({ id }) => [id, true]))
    expect(result.images.map(({ camera }) => camera?.type)).toEqual([
      'perspective',
      'perspective',
      'weak',
      undefined,
      'perspective',
    ])
    const single = await fitter.fit(mixed[0]!)
    expect(neutralError(model, result, 9)).toBeLessThan(neutralError(model, single, 9))
  })

  it('finds the images that are of somebody else', async () => {
    using model = SphereFaceModel.fromData(tinySphereModel())
    const fitter = await model.createFitter()
    const strangers = [3, 7, 11]
    const observations = photos(model.data, 10, 12).map((own, i) =>
      strangers.includes(i) ? photo(model.data, 20 + i, i) : own,
    )
    const result = await fitter.fitJoint(observations)
    expect(result.outlier_images).toEqual(strangers)
    for (const [i, weight] of result.image_weights.entries())
      strangers.includes(i) ? expect(weight).toBeLessThan(0.1) : expect(weight).toBeGreaterThan(0.8)
    for (const i of strangers) expect(result.images[i]!.message).toMatch(/likely of somebody else$/)
    const deceived = await fitter.fitJoint(observations, { outliers: false })
    expect(deceived.outlier_images).toEqual([])
    expect(neutralError(model, result, 10)).toBeLessThan(0.5 * neutralError(model, deceived, 10))
  })

  it('leaves images out that cannot be fitted, and says why', async () => {
    using model = SphereFaceModel.fromData(tinySphereModel())
    const fitter = await model.createFitter()
    const [a, b, c] = photos(model.data, 11, 3) as [Observation, Observation, Observation]
    const blank = { ...b, points: Array.from({ length: 68 }, () => null) }
    const result = await fitter.fitJoint([a, blank, c])
    expect(result).toMatchObject({ status: 'converged', usable: true, outlier_images: [1] })
    expect(result.images[1]).toMatchObject({ status: 'failed', message: expect.stringMatching(/^too few landmarks/) })
    expect(result.image_weights[1]).toBe(0)
    const without = await fitter.fitJoint([a, c])
    expect(compare(result, without).cosine).toBeGreaterThan(0.999)

    const nothing = await fitter.fitJoint([blank, blank])
    expect(nothing).toMatchObject({ status: 'failed', usable: false, cost: null, identity_uncertainty: null })
    expect(nothing.posterior).toBeUndefined()
    expect([...nothing.identity].every(Number.isFinite)).toBe(true)
    expect(said(nothing).images).toHaveLength(2)
  })

  it('has a JSON form, and its subject where there is but one', async () => {
    using model = SphereFaceModel.fromData(tinySphereModel())
    const fitter = await model.createFitter()
    const observations = photos(model.data, 12, 3).map((each, i) => ({ ...each, id: `p${i}`, subject: 'alice' }))
    const json = said(await fitter.fitJoint(observations))
    expect(json).toMatchObject({ subject: 'alice', status: 'converged', usable: true, outlier_images: [] })
    expect(json.identity).toHaveLength(model.data.identityCount)
    expect(json.images.map(({ id }: { id: string }) => id)).toEqual(['p0', 'p1', 'p2'])
    expect(json.image_weights).toHaveLength(3)
    expect(JSON.stringify(json)).not.toContain('NaN')
    const strangers = observations.map((each, i) => ({ ...each, subject: `s${i}` }))
    expect(said(await fitter.fitJoint(strangers)).subject).toBeUndefined()
  })

  it.each<[string, unknown, unknown, RegExp]>([
    ['an empty list', [], {}, /^observations: expected an array of one or more/],
    ['no list', undefined, {}, /^observations: expected an array of one or more/],
    ['one observation', {}, {}, /^observations: expected an array of one or more/],
    ['a hole', [undefined], {}, /^observations\[0\]: expected an object/],
    ['outliers that are no boolean', [{}], { outliers: 1 }, /^outliers: expected true or false/],
  ])('refuses %s', async (_, observations, options, message) => {
    using model = SphereFaceModel.fromData(tinySphereModel())
    const fitter = await model.createFitter()
    await expectSfmRejection(fitter.fitJoint(observations as never, options as never), 'INVALID_ARGUMENT', message)
  })

  it('refuses what a fit refuses, and ends with its signal or its fitter', async () => {
    using model = SphereFaceModel.fromData(tinySphereModel())
    const fitter = await model.createFitter()
    const good = photos(model.data, 13, 3)
    const points = (good[1]!.points as number[][]).with(4, [Number.POSITIVE_INFINITY, 0])
    const infinite = { ...good[1]!, points }
    await expectSfmRejection(
      fitter.fitJoint([good[0]!, infinite]),
      'INVALID_ARGUMENT',
      /^observations\[1\]\.points\[4\]/,
    )
    await expectSfmRejection(
      fitter.fitJoint([good[0]!, { ...good[1]!, scheme: 'x' }]),
      'UNKNOWN_SCHEME',
      /observations\[1\]/,
    )
    await expectSfmRejection(fitter.fitJoint(good, { signal: AbortSignal.abort() }), 'ABORTED')
    const controller = new AbortController()
    const pending = fitter.fitJoint(photos(model.data, 13, 200), { signal: controller.signal })
    controller.abort()
    await expectSfmRejection(pending, 'ABORTED')
    fitter.dispose()
    await expectSfmRejection(fitter.fitJoint(good), 'DISPOSED')
  })
})
