import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { run } from '../../lib/cli/program.js'
import { synthesise } from '../../lib/corpus/synthetic/SyntheticCorpus.js'
import { writeCorpus } from '../../lib/corpus/writeCorpus.js'
import { readModelFile, writeModelFile } from '../../lib/model/formats/modelFile.js'
import { openTrainingData } from '../../lib/train/openTrainingData.js'
import { RunFolder } from '../../lib/train/RunFolder.js'
import { parseTrainingConfig } from '../../lib/train/TrainingConfig.js'
import { train } from '../../lib/train/train.js'
import { expectSfmError, expectSfmRejection } from '../fixtures/expectSfmError.js'
import { tinyGaussianModel } from '../fixtures/tinyModel.js'

const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

const PEOPLE = {
  identities: 60,
  scansPerIdentity: 4,
  smoothDrift: { amplitude: 0.3, factors: 6 },
  splits: { train: 0.7, validation: 0.2, test: 0.1 },
}
const STAGE1 = {
  identityCount: 6,
  withinFactors: 6,
  spanRank: 30,
  objective: 'angular-margin',
  angularMargin: { rounds: 4, patience: 4, centreWeight: 2 },
}
const FILES = [
  'card.md',
  'linear.safetensors',
  'metrics.jsonl',
  'model.safetensors',
  'pca.safetensors',
  'training.json',
]

let folder: string
const at = (...names: string[]) => join(folder, ...names)

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sfm-train-'))
  await writeModelFile(at('tiny.safetensors'), tinyGaussianModel())
})
afterEach(() => rm(folder, { recursive: true }))

function config(out: string, stage1: object = STAGE1) {
  return {
    name: 'tiny model',
    corpus: { synthetic: PEOPLE, source: at('tiny.safetensors') },
    out: at(out),
    seed: 2,
    stage1,
  }
}

/** The results by name; the configuration's own folder is not one of them. */
async function results(out: string): Promise<Record<string, string>> {
  const entries = await Promise.all(
    FILES.map(async (file) => [file, (await readFile(at(out, file))).toString('base64')] as const),
  )
  const all = Object.fromEntries(entries)
  const training = JSON.parse(Buffer.from(all['training.json']!, 'base64').toString())
  return { ...all, 'training.json': JSON.stringify({ ...training, config: { ...training.config, out: '' } }) }
}

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
  const status = await run(args, { stdin: Readable.from([]), stdout, stderr, controller: new AbortController() })
  return { status, out: stdout.text, err: stderr.text }
}

