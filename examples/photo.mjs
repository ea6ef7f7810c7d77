// From a photo to its faces: finds them, fits them, and shows each over the photo and with its colours. Needs the
// optional packages of docs/photos.md.
//
//     node examples/photo.mjs [PHOTO] [FOLDER]
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  encodePng,
  FaceDetector,
  faceMesh,
  photoTexture,
  readPhoto,
  render,
  SphereFaceModel,
  writeMesh,
} from 'sphere-face-model'

const source = process.argv[2] ?? new URL('photos/astronaut.png', import.meta.url)
const folder = process.argv[3] ?? 'faces'

const model = await SphereFaceModel.load()
const fitter = await model.createFitter()
const detector = await FaceDetector.load()

const photo = await readPhoto(source)
const faces = await detector.detect(photo)
const results = await fitter.fit(faces)
console.log(`${photo.width} x ${photo.height} pixels, faces: ${results.length}`)

await mkdir(folder, { recursive: true })
for (const [i, result] of results.entries()) {
  const { pose, rmse, usable, message } = result
  if (!usable) {
    console.log(`face ${i}: ${message}`)
    continue
  }
  const mesh = await faceMesh(model, result, `face ${i}`)
  const overlay = render(mesh, { view: result, photo: photo.pixels, region: 'faces' })
  await writeFile(join(folder, `face-${i}.png`), await encodePng(overlay))
  await writeMesh('glb', join(folder, `face-${i}.glb`), { ...mesh, texture: photoTexture(mesh, result, photo.pixels) })
  console.log(`face ${i}: yaw ${pose.yaw.toFixed(0)}°, landmarks off by ${rmse.toFixed(2)} px`)
}

await detector.dispose()
fitter.dispose()
model.dispose()
