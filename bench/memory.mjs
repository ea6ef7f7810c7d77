// npm run bench:memory [-- FITS]: memory over a million fits, 68 landmarks each, in calls of 500, two at a time. Ends with
// status 1 where the resident memory grows beyond the bound that docs/performance.md states.
import { SphereFaceModel } from '../dist/index.js'
import { syntheticFaces } from './fit.mjs'
import { median } from './measure.mjs'

const BOUND_MIB = 400 // resident, of the whole process with the embedded model and 500 faces a call
const GROWTH_MIB = 32 // of the median, between the second fifth and the last
const total = Number(process.argv[2] ?? 1_000_000)
const CALL = 500

const model = await SphereFaceModel.load()
const fitter = await model.createFitter()
const faces = await syntheticFaces(model, 'ibug68')
const observations = Array.from({ length: CALL }, (_, i) => faces[i % faces.length])
const resident = () => Math.round(process.memoryUsage().rss / 2 ** 20)

const samples = []
for (let fits = 0; fits < total; fits += 2 * CALL) {
  const results = await Promise.all([fitter.fit(observations), fitter.fit(observations)])
  if (!results.flat().every(({ usable }) => usable)) throw new Error('a fit has failed')
  samples.push(resident())
  if (samples.length % Math.ceil(total / (20 * CALL)) === 0)
    console.log(`${fits + 2 * CALL} fits: ${samples.at(-1)} MiB`)
}
// The first fifth warms up: what the collector lets lie about then says nothing.
const fifth = Math.max(1, Math.floor(samples.length / 5))
const growth = Math.round(median(samples.slice(-fifth)) - median(samples.slice(fifth, 2 * fifth)))
const most = Math.max(...samples)
console.log(`At most ${most} MiB; in the last fifth ${growth} MiB more than in the second.`)
if (most > BOUND_MIB || growth > GROWTH_MIB) process.exitCode = 1
