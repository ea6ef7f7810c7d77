import { availableParallelism, cpus } from 'node:os'
import type { Latents } from '../decode/Latents.js'
import { SfmError } from '../errors.js'
import type { Observation } from '../fit/Observation.js'
import type { SphereFaceModel } from '../model/SphereFaceModel.js'
import type { Cli } from './Cli.js'
import { EXIT } from './exitCode.js'
import type { Device } from './options.js'
import { syntheticObservation, type View } from './syntheticObservation.js'
import { table } from './table.js'

/** As on the command line; see docs/cli.md. */
export interface BenchCommandOptions {
  model?: string
  device: Device
  json?: boolean
}

const DECODE_BATCHES = [1, 64, 512]
const FIT_FACES = 256
const SCHEME = 'ibug68'
const SEED = 1

/** A measurement is repeated this often at least, and for this long. */
const MIN_RUNS = 5
const MIN_SECONDS = 0.5

interface Measurement {
  batch: number
  runs: number
  /** Median of the runs, for the whole batch. */
  milliseconds: number
  facesPerSecond: number
  /** What share of the time arithmetic or stores alone would have taken at least; where the machine's limits are known. */
  ofLimit?: number
}

/** `sfm bench`: how fast this machine decodes and fits, and what it could do at most. */
export async function bench(options: BenchCommandOptions, cli: Cli): Promise<number> {
  using model = await cli.engine.loadModel(options.model, options.device)
  using fitter = await model.createFitter({ device: options.device })
  const { messages, signal } = cli
  try {
    messages.progress("the machine's limits")
    const limits = await cli.engine.limits?.(options.device, signal)
    const against = (flops: number, bytes: number, measured: Measurement): Measurement => {
      if (!limits) return measured
      const least = Math.max(flops / limits.flops, bytes / limits.storedBytes)
      return { ...measured, ofLimit: measured.facesPerSecond * least }
    }
    const decode: Measurement[] = []
    for (const batch of DECODE_BATCHES) {
      messages.progress(`decode, ${batch} at a time`)
      const latents = model.sample({ count: batch, seed: SEED })
      // Shared memory is written to directly, an ordinary array only by a copy.
      const out = new Float32Array(new SharedArrayBuffer(batch * model.vertexCount * 3 * 4))
      const measured = await measure(batch, signal, () => model.decode(latents, { out, signal }))
      decode.push(against(model.decodeFlops, model.vertexCount * 3 * 4, measured))
    }
    messages.progress(`fit, ${FIT_FACES} at a time`)
    const observations = await syntheticFaces(model, FIT_FACES)
    const results = await fitter.fit(observations, { signal })
    const measured = await measure(FIT_FACES, signal, () => fitter.fit(observations, { signal }))
    const iterations = results.reduce((sum, result) => sum + result.iterations, 0) / FIT_FACES
    const fit = {
      ...against(iterations * iterationFlops(model), 0, measured),
      scheme: SCHEME,
      usable: results.filter(({ usable }) => usable).length,
      medianRmse: median(results.flatMap(({ rmse }) => rmse ?? [])),
    }
    messages.endProgress()
    const report: Report = {
      machine: thisMachine(),
      model: model.metadata.name,
      device: options.device,
      ...(limits && { limits: { gflops: limits.flops / 1e9, storeGBps: limits.storedBytes / 1e9 } }),
      decode,
      fit,
    }
    await cli.out.write(options.json ? `${JSON.stringify(report)}\n` : describe(report))
    return EXIT.success
  } finally {
    messages.endProgress()
  }
}

/** Operations of one normal matrix of all unknowns, J^T J, and its factorisation: nearly all of an iteration. */
function iterationFlops({ data, identityCount, expressionCount }: SphereFaceModel): number {
  const nuisances = (data.withinIdentityBasis?.length ?? 0) / (3 * data.vertexCount)
  const unknowns = identityCount - 1 + nuisances + expressionCount + 6
  const residuals = 2 * (data.schemes.get(SCHEME)?.count ?? 0)
  return residuals * unknowns ** 2 + unknowns ** 3 / 3
}

/** Faces of the prior in poses of every kind, seen exactly, by a camera whose focal length is known. */
async function syntheticFaces(model: SphereFaceModel, count: number): Promise<Observation[]> {
  const scheme = model.data.schemes.get(SCHEME)
  if (scheme === undefined)
    throw new SfmError('UNKNOWN_SCHEME', `the benchmark needs a model with the scheme ${SCHEME}`)
  const latents: Latents[] = model.sample({ count, seed: SEED })
  const landmarks = await model.decode(latents, { scheme: SCHEME })
  const size = scheme.count * 3
  return latents.map((_, i) => {
    // Multiples of irrational numbers fill the range evenly, in the same way on every machine.
    const spread = (step: number, range: number) => (((i + 1) * step) % 1) * 2 * range - range
    const view: View = {
      yaw: spread(Math.SQRT2, 45),
      pitch: spread(Math.E, 20),
      roll: spread(Math.PI, 20),
      distance: 700,
      camera: { type: 'perspective', focal: 1400, principal: [320, 320] },
    }
    return syntheticObservation(landmarks.subarray(i * size, (i + 1) * size), scheme, view)
  })
}

async function measure(batch: number, signal: AbortSignal, run: () => Promise<unknown>): Promise<Measurement> {
  await run()
  const times: number[] = []
  const start = performance.now()
  while (times.length < MIN_RUNS || performance.now() - start < MIN_SECONDS * 1000) {
    signal.throwIfAborted()
    const before = performance.now()
    await run()
    times.push(performance.now() - before)
  }
  const milliseconds = median(times)
  return { batch, runs: times.length, milliseconds, facesPerSecond: (batch * 1000) / milliseconds }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return ((sorted[(sorted.length - 1) >> 1] ?? Number.NaN) + (sorted[sorted.length >> 1] ?? Number.NaN)) / 2
}

interface Machine {
  cpu: string
  cores: number
  platform: string
  arch: string
  node: string
}

function thisMachine(): Machine {
  const { platform, arch, version } = process
  return { cpu: cpus()[0]?.model ?? 'unknown', cores: availableParallelism(), platform, arch, node: version }
}

interface Report {
  machine: Machine
  model: string
  device: Device
  /** Of all threads together: multiplications and additions in single precision, and stores past the caches. */
  limits?: { gflops: number; storeGBps: number }
  decode: readonly Measurement[]
  fit: Measurement & { scheme: string; usable: number; medianRmse: number }
}

function describe({ machine, model, device, limits, decode, fit }: Report): string {
  const row = (name: string, { batch, milliseconds, facesPerSecond, ofLimit }: Measurement) => [
    name,
    String(batch),
    milliseconds.toFixed(3),
    Math.round(facesPerSecond).toLocaleString('en'),
    ...(ofLimit === undefined ? [] : [`${Math.round(100 * ofLimit)}%`]),
  ]
  const rows = [...decode.map((each) => row('decode', each)), row(`fit ${fit.scheme}`, fit)]
  return [
    `${model} on ${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, device ${device}\n\n`,
    table(['', 'batch', 'ms', 'faces/s', ...(limits ? ['of the limit'] : [])], rows),
    limits
      ? `\nlimits: ${limits.gflops.toFixed(0)} GFLOP/s, stores of ${limits.storeGBps.toFixed(0)} GB/s; loops of nothing else, all threads\n`
      : '',
    `\nfit: ${fit.usable} of ${fit.batch} usable, median error ${fit.medianRmse.toPrecision(3)} px\n`,
  ].join('')
}
