import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MemoryCorpus } from '../../lib/corpus/MemoryCorpus.js'
import { synthesise } from '../../lib/corpus/synthetic/SyntheticCorpus.js'
import { SPLITS, type TrainingData } from '../../lib/corpus/TrainingData.js'
import { checkReport } from '../../lib/evaluate/EvaluationReport.js'
import { numberPeople } from '../../lib/evaluate/people.js'
import { denseClustering } from '../../lib/evaluate/protocols/denseClustering.js'
import type { EvaluatedModel } from '../../lib/evaluate/protocols/EvaluatedModel.js'
import { evaluateModels } from '../../lib/evaluate/protocols/evaluateModels.js'
import { landmarkEvaluation } from '../../lib/evaluate/protocols/landmarkEvaluation.js'
import { neutralMetric } from '../../lib/evaluate/protocols/NeutralMetric.js'
import { type Photo, parsePhoto } from '../../lib/evaluate/protocols/Photo.js'
import { photoEvaluation } from '../../lib/evaluate/protocols/photoEvaluation.js'
import { openScanFolder } from '../../lib/evaluate/protocols/readScanFolder.js'
import { representation } from '../../lib/evaluate/protocols/representation.js'
import { type ScanWithImages, scanEvaluation } from '../../lib/evaluate/protocols/scanEvaluation.js'
import { readTrainingRecord } from '../../lib/evaluate/protocols/trainingRecord.js'
import { somePairs } from '../../lib/evaluate/protocols/trialSubset.js'
import { whitenedLatents } from '../../lib/evaluate/protocols/whitening.js'
import { renderMarkdown } from '../../lib/evaluate/renderMarkdown.js'
import { SCAN_LANDMARKS } from '../../lib/evaluate/scanProtocol.js'
import { rmsDistance } from '../../lib/evaluate/shapes.js'
import { lift } from '../../lib/model/lift.js'
import type { ModelData } from '../../lib/model/ModelData.js'
import { SphereFaceModel } from '../../lib/model/SphereFaceModel.js'
import { sphereToTangent } from '../../lib/model/sphere.js'
import { encodePly } from '../../lib/outputs/ply.js'
import { expectSfmError, expectSfmRejection } from '../fixtures/expectSfmError.js'
import { foldedTinyModel } from '../fixtures/foldedModel.js'
import { defaultModel } from '../fixtures/models.js'
import { normals, normalVector } from '../fixtures/random.js'
import { tinyGaussianModel } from '../fixtures/tinyModel.js'

const source = tinyGaussianModel()
const bootstrap = { resamples: 40 }

function truncated(data: ModelData, modes: number): ModelData {
  const identityBasis = (data.identityBasis as Float32Array).slice(0, modes * data.mean.length)
  return { ...data, identityCount: modes, identityBasis }
}

const opened: SphereFaceModel[] = []
function evaluated(key: string, data: ModelData): EvaluatedModel {
  const model = SphereFaceModel.fromData(data)
  opened.push(model)
  return { key, name: key.toUpperCase(), model }
}

/** Six people in the part `test`, with five scans and pictures each. */
async function people(options: Record<string, unknown> = {}): Promise<TrainingData> {
  return MemoryCorpus.from(
    synthesise(source, {
      identities: 12,
      scansPerIdentity: 5,
      photosPerIdentity: 5,
      outsideIdentitySpace: 0,
      photos: { sigma: 0.3, contourSigma: 0.3, outliers: 0, expression: 0.5, yaw: 20 },
      splits: { train: 0.5, validation: 0, test: 0.5 },
      ...options,
    }),
  )
}

let data: TrainingData
let full: EvaluatedModel
let same: EvaluatedModel
let less: EvaluatedModel
let sphere: EvaluatedModel

beforeAll(async () => {
  data = await people()
  full = evaluated('full', source)
  same = evaluated('same', source)
  less = evaluated('less', truncated(source, 3))
  sphere = evaluated('sphere', lift(source))
})
afterAll(() => {
  for (const model of opened) model.dispose()
})

