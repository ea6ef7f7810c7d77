import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Environment, run } from '../../lib/cli/program.js'
import { compare } from '../../lib/compare.js'
import { SfmError } from '../../lib/errors.js'
import { posteriorToJson } from '../../lib/fit/posteriorJson.js'
import { parseEmbedding } from '../../lib/inputs/parseEmbedding.js'
import { type FakeBehaviour, fakeModel } from '../fixtures/fakeModel.js'

let folder: string
let behaviour: FakeBehaviour
const at = (...names: string[]) => join(folder, ...names)

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sfm-cli-'))
  behaviour = { batches: [], options: [], open: 0 }
})
afterEach(() => rm(folder, { recursive: true }))

const face = (id: string, scheme = 's') => JSON.stringify({ id, scheme, points: [[1, 2], null] })

/** Collects what is written to it, slowly if asked to. */
function sink(delay = 0): Writable & { text: string } {
  const stream = new Writable({
    highWaterMark: 1024,
    write(chunk, _, done) {
      stream.text += String(chunk)
      if (delay > 0) setTimeout(done, delay)
      else done()
    },
  }) as Writable & { text: string }
  stream.text = ''
  return stream
}

/** Runs the command line in this process, with a model that needs no addon. */
async function sfm(args: string[], input = '', environment: Partial<Environment> = {}) {
  const stdout = sink()
  const stderr = sink()
  const loaded: Array<string | undefined> = []
  const status = await run(args, {
    stdin: Readable.from([Buffer.from(input)]),
    stdout,
    stderr,
    controller: new AbortController(),
    engine: {
      loadModel: async (source) => {
        loaded.push(source)
        return fakeModel(behaviour)
      },
      setThreads: async (count) => void behaviour.options.push(count),
    },
    ...environment,
  })
  const lines = stdout.text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
  return { status, out: stdout.text, err: stderr.text, lines, loaded }
}

