import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { runProgram } from '../fixtures/child.js'

/** SFM_FUZZ_RUNS: how many cases, SFM_FUZZ_SEED: which ones. */
const runs = Number(process.env.SFM_FUZZ_RUNS ?? 1000)
const seed = Number(process.env.SFM_FUZZ_SEED ?? 1)

const folder = mkdtempSync(join(tmpdir(), 'sfm-fuzz-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('any values', { timeout: 3_600_000 }, () => {
  it('into the linear algebra: errors and nothing worse', async () => {
    const trace = join(folder, 'trace.txt')
    const { end, out, err } = await runProgram('fuzz-linear.mjs', [runs, seed], {
      flags: ['--expose-gc', '--no-deprecation'],
      env: { SFM_FUZZ_TRACE: trace },
    })
    if (end !== 0) expect.fail(`ended with ${end}\n${err}\n${out}\nlast case: ${readFileSync(trace, 'utf8')}`)
    expect(out).toContain(`${runs} cases`)
  })
})
