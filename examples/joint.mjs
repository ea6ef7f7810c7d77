// One person from several photos, one of which is of somebody else; then the same person in a video that cuts away.
import { SphereFaceModel } from 'sphere-face-model'

const FOCAL = 1200
const model = await SphereFaceModel.load()
const [alice, bob] = model.sample({ count: 2, seed: 4 })

const fitter = await model.createFitter()
const photos = [-35, -20, 0, 15, 30, 40].map((yaw, i) => look(i === 3 ? bob : alice, yaw, i / 10))
const person = await fitter.fitJoint(photos)
const singles = await fitter.fit(photos)
console.log(person.message)
console.log(`of somebody else: photo ${person.outlier_images.map((i) => i + 1).join(', ')}`)
console.log(`unsure by ${degrees(singles[0])} from one photo, by ${degrees(person)} from all`)

const tracker = fitter.createTracker()
for (let frame = 0; frame < 60; frame++) {
  const tracked = await tracker.track(look(frame < 40 ? alice : bob, 20 * Math.sin(frame / 8)))
  if (tracked.restart) console.log(`frame ${frame}: ${tracked.restart}`)
  if (frame % 13 === 0)
    console.log(`frame ${frame}: yaw ${tracked.pose.yaw.toFixed(1)}°, unsure by ${degrees(tracked)}`)
}
fitter.dispose()
model.dispose()

/** What a landmark detector sees of a face: here the model's own, in place of pictures. */
function look({ identity }, yaw, jawOpen = 0) {
  const [sine, cosine] = [Math.sin((yaw * Math.PI) / 180), Math.cos((yaw * Math.PI) / 180)]
  const rotation = [cosine, 0, sine, 0, -1, 0, sine, 0, -cosine]
  const face = { identity, expression: { jawOpen }, pose: { rotation, translation: [0, 0, 600] } }
  const xyz = model.decodeSync([face], { scheme: 'mediapipe478', posed: true })
  // Without the irises, which the model does not have.
  const points = Array.from({ length: 468 }, (_, l) => {
    const [x, y, z] = xyz.subarray(3 * l, 3 * l + 3)
    return [(FOCAL * x) / z + 640, (FOCAL * y) / z + 360]
  })
  return { scheme: 'mediapipe478', image: { width: 1280, height: 720 }, points, noise: 1.5, camera: { focal: FOCAL } }
}

function degrees({ identity_uncertainty }) {
  return `${((identity_uncertainty * 180) / Math.PI).toFixed(1)}°`
}
