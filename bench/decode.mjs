// Decoding against one matrix product of the same sizes by others, one thread each, in the same run; then by more threads
// and with fewer latents.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { configureCpu, devices, SphereFaceModel } from '../dist/index.js'
import { asFloat32 } from '../dist/model/half.js'
import { race } from './measure.mjs'
import { gemmModel } from './onnxGemm.mjs'
import { pythonDecoder } from './peers/python.mjs'

const BATCHES = [1, 8, 64, 512]
const PEER_BATCH = BATCHES.at(-1)

/**
 * What the peers multiply: basis [columns, 3N] of the columns that are not zero everywhere, like that of a lifted model's
 * pole, which the decoder leaves out as well; and which latents they are.
 */
function denseBasis(model) {
  const { data } = model
  const numbers = 3 * model.vertexCount
  const identity = asFloat32(data.identityBasis)
  const kept = Array.from({ length: model.identityCount }, (_, k) => k).filter((k) =>
    identity.subarray(k * numbers, (k + 1) * numbers).some((value) => value !== 0),
  )
  const columns = kept.length + model.expressionCount
  const basis = new Float32Array(columns * numbers)
  for (const [i, k] of kept.entries()) basis.set(identity.subarray(k * numbers, (k + 1) * numbers), i * numbers)
  basis.set(asFloat32(data.expressionBasis), kept.length * numbers)
  const coefficients = (latents) => {
    const input = new Float32Array(latents.length * columns)
    for (const [i, face] of latents.entries()) {
      for (const [c, k] of kept.entries()) input[i * columns + c] = face.identity[k]
      input.set(face.expression, i * columns + kept.length)
    }
    return input
  }
  return { numbers, columns, basis, mean: data.mean, coefficients }
}

/** onnxruntime on one thread, or null where it is not installed. */
async function onnxPeer({ numbers, columns, basis, mean, coefficients }) {
  let ort
  try {
    ort = await import('onnxruntime-node')
  } catch {
    return null
  }
  const { InferenceSession, Tensor } = ort.default ?? ort
  const session = await InferenceSession.create(gemmModel(columns, numbers, basis, mean), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
  })
  return (latents) => {
    const batch = latents.length
    const output = new Tensor('float32', new Float32Array(batch * numbers), [batch, numbers])
    const feeds = { latents: new Tensor('float32', coefficients(latents), [batch, columns]) }
    return async () => (await session.run(feeds, { vertices: output })).vertices.data
  }
}

/** numpy and PyTorch, or null where there is no numpy. */
async function pythonPeer({ numbers, columns, basis, mean, coefficients }, latents) {
  const folder = mkdtempSync(join(tmpdir(), 'sfm-bench-'))
  const file = join(folder, 'decode.bin')
  try {
    const parts = [BigInt64Array.of(BigInt(columns), BigInt(numbers)), basis, mean, coefficients(latents)]
    writeFileSync(file, Buffer.concat(parts.map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength))))
    return await pythonDecoder(file)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const sumOfMagnitudes = (values) => values.reduce((sum, value) => sum + Math.abs(value), 0)

