import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { NodeIO } from '@gltf-transform/core'
// @ts-expect-error The package has no types.
import { validateBytes } from 'gltf-validator'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))
const main = join(root, 'dist/cli/main.js')
const landmarks = join(root, 'examples/landmarks')

let folder: string
const at = (...names: string[]) => join(folder, ...names)

beforeAll(async () => {
  if (!existsSync(main)) throw new Error('dist/ is not there: npm run build makes it')
  folder = await mkdtemp(join(tmpdir(), 'sfm-cli-'))
})
afterAll(() => rm(folder, { recursive: true }))

function start(args: string[]): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [main, ...args], { cwd: folder, env: { ...process.env, SFM_DEBUG: '' } })
}

async function text(stream: Readable): Promise<string> {
  let all = ''
  for await (const chunk of stream.setEncoding('utf8')) all += chunk
  return all
}

/** Runs the command line as a process of its own. */
async function sfm(args: string[], input: string | Iterable<string> = '') {
  const child = start(args)
  const feeding = pipeline(Readable.from(typeof input === 'string' ? [input] : input), child.stdin).catch(
    () => undefined,
  )
  const [out, err, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
    feeding,
  ])
  return { status: status as number, out, err, lines: out.split('\n').filter(Boolean) }
}

describe('sfm', () => {
  it('says how it is used, on the right stream', async () => {
    expect(await sfm(['--version'])).toMatchObject({ status: 0, err: '' })
    expect(await sfm([])).toMatchObject({ status: 2, out: '' })
    expect(await sfm(['fit', '--nonsense'])).toMatchObject({ status: 2, out: '', err: expect.stringMatching(/^sfm: /) })
    expect(await sfm(['info', 'nowhere.safetensors'])).toMatchObject({
      status: 1,
      out: '',
      err: expect.stringMatching(/^sfm: .*nowhere/),
    })
  })

  it('tells what the embedded model holds', async () => {
    const { status, out } = await sfm(['info', '--json'])
    expect(status).toBe(0)
    const info = JSON.parse(out)
    expect(info).toMatchObject({ units: 'mm', latent: 'sphere', license: 'MIT' })
    expect(info.attribution).toContain('ICT-FaceKit')
    expect(info.schemes).toEqual(
      expect.arrayContaining([
        { name: 'ibug68', landmarks: 68 },
        { name: 'mediapipe478', landmarks: 478 },
      ]),
    )
    expect((await sfm(['info'])).out).toContain('ICT-FaceKit')
  })
})

describe('sfm fit examples/landmarks', () => {
  const out = () => at('faces')
  let run: Awaited<ReturnType<typeof sfm>>
  beforeAll(async () => {
    run = await sfm(['fit', landmarks, '--out', out(), '--format', 'json,glb,obj'])
  })

  it('has every result usable', async () => {
    expect(run).toMatchObject({ status: 0, out: '' })
    const files = await readdir(out())
    const results = files.filter((name) => name.endsWith('.json'))
    expect(results).toHaveLength(9)
    expect(files).toHaveLength(3 * results.length)
    for (const name of results) {
      const result = JSON.parse(await readFile(join(out(), name), 'utf8'))
      expect(result, name).toMatchObject({ usable: true, id: name.replace('.json', '') })
      expect(files).toEqual(expect.arrayContaining(Object.values(result.files)))
      expect(Math.hypot(...result.identity)).toBeCloseTo(1, 4)
      expect(Math.hypot(...result.embedding)).toBeCloseTo(1, 4)
      expect(result.embedding).toHaveLength(result.identity.length - 1)
    }
  })

  it('writes valid glTF of a face, in metres, with its expression', async () => {
    const bytes = await readFile(join(out(), 'astronaut.glb'))
    const { issues } = await validateBytes(new Uint8Array(bytes))
    expect(issues).toMatchObject({ numErrors: 0, numWarnings: 0 })
    const [mesh] = (await new NodeIO().readBinary(bytes)).getRoot().listMeshes()
    const { expression } = JSON.parse(await readFile(join(out(), 'astronaut.json'), 'utf8'))
    const names = mesh!.getExtras().targetNames as string[]
    expect(names).toEqual(Object.keys(expression))
    for (const [e, weight] of mesh!.getWeights().entries()) expect(weight).toBeCloseTo(expression[names[e]!], 6)
    const [low, high] = [[], []] as [number[], number[]]
    const position = mesh!.listPrimitives()[0]!.getAttribute('POSITION')!
    position.getMin(low)
    position.getMax(high)
    // A head is about 20 cm high.
    expect(high[1]! - low[1]!).toBeGreaterThan(0.15)
    expect(high[1]! - low[1]!).toBeLessThan(0.4)
  })

  it('writes the face that sfm decode makes of the result', async () => {
    await sfm(['decode', '--latents', join(out(), 'far-left.json'), '--out', at('again'), '--format', 'obj'])
    expect(await readFile(at('again', 'far-left.obj'), 'utf8')).toBe(
      await readFile(join(out(), 'far-left.obj'), 'utf8'),
    )
  })

  it('finds the poses that the drawn faces have', async () => {
    const poses = { 'far-left': [75, 0, 0], 'far-right-smiling': [-70, 8, 0], 'shouting-upwards': [-15, 30, 0] }
    for (const [id, [yaw, pitch]] of Object.entries(poses)) {
      const { pose } = JSON.parse(await readFile(join(out(), `${id}.json`), 'utf8'))
      expect(Math.abs(pose.yaw - yaw!), `${id}: yaw ${pose.yaw}`).toBeLessThan(6)
      expect(Math.abs(pose.pitch - pitch!), `${id}: pitch ${pose.pitch}`).toBeLessThan(6)
    }
  })

  it('can be compared', async () => {
    const { status, lines } = await sfm(['compare', out(), '--json'])
    expect(status).toBe(0)
    const pairs = lines.map((line) => JSON.parse(line))
    expect(pairs).toHaveLength((9 * 8) / 2)
    for (const { cosine, angle } of pairs) expect(Math.cos(angle)).toBeCloseTo(cosine, 6)
    expect((await sfm(['compare', join(out(), 'far-left.json'), join(out(), 'far-away.json')])).out).toMatch(
      /-?0\.\d{4} +\d+\.\d°/,
    )
  })
})

