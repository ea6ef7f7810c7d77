import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runProgram } from '../fixtures/child.js'
import { tinyModel } from '../fixtures/models.js'

/** SFM_FUZZ_RUNS: how many cases, SFM_FUZZ_SEED: which ones. */
const runs = Number(process.env.SFM_FUZZ_RUNS ?? 1000)
const seed = Number(process.env.SFM_FUZZ_SEED ?? 1)

const folder = mkdtempSync(join(tmpdir(), 'sfm-fuzz-'))
const model = join(folder, 'tiny.safetensors')
beforeAll(async () => {
  using tiny = tinyModel()
  await tiny.save(model)
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Runs a fuzzer in a process of its own; what it did last is in the message if that dies. */
async function fuzz(program: string): Promise<void> {
  const trace = join(folder, `${program}.txt`)
  const { end, out, err } = await runProgram(program, [runs, seed], {
    flags: ['--expose-gc', '--no-deprecation'],
    env: { SFM_TEST_MODEL: model, SFM_FUZZ_TRACE: trace },
  })
  if (end !== 0) expect.fail(`ended with ${end}\n${err}\n${out}\nlast case: ${readFileSync(trace, 'utf8')}`)
  expect(out).toContain(`${runs} cases`)
}

describe('any values', { timeout: 3_600_000 }, () => {
  it('into the addon itself: errors and nothing worse', () => fuzz('fuzz-binding.mjs'))

  it('into the functions of the package: errors and nothing worse', () => fuzz('fuzz-facade.mjs'))
})

describe('getters that take memory away', () => {
  it('while the addon reads an object: nothing is read that is gone', async () => {
    const { end, out, err } = await runProgram('detach.mjs', [], { flags: ['--expose-gc'] })
    expect({ end, err }).toEqual({ end: 0, err: '' })
    expect(out).toContain('204 pairs')
  })
})
