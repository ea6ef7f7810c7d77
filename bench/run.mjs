// npm run bench: measures loading, decoding and fitting on this machine, prints tables and stores them as JSON in
// bench/results/.
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { devices, SphereFaceModel } from '../dist/index.js'
import { benchDecode } from './decode.mjs'
import { benchFit } from './fit.mjs'
import { benchLoad } from './load.mjs'

const ms = (value) => value.toFixed(value < 10 ? 3 : 1)
const spread = ({ median, min, max }) => `${ms(median)} (${ms(min)}-${ms(max)})`

function table(title, header, rows) {
  const lines = [header, ...rows].map((row) => row.map(String))
  const widths = header.map((_, c) => Math.max(...lines.map((line) => line[c].length)))
  console.log(`\n${title}`)
  for (const line of lines) console.log(line.map((cell, c) => cell.padStart(widths[c])).join('  '))
}

function commit() {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return null
  }
}

const machine = {
  cpu: cpus()[0]?.model,
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  platform: `${process.platform}-${process.arch}`,
  node: process.version,
  ...devices()[0],
}
console.log(`${machine.cpu}, ${machine.cores} cores, ${machine.instructionSet}, Node ${machine.node}`)

const load = await benchLoad()
table('Loading the embedded model, ms: median (min-max)', ['load'], [[spread(load.load)]])

const model = await SphereFaceModel.load()
const { vertexCount, identityCount, expressionCount } = model
const decode = await benchDecode(model)
table(
  `Decoding ${vertexCount} vertices from ${identityCount} + ${expressionCount} latents, one thread, ms: median (min-max)`,
  ['batch', 'decodeSync', 'decode', 'onnxruntime', 'onnxruntime / decode', 'GFLOP/s', 'faces/s'],
  decode.map(({ batch, times, gflops }) => [
    batch,
    spread(times.sync),
    spread(times.async),
    times.onnxruntime ? spread(times.onnxruntime) : 'not installed',
    times.onnxruntime
      ? `${(times.onnxruntime.median / Math.min(times.sync.median, times.async.median)).toFixed(2)}x`
      : '',
    gflops.toFixed(0),
    Math.round((batch * 1000) / times.sync.median),
  ]),
)

const fit = await benchFit(model)
table(
  `Fitting ${identityCount - 1} identity + ${expressionCount} expression + pose unknowns, perspective`,
  ['landmarks', 'focal', 'threads', 'ms a face', 'faces/s', 'one face alone, ms', 'iterations', 'usable', 'RMSE px'],
  fit.map((row) => [
    row.scheme,
    row.focal,
    row.threads,
    row.millisecondsAFace.toFixed(3),
    Math.round(1000 / row.millisecondsAFace),
    spread(row.times.single),
    row.meanIterations.toFixed(2),
    `${row.usable}/${row.faces}`,
    row.rmse.toFixed(2),
  ]),
)
model.dispose()

const results = fileURLToPath(new URL('results/', import.meta.url))
mkdirSync(results, { recursive: true })
const name = `cpu-${machine.instructionSet}-${process.platform}-${process.arch}.json`
const report = { date: new Date().toISOString().slice(0, 10), commit: commit(), machine, load, decode, fit }
writeFileSync(`${results}${name}`, `${JSON.stringify(report, null, 1)}\n`)
console.log(`\nStored in bench/results/${name}`)