describe('sfm fit -', () => {
  let line: string
  let other: string
  beforeAll(async () => {
    const drawn = (await readFile(join(landmarks, 'drawn.jsonl'), 'utf8')).trim().split('\n')
    line = drawn[0]!
    other = JSON.stringify(JSON.parse(await readFile(join(landmarks, 'astronaut.ibug68.json'), 'utf8')))
  })
  const numbered = (i: number) => (i % 2 ? line : other).replace(/"id":"[^"]*"/, `"id":"f${i}"`)
  function* many(count: number) {
    for (let i = 0; i < count; i++) yield `${numbered(i)}\n`
  }

  /** As long as any, but most are given up at once for want of a landmark to be trusted. */
  function* quick(count: number) {
    const ignored = JSON.stringify({ ...JSON.parse(other), confidence: Array(68).fill(0) })
    for (let i = 0; i < count; i++) yield `${i % 20 === 0 ? line : ignored}\n`
  }

  it('keeps the order of 2,000 lines, with bad ones between them', async () => {
    function* input() {
      let i = 0
      for (const each of many(2000)) yield ++i % 100 === 0 ? '{"id": "broken"\n' : each
    }
    const { status, lines, err } = await sfm(['fit', '-'], input())
    expect(status).toBe(1)
    const results = lines.map((each) => JSON.parse(each))
    expect(results).toHaveLength(2000)
    for (const [i, { id, usable }] of results.entries()) {
      expect([id, usable]).toEqual((i + 1) % 100 === 0 ? [`stdin-${i + 1}`, false] : [`f${i}`, true])
    }
    expect(err.trim().split('\n')).toHaveLength(20)
    expect(err).toContain('sfm: standard input:100: not valid JSON')
  })

  it('gives the same result whatever its neighbours', async () => {
    const [alone, among] = await Promise.all([
      sfm(['fit', '-'], numbered(7)),
      sfm(['fit', '-', '--jobs', '1'], many(40)),
    ])
    expect(among.lines[7]).toBe(alone.lines[0])
  })

  it('answers a line at a time', async () => {
    const child = start(['fit', '-'])
    const answers = child.stdout.setEncoding('utf8')[Symbol.asyncIterator]()
    for (let i = 0; i < 3; i++) {
      child.stdin.write(`${numbered(i)}\n`)
      expect(JSON.parse((await answers.next()).value).id).toBe(`f${i}`)
    }
    child.stdin.end()
    expect((await once(child, 'close'))[0]).toBe(0)
  })

  it('stops on Ctrl-C with what is done given out whole', async () => {
    const child = start(['fit', '-'])
    const output = text(child.stdout)
    const messages = text(child.stderr)
    // More than is fitted in time, and the pipe stays open.
    const feeding = pipeline(Readable.from(many(1_000_000)), child.stdin).catch(() => undefined)
    await once(child.stdout, 'readable')
    child.kill('SIGINT')
    expect((await once(child, 'close'))[0]).toBe(130)
    await feeding
    const lines = (await output).trimEnd().split('\n')
    expect(lines.map((each) => JSON.parse(each).id)).toEqual(lines.map((_, i) => `f${i}`))
    expect(await messages).toBe('')
  })

  it('stops on Ctrl-C while it waits for input', async () => {
    const child = start(['fit', '-'])
    child.stdin.write(`${numbered(0)}\n`)
    await once(child.stdout, 'data')
    child.kill('SIGINT')
    expect((await once(child, 'close'))[0]).toBe(130)
  })

  it('stops in peace when its reader has gone', async () => {
    const child = start(['fit', '-'])
    const messages = text(child.stderr)
    const feeding = pipeline(Readable.from(many(1_000_000)), child.stdin).catch(() => undefined)
    await once(child.stdout, 'data')
    child.stdout.destroy()
    expect((await once(child, 'close'))[0]).toBe(0)
    await feeding
    expect(await messages).toBe('')
  })

  // Linux tells the most a process ever held.
  it.runIf(process.platform === 'linux')(
    'holds no more memory for 20,000 lines than for 2,000',
    async () => {
      const few = await peakMemory(quick(2_000))
      const lots = await peakMemory(quick(20_000))
      expect(lots.count).toBe(20_000)
      expect(lots.megabytes).toBeLessThan(few.megabytes + 100)
    },
    120_000,
  )

  async function peakMemory(input: Iterable<string>) {
    const child = start(['fit', '-', '--jobs', '2'])
    child.stderr.resume()
    let count = 0
    let peak = 0
    let seen = 0
    child.stdout.on('data', (chunk: Buffer) => {
      for (const byte of chunk) if (byte === 0x0a) count++
    })
    const watch = setInterval(async () => {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '')
      const kilobytes = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0)
      if (kilobytes > 0) seen++
      peak = Math.max(peak, kilobytes)
    }, 20)
    await Promise.all([pipeline(Readable.from(input), child.stdin), once(child, 'close')])
    clearInterval(watch)
    expect(seen).toBeGreaterThan(0)
    return { megabytes: peak / 1024, count }
  }
})