describe('sfm', () => {
  it('prints help and its version', async () => {
    const help = await sfm(['--help'])
    expect(help.status).toBe(0)
    for (const command of ['info', 'decode', 'fit', 'compare', 'bench', 'corpus', 'train', 'evaluate'])
      expect(help.out).toMatch(new RegExp(`^  ${command} `, 'm'))
    for (const later of ['convert', 'serve', 'worker']) expect(help.out).not.toContain(later)
    const version = await sfm(['--version'])
    expect(version).toMatchObject({ status: 0, err: '' })
    expect(version.out).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  it.each<[string[], RegExp]>([
    [[], /Usage: sfm/],
    [['convert'], /^sfm: unknown command 'convert'/],
    [['fit'], /^sfm: missing required argument 'INPUT'/],
    [['fit', 'a', '--nonsense'], /^sfm: unknown option '--nonsense'/],
    [
      ['fit', 'a', '--format', 'json,fbx', '--out', 'x'],
      /--format <LIST>.*'json,fbx' is invalid\. Expected a list of json, glb, obj, ply, png, html, arkit\./,
    ],
    [['fit', 'a', '--format', 'glb'], /^sfm: --format glb needs --out DIR\n$/],
    [['fit', 'a', '--focal', 'long'], /--focal <PX>.*'long' is invalid\. Expected a number above 0\./],
    [['fit', 'a', '--focal', '-3'], /Expected a number above 0/],
    [['fit', 'a', '--jobs', '1.5'], /Expected a whole number from 1/],
    [['fit', 'a', '--device', 'gpu'], /Expected auto, cpu, cuda or cuda:N/],
    [['fit', 'a', '--camera', 'fisheye'], /Allowed choices are perspective, weak/],
    [['fit', 'a', '--joint', '--track'], /^sfm: --joint and --track: one of them at a time\n$/],
    [['decode'], /required option '--out <DIR>' not specified/],
    [['decode', '--out', 'x', '--count', '0'], /Expected a whole number from 1/],
    [['decode', '--out', 'x', '--seed', 'x'], /Expected a whole number in 0\.\.4294967295/],
    [['decode', '--out', 'x', '--format', 'json'], /Expected a list of glb, obj, ply, png, html, arkit/],
    [['decode', '--out', 'x', '--latents', 'f', '--count', '2'], /^sfm: --latents FILE takes the faces from the file/],
    [['compare'], /missing required argument 'RESULT'/],
    [['info', 'a', 'b'], /too many arguments/],
  ])('%j is bad usage', async (args, message) => {
    const { status, out, err, loaded } = await sfm(args)
    expect(err).toMatch(message)
    expect({ status, out, loaded }).toEqual({ status: 2, out: '', loaded: [] })
  })

  it('prints an error as one line, and its stack when asked to', async () => {
    const loadModel = async () => {
      throw new SfmError('INVALID_MODEL', 'mean: truncated')
    }
    const engine = { loadModel, setThreads: async () => undefined }
    expect(await sfm(['info'], '', { engine })).toMatchObject({ status: 1, out: '', err: 'sfm: mean: truncated\n' })
    expect((await sfm(['info'], '', { engine, debug: true })).err).toMatch(/mean: truncated\n +at /)
  })
})

describe('sfm fit --joint', () => {
  const of = (subject: string | undefined, id: string, scheme = 's') =>
    JSON.stringify({ id, subject, scheme, points: [[1, 2], null] })

  it('gives one face for each subject, and one for all without', async () => {
    const input = [of('bob', 'b1'), of(undefined, 'x1'), of('alice', 'a1'), of('bob', 'b2'), of(undefined, 'x2')]
    const { status, lines, err } = await sfm(['fit', '-', '--joint'], `${input.join('\n')}\n`)
    expect({ status, err }).toEqual({ status: 0, err: '' })
    expect(lines.map(({ id, images }) => [id, images.map((image: { id: string }) => image.id)])).toEqual([
      ['bob', ['b1', 'b2']],
      ['person', ['x1', 'x2']],
      ['alice', ['a1']],
    ])
    expect(behaviour.open).toBe(0)
  })

  it('writes a face and its record for each person', async () => {
    const input = `${of('bob', 'b1')}\n${of('alice', 'a1')}\n`
    const args = ['fit', '-', '--joint', '--out', at('out'), '--format', 'json,obj']
    const { status, out, err } = await sfm(args, input)
    expect({ status, out, err }).toEqual({
      status: 0,
      out: '',
      err: 'sfm: 2 people from 2 images, 0 not used\n',
    })
    expect((await readdir(at('out'))).sort()).toEqual(['alice.json', 'alice.obj', 'bob.json', 'bob.obj'])
    const record = JSON.parse(await readFile(at('out', 'bob.json'), 'utf8'))
    expect(record).toMatchObject({ id: 'bob', files: { obj: 'bob.obj' }, images: [{ id: 'b1' }] })
  })

  it('says which images have no part in the face, and why', async () => {
    const input = [of('bob', 'b1'), '{', of('bob', 'b2', 'unknown'), of('bob', 'other3'), of('bob', 'b4')]
    const { status, lines, err } = await sfm(['fit', '-', '--joint'], `${input.join('\n')}\n`)
    expect(status).toBe(1)
    expect(lines.map(({ id, images }) => [id, images.length])).toEqual([['bob', 3]])
    const complaints = err.trimEnd().split('\n')
    expect(complaints).toHaveLength(3)
    expect(complaints[0]).toMatch(/^sfm: standard input:2: /)
    expect(complaints[1]).toMatch(/^sfm: standard input:3 \(b2\): scheme: the model has no scheme "unknown"$/)
    expect(complaints[2]).toMatch(/^sfm: standard input:4 \(other3\): not used: converged; likely of somebody else$/)
  })

  it('has nothing to say of nobody', async () => {
    expect(await sfm(['fit', '-', '--joint'], `${of('bob', 'b2', 'unknown')}\n`)).toMatchObject({ status: 1, out: '' })
    expect(await sfm(['fit', '-', '--joint'], '')).toMatchObject({ status: 1, out: '' })
  })

  it('ends with an error that is no observation to blame', async () => {
    const failing = async () => {
      const model = fakeModel(behaviour)
      const fitter = await model.createFitter()
      Object.assign(fitter, { fitJoint: () => Promise.reject(new SfmError('OUT_OF_MEMORY', 'no memory')) })
      return Object.assign(model, { createFitter: async () => fitter })
    }
    const engine = { loadModel: failing, setThreads: async () => undefined }
    expect(await sfm(['fit', '-', '--joint'], `${of('bob', 'b1')}\n`, { engine })).toMatchObject({
      status: 1,
      err: 'sfm: no memory\n',
    })
  })
})

describe('sfm fit --track', () => {
  it('follows each subject through its own video', async () => {
    const of = (subject: string, id: string) => JSON.stringify({ id, subject, scheme: 's', points: [[1, 2], null] })
    const input = [of('bob', 'f1'), of('alice', 'g1'), of('bob', 'f2'), '{', of('bob', 'f3')]
    const { status, lines, err } = await sfm(['fit', '-', '--track'], `${input.join('\n')}\n`)
    expect(status).toBe(1)
    expect(err).toMatch(/^sfm: standard input:4: /)
    expect(lines.map(({ id, frame }) => [id, frame])).toEqual([
      ['f1', 0],
      ['g1', 0],
      ['f2', 1],
      ['stdin-4', undefined],
      ['f3', 2],
    ])
  })
})

describe('sfm fit', () => {
  it('answers each line of standard input with a line', async () => {
    const { status, lines, err } = await sfm(['fit', '-'], `${face('a1')}\n${face('a2')}\n`)
    expect(status).toBe(0)
    expect(err).toBe('')
    expect(lines.map(({ id, usable }) => [id, usable])).toEqual([
      ['a1', true],
      ['a2', true],
    ])
    expect(lines[0]).not.toHaveProperty('files')
    expect(behaviour.open).toBe(0)
  })

  it('says what was not usable, in its place, and does the rest', async () => {
    const input = [face('a1'), '{"id": "broken"', face('bad3'), face('a4', 'unknown'), face('a5')].join('\n')
    const { status, lines, err } = await sfm(['fit', '-', 'nowhere.json'], input)
    expect(status).toBe(1)
    expect(lines.map(({ id, status }) => [id, status])).toEqual([
      ['a1', 'converged'],
      ['stdin-2', 'failed'],
      ['bad3', 'max-iterations'],
      ['a4', 'failed'],
      ['a5', 'converged'],
      ['nowhere', 'failed'],
    ])
    expect(err.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^sfm: standard input:2: not valid JSON: /),
      'sfm: standard input:3 (bad3): not usable: the residuals are too large',
      'sfm: standard input:4 (a4): scheme: the model has no scheme "unknown"',
      'sfm: nowhere.json: no such file or directory',
    ])
    expect(lines[3].message).toBe('scheme: the model has no scheme "unknown"')
  })

  it('writes a file for each format, and meshes of usable faces alone', async () => {
    const args = ['fit', '-', '--out', at('faces', 'new'), '--format', 'json,glb,obj,ply']
    const { status, out, err } = await sfm(args, [face('a1'), face('bad2'), face('../a1'), face('a1')].join('\n'))
    expect({ status, out }).toEqual({ status: 1, out: '' })
    expect(err).toMatch(/^sfm: standard input:2 \(bad2\).*\nsfm: 4 faces, \S+ faces\/s, 1 not usable, in .*new\n$/)
    const meshes = (name: string) => ['glb', 'json', 'obj', 'ply'].map((format) => `${name}.${format}`)
    expect(await readdir(at('faces', 'new'))).toEqual(
      [...meshes('_a1'), ...meshes('a1-2'), ...meshes('a1'), 'bad2.json'].sort(),
    )
    const json = JSON.parse(await readFile(at('faces', 'new', 'a1-2.json'), 'utf8'))
    expect(json).toMatchObject({ id: 'a1', files: { glb: 'a1-2.glb', obj: 'a1-2.obj', ply: 'a1-2.ply' } })
    expect(JSON.parse(await readFile(at('faces', 'new', 'bad2.json'), 'utf8')).files).toEqual({})
  })

  it('writes pictures and weights of ARKit', async () => {
    const args = ['fit', '-', '--out', at('p'), '--format', 'png,arkit', '--draw-landmarks', '--json']
    const { status, lines } = await sfm(args, face('a1'))
    expect(status).toBe(0)
    expect(lines).toMatchObject([{ files: { png: 'a1.png', arkit: 'a1.arkit.json' } }])
    const png = await readFile(at('p', 'a1.png'))
    expect([png.toString('latin1', 1, 4), png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual(['PNG', 512, 512])
    const { id, blendshapes, head } = JSON.parse(await readFile(at('p', 'a1.arkit.json'), 'utf8'))
    expect({ id, head }).toEqual({ id: 'a1', head: { yaw: 0, pitch: 0, roll: 0 } })
    expect(Object.keys(blendshapes)).toHaveLength(52)
    expect(blendshapes.jawOpen).toBe(0.25)
    // Without landmarks the picture is another one.
    await sfm(['fit', '-', '--out', at('q'), '--format', 'png'], face('a1'))
    expect(png.equals(await readFile(at('q', 'a1.png')))).toBe(false)
  })

  it('prints what it writes with --json', async () => {
    const { lines, err } = await sfm(['fit', '-', '--out', at('x'), '--format', 'obj', '--json'], face('a1'))
    expect(lines).toMatchObject([{ id: 'a1', files: { obj: 'a1.obj' } }])
    expect(err).toBe('')
    expect(await readdir(at('x'))).toEqual(['a1.obj'])
  })

  it('hands its options on', async () => {
    const options = [
      '--camera',
      'weak',
      '--focal',
      '900',
      '--device',
      'cuda:1',
      '--jobs',
      '3',
      '--posterior',
      '--model',
      'm.safetensors',
    ]
    const { loaded } = await sfm(['fit', '-', ...options], face('a1'))
    expect(loaded).toEqual(['m.safetensors'])
    expect(behaviour.options).toEqual([3, { device: 'cuda:1', camera: 'weak', focal: 900, posterior: true }])
    await sfm(['fit', '-'], face('a1'))
    expect(behaviour.options[2]).toEqual({ device: 'auto' })
  })

  it('keeps the order of thousands of lines, with a slow reader', async () => {
    behaviour.delay = (batch) => (batch * 5) % 7
    const ids = Array.from({ length: 2000 }, (_, i) => `f${i}`)
    const stdout = sink(1)
    await sfm(['fit', '-'], ids.map((id) => face(id)).join('\n'), { stdout })
    expect(
      stdout.text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).id),
    ).toEqual(ids)
  })

  it('on Ctrl-C gives out what is done, lets go of everything, and ends with 130', async () => {
    const controller = new AbortController()
    behaviour.delay = (batch) => (batch === 0 ? 0 : 10_000)
    async function* endless() {
      for (let i = 0; ; i++) {
        yield Buffer.from(`${face(`f${i}`)}\n`)
        if (i > 300) await new Promise((resolve) => setTimeout(resolve, 1))
      }
    }
    const stdin = Readable.from(endless())
    setTimeout(() => {
      behaviour.delay = () => 0
      controller.abort()
    }, 300)
    behaviour.delay = (batch) => (batch === 0 ? 0 : 400)
    const { status, lines, err } = await sfm(['fit', '-'], '', { stdin, controller })
    expect(status).toBe(130)
    expect(err).toBe('')
    expect(lines.map(({ id }) => id)).toEqual(Array.from({ length: 256 }, (_, i) => `f${i}`))
    expect(behaviour.open).toBe(0)
  })

  it('ends in peace when its reader has gone', async () => {
    const stdout = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })),
    })
    const { status, err } = await sfm(['fit', '-'], Array.from({ length: 3000 }, (_, i) => face(`f${i}`)).join('\n'), {
      stdout,
    })
    expect({ status, err }).toEqual({ status: 0, err: '' })
    expect(behaviour.batches.length).toBeLessThan(12)
    expect(behaviour.open).toBe(0)
  })

  it('ends with an error when its output cannot be written', async () => {
    const stdout = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('no space left'), { code: 'ENOSPC' })),
    })
    expect(await sfm(['fit', '-'], face('a'), { stdout })).toMatchObject({
      status: 1,
      err: 'sfm: standard output: no space left\n',
    })
    await writeFile(at('file'), '')
    expect((await sfm(['fit', '-', '--out', at('file', 'x')], face('a'))).status).toBe(1)
  })

  it('ends with an error that is no face’s fault', async () => {
    behaviour.failure = new SfmError('DEVICE_UNAVAILABLE', 'the device was lost')
    expect(await sfm(['fit', '-'], face('a'))).toMatchObject({ status: 1, err: 'sfm: the device was lost\n' })
    expect(behaviour.open).toBe(0)
  })

  it('shows progress on a terminal alone, at most ten times a second', async () => {
    const stderr = Object.assign(sink(), { isTTY: true })
    behaviour.delay = () => 5
    await sfm(['fit', '-'], [...Array.from({ length: 5000 }, (_, i) => face(`f${i}`)), face('bad')].join('\n'), {
      stderr,
    })
    expect(stderr.text).toContain('\r\x1b[2K1 face, ')
    expect(stderr.text.split('\r\x1b[2K').length).toBeLessThan(15)
    expect(stderr.text).toContain('sfm: standard input:5001 (bad): not usable')
    expect(stderr.text.endsWith('\r\x1b[2K')).toBe(true)
  })
})

