// Draws the synthetic faces of examples/landmarks: hard poses, seen exactly, by a detector with the habits that the
// embedded model knows, but for the rounding to a hundredth of a pixel. Deterministic; needs the package built. Run it when the model changes:
//
//     node scripts/make-examples.mjs [DIR]
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { syntheticObservation } from '../dist/cli/syntheticObservation.js'
import { SphereFaceModel } from '../dist/index.js'

const SEED = 2024
const folder = process.argv[2] ?? fileURLToPath(new URL('../examples/landmarks', import.meta.url))

const hd = { type: 'perspective', focal: 1500, principal: [640, 360] }
const square = { type: 'perspective', focal: 700, principal: [256, 256] }
const smile = { mouthSmile_L: 0.8, mouthSmile_R: 0.7, cheekSquint_L: 0.4, cheekSquint_R: 0.4 }
const shout = { jawOpen: 0.8, browInnerUp_L: 0.6, browInnerUp_R: 0.6, eyeWide_L: 0.5, eyeWide_R: 0.5 }

/** `hidden` are landmarks that something covers; `focal: false` leaves the focal length for the fit to estimate. */
const FACES = [
  { id: 'far-left', scheme: 'ibug68', yaw: 75, distance: 700, camera: hd },
  { id: 'far-right-smiling', scheme: 'mediapipe478', yaw: -70, pitch: 8, distance: 800, camera: hd, expression: smile },
  { id: 'shouting-upwards', scheme: 'ibug68', yaw: -15, pitch: 30, distance: 500, camera: square, expression: shout },
  { id: 'lying-on-the-side', scheme: 'ibug68', yaw: 25, pitch: -12, roll: 80, distance: 650, camera: hd, focal: false },
  { id: 'hand-before-the-mouth', scheme: 'ibug68', yaw: -30, distance: 600, camera: square, hidden: [5, 11, 48, 68] },
  {
    id: 'far-away',
    scheme: 'ibug68',
    yaw: 40,
    pitch: 15,
    roll: -20,
    distance: 0,
    camera: { type: 'weak', scale: 0.9, principal: [320, 240] },
    expression: smile,
  },
]

// Of the variant that saw no photo: its faces are asymmetric, as faces are.
const model = await SphereFaceModel.load(new URL('../models/sphere-face-model-scans-only.safetensors', import.meta.url))
const embedded = await SphereFaceModel.load()
const draws = model.sample({ count: FACES.length + 1, seed: SEED })
const observations = []
for (const [i, { id, yaw = 0, pitch = 0, roll = 0, distance, camera, expression = {}, ...how }] of FACES.entries()) {
  const latents = { identity: draws[i].identity, expression }
  const observation = await observe(latents, how.scheme, { yaw, pitch, roll, distance, camera })
  observation.points = observation.points.map((point, l) => (covers(how.hidden, l) ? null : rounded(point)))
  if (how.focal === false) delete observation.camera.focal
  observations.push({ id, ...observation })
}
await mkdir(folder, { recursive: true })
await writeFile(join(folder, 'drawn.jsonl'), observations.map((each) => `${JSON.stringify(each)}\n`).join(''))
await writeFile(join(folder, 'drawn-frontal.pts'), await frontal(draws[FACES.length]))
model.dispose()
embedded.dispose()

async function observe(latents, scheme, view) {
  return syntheticObservation(await model.decode(latents, { scheme }), embedded.data.schemes.get(scheme), view)
}

/** From, to, and again from, to. */
function covers(ranges = [], landmark) {
  for (let i = 0; i < ranges.length; i += 2) if (landmark >= ranges[i] && landmark < ranges[i + 1]) return true
  return false
}

function rounded(point) {
  return point === null ? null : point.map((value) => Math.round(value * 100) / 100)
}

/** A face from the front in the form of the 300-W data sets, which count pixels from 1 at their centres. */
async function frontal(latents) {
  const view = { yaw: 3, pitch: -5, roll: 2, distance: 600, camera: square }
  const { points } = await observe({ identity: latents.identity, expression: smile }, 'ibug68', view)
  const rows = points.map((point) => point.map((value) => (value + 0.5).toFixed(3)).join(' '))
  return ['version: 1', `n_points: ${points.length}`, '{', ...rows, '}', ''].join('\n')
}