describe('sfm decode', () => {
  it('writes the same faces for the same seed, in every format', async () => {
    const run = (out: string) =>
      sfm(['decode', '--count', '8', '--seed', '1', '--out', at(out), '--format', 'glb,obj,ply', '--json'])
    const [a, b] = [await run('a'), await run('b')]
    expect(a).toMatchObject({ status: 0, err: '' })
    expect(a.out).toBe(b.out)
    const files = await readdir(at('a'))
    expect(files).toHaveLength(24)
    for (const name of ['face-3.ply', 'face-3.obj', 'face-3.glb']) {
      expect((await readFile(at('a', name))).equals(await readFile(at('b', name)))).toBe(true)
    }
    await writeFile(at('latents.jsonl'), a.out)
    await sfm(['decode', '--latents', at('latents.jsonl'), '--out', at('c'), '--format', 'ply'])
    expect((await readFile(at('c', 'face-8.ply'))).equals(await readFile(at('a', 'face-8.ply')))).toBe(true)
  })
})

describe('sfm bench', () => {
  it('measures decoding and fitting', async () => {
    const { status, out } = await sfm(['bench', '--json'])
    expect(status).toBe(0)
    const report = JSON.parse(out)
    expect(report.decode.map(({ batch }: { batch: number }) => batch)).toEqual([1, 64, 512])
    for (const { facesPerSecond } of [...report.decode, report.fit]) expect(facesPerSecond).toBeGreaterThan(0)
    // Of this processor's limits, unless a GPU does the work.
    if (report.limits) {
      expect(report.limits.gflops).toBeGreaterThan(0.1)
      expect(report.limits.storeGBps).toBeGreaterThan(0.01)
      for (const { ofLimit } of [...report.decode, report.fit]) expect(ofLimit).toBeGreaterThan(0)
    }
    expect(report.fit.usable).toBe(report.fit.batch)
    expect(report.fit.medianRmse).toBeLessThan(2)
  }, 120_000)
})

describe('examples', () => {
  it.each(['fit', 'decode', 'compare', 'joint'])('%s.mjs runs', async (name) => {
    const child = spawn(process.execPath, [join(root, 'examples', `${name}.mjs`)], { cwd: folder })
    const [out, err, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
    expect({ status, err }).toEqual({ status: 0, err: '' })
    expect(out.trim().split('\n').length).toBeGreaterThan(2)
    expect(out).not.toMatch(/NaN|undefined/)
  })

  it('drawn faces are those of the script', async () => {
    const child = spawn(process.execPath, [join(root, 'scripts/make-examples.mjs'), at('examples')])
    expect((await once(child, 'close'))[0]).toBe(0)
    for (const name of ['drawn.jsonl', 'drawn-frontal.pts']) {
      expect(numbersOf(await readFile(at('examples', name), 'utf8'))).toEqual(
        numbersOf(await readFile(join(landmarks, name), 'utf8')).map((value) => expect.closeTo(value, 1)),
      )
    }
    expect((await stat(join(root, 'examples/photos/astronaut.png'))).size).toBeGreaterThan(0)
  })
})

/** Another processor may round the last digit the other way. */
function numbersOf(text: string): number[] {
  return (text.match(/-?\d+(\.\d+)?/g) ?? []).map(Number)
}
