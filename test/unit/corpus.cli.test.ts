import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { run } from '../../lib/cli/program.js'
import { writeCorpus } from '../../lib/corpus/writeCorpus.js'
import { encodePly } from '../../lib/outputs/ply.js'
import { fakeModel } from '../fixtures/fakeModel.js'
import { tinyCorpus, tinyLandmarks, tinyScans } from '../fixtures/tinyCorpus.js'
import { tinyGaussianModel } from '../fixtures/tinyModel.js'

const { triangles, ...template } = tinyGaussianModel()

let folder: string
const at = (...names: string[]) => join(folder, ...names)

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sfm-corpus-cli-'))
})
afterEach(() => rm(folder, { recursive: true }))

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

async function sfm(...args: string[]) {
  const [stdout, stderr] = [sink(), sink()]
  const loaded: unknown[] = []
  const controller = new AbortController()
  const engine = {
    loadModel: async (source?: string) => {
      loaded.push(source)
      return fakeModel({ batches: [], options: [], open: 0 })
    },
    setThreads: async () => undefined,
  }
  const status = await run(['corpus', ...args], { stdin: Readable.from([]), stdout, stderr, controller, engine })
  return { status, out: stdout.text, err: stderr.text, loaded }
}

async function writeFace(name: string, seed: number, factor = 1): Promise<void> {
  const vertices = tinyScans({ ...template, triangles }, ['x'], 1, seed).vertices.map((x) => x * factor)
  await mkdir(dirname(at(name)), { recursive: true })
  await writeFile(at(name), encodePly({ name: 'face', vertices, triangles }))
}

describe('sfm corpus info', () => {
  beforeEach(() => writeCorpus(at('corpus'), tinyCorpus()))

  it('says what a corpus holds', async () => {
    const { status, out, err } = await sfm('info', at('corpus'))
    expect({ status, err }).toEqual({ status: 0, err: '' })
    expect(out).toMatch(/^name +tiny\nlicence +MIT\nattribution +made of formulas\n/)
    expect(out).toMatch(/scans +12 of 4 people/)
    expect(out).toMatch(/landmarks +3 of tiny12, 2 of ibug68, 3 people/)
    expect(out).toMatch(/truth +of 2 people/)
    expect(out).toMatch(/people +all +scans +landmarks\ntrain +3 +2 +2\nvalidation +1 +1 +0\ntest +2 +1 +1\n$/)
  })

  it('says it to programs', async () => {
    const { out } = await sfm('info', at('corpus'), '--json', '--check')
    expect(JSON.parse(out)).toMatchObject({
      name: 'tiny',
      vertices: 63,
      template: { name: 'tiny', expressions: 4, schemes: ['ibug68', 'tiny12'] },
      scans: 12,
      landmarkSets: { tiny12: 3, ibug68: 2 },
      truth: 2,
      subjects: 6,
      splits: { train: { subjects: 3, withScans: 2, withLandmarks: 2 }, test: { subjects: 2 } },
      files: 6,
    })
  })

  it('reads all of it only when asked to', async () => {
    const path = at('corpus', 'scans-00000.safetensors')
    await writeFile(path, (await readFile(path)).subarray(0, 1000))
    expect((await sfm('info', at('corpus'))).status).toBe(0)
    const { status, out, err } = await sfm('info', at('corpus'), '--check')
    expect({ status, out }).toEqual({ status: 1, out: '' })
    expect(err).toMatch(/^sfm: scans-00000\.safetensors: /)
  })

  it('says what is wrong', async () => {
    expect(await sfm('info', at('nowhere'))).toMatchObject({
      status: 1,
      out: '',
      err: expect.stringMatching(/corpus\.json/),
    })
    expect(await sfm('info')).toMatchObject({
      status: 2,
      err: expect.stringMatching(/missing required argument 'FOLDER'/),
    })
  })
})

