import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { axesMatrix } from '../../lib/corpus/importing/axes.js'
import { type CreateCorpusOptions, createCorpus } from '../../lib/corpus/importing/createCorpus.js'
import type { LabelledObservation, ScanShard } from '../../lib/corpus/TrainingData.js'
import { readMesh } from '../../lib/inputs/readMesh.js'
import { readModelFile } from '../../lib/model/formats/modelFile.js'
import type { ModelData } from '../../lib/model/ModelData.js'
import { encodeObj } from '../../lib/outputs/obj.js'
import { encodePly } from '../../lib/outputs/ply.js'
import { expectSfmRejection } from '../fixtures/expectSfmError.js'
import { largestDifference, rotationReference, transformReference } from '../fixtures/reference.js'
import { describeWithShared, sharedPath } from '../fixtures/sharedData.js'
import { everything, tinyLandmarks, tinyScans } from '../fixtures/tinyCorpus.js'
import { tinyGaussianModel, tinySphereModel } from '../fixtures/tinyModel.js'

const template = tinyGaussianModel()
const { triangles } = template
const size = template.mean.length
const ALL = { train: 1 }

let folder: string
const at = (...names: string[]) => join(folder, ...names)

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sfm-import-'))
})
afterEach(() => rm(folder, { recursive: true }))

/** A scan of the tiny people, mm. */
function face(seed: number): Float32Array {
  return tinyScans(template, ['x'], 1, seed).vertices
}

async function write(name: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(at(name)), { recursive: true })
  await writeFile(at(name), content)
}

/** As a mesh of a kind that the name says. */
function writeFace(name: string, vertices: ArrayLike<number>): Promise<void> {
  const mesh = { name: 'face', vertices: Float32Array.from(vertices), triangles }
  return write(name, name.endsWith('.ply') ? encodePly(mesh) : encodeObj(mesh))
}

const create = (options: Partial<CreateCorpusOptions>) =>
  createCorpus(at('corpus'), { template, scans: at('scans'), splits: ALL, ...options })

async function scansOf(options: Partial<CreateCorpusOptions>): Promise<ScanShard> {
  const { corpus } = await create(options)
  const shards: ScanShard[] = []
  for await (const shard of corpus.scans()) shards.push(shard)
  return shards[0]!
}

/** Root mean square distance of the vertices. */
const distance = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Math.sqrt((Array.from(a).reduce((sum, x, i) => sum + (x - b[i]!) ** 2, 0) * 3) / a.length)