describe('representation', () => {
  it('is perfect of the space the people come from, the same on the sphere, worse with fewer modes', async () => {
    const { faces, count, models } = await representation([full, sphere, less], data, { bootstrap })
    expect([faces, count]).toEqual(['neutral', 6])
    const [a, b, c] = models.map(({ sizes }) => sizes.at(-1)!)
    expect(a!.error.value).toBeLessThan(5e-3)
    expect(b).toMatchObject({ size: 7, modes: 6 })
    expect(b!.error.value).toBeCloseTo(a!.error.value, 4)
    expect(c!.error.low).toBeGreaterThan(0.5)
    expect(Math.max(...models[0]!.perVertex)).toBeLessThan(0.02)
    expect(models[2]!.curve.map(({ size }) => size)).toEqual([2, 4])
    expect(models[0]!.specificity).toBeGreaterThan(0.5)
  })

  it('is that of scans, expressions taken out, where nobody knows the truth', async () => {
    const { description } = data
    const splits = { train: data.subjects('train'), validation: [], test: data.subjects('test') }
    const scans = []
    for await (const shard of data.scans()) scans.push(shard)
    const real = new MemoryCorpus({ ...description, template: source, splits, scans })
    const { faces, count, people: who, models } = await representation([full, less], real, { bootstrap })
    expect([faces, count, who.count]).toEqual(['scans', 30, 6])
    expect(models[0]!.specificity).toBeUndefined()
    expect(models[0]!.sizes.at(-1)!.error.value).toBeLessThan(models[1]!.sizes.at(-1)!.error.value)
  })

  it('gives sizes that were asked for', async () => {
    const { models } = await representation([sphere, less], data, { bootstrap, sizes: [4, 100] })
    expect(models.map(({ sizes }) => sizes.map(({ size, modes }) => [size, modes]))).toEqual([[[4, 3]], [[4, 3]]])
  })

  it('refuses models of another topology, and parts without people', async () => {
    const other = { ...source, triangles: source.triangles.map((_, i, all) => all[all.length - 1 - i]!) }
    await expectSfmRejection(
      representation([full, evaluated('other', other)], data),
      'INVALID_ARGUMENT',
      /triangles of full/,
    )
    await expectSfmRejection(representation([full], data, { split: 'validation' }), 'INVALID_INPUT', /"validation"/)
    await expectSfmRejection(representation([], data), 'INVALID_ARGUMENT', /^models/)
    const signal = AbortSignal.abort()
    await expectSfmRejection(representation([full], data, { signal }), 'ABORTED', /aborted/)
  })
})

