// Fits a 3D face to the landmarks of a photo, and prints what came out.
import { readFile } from 'node:fs/promises'
import { SphereFaceModel } from 'sphere-face-model'

const file = new URL('landmarks/astronaut.ibug68.json', import.meta.url)
const observation = JSON.parse(await readFile(file, 'utf8'))

const model = await SphereFaceModel.load()
const fitter = await model.createFitter()
const result = await fitter.fit(observation)

console.log(`${result.id}: ${result.status} after ${result.iterations} iterations, ${result.rmse.toFixed(2)} px off`)
const { yaw, pitch, roll } = result.pose
console.log(`yaw ${yaw.toFixed(1)}°, pitch ${pitch.toFixed(1)}°, roll ${roll.toFixed(1)}°`)
const strongest = Object.entries(result.expression).sort((a, b) => b[1] - a[1])
console.log(
  strongest
    .slice(0, 3)
    .map(([name, value]) => `${name} ${value.toFixed(2)}`)
    .join(', '),
)

const vertices = await model.decode(result)
console.log(`${vertices.length / 3} vertices; the first at (${vertices.slice(0, 3).map(Math.round).join(', ')}) mm`)

fitter.dispose()
model.dispose()
