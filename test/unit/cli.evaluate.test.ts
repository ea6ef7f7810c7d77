import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Engine } from '../../lib/cli/Cli.js'
import { run } from '../../lib/cli/program.js'
import { synthesise } from '../../lib/corpus/synthetic/SyntheticCorpus.js'
import { writeCorpus } from '../../lib/corpus/writeCorpus.js'
import { lift } from '../../lib/model/lift.js'
import type { ModelData } from '../../lib/model/ModelData.js'
import { SphereFaceModel } from '../../lib/model/SphereFaceModel.js'
import { foldedTinyModel } from '../fixtures/foldedModel.js'
import { tinyGaussianModel } from '../fixtures/tinyModel.js'

const source = tinyGaussianModel()
const OPTIONS = {
  name: 'tiny people',
  identities: 10,
  scansPerIdentity: 3,
  splits: { train: 0.6, validation: 0, test: 0.4 },
}

let folder: string
const at = (...names: string[]) => join(folder, ...names)

async function save(name: string, data: ModelData): Promise<void> {
  using model = SphereFaceModel.fromData(data)
  await model.save(at(name))
}

const named = (name: string): ModelData => ({ ...source, metadata: { ...source.metadata, name } })

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sfm-evaluate-'))
  await save('model.safetensors', lift(named('our model')))
  await save('pca.safetensors', named('our model (pca)'))
  await save('linear.safetensors', named('our model (linear)'))
  await save('source.safetensors', source)
  const people = synthesise(source, OPTIONS)
  await writeCorpus(at('people'), people)
  const splits = { train: people.subjects('train'), validation: [], test: people.subjects('test') }
  const corpus = { synthetic: OPTIONS, source: 'source.safetensors' }
  await writeFile(at('training.json'), JSON.stringify({ config: { corpus }, corpus: people.description, splits }))
})
afterAll(() => rm(folder, { recursive: true }))
beforeEach(() => rm(at('evaluation'), { recursive: true, force: true }))

function sink(): Writable & { text: string } {
  const stream = new Writable({
    write(chunk, _, done) {
      stream.text += String(chunk)
      done()
    },
  }) as Writable & { text: string }
  stream.text = ''
  return stream
}

async function evaluate(args: string[], input = '', controller = new AbortController()) {
  const [stdout, stderr] = [sink(), sink()]
  const threads: number[] = []
  let open = 0
  const engine: Engine = {
    loadModel: async (path) => {
      // The embedded model is too large for a test.
      const model = path === undefined ? SphereFaceModel.fromData(source) : await SphereFaceModel.load(path)
      open++
      const dispose = model.dispose.bind(model)
      model.dispose = () => {
        open--
        dispose()
      }
      return model
    },
    setThreads: async (count) => void threads.push(count),
  }
  const stdin = Readable.from([Buffer.from(input)])
  const status = await run(['evaluate', '--resamples', '20', ...args], { stdin, stdout, stderr, controller, engine })
  return { status, out: stdout.text, err: stderr.text, threads, open }
}