describe('a corpus of scans', () => {
  it('takes meshes of either kind, in the order of their names, a person a folder', async () => {
    await writeFace('scans/bob/1.ply', face(1))
    await writeFace('scans/alice/two.obj', face(2))
    await writeFace('scans/alice/deep/one.ply', face(3))
    await write('scans/alice/notes.txt', 'nothing')
    await write('scans/.hidden/x.obj', 'v')
    await write('scans/bob/.x.obj', 'v')
    const { corpus, report } = await create({
      align: false,
      name: 'mine',
      license: 'CC0',
      splits: { train: 0.5, test: 0.5 },
    })
    const scans = await scansAll(corpus)
    expect(scans.subjects).toEqual(['alice', 'alice', 'bob'])
    expect(largestDifference(scans.vertices.subarray(0, size), face(3))).toBe(0)
    expect(largestDifference(scans.vertices.subarray(size, 2 * size), face(2))).toBeLessThan(1e-4)
    expect(report).toEqual({
      scans: 3,
      landmarkSets: 0,
      units: { mm: 3 },
      skipped: [],
      warnings: [],
      subjects: { all: 2, withScans: 2, withLandmarks: 0, withOneScan: 1 },
    })
    expect(corpus.description).toEqual({ name: 'mine', license: 'CC0', attribution: '', provenance: '' })
    expect(corpus.subjects('train').length).toBe(1)
  })

  async function scansAll(corpus: Awaited<ReturnType<typeof create>>['corpus']): Promise<ScanShard> {
    for await (const shard of corpus.scans()) return shard
    throw new Error('no scans')
  }

  it.each([
    ['the first group', /^(\w+)_/],
    ['the group subject', /^(?<subject>\w+?)(_)/],
  ])('names people by a pattern: %s', async (_, subjectPattern) => {
    await writeFace('scans/carol_smile.ply', face(1))
    await writeFace('scans/dave_neutral.ply', face(2))
    expect((await scansOf({ subjectPattern })).subjects).toEqual(['carol', 'dave'])
  })

  it('refuses names that say nobody', async () => {
    await writeFace('scans/1.ply', face(1))
    await expectSfmRejection(
      create({}),
      'INVALID_INPUT',
      /1\.ply: expected a sub-folder for each person, received 1\.ply/,
    )
    await expectSfmRejection(
      create({ subjectPattern: /^(x)/ }),
      'INVALID_INPUT',
      /expected a name with a subject by \/\^\(x\)\//,
    )
  })

  it.each([
    ['mm', 1],
    ['cm', 0.1],
    ['m', 0.001],
    ['in', 1 / 25.4],
  ])('tells %s by the size', async (unit, factor) => {
    await writeFace(
      'scans/a/1.ply',
      face(1).map((x) => x * factor),
    )
    const { corpus, report } = await create({ align: false })
    expect(report.units).toEqual({ [unit]: 1 })
    const { vertices } = await scansAll(corpus)
    expect(largestDifference(vertices, face(1))).toBeLessThan(1e-3)
  })

  it('takes units that are said, and says when they look wrong', async () => {
    await writeFace(
      'scans/a/1.ply',
      face(1).map((x) => x / 10),
    )
    const { report } = await create({ units: 'mm' })
    expect(report.units).toEqual({ mm: 1 })
    expect(report.warnings).toEqual([
      {
        source: at('scans/a/1.ply'),
        message: expect.stringMatching(
          /^said to be in mm, but a distance between the outer corners of the eyes of [\d.]+ looks like cm$/,
        ),
      },
    ])
  })

  it('warns of a mixture of units', async () => {
    await writeFace('scans/a/1.ply', face(1))
    await writeFace(
      'scans/b/1.ply',
      face(2).map((x) => x / 1000),
    )
    const { report } = await create({})
    expect(report.warnings.map(({ message }) => message)).toEqual(['scans of different units: 1 in mm, 1 in m'])
  })

  it('refuses a size that no unit explains', async () => {
    await writeFace(
      'scans/a/1.ply',
      face(1).map((x) => 20 * x),
    )
    const message =
      /1\.ply: expected a distance between the outer corners of the eyes of about \d+ mm, [\d.]+ cm, 0\.\d+ m, [\d.]+ in, received/
    await expectSfmRejection(create({}), 'INVALID_INPUT', message)
  })

  it('moves scans onto the template, without scaling them, unless told not to', async () => {
    const rotation = rotationReference(25, -10, 5).map((x, i) => (i < 3 ? x : -x))
    const away = transformReference(face(1), { rotation, translation: [200, -30, 1000] })
    await writeFace('scans/a/1.ply', away)
    const { vertices } = await scansOf({})
    expect(distance(vertices, template.mean)).toBeLessThan(distance(face(1), template.mean) + 1e-3)
    expect(distance(vertices, face(1))).toBeLessThan(12)
    const span = (array: ArrayLike<number>) => Math.hypot(...[0, 1, 2].map((a) => array[a]! - array[size - 3 + a]!))
    expect(span(vertices)).toBeCloseTo(span(face(1)), 2)
    await rm(at('corpus'), { recursive: true })
    expect(largestDifference((await scansOf({ align: false })).vertices, away)).toBeLessThan(1e-3)
  })

  it('knows the mean of a sphere model', async () => {
    await writeFace('scans/a/1.ply', face(1))
    const sphere = tinySphereModel()
    expect((await scansOf({ template: sphere })).vertices.length).toBe(size)
  })

  it.each([
    ['x,z,-y', 'y and z are swapped'],
    ['-x,y,z', 'x is flipped'],
    ['x,y,-z', 'z is flipped'],
    ['y,x,z', 'x and y are swapped'],
    ['z,x,y', 'x, y and z are swapped'],
    ['-x,y,-z', 'x and z are flipped'],
  ])('refuses scans whose axes should be read as %s, and takes them when told', async (axes, words) => {
    // The inverse of what brings the scan to the model.
    const matrix = axesMatrix(axes.split(',') as never)
    const rotation = [0, 3, 6, 1, 4, 7, 2, 5, 8].map((i) => matrix[i]!)
    await writeFace('scans/a/1.ply', transformReference(face(1), { rotation, translation: [0, 0, 0] }))
    const message = `received other axes: ${words} (axes ${axes} would be right)`
    const error = await expectSfmRejection(create({}), 'INVALID_INPUT', /1\.ply: expected \+X to the subject's left/)
    expect(error.message).toContain(message)
    const { vertices } = await scansOf({ axes: axes.split(',') as never, align: false })
    expect(largestDifference(vertices, face(1))).toBeLessThan(1e-3)
  })

  it('says the right axes when wrong ones were said', async () => {
    await writeFace('scans/a/1.ply', face(1))
    const wrong = ['x', 'z', '-y'] as const
    await expectSfmRejection(
      create({ axes: wrong }),
      'INVALID_INPUT',
      /y and z are swapped \(axes x,y,z would be right\)/,
    )
  })

  it('refuses a mirror image that is turned besides', async () => {
    const rotation = rotationReference(45, 20, 30).map((x, i) => (i % 3 === 0 ? -x : x))
    await writeFace('scans/a/1.ply', transformReference(face(1), { rotation, translation: [0, 0, 0] }))
    await expectSfmRejection(create({}), 'INVALID_INPUT', /received (a mirror image|other axes)/)
  })

  it('refuses vertices in another order', async () => {
    const order = Array.from({ length: size / 3 }, (_, v) => (v * 26) % 63)
    const shuffled = order.flatMap((v) => [...face(1).subarray(3 * v, 3 * v + 3)])
    await writeFace('scans/a/1.ply', shuffled)
    await expectSfmRejection(create({ units: 'mm' }), 'INVALID_INPUT', /expected vertices in the template's order/)
  })
})

describe('bad scans', () => {
  beforeEach(async () => {
    await writeFace('scans/a/0.ply', face(1))
    await writeFace('scans/b/0.ply', face(2))
  })

  const nan = () => {
    const bytes = Uint8Array.from(encodePly({ name: 'x', vertices: face(3), triangles }))
    new DataView(bytes.buffer).setFloat32(Buffer.from(bytes).indexOf('end_header\n') + 11, Number.NaN, true)
    return bytes
  }

  const BAD: Array<[string, string, () => string | Uint8Array, RegExp]> = [
    [
      'another size',
      'scans/b/1.obj',
      () => 'v 1 2 3\nv 2 3 4\n',
      /expected 63 vertices, as the template has, received 2/,
    ],
    ['NaN', 'scans/b/1.ply', nan, /vertex 0: expected finite coordinates, received NaN/],
    ['NaN in a text', 'scans/b/1.obj', () => 'v 1 nan 3\n', /line 1: expected a finite number, received "nan"/],
    [
      'one place',
      'scans/b/1.obj',
      () => 'v 1 2 3\n'.repeat(63),
      /expected a shape, received vertices that are all in one place/,
    ],
    [
      'the scan of somebody else',
      'scans/b/1.ply',
      () => encodePly({ name: 'y', vertices: face(1), triangles }),
      /received one of b that is a\/0\.ply of a/,
    ],
    ['no mesh', 'scans/b/1.obj', () => new Uint8Array(99), /received binary data/],
  ]

  it.each(BAD)('with %s end it all', async (_, name, content, message) => {
    await write(name, content())
    const error = await expectSfmRejection(create({}), 'INVALID_INPUT', message)
    expect(error.message).toContain(at(name))
    expect((await readdir(folder)).filter((file) => file !== 'scans')).toEqual([])
  })

  it.each(BAD)('with %s are left out when that is wanted', async (_, name, content, message) => {
    await write(name, content())
    const { corpus, report } = await create({ skipBad: true })
    expect(corpus.scanCount).toBe(2)
    expect(report.skipped).toEqual([{ source: at(name), message: expect.stringMatching(message) }])
    expect(report.skipped[0]!.message).not.toContain(at(name))
  })

  it('that are the same of the same person are left out in any case', async () => {
    await writeFace('scans/a/1.ply', face(1))
    const { corpus, report } = await create({})
    expect(corpus.scanCount).toBe(2)
    expect(report.skipped).toEqual([{ source: at('scans/a/1.ply'), message: 'the same scan of the same person again' }])
  })

  it('alone make no corpus', async () => {
    await rm(at('scans'), { recursive: true })
    await write('scans/a/1.obj', 'v 1 2 3\n')
    await expectSfmRejection(
      create({ skipBad: true }),
      'INVALID_INPUT',
      /received none: each of 1 is of no use, the first because of .*1\.obj: expected 63 vertices/,
    )
    await expectSfmRejection(create({ scans: at('nowhere') }), 'IO', /nowhere/)
    await mkdir(at('empty'))
    await expectSfmRejection(create({ scans: at('empty') }), 'INVALID_INPUT', /expected \.obj or \.ply files/)
    expect((await readdir(folder)).sort()).toEqual(['empty', 'scans'])
  })

  it('too few for the parts are said to be', async () => {
    await expectSfmRejection(
      create({ splits: { train: 0.8, test: 0.1, validation: 0.1 } }),
      'INVALID_ARGUMENT',
      /enough people/,
    )
  })

  it('are no excuse for a disk that fails', async () => {
    await expectSfmRejection(
      createCorpus(at('scans/a/0.ply/corpus'), { template, scans: at('scans'), splits: ALL, skipBad: true }),
      'IO',
    )
  })
})

describe('a corpus of landmarks', () => {
  const lines = (...observations: unknown[]) => observations.map((each) => `${JSON.stringify(each)}\n`).join('')
  const landmarks = (...observations: unknown[]) => write('faces.jsonl', lines(...observations))
  const only = { scans: undefined as never, landmarks: [] as string[] }
  const createLandmarks = (options: Partial<CreateCorpusOptions> = {}) =>
    create({ ...only, landmarks: [at('faces.jsonl')], ...options })

  it('takes lines with subjects and collections, of several schemes and files', async () => {
    const { id: _, ...nameless } = tinyLandmarks('c/q', 2)
    await landmarks(tinyLandmarks('c/p', 0), nameless, { ...tinyLandmarks('r', 1, 'ibug68'), note: 'of my own' })
    await write('more.json', JSON.stringify([tinyLandmarks('d/p', 4)]))
    const { corpus, report } = await createLandmarks({ landmarks: [at('faces.jsonl'), at('more.json')] })
    expect(report).toMatchObject({ scans: 0, landmarkSets: 4, skipped: [], subjects: { all: 4, withLandmarks: 4 } })
    const { landmarkSets } = await everything(corpus)
    expect(landmarkSets).toEqual([
      tinyLandmarks('c/p', 0),
      { id: 'faces-2', ...nameless },
      tinyLandmarks('d/p', 4),
      tinyLandmarks('r', 1, 'ibug68'),
    ])
    expect(corpus.subjects()).toEqual(['c/p', 'c/q', 'd/p', 'r'])
  })

  it('may have scans of the same people', async () => {
    await writeFace('scans/a/0.ply', face(1))
    await landmarks(tinyLandmarks('a'))
    const { corpus, report } = await create({ landmarks: [at('faces.jsonl')] })
    expect([corpus.scanCount, corpus.landmarkSetCount]).toEqual([1, 1])
    expect(report.subjects).toEqual({ all: 1, withScans: 1, withLandmarks: 1, withOneScan: 1 })
  })

  const good = tinyLandmarks('a', 1)
  const { subject: _, ...nobodys } = tinyLandmarks('a', 5)
  const BAD: Array<[string, unknown, RegExp]> = [
    ['nobody', nobodys, /subject: expected whose face it is, received undefined/],
    ['an unknown scheme', { ...tinyLandmarks('b', 2), scheme: 'wflw98' }, /the model has no scheme "wflw98"/],
    ['too few points', { ...tinyLandmarks('b', 2), points: [[1, 2]] }, /points: expected 12 points/],
    [
      'a point that is none',
      { ...tinyLandmarks('b', 2), points: [['a', 2]] },
      /points\[0\]\[0\]: expected a finite number/,
    ],
    [
      'no points',
      { ...tinyLandmarks('b', 2), points: Array(12).fill(null) },
      /points: expected a face, received points that are missing/,
    ],
    ['one place', { ...tinyLandmarks('b', 2), points: Array(12).fill([3, 4]) }, /points: expected a face/],
    ['a slash', { ...tinyLandmarks('b', 2), collection: 'x/y' }, /collection: expected a name without a slash/],
    ['the points of somebody else', { ...good, subject: 'b' }, /received those of .*faces\.jsonl:1, of a, for b/],
  ]

  it.each(BAD)('refuses %s, or leaves it out', async (_, bad, message) => {
    await landmarks(good, bad)
    const error = await expectSfmRejection(createLandmarks(), 'INVALID_INPUT', message)
    expect(error.message).toContain(`${at('faces.jsonl')}:2: `)
    const { corpus, report } = await createLandmarks({ skipBad: true })
    expect(corpus.landmarkSetCount).toBe(1)
    expect(report.skipped).toEqual([{ source: `${at('faces.jsonl')}:2`, message: expect.stringMatching(message) }])
  })

  it('refuses lines that are not JSON, and files that are not there', async () => {
    await write('faces.jsonl', `${JSON.stringify(good)}\n{"id":\n`)
    await expectSfmRejection(createLandmarks(), 'INVALID_INPUT', /faces\.jsonl:2: not valid JSON/)
    await expectSfmRejection(createLandmarks({ landmarks: [at('none.jsonl')] }), 'IO', /none\.jsonl: no such file/)
  })

  it('leaves out the same landmarks of the same person', async () => {
    await landmarks(good, { ...good, id: 'again' })
    const { corpus, report } = await createLandmarks()
    expect(corpus.landmarkSetCount).toBe(1)
    expect(report.skipped[0]!.message).toBe('the same landmarks of the same person again')
  })

  it.each<[unknown, RegExp]>([
    [undefined, /^options/],
    [{ template }, /^scans: expected a folder of scans, or landmarks/],
    [{ template, scans: 7 }, /^scans: expected a folder/],
    [{ template, landmarks: 'a.jsonl' }, /^landmarks: expected a list/],
    [{ template, scans: 'x', units: 'feet' }, /^units: expected auto, mm, cm, m, in/],
    [{ template, scans: 'x', subjectPattern: 'x' }, /^subjectPattern: expected a regular expression/],
  ])('refuses options %#', async (options, message) => {
    await expectSfmRejection(createCorpus(at('corpus'), options as CreateCorpusOptions), 'INVALID_ARGUMENT', message)
  })
})

describeWithShared('a corpus of real photos', ['face-3dmm.safetensors', 'landmarks/photos-dev.jsonl'], () => {
  it('has all of them, by person within a collection', async () => {
    const real = await readModelFile(sharedPath('face-3dmm.safetensors'))
    const { corpus, report } = await createCorpus(at('corpus'), {
      template: real,
      landmarks: [sharedPath('landmarks/photos-dev.jsonl')],
      seed: 1,
    })
    expect(report).toMatchObject({ landmarkSets: 679, skipped: [], warnings: [], subjects: { all: 83 } })
    const sets: LabelledObservation[] = []
    for await (const some of corpus.landmarkSets({ split: 'test' })) sets.push(...some)
    expect(sets.length).toBeGreaterThan(30)
    expect(new Set(sets.map(({ subject, collection }) => `${collection}/${subject}`)).size).toBe(
      corpus.subjects('test').length,
    )
    // 0.8 of 83
    expect(Math.abs(corpus.subjects('train').length - 66.4)).toBeLessThan(1)
  })
})

describeWithShared('a corpus of original scans', ['ict-facekit-sample.tar.xz'], () => {
  it('tells their units, and takes them by their own topology', async () => {
    try {
      execFileSync('tar', ['xJf', sharedPath('ict-facekit-sample.tar.xz'), '-C', folder], { stdio: 'ignore' })
    } catch {
      return
    }
    const mean = Float32Array.from(await readMesh(at('FaceXModel/generic_neutral_mesh.obj')), (x) => 10 * x)
    const own: ModelData = {
      ...template,
      vertexCount: mean.length / 3,
      identityCount: 1,
      mean,
      identityBasis: new Float32Array(mean.length).fill(0.1),
      expressionCount: 0,
      expressionBasis: new Float32Array(0),
      expressionBounds: new Float32Array(0),
      expressionStddev: new Float32Array(0),
      triangles: Int32Array.of(0, 1, 2),
      schemes: new Map(),
      metadata: { ...template.metadata, expressionNames: [] },
    }
    delete own.uv
    delete own.mirror
    delete own.region
    const { corpus, report } = await createCorpus(at('corpus'), {
      template: own,
      scans: at('FaceXModel'),
      subjectPattern: /^(identity\d+)/,
      skipBad: true,
      splits: { train: 0.5, test: 0.5 },
    })
    expect(report.units).toEqual({ cm: 6 })
    expect(corpus.subjects().length).toBe(6)
    expect(report.skipped.length).toBe(5)
    for await (const { vertices, subjects } of corpus.scans())
      for (let i = 0; i < subjects.length; i++)
        expect(distance(vertices.subarray(i * mean.length, (i + 1) * mean.length), mean)).toBeLessThan(15)
  })
})
