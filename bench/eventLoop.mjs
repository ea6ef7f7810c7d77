// Whether the event loop goes on while batches are under way: the delays of a timer that should fire every few ms.
import { monitorEventLoopDelay } from 'node:perf_hooks'

async function delaysDuring(work) {
  const histogram = monitorEventLoopDelay({ resolution: 2 })
  const begin = performance.now()
  histogram.enable()
  await work()
  histogram.disable()
  const milliseconds = performance.now() - begin
  const ms = (nanoseconds) => nanoseconds / 1e6
  return {
    milliseconds,
    delay: { median: ms(histogram.percentile(50)), p99: ms(histogram.percentile(99)), max: ms(histogram.max) },
  }
}

export async function benchEventLoop(model, fitter, observations) {
  const many = Array.from({ length: 8 }, () => observations).flat()
  const latents = model.sample({ count: 1024, seed: 1, expressionScale: 1 })
  const out = new Float32Array(new SharedArrayBuffer(4 * latents.length * 3 * model.vertexCount))
  return {
    idle: await delaysDuring(() => new Promise((resolve) => setTimeout(resolve, 1000))),
    fit: { faces: many.length, ...(await delaysDuring(() => fitter.fit(many))) },
    decode: { faces: latents.length, ...(await delaysDuring(() => model.decode(latents, { out }))) },
  }
}
