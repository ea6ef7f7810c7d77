// What a sliding contour is worth: people of the model in known poses, 68 landmarks with noise, their jaw either on the
// outline of the face as it is seen, or where it is on the skin. The figures of docs/fitting.md are from here:
//
//     node bench/contour.mjs [PEOPLE] [--json] [FACES.jsonl]
//
// FACES.jsonl: faces in large poses with `ibug68` landmarks and `yaw_label`.
import { readFileSync } from 'node:fs'
import { headRotation } from '../dist/corpus/synthetic/pose.js'
import { boxSize } from '../dist/evaluate/faceScale.js'
import { SlidingContour } from '../dist/fit/contour/SlidingContour.js'
import { SphereFaceModel } from '../dist/index.js'
import { Random } from '../dist/random.js'
import { compareShapes, mean } from './shapes.mjs'

const JAW = 17
const NOISE = 1 // pixels, at about 400 pixels of face
const FOCAL = 1200
const CENTRE = 320
const DISTANCE = 600

const count = Number(process.argv.find((argument) => /^\d+$/.test(argument)) ?? 40)
const file = process.argv.slice(2).find((argument) => argument.endsWith('.jsonl'))
const model = await SphereFaceModel.load()
const [sliding, fixed] = await Promise.all([true, false].map((slideContour) => model.createFitter({ slideContour })))
const { triangles, region, metadata } = model.data
const scheme = model.data.schemes.get('ibug68')
const WAYS = {
  'points of the skin': (observations) => fixed.fit(observations),
  'slides where it is seen to': (observations) => sliding.fit(observations),
  'without the jaw': (observations) =>
    fixed.fit(observations.map((each) => ({ ...each, confidence: each.points.map((_, l) => (l < JAW ? 0 : 1)) }))),
}

/** Vertices of what annotators follow: cheeks, temples and chin, but neither nose nor mouth. */
const onCheeks = Array.from(region, (place) => ['face', 'head', 'brows'].includes(metadata.regionNames[place]))

/** The landmarks of a face as a camera sees it, without noise; `outline`: those of the jaw's far side where it is seen. */
function landmarksOf(vertices, yaw, pitch, outline) {
  const rotation = headRotation(yaw, pitch, 0)
  const see = (point) => {
    const [x, y, z] = [0, 1, 2].map((row) => point.reduce((sum, value, a) => sum + rotation[3 * row + a] * value, 0))
    return [x, y].map((value) => (FOCAL * value) / (z + DISTANCE) + CENTRE)
  }
  const vertex = (v) => [0, 1, 2].map((axis) => vertices[3 * v + axis])
  const on = Array.from({ length: scheme.count }, (_, l) => {
    const corners = [0, 1, 2].map((corner) => 3 * l + corner)
    return [0, 1, 2].map((axis) =>
      corners.reduce(
        (sum, corner) => sum + scheme.weights[corner] * vertices[3 * scheme.indices[corner] + axis],
        scheme.offset[3 * l + axis],
      ),
    )
  })
  const points = on.map(see)
  if (!outline || yaw === 0) return points
  // The outermost of the far cheek at the same height in the picture.
  const far = -Math.sign(yaw)
  const seen = Array.from(onCheeks, (cheek, v) => (cheek && far * vertices[3 * v] > 0 ? see(vertex(v)) : undefined))
  for (const [l, point] of points.slice(0, JAW).entries()) {
    if (far * on[l][0] < 5) continue
    for (let corner = 0; corner < triangles.length; corner++) {
      const [a, b] = [triangles[corner], triangles[corner - (corner % 3) + ((corner + 1) % 3)]]
      const [from, to] = [seen[a], seen[b]]
      if (!from || !to || Math.max(vertices[3 * a + 2], vertices[3 * b + 2]) < on[l][2] - 5) continue
      const share = (point[1] - from[1]) / (to[1] - from[1])
      if (!(share >= 0 && share <= 1)) continue
      const x = from[0] + share * (to[0] - from[0])
      // A yaw to the picture's left turns the left of the picture away.
      if (yaw > 0 ? x < point[0] : x > point[0]) point[0] = x
    }
  }
  return points
}

