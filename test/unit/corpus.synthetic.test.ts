import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { MemoryCorpus } from '../../lib/corpus/MemoryCorpus.js'
import { headRotation } from '../../lib/corpus/synthetic/pose.js'
import type { SynthesisOptions } from '../../lib/corpus/synthetic/SynthesisOptions.js'
import { type SyntheticCorpus, synthesise } from '../../lib/corpus/synthetic/SyntheticCorpus.js'
import type { LabelledObservation, ScanShard, TruthShard } from '../../lib/corpus/TrainingData.js'
import { writeCorpus } from '../../lib/corpus/writeCorpus.js'
import { readModelFile } from '../../lib/model/formats/modelFile.js'
import { asFloat32 } from '../../lib/model/half.js'
import type { ModelData } from '../../lib/model/ModelData.js'
import { reflectToPole, sphereToTangent } from '../../lib/model/sphere.js'
import { expectSfmError, expectSfmRejection } from '../fixtures/expectSfmError.js'
import { largestDifference, rootMeanSquare, rotationReference } from '../fixtures/reference.js'
import { describeWithShared, sharedPath } from '../fixtures/sharedData.js'
import { everything } from '../fixtures/tinyCorpus.js'
import { decodeTiny, tinyGaussianModel, tinySphereModel, turnedSphereModel } from '../fixtures/tinyModel.js'

const source = tinyGaussianModel()
const N = source.vertexCount
const K = source.identityCount
const E = source.expressionCount
/** mm, of the mean. */
const HEIGHT = Math.max(...heights(source)) - Math.min(...heights(source))

function heights({ mean }: ModelData): number[] {
  return [...mean].filter((_, i) => i % 3 === 1)
}

/** Scans that are their neutral faces, so that a test turns on what it is about. */
const STILL = {
  outsideIdentitySpace: 0,
  expression: 0,
  smoothDrift: { amplitude: 0 },
  identityDrift: { amplitude: 0 },
  jitter: { rotation: 0, translation: 0 },
  noise: 0,
} satisfies SynthesisOptions

const EXACT = { sigma: 0, contourSigma: 0, outliers: 0 }

async function scansOf(corpus: SyntheticCorpus): Promise<ScanShard> {
  const shards: ScanShard[] = []
  for await (const shard of corpus.scans()) shards.push(shard)
  expect(shards.length).toBe(1)
  return shards[0]!
}

async function truthOf(corpus: SyntheticCorpus): Promise<TruthShard> {
  const shards: TruthShard[] = []
  for await (const shard of corpus.truth()) shards.push(shard)
  expect(shards.length).toBe(1)
  return shards[0]!
}

type Photo = Omit<LabelledObservation, 'points'> & { points: Array<number[] | null> }

async function photosOf(corpus: SyntheticCorpus): Promise<Photo[]> {
  const all: LabelledObservation[] = []
  for await (const sets of corpus.landmarkSets()) all.push(...sets)
  return all as Photo[]
}

/** Rows of a table, in double precision. */
function rows(array: ArrayLike<number>, width: number): Float64Array[] {
  return Array.from({ length: array.length / width }, (_, i) =>
    Float64Array.from({ length: width }, (_, k) => array[i * width + k]!),
  )
}

const minus = (a: ArrayLike<number>, b: ArrayLike<number>) => Float64Array.from(a, (x, i) => x - b[i]!)

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

/** Root mean square of the lengths of [N,3] displacements. */
const rms = (field: ArrayLike<number>) => Math.sqrt((3 * dot(field, field)) / field.length)

/** How far displacements are from their vertices, scan by scan: scan minus the neutral face of its person. */
async function displacements(options: SynthesisOptions, model = source): Promise<Float64Array[]> {
  const corpus = synthesise(model, options)
  const { subjects, vertices } = await scansOf(corpus)
  const truth = await truthOf(corpus)
  const neutral = new Map(rows(truth.neutrals, 3 * N).map((row, i) => [truth.subjects[i], row]))
  return rows(vertices, 3 * N).map((scan, i) => minus(scan, neutral.get(subjects[i])!))
}

/** The share of vectors' squared length that their best approximation of this rank has. */
function shareOfRank(vectors: readonly Float64Array[], rank: number): number {
  const rest = vectors.map((vector) => Float64Array.from(vector))
  const total = rest.reduce((sum, vector) => sum + dot(vector, vector), 0)
  for (let r = 0; r < rank; r++) {
    let axis = rest.reduce((a, b) => (dot(a, a) > dot(b, b) ? a : b))
    for (let i = 0; i < 20; i++) {
      const next = new Float64Array(axis.length)
      for (const vector of rest) {
        const along = dot(vector, axis)
        for (let k = 0; k < next.length; k++) next[k]! += along * vector[k]!
      }
      const length = Math.sqrt(dot(next, next))
      axis = next.map((x) => x / length)
    }
    for (const vector of rest) {
      const along = dot(vector, axis)
      for (let k = 0; k < axis.length; k++) vector[k]! -= along * axis[k]!
    }
  }
  return 1 - rest.reduce((sum, vector) => sum + dot(vector, vector), 0) / total
}