describe('sfm decode', () => {
  it('writes faces drawn at random, the same for a seed', async () => {
    const { status, out, err } = await sfm([
      'decode',
      '--count',
      '10',
      '--seed',
      '3',
      '--out',
      at('a'),
      '--format',
      'ply,obj',
    ])
    expect({ status, out }).toEqual({ status: 0, out: '' })
    expect(err).toBe(`sfm: 10 faces written to ${at('a')}\n`)
    expect((await readdir(at('a'))).slice(0, 3)).toEqual(['face-01.obj', 'face-01.ply', 'face-02.obj'])
    await sfm(['decode', '--count', '10', '--seed', '3', '--out', at('b'), '--format', 'ply'])
    const [a, b] = await Promise.all(['a', 'b'].map((name) => readFile(at(name, 'face-07.ply'))))
    expect(a!.equals(b!)).toBe(true)
  })

  it('writes given latents, and prints what it reads again', async () => {
    const { lines } = await sfm(['decode', '--count', '2', '--out', at('a'), '--format', 'ply', '--json'])
    expect(lines[0]).toMatchObject({ id: 'face-1', expression: { mouthSmile: 0 }, files: { ply: 'face-1.ply' } })
    const again = await sfm(
      ['decode', '--latents', '-', '--out', at('b'), '--format', 'ply'],
      lines.map((line) => JSON.stringify(line)).join('\n'),
    )
    expect(again.status).toBe(0)
    const [a, b] = await Promise.all(['a', 'b'].map((name) => readFile(at(name, 'face-2.ply'))))
    expect(a!.equals(b!)).toBe(true)
  })

  it('says which latents are not the model’s, and writes the others', async () => {
    const { lines } = await sfm(['decode', '--out', at('a'), '--json'])
    const input = [JSON.stringify({ identity: [1] }), '{', JSON.stringify(lines[0]), '{"id": 3, "identity": [1]}'].join(
      '\n',
    )
    await writeFile(at('l.jsonl'), input)
    const { status, err } = await sfm(['decode', '--latents', at('l.jsonl'), '--out', at('b')])
    expect(status).toBe(1)
    expect(err.replaceAll(folder, '').trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^sfm: \/l\.jsonl:1: identity: expected 7 numbers, received /),
      expect.stringMatching(/^sfm: \/l\.jsonl:2: not valid JSON: /),
      'sfm: /l.jsonl:4: id: expected a string that is not empty, received 3',
      'sfm: 1 face written to /b',
    ])
    expect(await readdir(at('b'))).toEqual(['face-1.glb'])
  })
})

