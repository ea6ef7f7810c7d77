import { describe, expect, it } from 'vitest'
import type { ModelData } from '../../lib/model/ModelData.js'
import { SphereFaceModel } from '../../lib/model/SphereFaceModel.js'
import { validateModel } from '../../lib/model/validate.js'
import { bits } from '../fixtures/bits.js'
import { expectSfmError, expectSfmRejection } from '../fixtures/expectSfmError.js'
import { disturb, drawFace, see } from '../fixtures/observe.js'
import { normals } from '../fixtures/random.js'
import { tinyFullModel, tinySphereModel } from '../fixtures/tinyModel.js'

const HD = { type: 'perspective', focal: 1400, principal: [640, 360] } as const

/** The tiny model whose landmarks are displaced together: 4 smooth modes of about 2 mm. */
function noisyModel(): ModelData {
  const data = tinySphereModel()
  const scheme = data.schemes.get('ibug68')!
  const noiseFactor = Float32Array.from({ length: 4 * 3 * scheme.count }, (_, i) => {
    const [mode, landmark, axis] = [Math.floor(i / (3 * scheme.count)), Math.floor(i / 3) % scheme.count, i % 3]
    const vertex = scheme.indices[3 * landmark]!
    return 2 * Math.cos((mode + 1) * (0.03 * data.mean[3 * vertex]! + 0.02 * data.mean[3 * vertex + 1]!) + axis)
  })
  return { ...data, schemes: new Map([['ibug68', { ...scheme, noiseFactor }]]) }
}

/** Without what the fit takes for nuisances. */
function withoutNuisances(data: ModelData): ModelData {
  const { withinIdentityBasis: _, ...rest } = data
  const schemes = [...data.schemes.values()].map(({ noiseFactor: _, ...scheme }) => scheme)
  return { ...rest, schemes: new Map(schemes.map((scheme) => [scheme.name, scheme])) }
}

/** A face seen by a detector that displaces its landmarks as the scheme says. */
function misdetected(data: ModelData, seed: number) {
  const face = drawFace(data, seed, 0.3)
  const scheme = data.schemes.get('ibug68')!
  const normal = normals(seed + 1000)
  const offset = new Float32Array(3 * scheme.count)
  for (let mode = 0; mode < 4; mode++) {
    const size = normal()
    for (let i = 0; i < offset.length; i++) offset[i]! += size * scheme.noiseFactor![mode * offset.length + i]!
  }
  // What the camera sees is linear in the mean: there the displacement goes.
  const mean = data.mean.slice()
  const { observation, pose } = see(data, 'ibug68', face, { yaw: 20 - 7 * seed, camera: HD })
  const { rotation, translation } = pose
  const points = observation.points.map((point, l) => {
    if (point === null) return null
    // To camera space at the landmark's depth, displaced, and back.
    const d = [0, 1, 2].map((a) => [0, 1, 2].reduce((sum, b) => sum + rotation[3 * a + b]! * offset[3 * l + b]!, 0))
    const depth = translation[2]! + rotation[8]! * mean[3 * scheme.indices[3 * l]! + 2]!
    return point.map((value, a) => value + (HD.focal * d[a]!) / depth)
  })
  return { face, observation: { ...observation, points: disturb(points, 0.3, seed), noise: 0.6 } }
}

describe('nuisances', () => {
  it('keep a detector’s habits out of the identity', async () => {
    using model = SphereFaceModel.fromData(noisyModel())
    const seen = Array.from({ length: 12 }, (_, i) => misdetected(model.data, i + 1))
    const observations = seen.map(({ observation }) => observation)
    const error = async (nuisances: boolean) => {
      const fitter = await model.createFitter({ nuisances })
      const results = await fitter.fit(observations)
      const squares = results.map(({ usable, identity }, i) => {
        expect(usable).toBe(true)
        return seen[i]!.face.identity.reduce((sum, value, k) => sum + (value - identity[k]!) ** 2, 0)
      })
      return squares.reduce((sum, square) => sum + square, 0)
    }
    expect(await error(true)).toBeLessThan(0.5 * (await error(false)))
  })

  it('change nothing where model and scheme have none, or when they are left out', async () => {
    const data = tinyFullModel()
    using full = SphereFaceModel.fromData(data)
    using bare = SphereFaceModel.fromData(withoutNuisances(data))
    const { observation } = see(data, 'tiny12', drawFace(data, 3, 0.4), { yaw: 15, camera: HD })
    const noisy = { ...observation, points: disturb(observation.points, 2, 1) }
    const fitted = async (model: SphereFaceModel, nuisances: boolean) =>
      bits(await (await model.createFitter({ nuisances })).fit(noisy))
    const expected = await fitted(bare, true)
    expect(await fitted(bare, false)).toBe(expected)
    expect(await fitted(full, false)).toBe(expected)
    expect(await fitted(full, true)).not.toBe(expected)
  })

  it('are no part of decoding', async () => {
    const data = tinyFullModel()
    using full = SphereFaceModel.fromData(data)
    using bare = SphereFaceModel.fromData(withoutNuisances(data))
    const [face] = full.sample({ count: 1, seed: 2, expressionScale: 1 })
    expect(await full.decode(face!)).toEqual(await bare.decode(face!))
    expect(await full.decode(face!, { scheme: 'tiny12' })).toEqual(await bare.decode(face!, { scheme: 'tiny12' }))
  })

  it('are switched on and off, nothing else', async () => {
    using model = SphereFaceModel.fromData(tinyFullModel())
    const options = { nuisances: 'no' as unknown as boolean }
    await expectSfmRejection(model.createFitter(options), 'INVALID_ARGUMENT', /^nuisances: expected true or false/)
  })

  it('are limited in number', () => {
    const data = tinySphereModel()
    const tiny = data.schemes.get('tiny12')!
    const many = new Float32Array(1025 * 3 * tiny.count)
    const schemes = new Map([['tiny12', { ...tiny, noiseFactor: many }]])
    expectSfmError(() => validateModel({ ...data, schemes }), 'INVALID_MODEL', /noise_factor": expected at most 1024/)
    const withinIdentityBasis = new Uint16Array(1025 * data.mean.length)
    const crowded = { ...data, withinIdentityBasis }
    expectSfmError(() => validateModel(crowded), 'INVALID_MODEL', /within_identity_basis": expected at most 1024/)
  })
})