describe('a synthetic corpus', () => {
  const options: SynthesisOptions = {
    identities: 12,
    scansPerIdentity: 3,
    photosPerIdentity: 2,
    photos: { schemes: ['tiny12', 'ibug68'], occlusion: 0.1 },
    splits: { train: 0.5, validation: 0.25, test: 0.25 },
  }

  it('is the same for the same seed, on disk as in memory, to the last bit', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sfm-synthetic-'))
    try {
      const [one, two] = await Promise.all(
        ['one', 'two'].map((name) => writeCorpus(join(folder, name), synthesise(source, options))),
      )
      const files = (await readdir(join(folder, 'one'))).sort()
      expect(files).toContain('truth-00000.safetensors')
      for (const file of files)
        expect(await readFile(join(folder, 'one', file))).toEqual(await readFile(join(folder, 'two', file)))
      const drawn = await everything(synthesise(source, options))
      expect(await everything(one!)).toEqual(drawn)
      expect(await everything(two!)).toEqual(drawn)
      expect(await everything(await MemoryCorpus.from(synthesise(source, options)))).toEqual(drawn)
      expect(await everything(synthesise(source, { ...options, seed: 2 }))).not.toEqual(drawn)
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('counts and names its people, and says what it was drawn from', async () => {
    const corpus = synthesise(source, options)
    expect([corpus.vertexCount, corpus.scanCount, corpus.landmarkSetCount]).toEqual([N, 36, 48])
    expect(corpus.subjects().slice(0, 3)).toEqual(['s00', 's01', 's02'])
    expect(['train', 'validation', 'test'].map((split) => corpus.subjects(split as 'train').length)).toEqual([6, 3, 3])
    expect(await corpus.template()).toBe(source)
    expect(corpus.description).toMatchObject({ license: 'MIT', attribution: 'made of formulas' })
    expect(JSON.parse(corpus.description.provenance)).toMatchObject({
      drawnFrom: 'tiny 1.0.0',
      options: { seed: 1, identities: 12, smoothDrift: { amplitude: 0.6, factors: 2 }, noise: 0.3 },
    })
    const { scans, landmarkSets, truth } = await everything(corpus)
    expect([scans.length, landmarkSets.length, truth.length]).toEqual([36, 48, 12])
    expect(landmarkSets[1]).toMatchObject({ id: 's00-01', subject: 's00', scheme: 'tiny12' })
    expect(landmarkSets[24]).toMatchObject({ id: 's00-00', subject: 's00', scheme: 'ibug68' })
  })

  it('draws a part as it is within the whole', async () => {
    const corpus = synthesise(source, options)
    const all = await everything(corpus)
    const people = corpus.subjects('validation')
    const part = await everything(corpus, 'validation')
    expect(part.scans).toEqual(all.scans.filter((scan) => people.includes((scan as [string])[0])))
    expect(part.truth).toEqual(all.truth.filter((person) => people.includes((person as [string])[0])))
    expect(part.landmarkSets).toEqual(
      all.landmarkSets.filter((set) => people.includes((set as LabelledObservation).subject)),
    )
  })

  it('draws a person the same whatever else is asked for', async () => {
    const few = await everything(synthesise(source, { ...options, identities: 12, scansPerIdentity: 2 }))
    const many = await everything(synthesise(source, { ...options, identities: 12, scansPerIdentity: 5 }))
    expect(few.truth).toEqual(many.truth)
    expect(few.scans[2]).toEqual(many.scans[5])
    expect(few.landmarkSets).toEqual(many.landmarkSets)
  })

  it('has photos of people of their own when asked to', async () => {
    const corpus = synthesise(source, { ...options, photoIdentities: 8, photosPerIdentity: 3 })
    expect(corpus.subjects(undefined, 'scans').length).toBe(12)
    expect(corpus.subjects(undefined, 'landmarks')).toEqual(Array.from({ length: 8 }, (_, i) => `photos/p${i}`))
    expect(corpus.subjects('test', 'landmarks').length).toBe(2)
    expect([corpus.scanCount, corpus.landmarkSetCount]).toEqual([36, 48])
    const { landmarkSets, truth } = await everything(corpus)
    expect(landmarkSets[0]).toMatchObject({ subject: 'p0', collection: 'photos', id: 'p0-00' })
    expect(truth.length).toBe(20)
    const alone = synthesise(source, { identities: 0, photoIdentities: 10, photosPerIdentity: 1 })
    expect([alone.scanCount, alone.landmarkSetCount]).toEqual([0, 10])
  })

  it('stops when its signal says so', async () => {
    const controller = new AbortController()
    const memory = MemoryCorpus.from(synthesise(source, { identities: 5000 }), { signal: controller.signal })
    setTimeout(() => controller.abort(), 20)
    await expectSfmRejection(memory, 'ABORTED')
  })
})

describe('identities', () => {
  const people = (options: SynthesisOptions, model: ModelData = source) =>
    truthOf(synthesise(model, { ...STILL, identities: 2000, scansPerIdentity: 1, ...options }))
  const column = (table: readonly Float64Array[], k: number) => table.map((row) => row[k]!)
  const moment = (values: readonly number[], power: number) =>
    values.reduce((sum, x) => sum + x ** power, 0) / values.length

  it('are normal in every mode, and decoded by the source', async () => {
    const { neutrals, identities } = await people({})
    const latents = rows(identities, K)
    for (let k = 0; k < K; k++) {
      const values = column(latents, k)
      expect(Math.abs(moment(values, 1))).toBeLessThan(0.09)
      expect(Math.abs(moment(values, 2) - 1)).toBeLessThan(0.13)
      expect(Math.abs(moment(values, 4) - 3)).toBeLessThan(0.9)
    }
    expect(largestDifference(rows(neutrals, 3 * N)[7]!, decodeTiny(source, latents[7]!))).toBeLessThan(1e-4)
  })

  it('use the first modes alone when asked to', async () => {
    const latents = rows((await people({ identities: 20, modes: 2, splits: { train: 1 } })).identities, K)
    expect(latents.every((row) => row.slice(2).every((x) => x === 0) && row[0] !== 0 && row[1] !== 0)).toBe(true)
  })

  it('of a t distribution have heavier tails, all modes at once, and the same variance', async () => {
    const latents = rows((await people({ distribution: { type: 'student-t', dof: 10 } })).identities, K)
    const values = latents.flatMap((row) => [...row])
    expect(Math.abs(moment(values, 2) - 1)).toBeLessThan(0.06)
    // 3 (dof - 2) / (dof - 4) = 4
    expect(Math.abs(moment(values, 4) - 4)).toBeLessThan(0.4)
    // A person far out in one mode is likelier to be in another: (dof - 2) / (dof - 4) = 1.33, where 1 is independence.
    const pairs = latents.map((row) => (dot(row, row) ** 2 - row.reduce((sum, x) => sum + x ** 4, 0)) / (K * (K - 1)))
    expect(Math.abs(moment(pairs, 1) - 4 / 3)).toBeLessThan(0.12)
  })

  it('come in clusters when asked to', async () => {
    const latents = rows(
      (await people({ distribution: { type: 'clustered', clusters: 3, spread: 0.1 } })).identities,
      K,
    )
    const near = (a: Float64Array, b: Float64Array) => Math.sqrt(dot(minus(a, b), minus(a, b)) / K) < 0.5
    const centres: Float64Array[] = []
    for (const row of latents) if (!centres.some((centre) => near(row, centre))) centres.push(row)
    expect(centres.length).toBe(3)
    const sizes = centres.map((centre) => latents.filter((row) => near(row, centre)).length)
    for (const size of sizes) expect(Math.abs(size - 2000 / 3)).toBeLessThan(90)
    const own = latents.filter((row) => near(row, centres[0]!))
    const mean = Float64Array.from({ length: K }, (_, k) => moment(column(own, k), 1))
    expect(Math.abs(rootMeanSquare(own.flatMap((row) => [...minus(row, mean)])) - 0.1)).toBeLessThan(0.01)
  })

  it.each([
    ['at the pole', tinySphereModel],
    ['turned anywhere', () => turnedSphereModel(3).data],
  ])('of a sphere model, %s, have the covariance of its prior', async (_, model) => {
    const sphere = model()
    const size = sphere.identityCount
    const { identities, neutrals } = await people({}, sphere)
    const points = rows(identities, size)
    for (const z of points) expect(Math.abs(Math.sqrt(dot(z, z)) - 1)).toBeLessThan(1e-6)
    expect(largestDifference(rows(neutrals, 3 * N)[3]!, decodeTiny(sphere, points[3]!))).toBeLessThan(1e-4)
    const tangents = points.map((z) => sphereToTangent(z, sphere.identityPriorMean!))
    const factor = rows(sphere.identityPriorFactor!, size)
    // Rows of L in the chart that the tangents are in.
    const columns = Array.from({ length: size }, (_, j) =>
      reflectToPole(
        factor.map((row) => row[j]!),
        sphere.identityPriorMean!,
      ),
    )
    for (let a = 0; a < size - 1; a++) {
      for (let b = 0; b <= a; b++) {
        const expected = columns.reduce((sum, axis) => sum + axis[a]! * axis[b]!, 0)
        const found = moment(
          tangents.map((v) => v[a]! * v[b]!),
          1,
        )
        const scale = columns.reduce((sum, axis) => sum + axis[a]! ** 2, 0)
        expect(Math.abs(found - expected) / scale).toBeLessThan(0.14)
      }
    }
  })

  it('of a sphere model stay in the near hemisphere, however heavy the tails', async () => {
    const sphere = tinySphereModel()
    const { identities } = await people({ distribution: { type: 'student-t', dof: 2.2 } }, sphere)
    const along = rows(identities, sphere.identityCount).map((z) => dot(z, sphere.identityPriorMean!))
    expect(Math.min(...along)).toBeGreaterThan(0)
  })

  it('have a part that the modes cannot show, of the size asked for', async () => {
    const { neutrals, identities } = await people({ identities: 300, outsideIdentitySpace: 0.6 })
    const latents = rows(identities, K)
    const outside = rows(neutrals, 3 * N).map((row, i) => minus(row, decodeTiny(source, latents[i]!)))
    expect(Math.abs(rootMeanSquare(outside.map(rms)) - 0.6)).toBeLessThan(0.02)
    const basis = rows(asFloat32(source.identityBasis), 3 * N)
    for (const field of outside.slice(0, 20)) {
      for (const mode of basis) expect(Math.abs(dot(field, mode)) / Math.sqrt(dot(mode, mode))).toBeLessThan(1e-4)
      // No motion of the whole either.
      for (let axis = 0; axis < 3; axis++)
        expect(
          Math.abs(
            dot(
              field.filter((_, i) => i % 3 === axis),
              new Float64Array(N).fill(1),
            ),
          ),
        ).toBeLessThan(1e-3)
    }
  })
})

describe('scans', () => {
  const people = { identities: 10, splits: { train: 1 } }

  it('are the neutral face where nothing is added', async () => {
    const still = await displacements({ ...STILL, ...people, scansPerIdentity: 2 })
    expect(still.every((field) => field.every((x) => x === 0))).toBe(true)
  })

  it('have noise of the size asked for in every coordinate', async () => {
    const noise = await displacements({ ...STILL, ...people, scansPerIdentity: 20, noise: 0.3 })
    const values = noise.flatMap((field) => [...field])
    expect(Math.abs(rootMeanSquare(values) - 0.3)).toBeLessThan(0.005)
    const neighbours = values.slice(1).reduce((sum, x, i) => sum + x * values[i]!, 0) / values.length
    expect(Math.abs(neighbours)).toBeLessThan(0.002)
  })

  it('have expressions of the size asked for, a few blendshapes each, within their bounds', async () => {
    const options = { ...STILL, ...people, scansPerIdentity: 60, expression: 1.8, activeExpressions: 2 }
    const corpus = synthesise(source, options)
    const { trueExpressions, expressions } = await scansOf(corpus)
    expect(expressions).toBeUndefined()
    const coefficients = rows(trueExpressions!, E)
    expect(coefficients.every((row) => row.every((x) => x >= 0 && x <= 1))).toBe(true)
    expect(new Set(coefficients.map((row) => row.filter((x) => x > 0).length))).toEqual(new Set([1, 2]))
    const fields = await displacements(options)
    expect(Math.abs(rootMeanSquare(fields.map(rms)) - 1.8)).toBeLessThan(0.15)
    const basis = rows(asFloat32(source.expressionBasis), 3 * N)
    for (const [i, field] of fields.entries()) {
      const expected = Float64Array.from({ length: 3 * N }, (_, k) =>
        coefficients[i]!.reduce((sum, x, e) => sum + x * basis[e]![k]!, 0),
      )
      expect(largestDifference(field, expected)).toBeLessThan(1e-4)
    }
  })

  it('keep to the bounds where more is asked for than they permit', async () => {
    const model = { ...source, expressionBounds: Float32Array.of(-0.5, 0, 0, 1, -1, 1, 0.2, 0.2) }
    const corpus = synthesise(model, { ...STILL, ...people, scansPerIdentity: 60, expression: 100 })
    const coefficients = rows((await scansOf(corpus)).trueExpressions!, E)
    const [lowest, highest] = [Math.min, Math.max].map((of) =>
      Array.from({ length: E }, (_, e) => of(...coefficients.map((row) => row[e]!))),
    )
    expect(lowest).toEqual([-0.5, 0, -1, 0])
    expect(highest).toEqual([0, 1, 1, 0])
  })

  it('say their expressions when these are known', async () => {
    const { expressions, trueExpressions } = await scansOf(synthesise(source, { ...people, knownExpressions: true }))
    expect(expressions).toEqual(trueExpressions)
  })

  it('drift along as many directions as asked for, the same for all people', async () => {
    const options = { ...STILL, ...people, scansPerIdentity: 30, smoothDrift: { amplitude: 0.6, factors: 2 } }
    const fields = await displacements(options)
    expect(shareOfRank(fields, 1)).toBeLessThan(0.95)
    expect(shareOfRank(fields, 2)).toBeGreaterThan(1 - 1e-6)
    expect(Math.abs(rootMeanSquare(fields.map(rms)) - 0.6 * Math.SQRT2)).toBeLessThan(0.06)
  })

  it('drift smoothly', async () => {
    const fields = await displacements({ ...STILL, ...people, smoothDrift: { amplitude: 1, factors: 1 } })
    // Neighbours in a row of the grid: 9 columns.
    const step = fields.map((field) => {
      const steps = Array.from({ length: N - 1 }, (_, v) =>
        v % 9 === 8 ? 0 : Math.hypot(...[0, 1, 2].map((a) => field[3 * v + a]! - field[3 * v + 3 + a]!)),
      )
      return rootMeanSquare(steps) / rms(field)
    })
    // Independent vertices would have a ratio of sqrt(2).
    expect(Math.max(...step)).toBeLessThan(1.2)
  })

  it('drift within the identity space', async () => {
    const options = { ...STILL, ...people, scansPerIdentity: 30, identityDrift: { amplitude: 0.56, factors: 2 } }
    const fields = await displacements(options)
    expect(shareOfRank(fields, 2)).toBeGreaterThan(1 - 1e-6)
    expect(Math.abs(rootMeanSquare(fields.map(rms)) - 0.56 * Math.SQRT2)).toBeLessThan(0.06)
    const span = [...fields, ...rows(asFloat32(source.identityBasis), 3 * N)]
    expect(shareOfRank(span, K)).toBeGreaterThan(1 - 1e-6)
  })

  it('are moved as a whole, about their middle', async () => {
    const options = { ...STILL, ...people, scansPerIdentity: 40 }
    const shift = await displacements({ ...options, jitter: { rotation: 0, translation: 2 } })
    for (const field of shift) for (let i = 3; i < 3 * N; i++) expect(field[i]).toBeCloseTo(field[i - 3]!, 4)
    expect(Math.abs(rootMeanSquare(shift.map((field) => field[0]!)) - 2)).toBeLessThan(0.25)

    const corpus = synthesise(source, { ...options, jitter: { rotation: 3, translation: 0 } })
    const { vertices } = await scansOf(corpus)
    const neutrals = rows((await truthOf(corpus)).neutrals, 3 * N)
    const angles = rows(vertices, 3 * N).map((scan, i) => {
      const neutral = neutrals[Math.floor(i / 40)]!
      const [a, b] = [
        minus(scan.subarray(3, 6), scan.subarray(180, 183)),
        minus(neutral.subarray(3, 6), neutral.subarray(180, 183)),
      ]
      // A rotation: lengths stay.
      expect(Math.abs(Math.sqrt(dot(a, a)) - Math.sqrt(dot(b, b)))).toBeLessThan(1e-3)
      return (Math.acos(dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))) * 180) / Math.PI
    })
    // Two of the three axes turn a given direction.
    expect(Math.abs(rootMeanSquare(angles) - 3 * Math.SQRT2)).toBeLessThan(0.4)
  })
})