describe('a training', () => {
  it('leaves models that can be read, metrics, a card, and what evaluation needs to know', async () => {
    const report = await train(parseTrainingConfig(config('out')))
    expect((await readdir(at('out'))).sort()).toEqual(FILES)
    expect(report.files.model).toBe(at('out', 'model.safetensors'))
    const model = await readModelFile(report.files.model)
    expect(model.metadata).toMatchObject({ name: 'tiny model', version: '1.0.0', license: 'MIT', latent: 'sphere' })
    expect(JSON.parse(model.metadata.provenance)).toMatchObject({ seed: 2, report: { people: 42, scans: 168 } })
    expect((await readModelFile(report.files.pca)).identityCount).toBe(6)

    const training = JSON.parse(await readFile(report.files.training, 'utf8'))
    expect(training.splits.test.length).toBe(6)
    const data = await openTrainingData(training.config.corpus, at('out'))
    expect(data.subjects('test')).toEqual(training.splits.test)

    const metrics = (await readFile(report.files.metrics, 'utf8')).trimEnd().split('\n')
    const stages = metrics.map((line) => JSON.parse(line).stage)
    expect(stages.filter((stage) => stage === 'angular-margin').length).toBe(4)
    expect(await readFile(report.files.card, 'utf8')).toContain('168 scans of 42 people')
  })

  it('of a corpus on disk is that of the same people in memory', async () => {
    await train(parseTrainingConfig(config('a')))
    await writeCorpus(at('people'), synthesise(await readModelFile(at('tiny.safetensors')), PEOPLE))
    await train(parseTrainingConfig({ ...config('b'), corpus: at('people') }))
    const [a, b] = [
      await readModelFile(at('a', 'model.safetensors')),
      await readModelFile(at('b', 'model.safetensors')),
    ]
    expect(b.identityBasis).toEqual(a.identityBasis)
    const training = JSON.parse(await readFile(at('b', 'training.json'), 'utf8'))
    expect(training.config.corpus).toEqual({ folder: join('..', 'people') })
  })

  it.each([
    ['in the first pass', 0.1],
    ['before the last pass', 0.4],
    ['after the scans', 0.7],
    ['in the middle of the rounds', 0.85],
  ])('that is stopped %s goes on to the same bits', async (_, fraction) => {
    await train(parseTrainingConfig(config('whole')))
    const controller = new AbortController()
    const stopped = train(parseTrainingConfig(config('parts')), {
      signal: controller.signal,
      onProgress: (done) => {
        if (done >= fraction) controller.abort()
      },
    })
    await expectSfmRejection(stopped, 'ABORTED')
    expect(existsSync(at('parts', 'model.safetensors'))).toBe(false)
    const seen: number[] = []
    await train(parseTrainingConfig(config('parts')), { resume: true, onProgress: (done) => seen.push(done) })
    if (fraction > 0.8) expect(Math.min(...seen)).toBeGreaterThan(0.6)
    expect(await results('parts')).toEqual(await results('whole'))
  })

  it('that was finished is made again, to the same bits', async () => {
    await train(parseTrainingConfig(config('out')))
    const first = await results('out')
    await train(parseTrainingConfig(config('out')), { resume: true })
    expect(await results('out')).toEqual(first)
  })

  it('does not go on from the checkpoints of another', async () => {
    const controller = new AbortController()
    const onProgress = (done: number) => {
      if (done > 0.8) controller.abort()
    }
    await expectSfmRejection(
      train(parseTrainingConfig(config('out')), { signal: controller.signal, onProgress }),
      'ABORTED',
    )
    const other = parseTrainingConfig({ ...config('out'), seed: 3 })
    await expectSfmRejection(train(other, { resume: true }), 'INVALID_INPUT', 'this configuration and corpus')
    await train(other)
    expect((await readdir(at('out'))).sort()).toEqual(FILES)
  })

  it('says which option of the people is wrong', async () => {
    const wrong = { ...config('out'), corpus: { synthetic: { identitys: 3 }, source: at('tiny.safetensors') } }
    await expectSfmRejection(train(parseTrainingConfig(wrong)), 'INVALID_ARGUMENT', 'identitys')
    await expectSfmRejection(train(parseTrainingConfig({ ...config('out'), corpus: at('nowhere') })), 'IO', 'nowhere')
  })
})

describe('the folder of a training', () => {
  const options = { seed: 1, identity: 'a', resume: false }

  it('refuses numbers that are not finite, naming stage and step', async () => {
    const folderOf = await RunFolder.open(at('out'), options)
    expectSfmError(
      () => folderOf.record({ stage: 'angular-margin', step: 17, value: Number.NaN }),
      'NUMERICAL',
      'angular-margin, step 17: expected a finite value, received NaN: training has diverged',
    )
  })

  it('keeps the checkpoint there was where another cannot be written', async () => {
    const first = await RunFolder.open(at('out'), options)
    const tensors = new Map([['x', { shape: [2], data: Float64Array.of(1, Number.MIN_VALUE) }]])
    await first.checkpoint.save('stage', { state: { step: 1 }, tensors })
    const huge = { state: { step: 2 }, tensors: new Map([['x', { shape: [3], data: Float64Array.of(1) }]]) }
    await expectSfmRejection(first.checkpoint.save('stage', huge), 'INVALID_ARGUMENT', 'bytes')
    await rm(at('out', 'metrics.jsonl'))
    await mkdir(at('out', 'metrics.jsonl', 'in-the-way'), { recursive: true })
    first.record({ stage: 'a', step: 1 })
    await expectSfmRejection(first.checkpoint.save('stage', { state: { step: 2 }, tensors }), 'IO', 'metrics.jsonl')
    await rm(at('out', 'metrics.jsonl'), { recursive: true })
    const again = await RunFolder.open(at('out'), { ...options, resume: true })
    expect((await again.checkpoint.load('stage'))!.state).toMatchObject({ step: 1 })
    expect((await again.checkpoint.load('stage'))!.tensors).toEqual(tensors)
  })

  it('gives back what was saved, to the bit', async () => {
    const first = await RunFolder.open(at('out'), options)
    const data = Float64Array.of(0.1, -0, Number.MIN_VALUE, 1e300)
    first.record({ stage: 'a', step: 1 })
    await first.checkpoint.save('stage', {
      state: { step: 1, rate: 0.1 },
      tensors: new Map([['x', { shape: [2, 2], data }]]),
    })
    first.record({ stage: 'a', step: 2 })
    await first.flush()
    const second = await RunFolder.open(at('out'), { ...options, resume: true })
    const loaded = await second.checkpoint.load('stage')
    expect(loaded!.tensors.get('x')).toEqual({ shape: [2, 2], data })
    expect(loaded!.state).toMatchObject({ step: 1, rate: 0.1 })
    // What was measured after the checkpoint will be measured again.
    await second.flush()
    expect(await readFile(at('out', 'metrics.jsonl'), 'utf8')).toBe('{"stage":"a","step":1}\n')
    expect(await second.checkpoint.load('other')).toBeUndefined()
  })

  it('refuses a checkpoint that is damaged', async () => {
    const first = await RunFolder.open(at('out'), options)
    await first.checkpoint.save('stage', {
      state: {},
      tensors: new Map([['x', { shape: [1], data: Float64Array.of(1) }]]),
    })
    const path = at('out', 'checkpoints', 'stage.safetensors')
    await writeFile(path, (await readFile(path)).subarray(0, -3))
    const second = await RunFolder.open(at('out'), { ...options, resume: true })
    await expectSfmRejection(second.checkpoint.load('stage'), 'INVALID_INPUT', 'stage.safetensors')
  })
})

