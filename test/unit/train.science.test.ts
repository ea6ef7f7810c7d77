import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

/** The benchmark with a small population: that it runs, and that what it finds is not all chance. */
it('meets the bars that a few people can be held against', { timeout: 300_000 }, async () => {
  if (!existsSync(at('dist/index.js'))) throw new Error('dist/ is not there: npm run build makes it')
  const source = at('models/sphere-face-model-scans-only.safetensors')
  const args = [at('bench/science/run.mjs'), '--small', '--seeds', '4', '--source', source, '--json']
  const { stdout } = await promisify(execFile)(process.execPath, args)
  const { runs, failed } = JSON.parse(stdout)
  expect(runs[0].bars.length).toBeGreaterThanOrEqual(8)
  expect(failed).toBe(0)
})