describe('photos', () => {
  const base = { ...STILL, identities: 4, splits: { train: 1 } } satisfies SynthesisOptions
  const scheme = source.schemes.get('ibug68')!

  /** [L] points of the neutral faces, mm. */
  async function landmarksOf(corpus: SyntheticCorpus): Promise<number[][][]> {
    return rows((await truthOf(corpus)).neutrals, 3 * N).map((face) =>
      Array.from({ length: 68 }, (_, l) =>
        [0, 1, 2].map((axis) =>
          [0, 1, 2].reduce(
            (sum, c) => sum + scheme.weights[3 * l + c]! * face[3 * scheme.indices[3 * l + c]! + axis]!,
            0,
          ),
        ),
      ),
    )
  }

  /** Least squares by the normal equations, and the largest residual. */
  function solve(matrix: number[][], right: number[]): { x: number[]; residual: number } {
    const n = matrix[0]!.length
    const system = Array.from({ length: n }, (_, i) => [
      ...Array.from({ length: n }, (_, j) => matrix.reduce((sum, row) => sum + row[i]! * row[j]!, 0)),
      matrix.reduce((sum, row, r) => sum + row[i]! * right[r]!, 0),
    ])
    for (let p = 0; p < n; p++) {
      for (let r = 0; r < n; r++) {
        if (r === p) continue
        const factor = system[r]![p]! / system[p]![p]!
        for (let c = p; c <= n; c++) system[r]![c]! -= factor * system[p]![c]!
      }
    }
    const x = system.map((row, i) => row[n]! / row[i]!)
    return { x, residual: Math.max(...matrix.map((row, r) => Math.abs(dot(row, x) - right[r]!))) }
  }

  it('turn heads as results say it', () => {
    for (const [yaw, pitch, roll] of [
      [0, 0, 0],
      [40, 0, 0],
      [0, -15, 0],
      [0, 0, 8],
      [-33, 12, -7],
    ] as const)
      expect(largestDifference(headRotation(yaw, pitch, roll), rotationReference(yaw, pitch, roll))).toBeLessThan(1e-12)
  })

  it('of a weak camera are scaled rotations of the face, within the poses and sizes asked for', async () => {
    const camera = { type: 'weak', faceSize: [200, 300] } as const
    const photos = { ...EXACT, expression: 0, camera, yaw: 30, pitch: 10, roll: 5 }
    const corpus = synthesise(source, { ...base, photosPerIdentity: 25, photos })
    const faces = await landmarksOf(corpus)
    const yaws: number[] = []
    for (const [i, { points, camera }] of (await photosOf(corpus)).entries()) {
      expect(camera).toEqual({ type: 'weak', principal: [320, 320] })
      const matrix = faces[Math.floor(i / 25)]!.map((point) => [...point, 1])
      const [right, down] = [0, 1].map((axis) =>
        solve(
          matrix,
          points.map((point) => point![axis]!),
        ),
      )
      expect(Math.max(right!.residual, down!.residual)).toBeLessThan(1e-3)
      const [a, b] = [right!.x.slice(0, 3), down!.x.slice(0, 3)]
      const size = Math.sqrt(dot(a, a))
      expect(Math.abs(dot(a, b)) / size ** 2).toBeLessThan(1e-4)
      expect(Math.abs(Math.sqrt(dot(b, b)) / size - 1)).toBeLessThan(1e-4)
      expect(size * HEIGHT).toBeGreaterThan(200 - 0.1)
      expect(size * HEIGHT).toBeLessThan(300 + 0.1)
      // Forward in the camera is the cross product; its x component is -sin(yaw).
      const forward = [0, 1, 2].map(
        (k) => (a[(k + 1) % 3]! * b[(k + 2) % 3]! - a[(k + 2) % 3]! * b[(k + 1) % 3]!) / size ** 2,
      )
      yaws.push((Math.asin(-forward[0]!) * 180) / Math.PI)
    }
    expect(Math.max(...yaws.map(Math.abs))).toBeLessThan(30.01)
    expect(rootMeanSquare(yaws)).toBeGreaterThan(12)
    expect(new Set(yaws.map(Math.sign))).toEqual(new Set([-1, 1]))
  })

  it('of a perspective camera are its projections', async () => {
    const photos = { ...EXACT, expression: 0, yaw: 0, pitch: 0, roll: 0, camera: { focal: [700, 900] } } as const
    const corpus = synthesise(source, { ...base, photosPerIdentity: 10, photos })
    const faces = await landmarksOf(corpus)
    for (const [i, { points, camera }] of (await photosOf(corpus)).entries()) {
      const focal = camera!.focal!
      expect(focal >= 700 && focal <= 900).toBe(true)
      // (u - c) (t_z - z) = f (x + t_x), (v - c) (t_z - z) = f (t_y - y), linear in the translation.
      const rows = faces[Math.floor(i / 10)]!.flatMap(([x, y, z], l) => {
        const [u, v] = points[l]!.map((value) => value - 320) as [number, number]
        return [
          { row: [-focal, 0, u], right: focal * x! + u * z! },
          { row: [0, -focal, v], right: -focal * y! + v * z! },
        ]
      })
      const { x: translation, residual } = solve(
        rows.map(({ row }) => row),
        rows.map(({ right }) => right),
      )
      // Pixels are given in thousandths, times a distance below a metre.
      expect(residual).toBeLessThan(1)
      expect(translation[2]! > 350 && translation[2]! < 1000).toBe(true)
    }
  })

  it('tell the focal length only when it is known', async () => {
    const [photo] = await photosOf(
      synthesise(source, { ...base, photosPerIdentity: 1, photos: { camera: { known: false } } }),
    )
    expect(photo!.camera).toEqual({ type: 'perspective', principal: [320, 320] })
    expect(photo!.image).toEqual({ width: 640, height: 640 })
  })

  /** What a change of the options does to the points, in mm on the face. */
  async function errors(photos: SynthesisOptions['photos'], per = 50): Promise<Array<Array<[number, number] | null>>> {
    const camera = { type: 'weak', faceSize: [205, 205] } as const
    const draw = (more: object) =>
      photosOf(synthesise(source, { ...base, photosPerIdentity: per, photos: { ...EXACT, camera, ...more } }))
    const [clean, noisy] = [await draw({}), await draw(photos as object)]
    return noisy.map(({ points }, i) =>
      points.map(
        (point, l) =>
          point && ([0, 1].map((a) => ((point[a]! - clean[i]!.points[l]![a]!) * HEIGHT) / 205) as [number, number]),
      ),
    )
  }

  it('have errors of the sizes asked for, larger along the jaw', async () => {
    const found = await errors({ sigma: 1.2, contourSigma: 3 })
    const sizes = (from: number, to: number) =>
      rootMeanSquare(found.flatMap((photo) => photo.slice(from, to).flatMap((error) => error!)))
    expect(Math.abs(sizes(0, 17) - 3)).toBeLessThan(0.12)
    expect(Math.abs(sizes(17, 68) - 1.2)).toBeLessThan(0.03)
  })

  it('have errors by reliability where a scheme has any', async () => {
    const tiny = source.schemes.get('tiny12')!
    const reliability = Float32Array.from({ length: 12 }, (_, l) => (l < 4 ? 1 : l < 8 ? 0.5 : 0))
    const model = { ...source, schemes: new Map([['tiny12', { ...tiny, reliability }]]) }
    const camera = { type: 'weak', faceSize: [205, 205] } as const
    const draw = (sigma: number, contourSigma: number) =>
      photosOf(
        synthesise(model, {
          ...base,
          photosPerIdentity: 100,
          photos: { ...EXACT, schemes: ['tiny12'], camera, sigma, contourSigma },
        }),
      )
    const [clean, noisy] = [await draw(0, 0), await draw(1, 3)]
    const sizes = [0, 4, 8].map((from) =>
      rootMeanSquare(
        noisy.flatMap(({ points }, i) =>
          points
            .slice(from, from + 4)
            .flatMap((point, l) => point!.map((x, a) => ((x - clean[i]!.points[from + l]![a]!) * HEIGHT) / 205)),
        ),
      ),
    )
    for (const [i, expected] of [1, 2, 3].entries()) expect(Math.abs(sizes[i]! / expected - 1)).toBeLessThan(0.06)
  })

  it('have as many outliers as asked for', async () => {
    const found = (await errors({ outliers: 0.02, outlierSigma: 15 })).flat() as Array<[number, number]>
    const wrong = found.filter(([x, y]) => x !== 0 || y !== 0)
    expect(Math.abs(wrong.length / found.length - 0.02)).toBeLessThan(0.006)
    expect(Math.abs(rootMeanSquare(wrong.flat()) - 15)).toBeLessThan(1.5)
  })

  it('share errors that are the same for all landmarks of a picture', async () => {
    const found = await errors({ drift: { amplitude: 1.5, factors: 3 }, yaw: 0, pitch: 0, roll: 0 })
    const clean = await errors({ yaw: 0, pitch: 0, roll: 0 })
    const fields = found.map((photo, i) =>
      Float64Array.from(photo.flatMap((error, l) => [0, 1].map((a) => error![a]! - clean[i]![l]![a]!))),
    )
    expect(shareOfRank(fields, 2)).toBeLessThan(0.99)
    expect(shareOfRank(fields, 3)).toBeGreaterThan(1 - 1e-4)
  })

  it('miss landmarks next to one another behind what is in the way', async () => {
    const found = await errors({ occlusion: 0.2 }, 5)
    const [clean] = [
      await photosOf(
        synthesise(source, {
          ...base,
          photosPerIdentity: 5,
          photos: { ...EXACT, camera: { type: 'weak', faceSize: [205, 205] } },
        }),
      ),
    ]
    for (const [i, photo] of found.entries()) {
      const hidden = photo.flatMap((error, l) => (error === null ? l : []))
      expect(hidden.length).toBe(Math.round(0.2 * 68))
      const points = clean[i]!.points as number[][]
      const distance = (a: number, b: number) =>
        Math.hypot(points[a]![0]! - points[b]![0]!, points[a]![1]! - points[b]![1]!)
      // Those nearest to one of them are all of them.
      const isCentre = (c: number) => {
        const farthest = Math.max(...hidden.map((l) => distance(c, l)))
        return photo.every((error, l) => error === null || distance(c, l) >= farthest)
      }
      expect(hidden.some(isCentre)).toBe(true)
    }
    expect(new Set(found.map((photo) => photo.map((error) => error === null).join())).size).toBeGreaterThan(5)
  })

  it('leave out what the model has not, and shift what its scheme shifts', async () => {
    const tiny = source.schemes.get('tiny12')!
    const weights = Float32Array.from(tiny.weights)
    weights.fill(0, 9, 12)
    const offset = new Float32Array(36)
    offset[0] = 5
    const draw = async (scheme: typeof tiny) => {
      const model = { ...source, schemes: new Map([['tiny12', scheme]]) }
      const photos = {
        ...EXACT,
        schemes: ['tiny12'],
        expression: 0,
        yaw: 0,
        pitch: 0,
        roll: 0,
        camera: { type: 'weak' },
      } as const
      return photosOf(synthesise(model, { ...base, photosPerIdentity: 1, photos }))
    }
    const [plain, special] = [await draw(tiny), await draw({ ...tiny, weights, offset })]
    expect(special[0]!.points[3]).toBeNull()
    expect(special[0]!.points.filter((point) => point === null).length).toBe(1)
    expect(special[0]!.points[0]![0]! - plain[0]!.points[0]![0]!).toBeGreaterThan(5)
    expect(special[0]!.points.slice(4)).toEqual(plain[0]!.points.slice(4))
  })
})