describe('sfm train', () => {
  it('trains, says what it found, and where the results are', async () => {
    await writeFile(at('config.json'), JSON.stringify(config('out')))
    const { status, out, err } = await sfm('train', at('config.json'))
    expect({ status, err }).toEqual({ status: 0, err: '' })
    expect(out).toContain('learned from 168 scans of 42 people')
    expect(out).toContain(at('out'))
    const json = await sfm('train', at('config.json'), '--json')
    expect(JSON.parse(json.out)).toMatchObject({ stage1: { people: 42 }, files: { card: at('out', 'card.md') } })
  })

  it('names the file and the field of a configuration that is wrong', async () => {
    await writeFile(at('config.json'), '{"corpus": "a", "seed": "b"}')
    const { status, err } = await sfm('train', at('config.json'))
    expect(status).toBe(1)
    expect(err).toContain(`${at('config.json')}: seed: expected a whole number`)
    await writeFile(at('config.json'), '{')
    expect((await sfm('train', at('config.json'))).err).toContain('not valid JSON')
    expect((await sfm('train', at('nowhere.json'))).err).toContain('nowhere.json')
    expect((await sfm('train')).status).toBe(2)
  })

  it.skipIf(process.platform === 'win32')(
    'ends in order on Ctrl-C, and goes on when told to',
    { timeout: 60_000 },
    async () => {
      if (!existsSync(CLI)) throw new Error('dist/ is not there: npm run build makes it')
      const many = { ...STAGE1, angularMargin: { rounds: 1000, patience: 1000, centreWeight: 2 } }
      await writeFile(at('config.json'), JSON.stringify(config('out', many)))
      const child = spawn(process.execPath, [CLI, 'train', at('config.json')])
      const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
      while (!existsSync(at('out', 'checkpoints', 'angular-margin.safetensors'))) {
        expect(child.exitCode).toBeNull()
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      child.kill('SIGINT')
      expect(await ended).toBe(130)
      expect(existsSync(at('out', 'checkpoints', 'angular-margin.safetensors'))).toBe(true)
      expect(existsSync(at('out', 'model.safetensors'))).toBe(false)
      expect((await readdir(at('out'))).filter((name) => name.endsWith('.tmp'))).toEqual([])
    },
  )

  it.skipIf(process.platform === 'win32')(
    'says so where a disk is full, and keeps what it had',
    { timeout: 60_000 },
    async () => {
      if (!existsSync(CLI)) throw new Error('dist/ is not there: npm run build makes it')
      await writeFile(at('config.json'), JSON.stringify(config('out', { ...STAGE1, spanRank: 60 })))
      // No file may become larger than 50 KB: the checkpoint of the scans does.
      const limited = promisify(execFile)('bash', [
        '-c',
        `ulimit -f 50; exec "$0" "$1" train "$2"`,
        process.execPath,
        CLI,
        at('config.json'),
      ])
      const { code, stderr } = await limited.then(
        () => ({ code: 0, stderr: '' }),
        (error) => error as { code: number; stderr: string },
      )
      expect({ code, stderr }).toMatchObject({ code: 1 })
      expect(stderr).toMatch(/cannot write .*scans\.safetensors: .*EFBIG/)
      expect(await readdir(at('out', 'checkpoints'))).toEqual([])
    },
  )
})