describe('sfm evaluate', () => {
  it('evaluates with the test people of the training, beside PCA and the ablation', async () => {
    const { status, out, err, open, threads } = await evaluate([
      at('model.safetensors'),
      '--against',
      'pca',
      '--json',
      '--jobs',
      '2',
    ])
    expect({ status, open, threads }).toEqual({ status: 0, open: 0, threads: [2] })
    expect(err).toBe(`sfm: report: ${at('evaluation', 'report.md')}\n`)
    const report = JSON.parse(out)
    expect(JSON.parse(await readFile(at('evaluation', 'report.json'), 'utf8'))).toEqual(report)
    expect(report).toMatchObject({
      format: 'sphere-face-model-evaluation/1',
      title: 'Evaluation of our model',
      models: [
        { key: 'model', name: 'our model' },
        { key: 'pca', name: 'PCA' },
        { key: 'linear', name: 'Linear + W' },
      ],
      settings: { data: 'tiny people', part: 'test', people: 4, resamples: 20 },
    })
    expect(report.sections.map(({ key }: { key: string }) => key)).toEqual([
      'representation',
      'dense',
      // Nobody had pictures in the training: they are drawn for the evaluation.
      'landmarks-ibug68',
      'reconstruction-landmarks-ibug68',
    ])
    const files = await readdir(at('evaluation'))
    expect(files).toContain('report.md')
    for (const section of report.sections) for (const { file } of section.plots ?? []) expect(files).toContain(file)
  })

  it('prints tables, and writes where it is told to', async () => {
    const { status, out } = await evaluate([
      at('pca.safetensors'),
      '--against',
      at('model.safetensors'),
      '--out',
      at('elsewhere'),
    ])
    expect(status).toBe(0)
    expect(out).toMatch(/^Representation\n/)
    expect(out).toMatch(/^our model \(pca\) +K = 7 +0\.\d+ +100\.0%/m)
    expect(out).toMatch(/^our model +cosine/m)
    expect(await readdir(at('elsewhere'))).toContain('report.json')
    expect(await readdir(folder)).not.toContain('evaluation')
  })

  it('evaluates with a corpus, and with people drawn from the embedded model', async () => {
    const own = await mkdtemp(join(tmpdir(), 'sfm-evaluate-own-'))
    try {
      const path = join(own, 'alone.safetensors')
      await writeFile(path, await readFile(at('model.safetensors')))
      const given = await evaluate([path, '--corpus', at('people'), '--split', 'train', '--json'])
      expect(given).toMatchObject({ status: 0 })
      expect(JSON.parse(given.out)).toMatchObject({
        models: [{ key: 'model' }],
        settings: { part: 'train', people: 6 },
      })
      const standard = await evaluate([path, '--json'])
      expect(standard.err).toMatch(/^sfm: no training\.json .* standard protocol, 100 people .* with seed 20001\n/)
      expect(JSON.parse(standard.out).settings).toMatchObject({ data: 'standard protocol', people: 100 })
    } finally {
      await rm(own, { recursive: true })
    }
  }, 30_000)

  it('evaluates a model that photos have taught', async () => {
    const own = await mkdtemp(join(tmpdir(), 'sfm-evaluate-own-'))
    try {
      const base = lift(named('taught'))
      using model = SphereFaceModel.fromData(foldedTinyModel(base))
      await model.save(join(own, 'model.safetensors'))
      for (const name of ['pca.safetensors', 'linear.safetensors', 'training.json', 'source.safetensors'])
        await writeFile(join(own, name), await readFile(at(name)))
      const { status, out, err, open } = await evaluate([join(own, 'model.safetensors'), '--against', 'pca', '--json'])
      expect({ status, open }).toEqual({ status: 0, open: 0 })
      expect(err).toBe(`sfm: report: ${join(own, 'evaluation', 'report.md')}\n`)
      const { models, sections } = JSON.parse(out)
      expect(models.map(({ key }: { key: string }) => key)).toEqual(['model', 'pca', 'linear'])
      expect(sections.map(({ key }: { key: string }) => key)).toEqual([
        'representation',
        'dense',
        'landmarks-ibug68',
        'reconstruction-landmarks-ibug68',
      ])
      for (const { rows } of sections)
        for (const { values } of rows)
          for (const each of Object.values(values) as { value: number | null }[])
            if (each.value !== null) expect(each.value).toEqual(expect.any(Number))
    } finally {
      await rm(own, { recursive: true })
    }
  })

  it('evaluates with photos; what cannot be read is said', async () => {
    const people = synthesise(source, {
      identities: 5,
      photosPerIdentity: 3,
      splits: { train: 0, validation: 0, test: 1 },
    })
    const lines: string[] = []
    for await (const sets of people.landmarkSets())
      for (const set of sets) lines.push(JSON.stringify({ ...set, collection: 'c' }))
    lines.splice(4, 0, '{"scheme":"ibug68"')
    await writeFile(at('photos.jsonl'), lines.join('\n'))
    const { status, out, err } = await evaluate([at('model.safetensors'), '--landmarks', at('photos.jsonl'), '--json'])
    expect(status).toBe(1)
    expect(err).toMatch(/photos\.jsonl:5: /)
    const report = JSON.parse(out)
    expect(report.settings.photos).toBe(15)
    expect(report.models.map(({ key }: { key: string }) => key)).toContain('pca-whitened')
    expect(report.sections.map(({ key }: { key: string }) => key)).toEqual(['photos-single', 'photos-errors'])
  })

  it('refuses people that the model has learned from', async () => {
    const { status, err } = await evaluate([at('model.safetensors'), '--corpus', at('people'), '--split', 'train'])
    expect(status).toBe(1)
    expect(err).toMatch(
      /^sfm: tiny people: expected people that the model has not seen, received 6 that it was trained with: "s/,
    )
    const photo = JSON.stringify({ subject: err.match(/"(s\d+)"/)![1], scheme: 'ibug68', points: [[1, 2]] })
    const photos = await evaluate([at('model.safetensors'), '--landmarks', '-'], photo)
    expect(photos).toMatchObject({ status: 1, out: '' })
    expect(photos.err).toMatch(/received 1 that it was trained with/)
    expect(await readdir(folder)).not.toContain('evaluation')
  })

  it.each<[string, string[], number, RegExp]>([
    ['no model', [], 2, /missing required argument 'MODEL'/],
    ['a model that is not there', ['none.safetensors'], 1, /none\.safetensors/],
    ['a part that is none', ['MODEL', '--split', 'all'], 2, /Allowed choices are train, validation, test/],
    ['a part of photos', ['MODEL', '--landmarks', 'a', '--split', 'test'], 2, /--split is of a corpus/],
    ['a part without people', ['MODEL', '--split', 'validation'], 1, /the part "validation", received none/],
    ['no resamples', ['MODEL', '--resamples', '0'], 2, /Expected a whole number from 1/],
    ['a corpus that is not there', ['MODEL', '--corpus', 'none'], 1, /none.corpus\.json/],
    ['photos that are not there', ['MODEL', '--landmarks', 'none.jsonl'], 1, /received none that can be used/],
    ['scans that are not there', ['MODEL', '--scans', 'none'], 1, /none.scans\.json/],
  ])('refuses %s', async (_, args, expected, message) => {
    const { status, out, err, open } = await evaluate(
      args.map((arg) => (arg === 'MODEL' ? at('model.safetensors') : arg)),
    )
    expect(err).toMatch(message)
    expect({ status, out, open }).toEqual({ status: expected, out: '', open: 0 })
    expect(await readdir(folder)).not.toContain('evaluation')
  })

  it('refuses PCA where there is none, and models of another topology', async () => {
    const own = await mkdtemp(join(tmpdir(), 'sfm-evaluate-own-'))
    try {
      const path = join(own, 'alone.safetensors')
      await writeFile(path, await readFile(at('model.safetensors')))
      const alone = await evaluate([path, '--against', 'pca'])
      expect(alone.status).toBe(1)
      expect(alone.err).toMatch(/^sfm: --against pca: expected .*pca\.safetensors/)
      using other = SphereFaceModel.fromData({ ...source, triangles: source.triangles.slice(3) })
      await other.save(join(own, 'other.safetensors'))
      const against = await evaluate([path, '--against', join(own, 'other.safetensors'), '--corpus', at('people')])
      expect(against).toMatchObject({ status: 1, open: 0 })
      expect(against.err).toMatch(/models: expected against-1 to have the triangles of model/)
    } finally {
      await rm(own, { recursive: true })
    }
  })

  it('stops on Ctrl-C and leaves nothing', async () => {
    const controller = new AbortController()
    const running = evaluate([at('model.safetensors')], '', controller)
    // The whole takes less than a tenth of a second.
    setTimeout(() => controller.abort(), 10)
    expect(await running).toMatchObject({ status: 130, out: '', open: 0 })
    expect(await readdir(folder)).not.toContain('evaluation')
  })
})
