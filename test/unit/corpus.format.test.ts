import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Corpus } from '../../lib/corpus/Corpus.js'
import { CorpusWriter } from '../../lib/corpus/CorpusWriter.js'
import { MemoryCorpus } from '../../lib/corpus/MemoryCorpus.js'
import type { LabelledObservation, ScanShard, Split } from '../../lib/corpus/TrainingData.js'
import { writeCorpus } from '../../lib/corpus/writeCorpus.js'
import type { ErrorCode } from '../../lib/errors.js'
import { writeModelFile } from '../../lib/model/formats/modelFile.js'
import { readContainer, type Tensor, writeContainer } from '../../lib/model/formats/safetensors.js'
import { expectSfmError, expectSfmRejection } from '../fixtures/expectSfmError.js'
import { everything, TINY_SPLITS, tinyContent, tinyCorpus, tinyLandmarks, tinyScans } from '../fixtures/tinyCorpus.js'
import { tinyGaussianModel, tinySphereModel } from '../fixtures/tinyModel.js'

let folder: string
const at = (...names: string[]) => join(folder, ...names)

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sfm-corpus-'))
})
afterEach(() => rm(folder, { recursive: true }))

/** Reads all of it, which is where files are found out. */
async function readAll(corpus: Corpus): Promise<void> {
  await everything(corpus)
}

