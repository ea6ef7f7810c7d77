// What photos take, and how good their faces are: the times of each step from a photo to a textured GLB, and people of
// the model drawn in known poses, found by the detector and fitted. Run after `npm run build` and `npm run peers`:
//
//     node bench/photos.mjs [PEOPLE] [--json]
import { readFileSync } from 'node:fs'
import { headRotation } from '../dist/corpus/synthetic/pose.js'
import { encodeMesh, FaceDetector, faceMesh, photoTexture, readPhoto, render, SphereFaceModel } from '../dist/index.js'
import { loadPeer } from '../dist/photos/peers.js'
import { compareShapes } from './shapes.mjs'

const sharp = loadPeer('sharp')
const count = Number(process.argv.find((argument) => /^\d+$/.test(argument)) ?? 12)
const REPEATS = 10

const begin = performance.now()
const [model, detector] = await Promise.all([SphereFaceModel.load(), FaceDetector.load()])
const fitter = await model.createFitter()
const report = { loading: performance.now() - begin, times: {}, poses: {} }

const portrait = readFileSync(new URL('../examples/photos/astronaut.png', import.meta.url))
const jpeg = (width, height) =>
  sharp(portrait).resize(width, height, { fit: 'cover', position: 'top' }).jpeg({ quality: 90 }).toBuffer()
const photos = { '512 x 512': portrait, '1920 x 1080': await jpeg(1920, 1080), '4032 x 3024': await jpeg(4032, 3024) }

for (const [name, bytes] of Object.entries(photos)) {
  const times = { decode: [], detect: [], fit: [], mesh: [], texture: [], glb: [], 'all together': [] }
  for (let i = 0; i < REPEATS; i++) {
    const start = performance.now()
    let last = start
    const lap = (step) => {
      const now = performance.now()
      times[step].push(now - last)
      last = now
    }
    const photo = await readPhoto(bytes)
    lap('decode')
    const faces = await detector.detect(photo)
    lap('detect')
    const [result] = await fitter.fit(faces)
    lap('fit')
    const mesh = await faceMesh(model, result, 'face')
    lap('mesh')
    const texture = photoTexture(mesh, result, photo.pixels)
    lap('texture')
    await encodeMesh('glb', { ...mesh, texture })
    lap('glb')
    times['all together'].push(last - start)
  }
  report.times[name] = Object.fromEntries(
    Object.entries(times).map(([step, values]) => [step, { best: Math.min(...values), median: median(values) }]),
  )
}

/** The outline of the face in `mediapipe478`. */
const CONTOUR = [
  10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136,
  172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
]
/** mm to the subject's left, of each landmark in the mean face. */
const ASIDE = model
  .decodeSync({ identity: model.data.identityPriorMean }, { scheme: 'mediapipe478' })
  .filter((_, i) => i % 3 === 0)
/** mm: landmarks further from the middle of the face are hidden in large poses. */
const HIDDEN = 15

const [SIZE, FOCAL, DISTANCE] = [640, 1200, 600]
const people = model.sample({ count, seed: 11 })

for (const yaw of [0, 20, 40, 60]) {
  const row = {
    faces: 0,
    found: 0,
    usable: 0,
    rmse: [],
    yaw: [],
    shape: [],
    width: [],
    shapeWithout: [],
    widthWithout: [],
    shapeNear: [],
    widthNear: [],
  }
  for (const side of yaw === 0 ? [0] : [yaw, -yaw])
    for (const { identity } of people) {
      row.faces++
      const pose = { rotation: headRotation(side, 0, 0), translation: [0, 0, DISTANCE] }
      const camera = { type: 'perspective', focal: FOCAL, principal: [SIZE / 2, SIZE / 2] }
      const mesh = await faceMesh(model, { identity }, 'person')
      const region = { x: 0, y: 0, width: SIZE, height: SIZE }
      const picture = render(
        { ...mesh, view: { pose, camera } },
        { width: SIZE, region, background: [92, 104, 116, 255] },
      )
      const [face] = await detector.detect(picture)
      if (!face) continue
      row.found++
      const seen = { ...face, camera: { focal: FOCAL } }
      const result = await fitter.fit(seen)
      row.usable += result.usable ? 1 : 0
      const [right, left] = [33, 263].map((corner) => face.points[corner])
      // As far from each other as they were without the turn.
      const eyes = Math.hypot(right[0] - left[0], right[1] - left[1]) / Math.cos((yaw * Math.PI) / 180)
      row.rmse.push((100 * result.rmse) / eyes)
      row.yaw.push(Math.abs(result.pose.yaw) - yaw)
      const truth = await model.decode({ identity })
      const measure = async ({ identity: fitted }) =>
        compareShapes(model.data, await model.decode({ identity: fitted }), truth)
      const own = await measure(result)
      row.shape.push(own.distance)
      row.width.push(100 * own.width)
      const confidence = Float32Array.from(face.points, (_, i) => (CONTOUR.includes(i) ? 0 : 1))
      const without = await measure(await fitter.fit({ ...seen, confidence }))
      row.shapeWithout.push(without.distance)
      row.widthWithout.push(100 * without.width)
      // A yaw to the picture's left turns the right side away.
      const hidden = (i) => (side > 0 ? ASIDE[i] < -HIDDEN : ASIDE[i] > HIDDEN)
      const visible = Float32Array.from(face.points, (_, i) => (side !== 0 && hidden(i) ? 0 : 1))
      const near = await measure(await fitter.fit({ ...seen, confidence: visible }))
      row.shapeNear.push(near.distance)
      row.widthNear.push(100 * near.width)
    }
  report.poses[yaw] = {
    faces: row.faces,
    found: row.found,
    usable: row.usable,
    rmse: median(row.rmse),
    yaw: median(row.yaw),
    shape: median(row.shape),
    width: median(row.width),
    shapeWithout: median(row.shapeWithout),
    widthWithout: median(row.widthWithout),
    shapeNear: median(row.shapeNear),
    widthNear: median(row.widthNear),
  }
}

if (process.argv.includes('--json')) console.log(JSON.stringify(report))
else {
  console.log(`loading: ${report.loading.toFixed(0)} ms`)
  for (const [name, times] of Object.entries(report.times)) {
    const texts = Object.entries(times).map(
      ([step, { best, median }]) => `${step} ${best.toFixed(1)} (${median.toFixed(1)})`,
    )
    console.log(`${name}, best (median) ms: ${texts.join(', ')}`)
  }
  console.log(
    'yaw: found and usable of faces; RMSE, % of the eyes; yaw error; mean distance of the shape, mm, and its width, %',
  )
  for (const [yaw, row] of Object.entries(report.poses)) {
    const shape = (distance, width) => `${distance.toFixed(2)} mm, ${width.toFixed(1)}%`
    console.log(
      `${yaw}: ${row.found} and ${row.usable} of ${row.faces}; ${row.rmse.toFixed(2)}; ${row.yaw.toFixed(1)}; ` +
        `${shape(row.shape, row.width)}; without the contour ${shape(row.shapeWithout, row.widthWithout)}; ` +
        `without the side turned away ${shape(row.shapeNear, row.widthNear)}`,
    )
  }
}

await detector.dispose()
fitter.dispose()
model.dispose()

function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[sorted.length >> 1]
}