describe('options', () => {
  it.each<[unknown, RegExp]>([
    [7, /^options: expected an object, received 7/],
    [{ identitys: 5 }, /^options: expected seed, name, identities, .*received "identitys"/],
    [{ seed: 0.5 }, /^seed: expected a whole number of 0 or more, received 0\.5/],
    [{ identities: -1 }, /^identities: expected a whole number from 0 to/],
    [{ identities: '5' }, /^identities: .*received "5"/],
    [{ identities: 0 }, /^identities: expected people with scans or with photos/],
    [{ scansPerIdentity: 0 }, /^scansPerIdentity: expected 1 or more/],
    [{ photoIdentities: 5 }, /^photosPerIdentity: expected 1 or more/],
    [{ modes: 7 }, /^modes: expected a whole number from 1 to 6, received 7/],
    [{ noise: -0.1 }, /^noise: expected a number of 0 or more/],
    [{ noise: Number.NaN }, /^noise/],
    [{ expression: Number.POSITIVE_INFINITY }, /^expression/],
    [{ name: 5 }, /^name: expected a string/],
    [{ knownExpressions: 1 }, /^knownExpressions: expected true or false/],
    [{ distribution: { type: 'cauchy' } }, /^distribution\.type: expected "gaussian" or "student-t" or "clustered"/],
    [{ distribution: { type: 'student-t', dof: 2 } }, /^distribution\.dof: expected a number of 2\.1 or more/],
    [{ distribution: { type: 'clustered', spread: 2 } }, /^distribution\.spread: expected a number from 0 to 1/],
    [{ distribution: { dof: 5 } }, /^distribution: expected type, received "dof"/],
    [{ smoothDrift: 0.6 }, /^smoothDrift: expected an object/],
    [{ smoothDrift: { amplitude: 'x' } }, /^smoothDrift\.amplitude: expected a number/],
    [{ identityDrift: { factors: 1.5 } }, /^identityDrift\.factors: expected a whole number/],
    [{ jitter: { angle: 1 } }, /^jitter: expected rotation, translation, received "angle"/],
    [{ photos: { yaw: 91 } }, /^photos\.yaw: expected a number from 0 to 90/],
    [{ photos: { outliers: 2 } }, /^photos\.outliers: expected a number from 0 to 1/],
    [{ photos: { schemes: [] } }, /^photos\.schemes: expected a list of different names/],
    [{ photos: { schemes: ['ibug68', 'ibug68'] } }, /^photos\.schemes/],
    [
      { photos: { camera: { focal: [900, 800] } } },
      /^photos\.camera\.focal: expected \[lower, upper\], numbers above 0/,
    ],
    [
      { photos: { camera: { focal: [100, 800] } } },
      /^photos\.camera\.focal: expected at least the upper faceSize, 400/,
    ],
    [{ photos: { camera: { lens: 1 } } }, /^photos\.camera: .*received "lens"/],
    [{ splits: { train: 0.5 } }, /^fractions: expected numbers with a sum of 1/],
    [{ splits: { dev: 1 } }, /^splits: expected train, validation, test, received "dev"/],
    [{ identities: 2 }, /^subjects: expected enough people for the split/],
  ])('%j are refused', (options, message) => {
    expectSfmError(() => synthesise(source, options as SynthesisOptions), 'INVALID_ARGUMENT', message)
  })

  it('name a scheme that the source has not', () => {
    const options = { photosPerIdentity: 1, photos: { schemes: ['wflw98'] } }
    expectSfmError(() => synthesise(source, options), 'UNKNOWN_SCHEME', /photos\.schemes: .*"wflw98"; it has/)
    expect(synthesise(source, { photos: { schemes: ['wflw98'] } }).landmarkSetCount).toBe(0)
  })

  it('take null for a default, as files may say it', () => {
    expect(synthesise(source, { noise: null, smoothDrift: null } as never).options).toMatchObject({
      noise: 0.3,
      smoothDrift: { amplitude: 0.6, factors: 2 },
    })
  })

  it('of a source that is no model are refused', () => {
    expectSfmError(() => synthesise({} as ModelData), 'INVALID_MODEL')
  })
})