describe('a corpus on disk', () => {
  it('gives back what was written', async () => {
    const memory = tinyCorpus()
    const written = await writeCorpus(at('new', 'corpus'), memory)
    const corpus = await Corpus.open(at('new', 'corpus'))
    expect(corpus.manifest).toEqual(written.manifest)
    expect(corpus.description).toEqual(memory.description)
    expect([corpus.vertexCount, corpus.scanCount, corpus.landmarkSetCount]).toEqual([63, 12, 5])
    expect(await corpus.template()).toEqual(tinyGaussianModel())
    expect(await everything(corpus)).toEqual(await everything(memory))
    expect((await everything(corpus)).landmarkSets.map((set) => (set as LabelledObservation).id)).toEqual([
      'p-0',
      'q-1',
      'a-3',
      'p-2',
      'q-4',
    ])
    expect(await readdir(at('new'))).toEqual(['corpus'])
  })

  it.each<Split>(['train', 'validation', 'test'])('streams the part "%s" alone', async (split) => {
    const corpus = await writeCorpus(at('corpus'), tinyCorpus(), { shardBytes: 2000 })
    const part = await everything(corpus, split)
    expect(part).toEqual(await everything(tinyCorpus(), split))
    const all = await everything(corpus)
    const people = TINY_SPLITS[split]
    expect(part.scans).toEqual(all.scans.filter((scan) => people.includes((scan as [string])[0])))
    expect(part.scans.length).toBe(3 * people.filter((key) => !key.includes('/')).length)
    expect(corpus.subjects(split)).toEqual([...people].sort())
  })

  it('names who has scans and who has landmarks', async () => {
    const corpus = await writeCorpus(at('corpus'), tinyCorpus())
    for (const data of [corpus, tinyCorpus()]) {
      expect(data.subjects()).toEqual(['a', 'b', 'c', 'c/p', 'c/q', 'd'])
      expect(data.subjects('train', 'scans')).toEqual(['a', 'b'])
      expect(data.subjects(undefined, 'landmarks')).toEqual(['a', 'c/p', 'c/q'])
      expectSfmError(() => data.subjects('dev' as Split), 'INVALID_ARGUMENT', /^split: expected "train"/)
      expectSfmError(() => data.subjects('test', 'meshes' as 'scans'), 'INVALID_ARGUMENT', /^having: expected/)
    }
  })

  it('picks a scheme', async () => {
    const corpus = await writeCorpus(at('corpus'), tinyCorpus())
    for (const data of [corpus, tinyCorpus()]) {
      const ids: unknown[] = []
      for await (const sets of data.landmarkSets({ scheme: 'ibug68' })) ids.push(...sets.map(({ id }) => id))
      expect(ids).toEqual(['p-2', 'q-4'])
    }
  })

  it('cuts data into shards of bounded size, and reads it the same', async () => {
    const scan = 63 * 3 * 4
    const corpus = await writeCorpus(at('corpus'), tinyCorpus(), { shardBytes: 5 * scan })
    expect(corpus.manifest.scans.map(({ count, subjects }) => [count, subjects])).toEqual([
      [4, ['a', 'b']],
      [4, ['b', 'c']],
      [4, ['c', 'd']],
    ])
    expect(await everything(corpus)).toEqual(await everything(tinyCorpus()))
    // A shard smaller than a scan holds one all the same.
    const single = await writeCorpus(at('single'), tinyCorpus(), { shardBytes: 1 })
    expect(single.manifest.scans.length).toBe(12)
    expect(single.manifest.landmarks.map(({ scheme }) => scheme)).toEqual([
      'tiny12',
      'tiny12',
      'tiny12',
      'ibug68',
      'ibug68',
    ])
    expect(await everything(single)).toEqual(await everything(tinyCorpus()))
  })

  it('has the same bytes for the same data', async () => {
    await writeCorpus(at('one'), tinyCorpus())
    await writeCorpus(at('two'), tinyCorpus())
    const files = (await readdir(at('one'))).sort()
    expect(files).toEqual([
      'corpus.json',
      'landmarks-00000.jsonl',
      'landmarks-00001.jsonl',
      'scans-00000.safetensors',
      'template.safetensors',
      'truth-00000.safetensors',
    ])
    for (const file of files) expect(await readFile(at('one', file))).toEqual(await readFile(at('two', file)))
  })

  it('refuses to stream a part without people', async () => {
    const content = { ...tinyContent(), splits: { train: Object.values(TINY_SPLITS).flat() } }
    const memory = new MemoryCorpus(content)
    const corpus = await writeCorpus(at('corpus'), memory)
    for (const data of [corpus, memory]) {
      expect(data.subjects('test')).toEqual([])
      const select = { split: 'test' } as const
      for (const stream of [data.scans(select), data.landmarkSets(select), data.truth(select)]) {
        const first: Promise<unknown> = stream.next()
        await expectSfmRejection(first, 'INVALID_INPUT', 'the corpus has nobody in its split "test"')
      }
    }
  })

  it('stops when its signal says so', async () => {
    const corpus = await writeCorpus(at('corpus'), tinyCorpus(), { shardBytes: 1 })
    const controller = new AbortController()
    const { signal } = controller
    const scans = corpus.scans({ signal })
    await scans.next()
    controller.abort()
    await expectSfmRejection(scans.next(), 'ABORTED')
    await expectSfmRejection(corpus.landmarkSets({ signal }).next(), 'ABORTED')
    await expectSfmRejection(writeCorpus(at('other'), tinyCorpus(), { signal }), 'ABORTED')
    expect(await readdir(folder)).toEqual(['corpus'])
  })
})

