// npm run bench: measures loading, decoding and fitting on this machine beside whoever else can do them and is installed,
// prints tables, and stores all of it as JSON and pictures in bench/results/. --no-peers leaves the peers of fits out.
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { devices, SphereFaceModel } from '../dist/index.js'
import { benchDecode } from './decode.mjs'
import { benchEventLoop, benchJavaScript } from './eventLoop.mjs'
import { benchFit, syntheticFaces } from './fit.mjs'
import { benchFitPeers } from './fitPeers.mjs'
import { benchJointTime } from './joint.mjs'
import { benchLoad } from './load.mjs'
import { summary } from './measure.mjs'
import { buildPrograms, program, runProgram } from './native.mjs'
import { writePlots } from './plots.mjs'

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
const loadBefore = loadavg()[0]
console.log(`${machine.cpu}, ${machine.cores} cores, ${machine.instructionSet}, Node ${machine.node}`)

const programs = await buildPrograms()
const kernels = programs ? runProgram(program('decode_bench'), ['--runs', 15]) : null
if (kernels) {
  const { gflops, storeGBps, streamGBps } = kernels.limits
  const one = (value) => value.toFixed(0)
  table(
    'Limits of one thread, by loops of nothing else',
    ['fp32 GFLOP/s', 'stores GB/s', 'streaming stores GB/s'],
    [[one(gflops), one(storeGBps), one(streamGBps)]],
  )
  table(
    `The decoder's kernels without JavaScript around, ${kernels.columns} columns, ms: median (min-max)`,
    ['batch', 'instruction set', 'way', 'time', 'GFLOP/s'],
    kernels.decode.map((row) => [row.batch, row.instructionSet, row.way, spread(row.milliseconds), one(row.gflops)]),
  )
}

const load = await benchLoad()
table('Loading the embedded model, ms: median (min-max)', ['load'], [[spread(load.load)]])

const model = await SphereFaceModel.load()
const { vertexCount, identityCount, expressionCount } = model
const decode = await benchDecode(model)
const PEERS = ['onnxruntime', 'numpy', 'torch']
const ratio = (a, b) => `${(a / b).toFixed(2)}x`
const ours = ({ sync, async }) => Math.min(sync.median, async.median)
table(
  `Decoding ${vertexCount} vertices from ${identityCount} + ${expressionCount} latents, one thread, ms: median (min-max)`,
  ['batch', 'decodeSync', 'decode', ...PEERS, 'GFLOP/s of a full product', 'faces/s'],
  decode.rows.map(({ batch, times, gflops }) => [
    batch,
    spread(times.sync),
    spread(times.async),
    ...PEERS.map((name) =>
      times[name] ? `${spread(times[name])} ${ratio(times[name].median, ours(times))}` : 'absent',
    ),
    gflops.toFixed(0),
    Math.round((batch * 1000) / times.sync.median),
  ]),
)
if (decode.absent.length > 0) console.log(`Absent, so not compared with: ${decode.absent.join(', ')}`)
table(
  'The same by the time of the processor alone, which other programs on the machine do not add to, ms: median',
  ['batch', 'decodeSync', ...PEERS],
  decode.rows.map(({ batch, times }) => [
    batch,
    ms(times.sync.cpu),
    ...PEERS.map((name) =>
      times[name] ? `${ms(times[name].cpu)} ${ratio(times[name].cpu, times.sync.cpu)}` : 'absent',
    ),
  ]),
)
table(
  'Batches of 64 by models of fewer identities, one thread',
  ['columns', 'ms', 'GFLOP/s of a full product', 'faces/s'],
  decode.byLatents.map((row) => [row.columns, spread(row.time), row.gflops.toFixed(0), Math.round(row.facesPerSecond)]),
)
table(
  `Batches of ${decode.byThreads[0].batch} by threads`,
  ['threads', 'ms', 'faces/s', 'of one thread'],
  decode.byThreads.map((row) => [
    row.threads,
    spread(row.time),
    Math.round(row.facesPerSecond),
    ratio(row.facesPerSecond, decode.byThreads[0].facesPerSecond),
  ]),
)
const call = { sync: summary(decode.call.sync), async: summary(decode.call.async) }
const microseconds = ({ median, min, max }) =>
  `${(1e3 * median).toFixed(1)} (${(1e3 * min).toFixed(1)}-${(1e3 * max).toFixed(1)})`
table(
  'What a call costs that decodes one point, microseconds: median (min-max)',
  ['decodeSync', 'decode'],
  [[microseconds(call.sync), microseconds(call.async)]],
)

