// Draws the picture of docs/photos.md into docs/images, or a folder given: photos with the landmarks that were found in
// them, and the fitted faces over them. The first photo is a real one; the others are other people of the model who wear
// its colours, in poses that are known. Run after `npm run build` and `npm run peers`.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { encodePng, FaceDetector, faceMesh, photoTexture, readPhoto, render, SphereFaceModel } from '../dist/index.js'

const root = new URL('../', import.meta.url)
const folder = process.argv[2] ?? fileURLToPath(new URL('docs/images', root))
const [TILE, GAP] = [256, 8]

const model = await SphereFaceModel.load()
const fitter = await model.createFitter()
const detector = await FaceDetector.load()

const { pixels: portrait } = await readPhoto(new URL('examples/photos/astronaut.png', root))
const [face] = await detector.detect(portrait)
const fitted = await fitter.fit(face)
const texture = photoTexture(await faceMesh(model, fitted, 'portrait'), fitted, portrait)

/** People in poses: yaw, pitch, roll in degrees, and an expression. */
const POSES = [
  [-45, 0, 0, {}],
  [-30, 10, -8, { mouthSmile_L: 0.8, mouthSmile_R: 0.8 }],
  [0, -12, 12, { jawOpen: 0.6 }],
  [30, 5, 20, { browInnerUp_L: 0.8, browInnerUp_R: 0.8 }],
  [45, -5, 0, { mouthPucker: 0.7 }],
]
const people = model.sample({ count: POSES.length, seed: 12 })
const drawn = await Promise.all(
  POSES.map(async ([yaw, pitch, roll, expression], i) => {
    const mesh = await faceMesh(model, { identity: people[i].identity, expression }, 'person')
    return render({ ...mesh, texture, view: { yaw, pitch, roll } }, { width: 512, background: [120, 132, 140, 255] })
  }),
)

const rows = [[], []]
for (const photo of [portrait, ...drawn]) {
  const [found] = await detector.detect(photo)
  const result = await fitter.fit(found)
  const mesh = await faceMesh(model, result, 'face')
  const region =
    photo === portrait ? { x: 130, y: 8, width: 200, height: 200 } : { x: 0, y: 0, width: 512, height: 512 }
  const seen = { view: result, photo, region, width: TILE }
  rows[0].push(render(mesh, { ...seen, opacity: 0, landmarks: found.points }))
  rows[1].push(render(mesh, seen))
  console.log(`yaw ${result.pose.yaw.toFixed(0)}, RMSE ${result.rmse.toFixed(2)} px`)
}

/** Pictures of one size in rows. */
function grid(rows) {
  const width = rows[0].length * (TILE + GAP) - GAP
  const height = rows.length * (TILE + GAP) - GAP
  const data = new Uint8Array(4 * width * height).fill(255)
  for (const [j, row] of rows.entries())
    for (const [i, tile] of row.entries())
      for (let y = 0; y < TILE; y++)
        data.set(
          tile.data.subarray(4 * y * TILE, 4 * (y + 1) * TILE),
          4 * ((j * (TILE + GAP) + y) * width + i * (TILE + GAP)),
        )
  return { width, height, data }
}
await writeFile(join(folder, 'photos.png'), await encodePng(grid(rows)))

await detector.dispose()
fitter.dispose()
model.dispose()
