// How many frames a second a tracker follows one face: 478 landmarks with 1 pixel of noise, a head that turns and a mouth
// that opens and closes, on one thread. Run after `npm run build`:
//
//     node bench/track.mjs [FRAMES] [--json]
import { syntheticObservation } from '../dist/cli/syntheticObservation.js'
import { configureCpu, SphereFaceModel } from '../dist/index.js'
import { Random } from '../dist/random.js'
import { median } from './measure.mjs'

const count = Number(process.argv.find((argument) => /^\d+$/.test(argument)) ?? 600)
/** Frames that are timed together. */
const CHUNK = 50
const SCHEME = 'mediapipe478'

configureCpu({ threads: 1 })
const model = await SphereFaceModel.load()
const fitter = await model.createFitter()
const frames = await video()

/** Milliseconds a frame: of the clock, and of the processor. */
const times = { clock: [], cpu: [] }
const tracker = fitter.createTracker()
for (let first = 0; first < frames.length; first += CHUNK) {
  const chunk = frames.slice(first, first + CHUNK)
  const start = performance.now()
  const used = process.cpuUsage()
  for (const frame of chunk) await tracker.track(frame)
  const { user, system } = process.cpuUsage(used)
  times.clock.push((performance.now() - start) / chunk.length)
  times.cpu.push((user + system) / 1000 / chunk.length)
}
// As a single fit of each frame would be: the tracker's own share is what is above that.
const alone = []
for (const frame of frames.slice(0, 200)) {
  const start = performance.now()
  await fitter.fit(frame)
  alone.push(performance.now() - start)
}
fitter.dispose()
model.dispose()

const report = {
  frames: count,
  framesPerSecond: {
    best: 1000 / Math.min(...times.clock),
    median: 1000 / median(times.clock),
    ofTheProcessor: 1000 / median(times.cpu),
  },
  singleFit: { best: Math.min(...alone), median: median(alone) },
}
if (process.argv.includes('--json')) console.log(JSON.stringify(report))
else {
  const { best, median: usual, ofTheProcessor } = report.framesPerSecond
  console.log(
    `${count} frames: ${best.toFixed(0)} frames/s at best, ${usual.toFixed(0)} in the median, ` +
      `${ofTheProcessor.toFixed(0)} by the processor's time; a single fit ${report.singleFit.median.toFixed(2)} ms`,
  )
}

/** One person: the head turns to both sides in four seconds of 30 frames, the mouth moves twice as fast. */
async function video() {
  const scheme = model.data.schemes.get(SCHEME)
  const random = new Random(1)
  const [person] = model.sample({ count: 1, seed: 7 })
  const wave = (t, period) => Math.sin((2 * Math.PI * t) / period)
  const shots = Array.from({ length: count }, (_, t) => ({
    identity: person.identity,
    expression: { jawOpen: 0.3 + 0.3 * wave(t, 60) },
  }))
  const landmarks = await model.decode(shots, { scheme: SCHEME })
  const camera = { type: 'perspective', focal: 1400, principal: [640, 360] }
  return shots.map((_, t) => {
    const own = landmarks.subarray(3 * scheme.count * t, 3 * scheme.count * (t + 1))
    const view = { yaw: 20 * wave(t, 120), pitch: 5 * wave(t, 90), roll: 3, distance: 700, camera }
    const observation = syntheticObservation(own, scheme, view)
    const noisy = observation.points.map((point) =>
      point === null ? null : point.map((value) => value + random.normal()),
    )
    return { ...observation, points: noisy, noise: 1 }
  })
}
