// Draws faces from the model, and opens the mouth of one.
import { SphereFaceModel } from 'sphere-face-model'

const model = await SphereFaceModel.load()
const faces = model.sample({ count: 3, seed: 7 })

// One call for all: [3,N,3] mm, one face after the other.
const vertices = await model.decode(faces)
const size = model.vertexCount * 3
for (const [i] of faces.entries()) {
  const face = vertices.subarray(i * size, (i + 1) * size)
  console.log(`face ${i + 1}: ${extent(face, 0)} mm wide, ${extent(face, 1)} mm high`)
}

const [{ identity }] = faces
const open = await model.decode({ identity, expression: { jawOpen: 1 } })
const closed = await model.decode({ identity })
console.log(`opening the mouth moves the chin by up to ${largestStep(open, closed).toFixed(1)} mm`)
model.dispose()

function extent(face, axis) {
  const values = face.filter((_, i) => i % 3 === axis)
  return Math.round(values.reduce((a, b) => Math.max(a, b)) - values.reduce((a, b) => Math.min(a, b)))
}

function largestStep(a, b) {
  let largest = 0
  for (let i = 0; i < a.length; i += 3) {
    largest = Math.max(largest, Math.hypot(a[i] - b[i], a[i + 1] - b[i + 1], a[i + 2] - b[i + 2]))
  }
  return largest
}