describe('sfm info', () => {
  it('says what the model holds', async () => {
    const { status, out } = await sfm(['info'])
    expect(status).toBe(0)
    expect(out).toMatch(/^name +tiny 1\.0\.0\nlicence +MIT\nattribution +made of formulas\n/)
    expect(out).toMatch(/^identity +7 latents, on the unit sphere in R\^7$/m)
    expect(out).toMatch(/^landmarks +tiny12 \(12\), ibug68 \(68\)$/m)
    expect(behaviour.open).toBe(0)
  })

  it('says it to machines', async () => {
    await writeFile(at('m'), 'x'.repeat(123))
    const { lines, loaded } = await sfm(['info', at('m'), '--json'])
    expect(loaded).toEqual([at('m')])
    expect(lines[0]).toMatchObject({
      ...{ name: 'tiny', license: 'MIT', units: 'mm', latent: 'sphere', vertices: 63, identities: 7, expressions: 4 },
      ...{
        schemes: [
          { name: 'tiny12', landmarks: 12 },
          { name: 'ibug68', landmarks: 68 },
        ],
        uv: true,
        albedo: false,
        fileBytes: 123,
      },
    })
  })
})

describe('sfm compare', () => {
  const result = (id: string, embedding: number[], usable = true) =>
    JSON.stringify({ id, usable, message: 'm', embedding })

  it('compares all pairs', async () => {
    await writeFile(at('a.json'), result('a', [1, 0]))
    await writeFile(at('b.jsonl'), `${result('b', [0, 1])}\n${result('c', [Math.SQRT1_2, Math.SQRT1_2])}\n`)
    const { status, out } = await sfm(['compare', at('a.json'), at('b.jsonl')])
    expect(status).toBe(0)
    expect(out).toBe('      cosine  angle\na  b  0.0000  90.0°\na  c  0.7071  45.0°\nb  c  0.7071  45.0°\n')
    const { lines } = await sfm(['compare', folder, '--json'])
    expect(lines.map(({ a, b }) => a + b)).toEqual(['ab', 'ac', 'bc'])
    expect(lines[0].angle).toBeCloseTo(Math.PI / 2, 10)
    expect(lines[1].cosine).toBeCloseTo(Math.SQRT1_2, 10)
  })

  it('leaves out what is not usable, and says so', async () => {
    const input = [result('a', [1, 0]), result('b', [], false), result('a', [0, 1]), '{}'].join('\n')
    const { status, lines, err } = await sfm(['compare', '-', '--json'], input)
    expect(status).toBe(1)
    expect(lines.map(({ a, b }) => [a, b])).toEqual([['standard input:1', 'standard input:3']])
    expect(err).toBe(
      'sfm: standard input:2: not usable: m\nsfm: standard input:4: embedding: expected an array of numbers, received undefined\n',
    )
  })

  const seen = (id: string, embedding: number[], shift = embedding.map((x) => 100 * x)) => {
    const D = embedding.length
    const information = new Float32Array((D * (D + 1)) / 2)
    for (let i = 0; i < D; i++) information[(i * (i + 3)) / 2] = 99
    const posterior = posteriorToJson({ information, shift: Float32Array.from(shift) })
    return JSON.stringify({ ...JSON.parse(result(id, embedding)), posterior })
  }

  it('gives the likelihood ratio of results that have a posterior', async () => {
    const input = [seen('a', [1.5, 0]), seen('b', [1.5, 0]), result('c', [0, 1])].join('\n')
    const { lines } = await sfm(['compare', '-', '--json'], input)
    expect(lines[0].logLikelihoodRatio).toBeCloseTo(
      compare(parseEmbedding(JSON.parse(seen('a', [1.5, 0]))), parseEmbedding(JSON.parse(seen('b', [1.5, 0]))))
        .logLikelihoodRatio!,
      12,
    )
    expect('logLikelihoodRatio' in lines[1]).toBe(false)
    const { out } = await sfm(['compare', '-'], input)
    expect(out).toBe(
      '      cosine  angle  log-likelihood ratio\n' +
        `a  b  1.0000   0.0°  ${lines[0].logLikelihoodRatio.toFixed(2)}\n` +
        'a  c  0.0000  90.0°\nb  c  0.0000  90.0°\n',
    )
  })

  it('decides by the thresholds of the model', async () => {
    behaviour.comparison = { cosine: { threshold: 0.6 } }
    const six = (...start: number[]) => [...start, ...Array(6 - start.length).fill(0)]
    const input = [result('a', six(1)), result('b', six(1, 1)), result('c', six(0, 0, 1))].join('\n')
    const { lines, loaded } = await sfm(['compare', '-', '--json'], input)
    expect(lines.map(({ samePerson }) => samePerson)).toEqual([true, false, false])
    expect(loaded).toEqual([undefined])
    const table = await sfm(['compare', '-', '--model', 'mine.safetensors'], input)
    expect(table.loaded).toEqual(['mine.safetensors'])
    expect(table.out).toBe(
      '      cosine  angle  same person\na  b  0.7071  45.0°  yes\na  c  0.0000  90.0°  no\nb  c  0.0000  90.0°  no\n',
    )
    expect(behaviour.open).toBe(0)
    // Without --model, results of another are only compared.
    const pair = `${result('a', [1, 0])}\n${result('b', [1, 0])}`
    expect((await sfm(['compare', '-', '--json'], pair)).lines).toEqual([{ a: 'a', b: 'b', cosine: 1, angle: 0 }])
    const { status, err } = await sfm(['compare', '-', '--model', 'mine.safetensors'], pair)
    expect([status, err]).toEqual([
      1,
      'sfm: results of another model: their embeddings have 2 numbers, those of mine.safetensors 6\n',
    ])
  })

  it('goes by the model that results say they are of', async () => {
    behaviour.comparison = { cosine: { threshold: 0.6 } }
    const six = (id: string, model?: object) =>
      JSON.stringify({ ...JSON.parse(result(id, [1, 0, 0, 0, 0, 0])), ...(model && { model }) })
    const [tiny, mine] = [
      { name: 'tiny', version: '1.0.0' },
      { name: 'mine', version: '3' },
    ]
    const decided = await sfm(['compare', '-', '--json'], [six('a'), six('b', tiny)].join('\n'))
    expect([decided.lines[0].samePerson, decided.err]).toEqual([true, ''])
    // Not of the embedded model (here: of the tiny one), and no other was named.
    const others = [six('a', mine), six('b', mine), six('c')].join('\n')
    const open = await sfm(['compare', '-', '--json'], others)
    expect(open.lines.map((line) => 'samePerson' in line)).toEqual([false, false, false])
    expect([open.status, open.err]).toEqual([
      0,
      'sfm: no thresholds: the results are of "mine 3", which --model has to name\n',
    ])
    const wrong = await sfm(['compare', '-', '--model', 'my.safetensors'], others)
    expect([wrong.status, wrong.err]).toEqual([
      1,
      'sfm: results of another model: they are of "mine 3", my.safetensors is "tiny 1.0.0"\n',
    ])
    const mixed = await sfm(['compare', '-'], [six('a'), six('b', mine), six('c', tiny)].join('\n'))
    expect([mixed.status, mixed.out, mixed.err]).toEqual([
      1,
      '',
      'sfm: results of different models cannot be compared: standard input:2 ("mine 3"), standard input:3 ("tiny 1.0.0")\n',
    ])
  })

  it('says what is wrong with a posterior', async () => {
    const broken = JSON.stringify({ ...JSON.parse(result('c', [0, 1])), posterior: { information: '?', shift: [1] } })
    const short = JSON.stringify({ ...JSON.parse(result('d', [0, 1])), posterior: { information: [1], shift: [1, 2] } })
    const { status, err } = await sfm(
      ['compare', '-'],
      [result('a', [1, 0]), result('b', [0, 1]), broken, short].join('\n'),
    )
    expect(status).toBe(1)
    expect(err).toBe(
      'sfm: standard input:3: posterior.information: expected base64 of 32-bit floats, or an array of numbers, received "?"\n' +
        'sfm: standard input:4: result.posterior.information: expected 3 numbers, received an array of 1\n',
    )
  })

  it('needs two results of one model', async () => {
    expect((await sfm(['compare', '-'], result('a', [1]))).err).toBe(
      'sfm: expected two or more usable results, received 1\n',
    )
    const { status, err } = await sfm(['compare', '-'], `${result('a', [1, 0])}\n${result('b', [1])}`)
    expect(status).toBe(1)
    expect(err).toBe(
      'sfm: results of different models cannot be compared: standard input:1 (2 numbers), standard input:2 (1 numbers)\n',
    )
  })
})
