import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runProgram, runToTheEnd } from '../fixtures/child.js'
import { tinyModel } from '../fixtures/models.js'

const folder = mkdtempSync(join(tmpdir(), 'sfm-workers-'))
const tiny = { env: { SFM_TEST_MODEL: join(folder, 'tiny.safetensors') } }
beforeAll(async () => {
  using model = tinyModel()
  await model.save(tiny.env.SFM_TEST_MODEL)
})
afterAll(() => rmSync(folder, { recursive: true }))

/** More of everything that is a matter of luck. */
const patience = Math.max(1, Number(process.env.SFM_SOAK ?? 0) * 20)

describe('worker threads', () => {
  it('compute what the main thread does, all at once', async () => {
    expect(await runToTheEnd('workers.mjs')).toContain('the same everywhere')
    expect(await runToTheEnd('workers.mjs', [], tiny)).toContain('the same everywhere')
  })

  it('may be terminated at any time', { timeout: 600_000 }, async () => {
    const [rounds, more] = [14 * patience, 70 * patience]
    expect(await runToTheEnd('terminate.mjs', [rounds])).toContain(`${rounds} workers terminated`)
    expect(await runToTheEnd('terminate.mjs', [more], tiny)).toContain(`${more} workers terminated`)
  })

  it('may be the only ones that load the addon', async () => {
    expect(await runToTheEnd('worker-only.mjs')).toContain('loaded in workers, then here')
    expect(await runToTheEnd('worker-only.mjs', [], tiny)).toContain('loaded in workers, then here')
  })
})

describe('the addon', () => {
  it('may be loaded more than once', async () => {
    expect(await runToTheEnd('load-twice.mjs')).toContain('loaded three times')
  })

  it('takes the number of threads and the instruction set from the environment', async () => {
    const device = async (env: Record<string, string>) => JSON.parse(await runToTheEnd('devices.mjs', [], { env }))
    const usual = await device({ SFM_THREADS: '', SFM_CPU_KERNELS: '' })
    expect(await device({ SFM_THREADS: '3' })).toMatchObject({ threads: 3 })
    expect(await device({ SFM_CPU_KERNELS: 'portable' })).toMatchObject({ instructionSet: 'portable' })
    expect(usual.threads).toBeGreaterThan(0)
    // What makes no sense is said, not ignored: a server that seems configured and is not costs more than one that does not start.
    const refused = async (env: Record<string, string>) => (await runProgram('devices.mjs', [], { env })).err
    for (const nonsense of ['0', '-1', 'many', '4abc', '99999999999'])
      expect(await refused({ SFM_THREADS: nonsense })).toContain('SFM_THREADS: expected an integer from 1 to 1024')
    expect(await refused({ SFM_CPU_KERNELS: 'sse9' })).toContain('SFM_CPU_KERNELS: this processor has no')
  })
})

describe('the end of a process with calls under way', () => {
  it.each([
    ['process.exit', 'exit', 7],
    ['process.exit in a worker', 'worker-exit', 7],
    ['process.exit with a worker at work', 'worker-message', 7],
    ['an abrupt exit', 'abrupt', 7],
    ['an uncaught exception', 'throw', 1],
    ['a signal', 'signal', 'SIGTERM'],
  ] as const)('%s: is as it should be', { timeout: 600_000 }, async (_, how, end) => {
    for (let i = 0; i < 2 * patience; i++) {
      const ended = await runProgram('exit.mjs', [how, [0, 5, 25, 12, 1, 40][i % 6]!], i % 2 ? tiny : {})
      if (ended.end !== end) expect(ended).toMatchObject({ end })
    }
  })
})
