// Compares faces: one person's landmarks in two schemes, and those of others.
import { readFile } from 'node:fs/promises'
import { compare, SphereFaceModel } from 'sphere-face-model'

const read = async (name) => readFile(new URL(`landmarks/${name}`, import.meta.url), 'utf8')
const astronaut = JSON.parse(await read('astronaut.ibug68.json'))
const again = JSON.parse(await read('astronaut.mediapipe478.json'))
const others = (await read('drawn.jsonl'))
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line))

const model = await SphereFaceModel.load()
const fitter = await model.createFitter()
const [first, ...rest] = await fitter.fit([astronaut, again, ...others])

for (const other of rest) {
  const { cosine, angle } = compare(first, other)
  console.log(`${first.id} and ${other.id}: cosine ${cosine.toFixed(3)}, ${((angle * 180) / Math.PI).toFixed(0)}°`)
}

fitter.dispose()
model.dispose()
