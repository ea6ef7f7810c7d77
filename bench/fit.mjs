// Fitting faces drawn from the model, seen with noise in many poses: one thread, then all.

import { syntheticObservation } from '../dist/cli/syntheticObservation.js'
import { configureCpu, devices } from '../dist/index.js'
import { Random } from '../dist/random.js'
import { race } from './measure.mjs'

const FACES = 256
const NOISE = 1.5 // pixels at about 2 pixels a millimetre

/** 256 faces with expressions, yaw within 45 degrees, at a focal length of 1400 pixels. */
export async function syntheticFaces(model, scheme, seed = 1) {
  const random = new Random(seed)
  const spread = (range) => (2 * random.uniform() - 1) * range
  const latents = model.sample({ count: FACES, seed, expressionScale: 1 })
  const { count } = model.data.schemes.get(scheme)
  const landmarks = await model.decode(latents, { scheme })
  return latents.map((_, i) => {
    const view = {
      yaw: spread(45),
      pitch: spread(20),
      roll: spread(20),
      distance: 700,
      camera: { type: 'perspective', focal: 1400, principal: [640, 360] },
    }
    const face = landmarks.subarray(i * count * 3, (i + 1) * count * 3)
    const observation = syntheticObservation(face, model.data.schemes.get(scheme), view)
    const points = observation.points.map((p) =>
      p === null ? null : p.map((value) => value + NOISE * random.normal()),
    )
    return { ...observation, points }
  })
}

export async function benchFit(model) {
  const threads = devices()[0].threads
  const fitter = await model.createFitter()
  const comparing = await model.createFitter({ posterior: true })
  const rows = []
  for (const scheme of ['ibug68', 'mediapipe478']) {
    const known = await syntheticFaces(model, scheme)
    const estimated = known.map(({ camera: _, ...rest }) => rest)
    for (const [focal, observations] of [
      ['known', known],
      ['estimated', estimated],
    ]) {
      for (const count of threads > 1 ? [1, threads] : [1]) {
        configureCpu({ threads: count })
        const results = await fitter.fit(observations)
        const { batch, posterior } = await race({
          batch: () => fitter.fit(observations),
          posterior: () => comparing.fit(observations),
        })
        // Face after face: some take twice as long as others.
        let next = 0
        const { single } = await race({ single: () => fitter.fit(observations[next++ % FACES]) }, { leastRuns: FACES })
        const times = { batch, posterior, single }
        rows.push({
          scheme,
          focal,
          threads: count,
          faces: FACES,
          times,
          millisecondsAFace: times.batch.median / FACES,
          meanIterations: results.reduce((sum, { iterations }) => sum + iterations, 0) / FACES,
          usable: results.filter(({ usable }) => usable).length,
          rmse: Math.sqrt(results.reduce((sum, { rmse }) => sum + rmse ** 2, 0) / FACES),
        })
      }
    }
  }
  configureCpu({ threads })
  return rows
}