describe('denseClustering', () => {
  it('gathers the scans of a person, alike for models that are alike', async () => {
    const found = (await denseClustering([full, same, less], data, { bootstrap }))!
    expect([found.scans, found.people.count]).toEqual([30, 6])
    const [a, b, c] = found.models
    expect(a!.latents).toEqual(b!.latents)
    expect(a!.ratio.replicates).toEqual(b!.ratio.replicates)
    expect(a!.cosine.auc.value).toBeGreaterThan(0.95)
    expect(a!.ratio.value).toBeLessThan(0.6)
    expect(a!.noise).toBeLessThan(c!.noise)
  })

  it('finds faces at rest, nearly as they are where scans are all but exact', async () => {
    const still = { smoothDrift: { amplitude: 0 }, identityDrift: { amplitude: 0 }, noise: 0.01 }
    const exact = (await denseClustering([full, sphere, less], await people(still), { bootstrap }))!
    const noisy = (await denseClustering([full], data, { bootstrap }))!
    const [a, b, c] = exact.models.map(({ neutralError }) => neutralError!.value)
    expect(a).toBeLessThan(0.3)
    expect(b).toBeCloseTo(a!, 1)
    expect(c).toBeGreaterThan(1)
    expect(noisy.models[0]!.neutralError!.low).toBeGreaterThan(a!)
  })

  it('expects the noise that people of another part are best fitted with, whether the truth is known or not', async () => {
    const parts = { identities: 16, splits: { train: 0.25, validation: 0.25, test: 0.5 } }
    const still = { smoothDrift: { amplitude: 0 }, identityDrift: { amplitude: 0 } }
    const noises: number[][] = []
    for (const noise of [0.3, 6]) {
      const drawn = await people({ ...parts, ...still, noise })
      const scans = []
      for await (const shard of drawn.scans()) scans.push(shard)
      const [train, validation, test] = SPLITS.map((split) => drawn.subjects(split)) as [string[], string[], string[]]
      const real = new MemoryCorpus({ template: source, splits: { train, validation, test }, scans })
      for (const some of [drawn, real]) {
        const found = (await denseClustering([full, same], some, { bootstrap }))!
        expect(found.tuned).toBe(true)
        expect(found.models[0]!.noise).toBe(found.models[1]!.noise)
        noises.push([noise, found.models[0]!.noise])
      }
    }
    // The best is near the true one, as far as a dozen scans can tell.
    for (const [real, chosen] of noises) {
      expect(chosen).toBeGreaterThan(real! / 4)
      expect(chosen).toBeLessThan(real! * 6)
    }
    expect((await denseClustering([full], data, { bootstrap }))!.tuned).toBe(false)
  })

  it('compares people by the embeddings of a model that photos have taught', async () => {
    const taught = foldedTinyModel()
    // Its own people, as exactly as scans can be: fits must find the directions that they were drawn in.
    const drawn = synthesise(taught, {
      identities: 8,
      scansPerIdentity: 3,
      outsideIdentitySpace: 0,
      smoothDrift: { amplitude: 0 },
      identityDrift: { amplitude: 0 },
      noise: 0.001,
      splits: { train: 0, validation: 0.25, test: 0.75 },
    })
    const folded = evaluated('folded', taught)
    const found = (await denseClustering([folded, sphere], drawn, { bootstrap }))!
    const [ours] = found.models
    expect(ours!.neutralError!.value).toBeLessThan(0.1)
    expect(ours!.ratio.value).toBeLessThan(0.1)
    const directions = new Map<string, Float64Array>()
    for await (const { subjects, identities } of drawn.truth({ split: 'test' }))
      for (const [i, subject] of subjects.entries()) {
        const z = identities.subarray(i * taught.identityCount, (i + 1) * taught.identityCount)
        directions.set(subject, sphereToTangent(z, taught.identityPriorMean!))
      }
    expect(directions.size).toBe(6)
    let at = 0
    for await (const { subjects } of drawn.scans({ split: 'test' }))
      for (const subject of subjects) {
        const [v, x] = [directions.get(subject)!, ours!.latents[at++]!]
        const cosine = v.reduce((sum, value, k) => sum + value * x[k]!, 0) / Math.hypot(...v) / Math.hypot(...x)
        expect(cosine).toBeGreaterThan(0.99)
      }
  })

  it('has nothing to say of one person, or one scan of each', async () => {
    const single = await people({ scansPerIdentity: 1 })
    expect(await denseClustering([full], single, { bootstrap })).toBeUndefined()
  })
})