describe('a corpus that is not as it should be', () => {
  // biome-ignore lint/suspicious/noExplicitAny: a test reaches into any field.
  type Json = Record<string, any>

  beforeEach(async () => {
    await writeCorpus(at('corpus'), tinyCorpus())
  })

  async function changeManifest(change: (manifest: Json) => void): Promise<void> {
    const manifest = JSON.parse(await readFile(at('corpus', 'corpus.json'), 'utf8'))
    change(manifest)
    await writeFile(at('corpus', 'corpus.json'), JSON.stringify(manifest))
  }

  it.each<[string, (manifest: Json) => void, RegExp]>([
    ['a format of the future', (m) => (m.format = 'sphere-face-corpus/2'), /format: expected "sphere-face-corpus\/1"/],
    ['metres', (m) => (m.units = 'm'), /units: expected "mm", received "m"/],
    ['no name', (m) => delete m.name, /name: expected a string, received undefined/],
    ['no vertices', (m) => (m.vertexCount = 0), /vertexCount: expected a whole number from 1/],
    ['other vertices', (m) => (m.vertexCount = 64), /template\.safetensors: expected 64 vertices.*received 63/],
    ['scans that are no list', (m) => (m.scans = {}), /scans: expected an array of shards/],
    ['a shard that is none', (m) => (m.scans = [7]), /scans\[0\]: expected \{ "file"/],
    ['a file elsewhere', (m) => (m.scans[0].file = '../a'), /scans\[0\]\.file: expected the name of a file in the/],
    ['a file twice', (m) => m.scans.push(m.scans[0]), /every file once, received "scans-00000\.safetensors" twice/],
    ['a negative count', (m) => (m.landmarks[0].count = -1), /landmarks\[0\]\.count: expected a whole number from 1/],
    ['a name twice', (m) => m.scans[0].subjects.push('a'), /scans\[0\]\.subjects: expected every name once/],
    ['no names', (m) => (m.scans[0].subjects = []), /scans\[0\]\.subjects: expected 1 to 12 names/],
    ['a name that is none', (m) => (m.scans[0].subjects[0] = 1), /scans\[0\]\.subjects\[0\]: expected a string/],
    ['no scheme', (m) => delete m.landmarks[0].scheme, /landmarks\[0\]\.scheme: expected a string that is not empty/],
    [
      'an unknown scheme',
      (m) => (m.landmarks[0].scheme = 'x'),
      /expected a scheme of template\.safetensors \(ibug68, tiny12/,
    ],
    ['no parts', (m) => delete m.splits, /splits: expected \{ "train"/],
    ['an unknown part', (m) => (m.splits.dev = []), /splits: expected train, validation, test, received "dev"/],
    [
      'people of the test in training',
      (m) => m.splits.train.push('d', 'c/q'),
      /splits: expected every subject in one of them, once, received "c\/q \(train, test\)", "d \(train, test\)"/,
    ],
    ['somebody twice', (m) => m.splits.test.push('d'), /splits: .*"d \(test, test\)"/],
    ['somebody in no part', (m) => m.splits.test.splice(0, 2), /splits: .* received "c\/q", "d" in none/],
    ['somebody without data', (m) => m.splits.test.push('nobody'), /subjects that have data, received "nobody"/],
    [
      'truth of strangers',
      (m) => m.truth[0].subjects.splice(0, 1, 'x'),
      /truth: expected people that have data, received "x"/,
    ],
  ])('is refused for %s', async (_, change, message) => {
    await changeManifest(change)
    const error = await expectSfmRejection(Corpus.open(at('corpus')), 'INVALID_INPUT', message)
    expect(error.message).toContain(at('corpus', 'corpus.json'))
  })

  it.each([
    ['nothing', '', /not valid JSON/],
    ['a list', '[]', /expected a JSON object/],
    ['half of it', '{"format":', /not valid JSON/],
    ['a key twice', '{"format":"a","format":"b"}', /every key once, received "format" twice/],
  ])('is refused for a manifest of %s', async (_, text, message) => {
    await writeFile(at('corpus', 'corpus.json'), text)
    await expectSfmRejection(Corpus.open(at('corpus')), 'INVALID_INPUT', message)
  })

  it('is refused where files are missing', async () => {
    await expectSfmRejection(Corpus.open(at('nowhere')), 'IO', /corpus\.json/)
    await expectSfmRejection(Corpus.open(''), 'INVALID_ARGUMENT', /^folder/)
    await rename(at('corpus', 'scans-00000.safetensors'), at('corpus', 'elsewhere'))
    await expectSfmRejection(Corpus.open(at('corpus')), 'IO', /scans-00000\.safetensors/)
    await mkdir(at('corpus', 'scans-00000.safetensors'))
    await expectSfmRejection(Corpus.open(at('corpus')), 'INVALID_INPUT', /expected a file/)
    await writeFile(at('corpus', 'template.safetensors'), 'x')
    await expectSfmRejection(Corpus.open(at('corpus')), 'INVALID_MODEL', /template\.safetensors/)
  })

  it('says when the template has other schemes or another size', async () => {
    const { vertexCount: N, ...sphere } = tinySphereModel()
    await writeModelFile(at('corpus', 'template.safetensors'), { vertexCount: N, ...sphere, schemes: new Map() })
    await expectSfmRejection(Corpus.open(at('corpus')), 'INVALID_INPUT', /landmarks-00000\.jsonl: expected a scheme of/)
  })

  const f32 = (...shape: number[]): Tensor => ({
    dtype: 'F32',
    shape,
    bytes: new Uint8Array(4 * shape.reduce((a, b) => a * b, 1)),
  })

  it.each<[string, (tensors: Map<string, Tensor>) => void, RegExp]>([
    ['no vertices', (t) => t.delete('vertices'), /"vertices": expected F32 \[12, 63, 3\], received no such tensor/],
    ['no subjects', (t) => t.delete('subject'), /"subject": expected I32 \[12\], received no such tensor/],
    ['fewer scans', (t) => t.set('vertices', f32(11, 63, 3)), /"vertices": expected F32 \[12, 63, 3\].*\[11, 63, 3\]/],
    ['other vertices', (t) => t.set('vertices', f32(12, 62, 3)), /received F32 \[12, 62, 3\]/],
    ['a flat tensor', (t) => t.set('vertices', f32(12 * 63 * 3)), /received F32 \[2268\]/],
    ['integers', (t) => t.set('vertices', { ...f32(12, 63, 3), dtype: 'I32' }), /received I32 \[12, 63, 3\]/],
    ['other expressions', (t) => t.set('expression', f32(12, 5)), /"expression": expected F32 \[12, 4\]/],
    [
      'NaN',
      (t) =>
        new DataView(t.get('vertices')!.bytes.buffer, t.get('vertices')!.bytes.byteOffset).setUint32(
          40,
          0x7fc00000,
          true,
        ),
      /"vertices": expected finite values, received NaN or an infinity at index 10/,
    ],
    [
      'a stranger',
      (t) => t.get('subject')!.bytes.set([4, 0, 0, 0], 8),
      /"subject": expected indices from 0 to 3, received 4 at index 2/,
    ],
    ['a negative index', (t) => t.get('subject')!.bytes.fill(0xff, 0, 4), /received -1 at index 0/],
    [
      'nobody of a name',
      (t) => t.get('subject')!.bytes.fill(0),
      /"subject": expected rows of 4 people, received fewer/,
    ],
  ])('is refused for a shard with %s', async (_, change, message) => {
    const path = at('corpus', 'scans-00000.safetensors')
    const { tensors, metadata } = readContainer(new Uint8Array(await readFile(path)))
    const changed = new Map(tensors)
    change(changed)
    await writeFile(path, writeContainer({ tensors: changed, metadata }))
    const error = await expectSfmRejection(Corpus.open(at('corpus')).then(readAll), 'INVALID_INPUT', message)
    expect(error.message).toMatch(/^scans-00000\.safetensors: /)
  })

  it.each([0, 7, 100, 5000])('is refused for a shard cut to %d bytes', async (length) => {
    const path = at('corpus', 'scans-00000.safetensors')
    await writeFile(path, (await readFile(path)).subarray(0, length))
    await expectSfmRejection(Corpus.open(at('corpus')).then(readAll), 'INVALID_INPUT', /^scans-00000\.safetensors: /)
  })

  it.each<[string, (lines: string[]) => void, RegExp]>([
    ['a line less', (lines) => lines.pop(), /landmarks-00000\.jsonl: expected 3 landmark sets, received 2/],
    ['a line more', (lines) => lines.push(lines[0]!), /expected 3 landmark sets, received 4/],
    ['a broken line', (lines) => (lines[1] = '{"id":'), /landmarks-00000\.jsonl:2: not valid JSON/],
    ['another scheme', (lines) => (lines[1] = lines[1]!.replace('tiny12', 'ibug68')), /:2: scheme: expected "tiny12"/],
    ['a stranger', (lines) => (lines[0] = lines[0]!.replace('"p"', '"r"')), /:1: subject: expected one of the file's/],
    ['nobody', (lines) => (lines[0] = lines[0]!.replace('"subject"', '"who"')), /:1: subject: expected whose face/],
    ['a point less', (lines) => (lines[0] = lines[0]!.replace('[null,', '[')), /:1: landmarks\.points: expected 12/],
    [
      'a slash',
      (lines) => (lines[0] = lines[0]!.replace('"c"', '"c/d"')),
      /collection: expected a name without a slash/,
    ],
  ])('is refused for landmarks with %s', async (_, change, message) => {
    const path = at('corpus', 'landmarks-00000.jsonl')
    const lines = (await readFile(path, 'utf8')).trim().split('\n')
    change(lines)
    await writeFile(path, lines.join('\n'))
    await expectSfmRejection(Corpus.open(at('corpus')).then(readAll), 'INVALID_INPUT', message)
  })
})

describe('CorpusWriter', () => {
  const template = tinyGaussianModel()
  const scans = tinyScans(template, ['a', 'b'], 2)

  it('takes data piece by piece, in any order of calls', async () => {
    await using writer = await CorpusWriter.create(at('corpus'), { template, shardBytes: 2000 })
    // Not awaited one by one: it sees to the order itself.
    const calls = [
      writer.addScans(tinyScans(template, ['b'], 2, 5)),
      writer.addLandmarkSets([tinyLandmarks('x/y')]),
      writer.addScans(tinyScans(template, ['a'], 3, 6)),
      writer.addLandmarkSets([]),
      writer.addScans({ vertices: new Float32Array(0), subjects: [] }),
    ]
    await Promise.all(calls)
    expect(writer.subjects()).toEqual(['a', 'b', 'x/y'])
    const corpus = await writer.finish({ train: ['a', 'b', 'x/y'] })
    expect(corpus.manifest.scans.map(({ count }) => count)).toEqual([2, 2, 1])
    expect((await everything(corpus)).scans.map((scan) => (scan as [string])[0])).toEqual(['b', 'b', 'a', 'a', 'a'])
    await expectSfmRejection(writer.addScans(scans), 'DISPOSED', /is finished/)
  })

  it('keeps scans with and without expressions apart', async () => {
    await using writer = await CorpusWriter.create(at('corpus'), { template })
    const { expressions: _, ...plain } = scans
    await writer.addScans(scans)
    await writer.addScans(plain)
    await writer.addScans(scans)
    const corpus = await writer.finish({ train: ['a', 'b'] })
    const shards: ScanShard[] = []
    for await (const shard of corpus.scans()) shards.push(shard)
    expect(shards.map(({ expressions }) => expressions?.length)).toEqual([16, undefined, 16])
  })

  it('takes flat landmarks and those in mm', async () => {
    await using writer = await CorpusWriter.create(at('corpus'), { template })
    const flat = Float32Array.from({ length: 24 }, (_, i) => (i === 5 ? Number.NaN : i))
    const solid = Float64Array.from({ length: 36 }, (_, i) => i / 2)
    const common = { subject: 'a', scheme: 'tiny12' }
    await writer.addLandmarkSets([
      { ...common, points: flat, confidence: new Float32Array(12).fill(0.5), camera: { type: 'weak' }, noise: 2 },
      { ...common, points: solid },
    ])
    const { landmarkSets } = await everything(await writer.finish({ train: ['a'] }))
    const [first, second] = landmarkSets as LabelledObservation[]
    expect(first!.points.slice(0, 4)).toEqual([[0, 1], [2, 3], null, [6, 7]])
    expect(first).toMatchObject({ camera: { type: 'weak' }, noise: 2 })
    expect(first!.confidence).toEqual(Array(12).fill(0.5))
    expect(second!.points.slice(0, 2)).toEqual([
      [0, 0.5, 1],
      [1.5, 2, 2.5],
    ])
  })

  it('leaves an existing folder alone', async () => {
    await writeCorpus(at('corpus'), tinyCorpus())
    await expectSfmRejection(
      writeCorpus(at('corpus'), tinyCorpus()),
      'INVALID_ARGUMENT',
      /^folder: .*does not exist yet/,
    )
    await writeFile(at('file'), '')
    await expectSfmRejection(CorpusWriter.create(at('file'), { template }), 'IO', /file/)
    await mkdir(at('empty'))
    expect((await writeCorpus(at('empty'), tinyCorpus())).scanCount).toBe(12)
    // Somebody else was quicker.
    await using writer = await CorpusWriter.create(at('late'), { template })
    await writer.addScans(scans)
    await writeCorpus(at('late'), tinyCorpus())
    await expectSfmRejection(writer.finish({ train: ['a', 'b'] }), 'INVALID_ARGUMENT', /^folder/)
    expect((await Corpus.open(at('late'))).scanCount).toBe(12)
  })

  it('leaves nothing behind when it is given up, or fails', async () => {
    const writer = await CorpusWriter.create(at('corpus'), { template, shardBytes: 1 })
    await writer.addScans(scans)
    const [temporary] = await readdir(folder)
    expect(temporary).toMatch(/^\.sfm-.*\.tmp$/)
    await rm(at(temporary!), { recursive: true })
    await expectSfmRejection(writer.addScans(scans), 'IO', /cannot write/)
    await expectSfmRejection(writer.finish({ train: ['a', 'b'] }), 'DISPOSED', /was given up/)
    await writer.abandon()
    await writer.abandon()
    const other = await CorpusWriter.create(at('corpus'), { template, shardBytes: 1 })
    await other.addScans(scans)
    await other[Symbol.asyncDispose]()
    expect(await readdir(folder)).toEqual([])
  })

  it('stays open after a refusal', async () => {
    await using writer = await CorpusWriter.create(at('corpus'), { template })
    await writer.addScans(scans)
    await expectSfmRejection(writer.finish({ train: ['a', 'b'], test: ['b'] }), 'INVALID_INPUT', /"b \(train, test\)"/)
    await expectSfmRejection(writer.finish({ train: ['a'] }), 'INVALID_INPUT', /received "b" in none/)
    expect((await writer.finish({ train: ['a'], test: ['b'] })).subjects('test')).toEqual(['b'])
  })

  it.each<[string, ErrorCode, (writer: CorpusWriter) => Promise<unknown>, RegExp]>([
    [
      'too few numbers',
      'INVALID_ARGUMENT',
      (w) => w.addScans({ ...scans, vertices: scans.vertices.subarray(1) }),
      /^scans\.vertices: expected a Float32Array of 756, received Float32Array of 755/,
    ],
    [
      'doubles',
      'INVALID_ARGUMENT',
      (w) => w.addScans({ ...scans, vertices: Float64Array.from(scans.vertices) as never }),
      /^scans\.vertices/,
    ],
    [
      'NaN',
      'INVALID_ARGUMENT',
      (w) => w.addScans({ ...scans, vertices: scans.vertices.map((x, i) => (i === 9 ? Number.NaN : x)) }),
      /^scans\.vertices\[9\]: expected a finite number/,
    ],
    ['no subjects', 'INVALID_ARGUMENT', (w) => w.addScans({ vertices: scans.vertices } as never), /^scans\.subjects/],
    [
      'an empty name',
      'INVALID_ARGUMENT',
      (w) => w.addScans({ ...scans, subjects: ['a', '', 'a', 'b'] }),
      /^scans\.subjects\[1\]/,
    ],
    [
      'other expressions',
      'INVALID_ARGUMENT',
      (w) => w.addScans({ ...scans, expressions: new Float32Array(3) }),
      /^scans\.expressions/,
    ],
    ['nothing', 'INVALID_ARGUMENT', (w) => w.addScans(undefined as never), /^scans: expected an object/],
    [
      'an unknown scheme',
      'UNKNOWN_SCHEME',
      (w) => w.addLandmarkSets([{ ...tinyLandmarks('a'), scheme: 'x' }]),
      /observations\[0\]\.scheme/,
    ],
    [
      'too few points',
      'INVALID_ARGUMENT',
      (w) => w.addLandmarkSets([tinyLandmarks('a'), { ...tinyLandmarks('a'), points: [[1, 2]] }]),
      /observations\[1\]\.points/,
    ],
    [
      'a face of nobody',
      'INVALID_ARGUMENT',
      (w) => w.addLandmarkSets([{ ...tinyLandmarks('a'), subject: '' }]),
      /observations\[0\]\.subject/,
    ],
    [
      'a slash',
      'INVALID_ARGUMENT',
      (w) => w.addLandmarkSets([{ ...tinyLandmarks('a'), collection: 'a/b' }]),
      /collection: expected a name without a slash/,
    ],
    ['nobody at all', 'INVALID_ARGUMENT', (w) => w.finish({}), /^corpus: expected scans or landmark sets/],
  ])('refuses %s', async (_, code, call, message) => {
    await using writer = await CorpusWriter.create(at('corpus'), { template })
    await expectSfmRejection(call(writer), code, message)
  })

  it('refuses options that are none', async () => {
    const create = (options: unknown) => CorpusWriter.create(at('corpus'), options as never)
    await expectSfmRejection(create(undefined), 'INVALID_ARGUMENT', /^options/)
    await expectSfmRejection(create({ template, name: 7 }), 'INVALID_ARGUMENT', /^name: expected a string/)
    await expectSfmRejection(create({ template, shardBytes: 0 }), 'INVALID_ARGUMENT', /^shardBytes/)
    await expectSfmRejection(create({ template: {} }), 'INVALID_MODEL')
    await expectSfmRejection(create({}), 'INVALID_MODEL')
    await expectSfmRejection(CorpusWriter.create('', { template }), 'INVALID_ARGUMENT', /^folder/)
    expect(await readdir(folder)).toEqual([])
  })

  it('refuses a person twice in the truth, and truth of strangers', async () => {
    await using writer = await CorpusWriter.create(at('corpus'), { template })
    const neutrals = scans.vertices.slice(0, 63 * 3)
    const identities = new Float32Array(6)
    await writer.addTruth({ subjects: ['a'], neutrals, identities })
    await expectSfmRejection(writer.addTruth({ subjects: ['a'], neutrals, identities }), 'INVALID_ARGUMENT', /once/)
    const short = { subjects: ['b'], neutrals, identities: new Float32Array(5) }
    await expectSfmRejection(writer.addTruth(short), 'INVALID_ARGUMENT', /expected 6 latents a person/)
    await writer.addLandmarkSets([tinyLandmarks('b')])
    await expectSfmRejection(writer.finish({ train: ['b'] }), 'INVALID_INPUT', /^truth: .*"a"/)
  })
})

describe('MemoryCorpus', () => {
  it('takes other data into memory', async () => {
    const corpus = await writeCorpus(at('corpus'), tinyCorpus(), { shardBytes: 2000 })
    const memory = await MemoryCorpus.from(corpus)
    expect(await everything(memory)).toEqual(await everything(corpus))
    expect(memory.subjects('test')).toEqual(corpus.subjects('test'))
    expect([memory.scanCount, memory.landmarkSetCount]).toEqual([12, 5])
  })

  it('refuses what a file would be refused for', () => {
    const content = tinyContent()
    const make = (change: Partial<typeof content>) => () => new MemoryCorpus({ ...content, ...change })
    const { train } = TINY_SPLITS
    expectSfmError(make({ splits: { ...TINY_SPLITS, train: [...train, 'd'] } }), 'INVALID_INPUT', /"d \(train, test\)"/)
    expectSfmError(make({ splits: { train } }), 'INVALID_INPUT', /in none/)
    expectSfmError(
      make({ scans: [{ vertices: new Float32Array(1), subjects: ['a'] }] }),
      'INVALID_ARGUMENT',
      /scans\[0\]/,
    )
    expectSfmError(make({ landmarkSets: [{} as never] }), 'INVALID_ARGUMENT', /landmarkSets\[0\]\.scheme/)
    expectSfmError(make({ truth: [{ subjects: ['a'] } as never] }), 'INVALID_ARGUMENT', /truth\[0\]\.neutrals/)
  })
})