/** Batches of several sizes, beside whoever else is there. */
async function benchBatches(model, dense) {
  const all = model.sample({ count: PEER_BATCH, seed: 1, expressionScale: 1 })
  const onnx = await onnxPeer(dense)
  const python = await pythonPeer(dense, all)
  const rows = []
  for (const batch of BATCHES) {
    const latents = all.slice(0, batch)
    const size = batch * dense.numbers
    const out = new Float32Array(size)
    const shared = new Float32Array(new SharedArrayBuffer(4 * size))
    const contenders = {
      sync: () => model.decodeSync(latents, { out }),
      async: () => model.decode(latents, { out: shared }),
      exact: () => model.decode(latents, { out: shared, precision: 'exact' }),
    }
    const ours = contenders.sync()
    let worst = null
    if (onnx) {
      contenders.onnxruntime = onnx(latents)
      const theirs = await contenders.onnxruntime()
      worst = theirs.reduce((most, value, i) => Math.max(most, Math.abs(value - ours[i])), 0)
    }
    for (const name of Object.keys(python?.libraries ?? {})) {
      const sum = sumOfMagnitudes(ours)
      if (Math.abs((await python.check(name, batch)) - sum) > 1e-5 * sum) throw new Error(`${name} decodes otherwise`)
      contenders[name] = () => python.run(name, batch)
    }
    const times = await race(contenders, { seconds: 3 })
    const gflops = (2 * size * dense.columns) / times.sync.median / 1e6
    rows.push({ batch, times, gflops, writtenGBps: (4 * size) / times.sync.median / 1e6, largestDifferenceMm: worst })
  }
  python?.close()
  const absent = Object.entries({ onnxruntime: onnx, numpy: python, torch: python?.libraries.torch })
    .filter(([, there]) => !there)
    .map(([name]) => name)
  return { rows, peers: { ...python?.libraries, blas: python?.blas }, absent }
}

/** A large batch by one thread, two, ... all, and by more than there are. */
async function benchThreads(model, dense, available) {
  const latents = model.sample({ count: PEER_BATCH, seed: 1, expressionScale: 1 })
  const shared = new Float32Array(new SharedArrayBuffer(4 * latents.length * dense.numbers))
  const rows = []
  for (let threads = 1; threads < 2 * available || threads === 1; threads *= 2) {
    const count = Math.min(threads, available)
    configureCpu({ threads: count })
    const { decode } = await race({ decode: () => model.decode(latents, { out: shared }) })
    rows.push({
      threads: count,
      batch: latents.length,
      time: decode,
      facesPerSecond: (1e3 * PEER_BATCH) / decode.median,
    })
    if (count === available) break
  }
  configureCpu({ threads: 1 })
  return rows
}

/** The first K identities alone, with the expressions: how the number of latents tells. */
async function benchLatents(model, dense) {
  const rows = []
  const numbers = dense.numbers
  const identities = dense.columns - model.expressionCount
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    const count = Math.round(identities * share)
    // Columns of zeros are dropped when a model is packed.
    const basis = model.data.identityBasis.slice()
    basis.fill(0, count * numbers)
    const smaller = SphereFaceModel.fromData({ ...model.data, identityBasis: basis })
    const latents = model.sample({ count: 64, seed: 1, expressionScale: 1 })
    const out = new Float32Array(64 * numbers)
    const { decode } = await race({ decode: () => smaller.decodeSync(latents, { out }) })
    const columns = count + model.expressionCount
    rows.push({
      columns,
      batch: 64,
      time: decode,
      gflops: (2 * 64 * numbers * columns) / decode.median / 1e6,
      facesPerSecond: 64e3 / decode.median,
    })
    smaller.dispose()
  }
  return rows
}

/** What a call costs that has next to nothing to do: one point of one face. */
async function benchCall(model) {
  const [face] = model.sample({ count: 1, seed: 1 })
  model.defineScheme({ name: 'one point', points: [0] })
  const out = new Float32Array(3)
  const times = { sync: [], async: [] }
  const CALLS = 2000
  for (let run = 0; run < 15; run++) {
    let start = performance.now()
    for (let i = 0; i < CALLS; i++) model.decodeSync(face, { scheme: 'one point', out })
    times.sync.push((performance.now() - start) / CALLS)
    start = performance.now()
    for (let i = 0; i < CALLS; i++) await model.decode(face, { scheme: 'one point', out })
    times.async.push((performance.now() - start) / CALLS)
  }
  return times
}

export async function benchDecode(model) {
  const { threads } = devices()[0]
  const dense = denseBasis(model)
  configureCpu({ threads: 1 })
  const batches = await benchBatches(model, dense)
  const byLatents = await benchLatents(model, dense)
  const byThreads = await benchThreads(model, dense, threads)
  const call = await benchCall(model)
  configureCpu({ threads })
  return { ...batches, columns: dense.columns, byLatents, byThreads, call }
}