describe('landmarkEvaluation', () => {
  it('compares, reconstructs, and says how consistent that is', async () => {
    const [found, ...others] = await landmarkEvaluation([full, same, less], data, { bootstrap })
    expect(others).toEqual([])
    expect(found).toMatchObject({ scheme: 'ibug68', images: 30, setSize: 5 })
    const [a, b, c] = found!.models
    expect(a!.clustering!.cosine.auc.value).toBeGreaterThan(0.9)
    expect(a!.clustering!.likelihoodRatio!.auc.value).toBeGreaterThan(0.9)
    expect(a!.single!.errors).toEqual(b!.single!.errors)
    expect([a!.single!.count, a!.several!.count, a!.averaged!.count]).toEqual([30, 6, 6])
    expect(a!.single!.error.value).toBeLessThan(c!.single!.error.value)
    expect(a!.several!.error.value).not.toBe(a!.averaged!.error.value)
    expect(a!.consistency!.ratio.value).toBeLessThan(1)
  })

  it('errs by as much as the mean face where nothing was fitted', async () => {
    const { description } = data
    const splits = { train: data.subjects('train'), validation: [], test: data.subjects('test') }
    const truth = []
    for await (const shard of data.truth()) truth.push(shard)
    const scans = []
    for await (const shard of data.scans()) scans.push(shard)
    const landmarkSets = data.subjects('test').map((subject) => ({
      subject,
      scheme: 'ibug68',
      points: Array.from({ length: 68 }, (_, l) => (l < 2 ? [l, l] : null)),
      image: { width: 10, height: 10 },
    }))
    const blind = new MemoryCorpus({ ...description, template: source, splits, truth, landmarkSets, scans })
    const [found] = await landmarkEvaluation([full], blind, { bootstrap })
    expect(found!.models[0]).toMatchObject({ failed: 6 })
    expect(found!.models[0]!.clustering).toBeUndefined()
    const neutrals = truth.flatMap(({ subjects, neutrals }) =>
      subjects.flatMap((subject, i) =>
        splits.test.includes(subject) ? [neutrals.subarray(i * source.mean.length, (i + 1) * source.mean.length)] : [],
      ),
    )
    found!.models[0]!.single!.errors.forEach((error, i) => {
      expect(error).toBeLessThanOrEqual(rmsDistance(neutrals[i]!, source.mean) + 1e-6)
      expect(error).toBeGreaterThan(0.3 * rmsDistance(neutrals[i]!, source.mean))
    })
  })

  it('refuses models without the scheme', async () => {
    const without = evaluated('blind', { ...source, schemes: new Map() })
    await expectSfmRejection(
      landmarkEvaluation([full, without], data),
      'UNKNOWN_SCHEME',
      /blind to have the scheme "ibug68"/,
    )
  })
})

it('neutralMetric gives distances of faces in mm', () => {
  const place = neutralMetric(full.model.data)
  const normal = normals(3)
  const [a, b] = [normalVector(6, normal), normalVector(6, normal)] as [Float64Array, Float64Array]
  const direct = rmsDistance(
    ...([a, b].map((identity) => full.model.decodeSync({ identity })) as [Float32Array, Float32Array]),
  )
  expect(Math.hypot(...place(a).map((value, k) => value - place(b)[k]!))).toBeCloseTo(direct, 4)
})

describe('photoEvaluation', () => {
  let photos: Photo[]
  beforeAll(async () => {
    photos = []
    for await (const sets of data.landmarkSets({ split: 'test' })) photos.push(...sets)
  })

  it('adds whitened latents of Gaussian models', async () => {
    const found = await photoEvaluation([sphere, full], photos, { bootstrap })
    expect(found.map(({ key }) => key)).toEqual(['sphere', 'full', 'full-whitened'])
    const [ours, raw, whitened] = found
    expect(ours!.single!.cosine.auc.value).toBeGreaterThan(0.9)
    expect(ours!.errorsOver).toBe('eye distance')
    expect(raw!.single!.likelihoodRatio).toBeDefined()
    expect(whitened!.single!.likelihoodRatio).toBeUndefined()
    expect(whitened!.single!.cosine.scores).not.toEqual(raw!.single!.cosine.scores)
    expect(whitened!.error.all.median!.value).toBe(raw!.error.all.median!.value)
  })

  it('measures nameless photos over their box, by the yaw that they say', async () => {
    const nameless = photos.map(({ subject: _, ...photo }) => ({ ...photo, yaw_label: -75 }))
    const found = await photoEvaluation([full], nameless, { bootstrap })
    expect(found).toHaveLength(1)
    expect(found[0]).toMatchObject({ errorsOver: 'box size', single: null, sets: null })
    expect(found[0]!.error.byYaw.map(({ error }) => error?.count)).toEqual([undefined, undefined, 30])
    await expectSfmRejection(photoEvaluation([full], []), 'INVALID_ARGUMENT', /^photos/)
  })

  it('reads photos with their labels', () => {
    const line = { scheme: 'ibug68', points: [[1, 2]], collection: 'c', subject: 's', yaw_label: 12.5 }
    expect(parsePhoto(line)).toMatchObject({ collection: 'c', subject: 's', yaw_label: 12.5 })
    expectSfmError(() => parsePhoto({ ...line, collection: 3 }), 'INVALID_INPUT', /^collection/)
    expectSfmError(() => parsePhoto({ ...line, yaw_label: 'left' }), 'INVALID_INPUT', /^yaw_label/)
    expectSfmError(() => parsePhoto({ ...line, points: [[1, 2, 3]] }), 'INVALID_INPUT', /^points/)
  })
})