async function benchPeople(outline, focalKnown) {
  const people = model.sample({ count, seed: 11, expressionScale: 1 })
  const rows = []
  for (const yaw of [0, 20, 40, 60, 75]) {
    const random = new Random(3)
    const observations = []
    const truths = []
    for (const { identity, expression } of people)
      for (const side of yaw === 0 ? [0] : [yaw, -yaw]) {
        const vertices = await model.decode({ identity, expression })
        const points = landmarksOf(vertices, side, 20 * random.uniform() - 10, outline)
        observations.push({
          scheme: 'ibug68',
          image: { width: 2 * CENTRE, height: 2 * CENTRE },
          points: points.map((point) => point.map((value) => value + NOISE * random.normal())),
          ...(focalKnown && { camera: { focal: FOCAL } }),
        })
        truths.push(await model.decode({ identity }))
      }
    for (const [way, fit] of Object.entries(WAYS)) {
      const results = await fit(observations)
      const shapes = await Promise.all(
        results.map(async ({ identity }, i) => compareShapes(model.data, await model.decode({ identity }), truths[i])),
      )
      rows.push({
        yaw,
        way,
        usable: results.filter(({ usable }) => usable).length / results.length,
        distance: mean(shapes.map(({ distance }) => distance)),
        width: 100 * mean(shapes.map(({ width }) => width)),
        turned: mean(results.map(({ pose }) => Math.abs(pose.yaw) - yaw)),
      })
    }
  }
  return rows
}

/** Faces that were annotated by hand: whether their jaw slides, and what it does to the fits. */
async function benchFaces(path) {
  const faces = readFileSync(path, 'utf8').trim().split('\n').map(JSON.parse)
  const [slid, skin] = await Promise.all([sliding.fit(faces), fixed.fit(faces)])
  // As if every jaw were on the outline, whatever it looks like.
  const contour = new SlidingContour({ data: model.data })
  const moved = faces.map((face, i) => {
    const turned = contour.at(scheme, skin[i].pose.yaw)
    model.data.schemes.set(turned.name, turned)
    return { ...face, scheme: turned.name }
  })
  const outline = await fixed.fit(moved)
  const middle = (values) => [...values].sort((a, b) => a - b)[values.length >> 1]
  return [0, 30, 60].map((low) => {
    const chosen = [...faces.keys()].filter((i) => {
      const yaw = Math.abs(faces[i].yaw_label)
      return yaw >= low && (low === 60 || yaw < low + 30)
    })
    const error = (results) => middle(chosen.map((i) => (100 * results[i].rmse) / boxSize(faces[i])))
    const found = chosen.filter((i) => slid[i].cost.final !== skin[i].cost.final).length
    return { yaw: low, faces: chosen.length, found, slides: error(slid), skin: error(skin), outline: error(outline) }
  })
}

const report = { people: {}, faces: file ? await benchFaces(file) : undefined }
for (const outline of [true, false])
  for (const focalKnown of [true, false])
    report.people[`jaw ${outline ? 'on the outline' : 'on the skin'}, focal length ${focalKnown ? '' : 'not '}known`] =
      await benchPeople(outline, focalKnown)
for (const fitter of [sliding, fixed]) fitter.dispose()
model.dispose()

if (process.argv.includes('--json')) console.log(JSON.stringify(report))
else {
  for (const [name, rows] of Object.entries(report.people)) {
    console.log(name)
    for (const { yaw, way, usable, distance, width, turned } of rows)
      console.log(
        `  yaw ${yaw}, ${way}: ${distance.toFixed(2)} mm, width ${width.toFixed(1)}%, yaw off by ${turned.toFixed(1)}, ${(100 * usable).toFixed(0)}% usable`,
      )
  }
  for (const { yaw, faces, found, slides, skin, outline } of report.faces ?? [])
    console.log(
      `${faces} real faces, yaw from ${yaw}: RMSE ${slides.toFixed(2)}% of the size, ${found} found on the outline; ` +
        `all of the skin ${skin.toFixed(2)}%, all on the outline ${outline.toFixed(2)}%`,
    )
}
