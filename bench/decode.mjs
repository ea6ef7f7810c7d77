// Decoding against onnxruntime's Gemm of the same sizes, one thread each, in the same run.
import { configureCpu, devices } from '../dist/index.js'
import { asFloat32 } from '../dist/model/half.js'
import { race } from './measure.mjs'
import { gemmModel } from './onnxGemm.mjs'

const BATCHES = [1, 8, 64, 512]

/** onnxruntime on one thread, or null where it is not installed. */
async function peer(model) {
  let ort
  try {
    ort = await import('onnxruntime-node')
  } catch {
    return null
  }
  const { InferenceSession, Tensor } = ort.default ?? ort
  const { data } = model
  const n = 3 * model.vertexCount
  const k = model.identityCount - 1 + model.expressionCount
  // The pole's column of a lifted model is zero; the peer is spared it as the decoder is.
  const basis = new Float32Array(k * n)
  basis.set(asFloat32(data.identityBasis).subarray(0, (model.identityCount - 1) * n))
  basis.set(asFloat32(data.expressionBasis), (model.identityCount - 1) * n)
  const session = await InferenceSession.create(gemmModel(k, n, basis, data.mean), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
  })
  return (latents) => {
    const batch = latents.length
    const input = new Float32Array(batch * k)
    for (const [i, { identity, expression }] of latents.entries()) {
      input.set(identity.subarray(0, model.identityCount - 1), i * k)
      input.set(expression, i * k + model.identityCount - 1)
    }
    const output = new Tensor('float32', new Float32Array(batch * n), [batch, n])
    const feeds = { latents: new Tensor('float32', input, [batch, k]) }
    return async () => (await session.run(feeds, { vertices: output })).vertices.data
  }
}

export async function benchDecode(model) {
  const { threads } = devices()[0]
  configureCpu({ threads: 1 })
  const onnx = await peer(model)
  const rows = []
  for (const batch of BATCHES) {
    const latents = model.sample({ count: batch, seed: 1, expressionScale: 1 })
    const size = batch * model.vertexCount * 3
    const out = new Float32Array(size)
    const shared = new Float32Array(new SharedArrayBuffer(4 * size))
    const contenders = {
      sync: () => model.decodeSync(latents, { out }),
      async: () => model.decode(latents, { out: shared }),
    }
    let worst = null
    if (onnx) {
      contenders.onnxruntime = onnx(latents)
      const theirs = await contenders.onnxruntime()
      const ours = contenders.sync()
      worst = theirs.reduce((most, value, i) => Math.max(most, Math.abs(value - ours[i])), 0)
    }
    const times = await race(contenders)
    const gflops = (2 * size * (model.identityCount - 1 + model.expressionCount)) / times.sync.median / 1e6
    rows.push({ batch, times, gflops, largestDifferenceMm: worst })
  }
  configureCpu({ threads })
  return rows
}
