import { expect, it } from 'vitest'
import { runToTheEnd } from '../fixtures/child.js'

/** SFM_SOAK=1: as many as the package promises to stand. */
const long = Number(process.env.SFM_SOAK ?? 0) > 0
const fits = long ? 100_000 : 4_000

it(`memory is flat over ${fits} fits`, { timeout: 1_800_000 }, async () => {
  const out = await runToTheEnd('memory.mjs', [fits], { flags: ['--expose-gc'] })
  const points: Array<{ fits: number; rss: number; heap: number; external: number }> = JSON.parse(out)
  if (long) console.log(points.map((point) => JSON.stringify(point)).join('\n'))
  expect(points.length).toBeGreaterThan(15)
  const median = (of: typeof points, key: 'rss' | 'heap' | 'external') =>
    of.map((point) => point[key]).sort((a, b) => a - b)[Math.floor(of.length / 2)]!
  // After a warm-up the first third has to be like the last.
  const third = Math.floor((points.length - 4) / 3)
  const [early, late] = [points.slice(4, 4 + third), points.slice(-third)]
  expect(median(late, 'rss') - median(early, 'rss')).toBeLessThan(48)
  expect(median(late, 'heap') - median(early, 'heap')).toBeLessThan(8)
  expect(median(late, 'external') - median(early, 'external')).toBeLessThan(16)
})

it('models that are forgotten are given back in time', async () => {
  // Each holds some 9 MB: without being told, the collector sees a few small objects and leaves them alone.
  expect(Number(await runToTheEnd('forgotten.mjs', [200]))).toBeLessThan(1000)
})
