// Whether the event loop goes on while batches are under way: the delays of a timer that should fire every few ms; and what a face
// takes of it, as an object and in arrays.
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { configureCpu, devices } from '../dist/index.js'

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

/** Microseconds of the event loop a face, the median of some runs; on one thread, so that nothing is in its way. */
async function busyFor(faces, work) {
  const times = []
  for (let run = 0; run < 9; run++) {
    const before = performance.eventLoopUtilization()
    await work()
    times.push((1e3 * performance.eventLoopUtilization(before).active) / faces)
  }
  return times.sort((a, b) => a - b)[4]
}

/** What a fit takes of the event loop besides the fitting, which is elsewhere. */
export async function benchJavaScript(fitter, observations) {
  const [{ scheme, image, camera }] = observations
  const many = Array.from({ length: 16 }, () => observations).flat()
  const points = Float64Array.from(many.flatMap(({ points }) => points.flatMap((point) => point ?? [NaN, NaN])))
  const arrays = { scheme, count: many.length, points, image, focal: camera.focal, principal: camera.principal }
  const { threads } = devices()[0]
  configureCpu({ threads: 1 })
  const objects = await busyFor(many.length, () => fitter.fit(many))
  const flat = await busyFor(many.length, async () => {
    const { usable, identity, embedding, expression, rotation, translation } = await fitter.fitArrays(arrays)
    return [usable, identity, embedding, expression, rotation, translation]
  })
  configureCpu({ threads })
  return { faces: many.length, objects, arrays: flat }
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