describeWithShared('a synthetic corpus of the real model', ['face-3dmm.safetensors'], () => {
  it('has the sizes that its options say', async () => {
    const model = await readModelFile(sharedPath('face-3dmm.safetensors'))
    const corpus = synthesise(model, { identities: 6, scansPerIdentity: 10, modes: 20, noise: 0, splits: { train: 1 } })
    const { vertices, trueExpressions } = await scansOf(corpus)
    const { neutrals, identities } = await truthOf(corpus)
    const size = 3 * model.vertexCount
    const basis = asFloat32(model.identityBasis)
    const outside = rows(neutrals, size).map((face, i) => {
      const field = minus(face, model.mean)
      for (let k = 0; k < model.identityCount; k++)
        for (let c = 0; c < size; c++) field[c]! -= identities[i * model.identityCount + k]! * basis[k * size + c]!
      return field
    })
    // Six people of some twenty degrees of freedom each: the root mean square is known to about 0.04.
    expect(Math.abs(rootMeanSquare(outside.map(rms)) - 0.6)).toBeLessThan(0.15)
    const away = rows(vertices, size).map((scan, i) =>
      rms(minus(scan, neutrals.subarray(Math.floor(i / 10) * size, (Math.floor(i / 10) + 1) * size))),
    )
    // Expression 1.8, drifts 0.85 and 0.79, a jitter of 1 degree and 1 mm.
    expect(rootMeanSquare(away)).toBeGreaterThan(2)
    expect(rootMeanSquare(away)).toBeLessThan(4.5)
    expect(trueExpressions!.every((x) => x >= 0 && x <= 1)).toBe(true)
  })
})