const fit = await benchFit(model)
table(
  `Fitting ${identityCount - 1} identity + ${expressionCount} expression + pose unknowns, perspective`,
  [
    'landmarks',
    'focal',
    'threads',
    'ms a face',
    'faces/s',
    'ms with posterior',
    'one face alone, ms',
    'iterations',
    'usable',
    'RMSE px',
  ],
  fit.map((row) => [
    row.scheme,
    row.focal,
    row.threads,
    row.millisecondsAFace.toFixed(3),
    Math.round(1000 / row.millisecondsAFace),
    (row.times.posterior.median / row.faces).toFixed(3),
    spread(row.times.single),
    row.meanIterations.toFixed(2),
    `${row.usable}/${row.faces}`,
    row.rmse.toFixed(2),
  ]),
)

const joint = await benchJointTime(model)
table(
  'Joint fits of one person, one thread, ms: median (min-max)',
  ['landmarks', 'images', 'passes', 'together', 'one by one'],
  joint.map((row) => [row.scheme, row.images, row.passes, spread(row.times.joint), spread(row.times.single)]),
)

const eventLoop = await benchEventLoop(model, await model.createFitter(), await syntheticFaces(model, 'ibug68'))
table(
  'Delay of the event loop during one large batch, ms',
  ['', 'faces', 'took', 'median delay', '99%', 'largest'],
  Object.entries(eventLoop).map(([what, { faces = '', milliseconds, delay }]) => [
    what,
    faces,
    ms(milliseconds),
    ...[delay.median, delay.p99, delay.max].map(ms),
  ]),
)
const javaScript = {}
for (const scheme of ['ibug68', 'mediapipe478'])
  for (const slideContour of scheme === 'ibug68' ? [true, false] : [true])
    javaScript[`${scheme}${slideContour ? '' : ', slideContour: false'}`] = await benchJavaScript(
      await model.createFitter({ slideContour }),
      await syntheticFaces(model, scheme),
    )
table(
  'What a fit takes of the event loop, microseconds a face',
  ['landmarks', 'fit', 'fitArrays'],
  Object.entries(javaScript).map(([what, { objects, arrays }]) => [what, objects.toFixed(1), arrays.toFixed(1)]),
)
model.dispose()

const peers = process.argv.includes('--no-peers') ? null : benchFitPeers()
if (peers) {
  const row = (who, { millisecondsAFace, iterations, meanCost, asGood = 1 }) => [
    who,
    spread(millisecondsAFace),
    ms(millisecondsAFace.cpu),
    ratio(millisecondsAFace.cpu, peers.ours.millisecondsAFace.cpu),
    iterations.toFixed(1),
    meanCost.toFixed(2),
    `${(100 * asGood).toFixed(0)}%`,
  ]
  table(
    `The same ${peers.faces} faces of 68 landmarks by others, one thread, ms a face: median (min-max)`,
    ['', 'time', 'of the processor', 'of ours', 'iterations', 'mean cost', 'within 1% of ours'],
    [
      row('this package', peers.ours),
      row('and once more', peers.oursAfterwards),
      ...(peers.ceres?.solvers ?? []).map((each) =>
        row(`Ceres ${each.solver}${each.bounded ? '' : ', without bounds'}`, each),
      ),
      ...(peers.torch ? [row('PyTorch, batched LM', peers.torch)] : []),
    ],
  )
  const absent = ['ceres', 'torch', 'instructions'].filter((name) => peers[name] === null)
  if (absent.length > 0) console.log(`Absent: ${absent.join(', ').replace('instructions', 'valgrind')}`)
  if (peers.instructions)
    console.log(
      `${Math.round(peers.instructions.instructions)} instructions a fit with ${peers.instructions.instructionSet}`,
    )
}

const results = fileURLToPath(new URL('results/', import.meta.url))
mkdirSync(results, { recursive: true })
const name = `cpu-${machine.instructionSet}-${process.platform}-${process.arch}`
const report = {
  date: new Date().toISOString().slice(0, 10),
  commit: commit(),
  machine: { ...machine, loadBefore, loadAfter: loadavg()[0] },
  model: { vertexCount, identityCount, expressionCount },
  load,
  kernels,
  decode: { ...decode, call },
  fit,
  joint,
  eventLoop,
  javaScript,
  peers,
}
writeFileSync(
  `${results}${name}.json`,
  `${JSON.stringify(report, null, 1)}
`,
)
console.log(`\nStored in bench/results: ${[`${name}.json`, ...writePlots(report, name)].join(', ')}`)