it('whitenedLatents have covariance I and mean 0, without those that failed', () => {
  const normal = normals(12)
  const results = Array.from({ length: 50 }, (_, i) => {
    const [x, y] = [normal(), normal()]
    const status = i % 10 === 0 ? ('failed' as const) : ('converged' as const)
    return { status, identity: Float32Array.of(3 + 5 * x, x + 0.1 * y, 7) }
  })
  const white = whitenedLatents(results)
  const sums = [0, 1].map((a) => [0, 1].map((b) => white.reduce((sum, x) => sum + x[a]! * x[b]!, 0) / 45))
  expect(sums.flat()).toEqual([1, 0, 0, 1].map((value) => expect.closeTo(value, 4)))
  expect([0, 1].map((a) => white.reduce((sum, x) => sum + x[a]!, 0))).toEqual(
    [0, 0].map((value) => expect.closeTo(value, 3)),
  )
  for (const [i, x] of white.entries()) if (i % 10 === 0) expect(Math.hypot(...x)).toBe(0)
  expect(white[1]![2]).toBeCloseTo(0, 3)
})

describe('somePairs', () => {
  const labels = Array.from({ length: 60 }, (_, i) => ({ subject: `s${i % 12}`, collection: i % 12 < 6 ? 'a' : 'b' }))
  const who = numberPeople(labels)

  it('takes all where they are few', () => {
    expect(somePairs(who, { different: 1e6, seed: 1 }).first).toHaveLength(12 * 10 + 2 * 15 * 25)
  })

  it('takes all of one person and some of two, each once, within collections', () => {
    const { first, second, firstPerson, secondPerson } = somePairs(who, { different: 200, seed: 1 })
    expect(first).toHaveLength(120 + 200)
    expect(new Set(Array.from(first, (a, i) => `${a} ${second[i]}`)).size).toBe(320)
    for (let i = 0; i < first.length; i++) {
      expect(first[i]).toBeLessThan(second[i]!)
      expect([firstPerson[i], secondPerson[i]]).toEqual([who.person[first[i]!], who.person[second[i]!]])
      expect(who.collection[firstPerson[i]!]).toBe(who.collection[secondPerson[i]!])
      expect(firstPerson[i] === secondPerson[i]).toBe(i < 120)
    }
    expect(somePairs(who, { different: 200, seed: 1 }).second).toEqual(second)
    expect(somePairs(who, { different: 200, seed: 2 }).second).not.toEqual(second)
  })
})

