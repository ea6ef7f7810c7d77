// Shows a fitted face: over its photo, as a textured mesh, turned, and as a page for the browser. Writes to a folder,
// `outputs` by default.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PNG } from 'pngjs'
import {
  arkitWeights,
  encodePng,
  encodeViewer,
  faceMesh,
  photoTexture,
  render,
  SphereFaceModel,
  writeMesh,
} from 'sphere-face-model'

const folder = process.argv[2] ?? 'outputs'
const examples = new URL('.', import.meta.url)
const observation = JSON.parse(await readFile(new URL('landmarks/astronaut.mediapipe478.json', examples), 'utf8'))
// Any decoder will do that gives RGBA, upright.
const photo = PNG.sync.read(await readFile(new URL('photos/astronaut.png', examples)))

const model = await SphereFaceModel.load()
const fitter = await model.createFitter()
const result = await fitter.fit(observation)
await mkdir(folder, { recursive: true })
const savePicture = async (name, picture) => writeFile(join(folder, name), await encodePng(picture))

// Over the photo, through the camera of the fit.
const mesh = await faceMesh(model, result, 'astronaut')
const { points: landmarks } = observation
await savePicture('overlay.png', render(mesh, { view: result, photo, region: 'faces' }))
await savePicture('landmarks.png', render(mesh, { view: result, photo, region: 'faces', opacity: 0, landmarks }))

// With the photo's colours, from sides that the camera did not see.
const texture = photoTexture(mesh, result, photo)
const textured = { ...mesh, texture }
const turned = [-45, 0, 45].map((yaw) => ({ ...textured, view: { yaw } }))
await savePicture('textured.png', render(turned, { width: 1200, height: 400 }))
await writeMesh('glb', join(folder, 'astronaut.glb'), textured)

// Other people, and a page with all of them: open it in a browser.
const drawn = model.sample({ count: 8, seed: 21 })
const meshes = await Promise.all(drawn.map((latents, i) => faceMesh(model, latents, `drawn ${i + 1}`)))
await savePicture(
  'drawn.png',
  render(
    meshes.map((each, i) => ({ ...each, view: { yaw: i % 2 === 0 ? -30 : 20 } })),
    { width: 1200, height: 600 },
  ),
)
const faces = [
  { name: 'Astronaut', latents: result, texture, photo: { picture: photo, view: result } },
  ...drawn.slice(0, 3).map((latents, i) => ({ name: `Drawn ${i + 1}`, latents })),
]
await writeFile(join(folder, 'faces.html'), await encodeViewer(model, faces))

const { mouthSmileLeft, mouthSmileRight } = arkitWeights(result)
console.log(`${folder}: pictures, astronaut.glb, faces.html`)
console.log(
  `of ARKit's weights: mouthSmileLeft ${mouthSmileLeft.toFixed(2)}, mouthSmileRight ${mouthSmileRight.toFixed(2)}`,
)

fitter.dispose()
model.dispose()
