import { describe, expect, it } from 'vitest'
import { compare, SphereFaceModel } from '../../lib/index.js'
import type { ModelData } from '../../lib/model/ModelData.js'
import { bits } from '../fixtures/bits.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'
import { TINY_MODELS } from '../fixtures/models.js'
import { disturb, drawFace, see } from '../fixtures/observe.js'
import { largestDifference } from '../fixtures/reference.js'
import { tinySphereModel } from '../fixtures/tinyModel.js'

const HD = { type: 'perspective', focal: 1400, principal: [640, 360] } as const

/** A photo of a person of the model's prior. */
function photo(data: ModelData, person: number, shot: number) {
  const face = { ...drawFace(data, person), expression: drawFace(data, 100 * person + shot, 0.4).expression }
  const { observation } = see(data, 'ibug68', face, { yaw: 25 * Math.cos(shot), pitch: 5 * Math.sin(shot), camera: HD })
  return { ...observation, points: disturb(observation.points, 3, 10 * person + shot), noise: 3 }
}

/** The same tiny model with variances from 0.4 to 1.8, and correlated. */
function generalPrior(): ModelData {
  const data = tinySphereModel()
  const K = data.identityCount
  const identityPriorFactor = data.identityPriorFactor!.slice()
  for (let i = 0; i < K - 1; i++) {
    const scale = identityPriorFactor[i * K + i]!
    identityPriorFactor[i * K + i] = scale * (0.6 + 0.15 * i)
    for (let j = 0; j < i; j++) identityPriorFactor[i * K + j] = scale * 0.15 * Math.cos(i + 3 * j)
  }
  return { ...data, identityPriorFactor }
}

const MODELS = { ...TINY_MODELS, 'sphere, general prior': generalPrior }

describe.each(Object.entries(MODELS))('a posterior of the model "%s"', (_, make) => {
  it('changes nothing else, and is there only when it is asked for', async () => {
    using model = SphereFaceModel.fromData(make())
    const observations = [photo(model.data, 1, 1), photo(model.data, 2, 1)]
    const plain = await (await model.createFitter()).fit(observations)
    const results = await (await model.createFitter({ posterior: true })).fit(observations)
    const D = results[0]!.embedding.length
    for (const [i, { posterior, ...rest }] of results.entries()) {
      expect('posterior' in plain[i]!).toBe(false)
      expect(bits(rest as never)).toBe(bits({ ...plain[i]! }))
      expect(posterior!.information).toHaveLength((D * (D + 1)) / 2)
      expect(posterior!.shift).toHaveLength(D)
      expect(posterior!.information.buffer.byteLength).toBe(posterior!.information.byteLength)
      expect([...posterior!.information, ...posterior!.shift].every(Number.isFinite)).toBe(true)
    }
  })

  it('leads back to the face it is of', async () => {
    using model = SphereFaceModel.fromData(make())
    const fitter = await model.createFitter({ posterior: true })
    const result = await fitter.fit(photo(model.data, 3, 2))
    const face = model.fuse([result])
    expect(largestDifference(face.embedding, result.embedding)).toBeLessThan(1e-4)
    expect(largestDifference(face.identity, result.identity)).toBeLessThan(1e-4)
    expect(face.posterior).toEqual(result.posterior)
    expect(compare(face, result).cosine).toBeCloseTo(1, 6)
    expect(await model.decode(face)).toHaveLength(3 * model.vertexCount)
    expect(model.fuse([result, result]).posterior.shift[0]).toBe(2 * result.posterior!.shift[0]!)
  })
})

describe('several photos', () => {
  it('tell people apart better than one, by cosine and by likelihood ratio', async () => {
    using model = SphereFaceModel.fromData(tinySphereModel())
    const fitter = await model.createFitter({ posterior: true })
    const people = Array.from({ length: 14 }, (_, person) => person + 1)
    const shots = people.map((person) => Array.from({ length: 6 }, (_, shot) => photo(model.data, person, shot)))
    const results = await Promise.all(shots.map((photos) => fitter.fit(photos)))
    /** The share of pairs of one person's and another's that are in the right order. */
    const order = (score: 'cosine' | 'logLikelihoodRatio', first: number, last: number) => {
      const halves = results.map((each) => [each.slice(0, first), each.slice(3, last)].map((half) => model.fuse(half)))
      const scores = (same: boolean) =>
        halves.flatMap(([a], i) =>
          halves.flatMap(([, b], j) => ((i === j) === same ? (compare(a!, b!)[score] as number) : [])),
        )
      const others = scores(false)
      const own = scores(true)
      return own.reduce((sum, s) => sum + others.filter((o) => o < s).length, 0) / (own.length * others.length)
    }
    const single = order('logLikelihoodRatio', 1, 4)
    expect(order('cosine', 1, 4)).toBeGreaterThan(0.75)
    expect(single).toBeGreaterThan(0.8)
    expect(order('logLikelihoodRatio', 3, 6)).toBeGreaterThan(single)
    expect(order('cosine', 3, 6)).toBeGreaterThan(order('cosine', 1, 4))
  })

  it('make a face nearer to the true one', async () => {
    using model = SphereFaceModel.fromData(tinySphereModel())
    const fitter = await model.createFitter({ posterior: true })
    let [one, five] = [0, 0]
    for (let person = 1; person <= 10; person++) {
      const results = await fitter.fit([0, 1, 2, 3, 4].map((shot) => photo(model.data, person, shot)))
      const truth = drawFace(model.data, person).identity
      // The first mode is the head's size, which photos do not show.
      const error = (identity: Float32Array) =>
        identity.subarray(1, -1).reduce((sum, value, k) => sum + (value - truth[k + 1]!) ** 2, 0)
      five += error(model.fuse(results).identity)
      one += error(results[0]!.identity)
    }
    expect(five).toBeLessThan(0.65 * one)
  })
})

describe('a posterior', () => {
  it('is absent from a failed result', async () => {
    using model = SphereFaceModel.fromData(tinySphereModel())
    const fitter = await model.createFitter({ posterior: true })
    const points = photo(model.data, 1, 1).points.map((point, i) => (i < 3 ? point : null))
    const result = await fitter.fit({ scheme: 'ibug68', points })
    expect(result.status).toBe('failed')
    expect('posterior' in result || 'posterior' in (result.toJSON() as object)).toBe(false)
    expectSfmError(() => model.fuse([result]), 'INVALID_ARGUMENT', /^observations\[0\]\.posterior: expected/)
  })

  it('becomes part of the JSON', async () => {
    using model = SphereFaceModel.fromData(tinySphereModel())
    const result = await (await model.createFitter({ posterior: true })).fit(photo(model.data, 1, 1))
    const { posterior } = JSON.parse(JSON.stringify(result))
    const bytes = Buffer.from(posterior.information, 'base64')
    expect(bytes.readFloatLE(0)).toBe(result.posterior!.information[0])
    expect(bytes).toHaveLength(4 * result.posterior!.information.length)
  })

  it('is of the model that made it', async () => {
    using model = SphereFaceModel.fromData(tinySphereModel())
    const foreign = { posterior: { information: [1], shift: [1] } }
    expectSfmError(() => model.fuse([foreign]), 'INVALID_ARGUMENT', /^posterior\.information: expected 21 numbers/)
    model.dispose()
    expectSfmError(() => model.fuse([foreign]), 'DISPOSED')
  })
})