describe('scanEvaluation', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sfm-scans-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  /** The first people of the corpus, scanned in metres. */
  async function scansOf(count: number): Promise<ScanWithImages[]> {
    const scans: ScanWithImages[] = []
    const images: Photo[] = []
    for await (const sets of data.landmarkSets({ split: 'test' })) images.push(...sets)
    for await (const { subjects, neutrals } of data.truth({ split: 'test' }))
      for (const [i, subject] of subjects.slice(0, count).entries()) {
        const vertices = neutrals.subarray(i * source.mean.length, (i + 1) * source.mean.length)
        const { indices, weights } = source.schemes.get('ibug68')!
        const landmarks = SCAN_LANDMARKS.flatMap(({ ibug68: l }) =>
          [0, 1, 2].map((axis) =>
            [0, 1, 2].reduce((sum, k) => sum + weights[3 * l + k]! * vertices[3 * indices[3 * l + k]! + axis]!, 0),
          ),
        )
        scans.push({
          id: subject,
          subject,
          condition: i % 2 === 0 ? 'neutral' : 'other',
          points: vertices,
          landmarks,
          noseTip: [0, 0, 95],
          images: images.filter((image) => image.subject === subject).slice(0, 2),
        })
      }
    return scans
  }

  it('is smaller for better models, and reads the same from a folder', async () => {
    const scans = await scansOf(4)
    const inMemory = async function* () {
      yield* scans
    }
    const found = await scanEvaluation([full, less], inMemory, { bootstrap })
    expect(found).toMatchObject({ scans: 4, images: 8 })
    const [a, b] = found.models
    expect(a!.all.median.value).toBeLessThan(b!.all.median.value)
    expect(a!.all.median.low).toBeLessThanOrEqual(a!.all.median.value)
    expect(a!.conditions.map(({ condition, images }) => [condition, images])).toEqual([
      ['neutral', 4],
      ['other', 4],
    ])

    for (const { id, points, images } of scans) {
      const vertices = Float32Array.from(points, (value) => value / 1000)
      await writeFile(join(folder, `${id}.ply`), encodePly({ name: 'scan', vertices, triangles: source.triangles }))
      await writeFile(join(folder, `${id}.json`), JSON.stringify(images))
    }
    const list = scans.map(({ id, subject, condition, landmarks, noseTip }) => ({
      id,
      subject,
      condition,
      scan: `${id}.ply`,
      landmarks: SCAN_LANDMARKS.map((_, k) => [0, 1, 2].map((axis) => landmarks[3 * k + axis]! / 1000)),
      noseTip: Array.from(noseTip, (value) => value / 1000),
      images: [`${id}.json`],
    }))
    const protocol = { format: 'sphere-face-model-scans/1', name: 'test', unit: 1000, scans: list }
    await writeFile(join(folder, 'scans.json'), JSON.stringify(protocol))
    const read = await openScanFolder(folder)
    const again = await scanEvaluation([full, less], read.scans, { bootstrap })
    expect(again.models[0]!.all.median.value).toBeCloseTo(a!.all.median.value, 3)
    expect(again.images).toBe(8)
  })

  it('refuses what is not there', async () => {
    await expectSfmRejection(openScanFolder(join(folder, 'none')), 'IO', /scans\.json/)
    await writeFile(join(folder, 'scans.json'), '{"format":1}')
    await expectSfmRejection(openScanFolder(folder), 'INVALID_INPUT', /scans\.json: format: expected/)
    const none = async function* () {}
    await expectSfmRejection(scanEvaluation([full], none), 'INVALID_INPUT', /^scans/)
  })
})