describe('sfm corpus create', () => {
  it('makes a corpus of meshes and landmarks', async () => {
    for (const [i, name] of ['a', 'b', 'c', 'd'].entries()) await writeFace(`scans/${name}/0.ply`, i + 1, 0.1)
    await writeFile(at('faces.jsonl'), `${JSON.stringify(tinyLandmarks('c/p'))}\n`)
    const { status, out, err, loaded } = await sfm(
      'create',
      at('corpus'),
      '--template',
      'my.safetensors',
      '--scans',
      at('scans'),
      '--landmarks',
      at('faces.jsonl'),
      '--split',
      '0.6,0.2,0.2',
      '--name',
      'mine',
      '--license',
      'CC0',
      '--json',
    )
    expect(status).toBe(0)
    expect(loaded).toEqual(['my.safetensors'])
    expect(err).toBe(
      'sfm: scans: 4 in cm\nsfm: 4 of 4 people have one scan, which says nothing of what varies within a person\n',
    )
    expect(JSON.parse(out)).toMatchObject({
      name: 'mine',
      license: 'CC0',
      scans: 4,
      landmarkSets: { tiny12: 1 },
      splits: { train: { subjects: 3 }, validation: { subjects: 1 }, test: { subjects: 1 } },
      report: { scans: 4, landmarkSets: 1, units: { cm: 4 }, skipped: [], warnings: [] },
    })
  })

  it('leaves out what is bad, says so and ends with 1', async () => {
    for (const i of [1, 2]) await writeFace(`scans/s${i}.ply`, i)
    await writeFile(at('scans/s3.obj'), 'v 1 2 3\n')
    const args = ['create', at('corpus'), '--scans', at('scans'), '--subject-pattern', '(s\\d)', '--split', '1,0,0']
    const refused = await sfm(...args)
    expect(refused).toMatchObject({ status: 1, out: '' })
    expect(refused.err).toBe(`sfm: ${at('scans/s3.obj')}: expected 63 vertices, as the template has, received 1\n`)
    const { status, out, err } = await sfm(...args, '--skip-bad')
    expect(status).toBe(1)
    expect(err).toContain(
      `sfm: left out: ${at('scans/s3.obj')}: expected 63 vertices, as the template has, received 1\n`,
    )
    expect(out).toMatch(/scans +2 of 2 people/)
  })

  it('takes units, axes and places as they are said', async () => {
    await writeFace('scans/a/0.ply', 1)
    const args = ['create', at('corpus'), '--scans', at('scans'), '--split', '1,0,0']
    expect((await sfm(...args, '--axes', 'x,z,-y')).err).toMatch(/y and z are swapped \(axes x,y,z would be right\)/)
    const { status, err } = await sfm(...args, '--units', 'cm', '--no-align', '--axes', 'x,y,z')
    expect(status).toBe(0)
    expect(err).toMatch(/said to be in cm, but .* looks like mm/)
  })

  it.each<[string[], RegExp]>([
    [['create', 'x'], /^sfm: --scans FOLDER or --landmarks FILE is needed\n$/],
    [['create', 'x', '--scans', 's', '--units', 'feet'], /Allowed choices are auto, mm, cm, m, in/],
    [['create', 'x', '--scans', 's', '--axes', 'x,y'], /'x,y' is invalid\. Expected each of x, y and z once/],
    [['create', 'x', '--scans', 's', '--split', '0.5,0.2'], /'0\.5,0\.2' is invalid\. Expected three shares/],
    [['create', 'x', '--scans', 's', '--split', '0.5,0.2,0.2'], /Expected three shares with a sum of 1/],
    [['create', 'x', '--scans', 's', '--subject-pattern', '('], /'\(' is invalid\. Invalid regular expression/],
    [['nonsense'], /unknown command 'nonsense'/],
    [['synthesise', 'x', '--seed', '-1'], /Expected a whole number/],
  ])('%j is bad usage', async (args, message) => {
    const { status, out, err, loaded } = await sfm(...args)
    expect(err).toMatch(message)
    expect({ status, out, loaded }).toEqual({ status: 2, out: '', loaded: [] })
  })
})

describe('sfm corpus synthesise', () => {
  it('draws a corpus by a file of options', async () => {
    await writeFile(
      at('people.json'),
      JSON.stringify({ identities: 10, scansPerIdentity: 2, photosPerIdentity: 1, name: 'drawn' }),
    )
    const { status, out, loaded } = await sfm(
      'synthesise',
      at('corpus'),
      '--source',
      'm',
      '--config',
      at('people.json'),
      '--seed',
      '5',
      '--json',
    )
    expect(status).toBe(0)
    expect(loaded).toEqual(['m'])
    expect(JSON.parse(out)).toMatchObject({
      name: 'drawn',
      scans: 20,
      landmarkSets: { ibug68: 10 },
      truth: 10,
      subjects: 10,
    })
    const { provenance } = JSON.parse(await readFile(at('corpus', 'corpus.json'), 'utf8'))
    expect(JSON.parse(provenance)).toMatchObject({ options: { seed: 5, identities: 10 } })
    expect((await sfm('info', at('corpus'), '--check')).status).toBe(0)
  })

  it('has defaults for everything', async () => {
    const { status, out } = await sfm('synthesise', at('corpus'))
    expect(status).toBe(0)
    expect(out).toMatch(/scans +1,200 of 100 people/)
  })

  it.each([
    ['{"identities":', /people\.json: not valid JSON/],
    ['[]', /people\.json: expected an object of options, received an array of 0/],
    ['{"noise":"much"}', /people\.json: noise: expected a number of 0 or more, received "much"/],
    ['{"photos":{"fog":1}}', /people\.json: photos: expected .* received "fog"/],
  ])('refuses %s, and leaves nothing behind', async (text, message) => {
    await writeFile(at('people.json'), text)
    const { status, out, err } = await sfm('synthesise', at('corpus'), '--config', at('people.json'))
    expect({ status, out }).toEqual({ status: 1, out: '' })
    expect(err).toMatch(message)
    expect(await readdir(folder)).toEqual(['people.json'])
  })

  it('names a file that is not there', async () => {
    expect((await sfm('synthesise', at('corpus'), '--config', at('none.json'))).err).toMatch(/none\.json: ENOENT/)
  })
})
