import type { Camera } from '../fit/FitResult.js'
import type { CameraInput, Observation } from '../fit/Observation.js'
import type { LandmarkScheme } from '../model/ModelData.js'

/** How a drawn face is looked at. */
export interface View {
  /** Degrees, as in a result's pose: positive to the image's left. */
  yaw: number
  /** Degrees; positive up. */
  pitch: number
  /** Degrees; positive clockwise in the image. */
  roll: number
  /** mm from the camera, along its axis; of no meaning to a weak camera. */
  distance: number
  camera: Camera
}

/**
 * What a camera sees of a face's landmarks, exact to rounding, where the scheme's detector puts them: for benchmarks and
 * examples.
 *
 * @param landmarks [L,3] mm, in model space, as decode returns them for a scheme; its offsets are added.
 * @returns An observation with its image, of twice the principal point, and all that is known of the camera.
 * @example
 * const scheme = model.data.schemes.get('ibug68')
 * const landmarks = await model.decode(latents, { scheme: 'ibug68' })
 * const camera = { type: 'perspective', focal: 1200, principal: [320, 240] }
 * const observation = syntheticObservation(landmarks, scheme, { yaw: 30, pitch: 0, roll: 0, distance: 700, camera })
 */
export function syntheticObservation(landmarks: Float32Array, scheme: LandmarkScheme, view: View): Observation {
  const { camera, distance } = view
  const [right, down, forward] = rotationOf(view)
  const points = Array.from({ length: scheme.count }, (_, l) => {
    if (isAbsent(scheme, l)) return null
    const point = [0, 1, 2].map((a) => landmarks[l * 3 + a]! + (scheme.offset?.[l * 3 + a] ?? 0))
    const along = (axis: Vector) => axis.reduce((sum, value, i) => sum + value * point[i]!, 0)
    const scale = camera.type === 'weak' ? camera.scale : camera.focal / (along(forward) + distance)
    return [scale * along(right) + camera.principal[0], scale * along(down) + camera.principal[1]]
  })
  const [width, height] = camera.principal.map((centre) => Math.round(2 * centre)) as [number, number]
  const known: CameraInput = { type: camera.type, principal: camera.principal }
  if (camera.type === 'perspective') known.focal = camera.focal
  return { image: { width, height }, scheme: scheme.name, points, camera: known }
}

type Vector = [number, number, number]

/** Landmarks that the model does not have carry no weight. */
function isAbsent({ weights }: LandmarkScheme, landmark: number): boolean {
  return weights.subarray(landmark * 3, landmark * 3 + 3).every((weight) => weight === 0)
}

/** Rows of the rotation from model to camera: nod, then turn, then the flip of axes, then tilt in the image. */
function rotationOf({ yaw, pitch, roll }: View): [Vector, Vector, Vector] {
  const [cy, sy] = cosSin(-yaw)
  const [cp, sp] = cosSin(pitch)
  const [cr, sr] = cosSin(roll)
  const turned: [Vector, Vector, Vector] = [
    [cy, -sy * sp, sy * cp],
    [0, cp, sp],
    [-sy, -cy * sp, cy * cp],
  ]
  const [right, up, front] = turned
  const x = right
  const y = up.map((value) => -value) as Vector
  const z = front.map((value) => -value) as Vector
  return [
    x.map((value, i) => cr * value - sr * y[i]!) as Vector,
    x.map((value, i) => sr * value + cr * y[i]!) as Vector,
    z,
  ]
}

function cosSin(degrees: number): [number, number] {
  const radians = (degrees * Math.PI) / 180
  return [Math.cos(radians), Math.sin(radians)]
}