describe('evaluateModels', () => {
  it('puts it all into one report, with every picture that it names', async () => {
    const photos: Photo[] = []
    for await (const sets of data.landmarkSets({ split: 'test' })) photos.push(...sets)
    const said: string[] = []
    const progress = (what: string) => said.push(what)
    const { report, plots } = await evaluateModels([sphere, same, less], { data, photos }, { bootstrap, progress })
    checkReport(report, Object.keys(plots))
    expect(report.sections.map(({ key }) => key)).toEqual([
      'representation',
      'dense',
      'landmarks-ibug68',
      'reconstruction-landmarks-ibug68',
      'photos-single',
      'photos-errors',
    ])
    expect(report.models.map(({ key }) => key)).toEqual(['sphere', 'same', 'less', 'same-whitened', 'less-whitened'])
    const named = report.sections.flatMap((section) => section.plots?.map(({ file }) => file) ?? [])
    expect(new Set(named).size).toBe(named.length)
    expect(Object.keys(plots).sort()).toEqual([...named].sort())
    for (const svg of Object.values(plots)) expect(svg).toMatch(/^<svg /)
    expect(renderMarkdown(report)).toContain('within/between')
    expect(said.length).toBeGreaterThan(5)
  })

  it('finds no difference between a model and itself', async () => {
    const { report } = await evaluateModels([full, same], { data }, { bootstrap })
    const differences = report.sections.flatMap((section) => section.differences ?? [])
    expect(differences.length).toBeGreaterThan(10)
    for (const { value, low, high } of differences) if (value !== null) expect([value, low, high]).toEqual([0, 0, 0])
  })

  it('refuses to evaluate with nothing', async () => {
    await expectSfmRejection(evaluateModels([full], {}), 'INVALID_INPUT', /^data/)
  })
})

describe('readTrainingRecord', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sfm-record-'))
  })
  afterAll(() => rm(folder, { recursive: true }))
  const record = {
    config: { corpus: { folder: '../people' } },
    corpus: { name: 'people' },
    splits: { train: ['a'], validation: [], test: ['b'] },
  }
  const read = async (value: unknown) => {
    await writeFile(join(folder, 'training.json'), JSON.stringify(value))
    return readTrainingRecord(join(folder, 'training.json'))
  }

  it('reads where the people came from', async () => {
    expect(await read(record)).toEqual({
      name: 'people',
      train: new Set(['a']),
      source: { folder: join(folder, '../people') },
    })
    const synthetic = { synthetic: { identities: 3 }, source: 'm.safetensors' }
    expect((await read({ ...record, config: { corpus: synthetic } }))?.source).toEqual({
      synthetic: { identities: 3 },
      source: join(folder, 'm.safetensors'),
    })
    expect(await readTrainingRecord(join(folder, 'none.json'))).toBeUndefined()
  })

  it.each<[unknown, RegExp]>([
    [[], /training\.json: expected an object/],
    [{ ...record, splits: { train: 'a' } }, /splits\.train: expected the keys of people/],
    [{ ...record, corpus: {} }, /corpus\.name: expected a name/],
    [{ ...record, config: {} }, /config\.corpus: expected an object/],
    [{ ...record, config: { corpus: { folder: 3 } } }, /config\.corpus\.folder: expected a path/],
    [{ ...record, config: { corpus: {} } }, /config\.corpus\.synthetic: expected an object/],
  ])('refuses %j', async (value, message) => {
    await expectSfmRejection(read(value), 'INVALID_INPUT', message)
  })
})

it('the embedded model can be measured by dense scans', { timeout: 60_000 }, async () => {
  const embedded = [{ key: 'embedded', name: 'Embedded', model: await defaultModel() }]
  const drawn = synthesise(embedded[0]!.model.data, {
    identities: 6,
    scansPerIdentity: 2,
    splits: { train: 0, validation: 0.34, test: 0.66 },
  })
  const { models } = await representation(embedded, drawn, { bootstrap, samples: 4, sizes: [76] })
  // Its own people, but for 0.6 mm outside of its space and what is no identity.
  expect(models[0]!.sizes[0]!.error.value).toBeGreaterThan(0.4)
  expect(models[0]!.sizes[0]!.error.value).toBeLessThan(0.8)
  const dense = (await denseClustering(embedded, drawn, { bootstrap }))!
  expect(dense.models[0]!.ratio.value).toBeLessThan(0.4)
  expect(dense.models[0]!.neutralError!.value).toBeLessThan(2)
})
