import type { Camera } from '../fit/FitResult.js'
import type { CameraInput, Observation } from '../fit/Observation.js'
import type { LandmarkScheme } from '../model/ModelData.js'

/** How a drawn face is looked at. */
export interface View {
  /** Degrees; positive to the subject's own left. */
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
 * The landmarks that a camera sees of a decoded face, exact to rounding: for benchmarks and examples.
 *
 * @param vertices [N,3] mm, in model space, as decode returns them.
 * @returns An observation with its image, of twice the principal point, and all that is known of the camera.
 * @example
 * const camera = { type: 'perspective', focal: 1200, principal: [320, 240] }
 * const view = { yaw: 30, pitch: 0, roll: 0, distance: 700, camera }
 * const observation = syntheticObservation(await model.decode(latents), model.data.schemes.get('ibug68'), view)
 */
export function syntheticObservation(vertices: Float32Array, scheme: LandmarkScheme, view: View): Observation {
  const { camera } = view
  const rotation = rotationOf(view)
  const points = landmarks(vertices, scheme).map((landmark) => {
    if (landmark === null) return null
    const [x, y, z] = rotation.map(
      (row) => row[0] * landmark[0] + row[1] * landmark[1] + row[2] * landmark[2],
    ) as Vector
    const scale = camera.type === 'weak' ? camera.scale : camera.focal / (z + view.distance)
    return [scale * x + camera.principal[0], scale * y + camera.principal[1]]
  })
  const [width, height] = camera.principal.map((centre) => Math.round(2 * centre)) as [number, number]
  const known: CameraInput = { type: camera.type, principal: camera.principal }
  if (camera.type === 'perspective') known.focal = camera.focal
  return { image: { width, height }, scheme: scheme.name, points, camera: known }
}

type Vector = [number, number, number]

/** Points of the mesh; null for those which the model does not have. */
function landmarks(vertices: Float32Array, { count, indices, weights }: LandmarkScheme): Array<Vector | null> {
  return Array.from({ length: count }, (_, l) => {
    const point: Vector = [0, 0, 0]
    let total = 0
    for (let corner = 0; corner < 3; corner++) {
      const weight = weights[l * 3 + corner]!
      const at = indices[l * 3 + corner]! * 3
      total += weight
      for (let axis = 0; axis < 3; axis++) point[axis]! += weight * vertices[at + axis]!
    }
    return total === 0 ? null : point
  })
}

/** Rows of the rotation from model to camera: nod, then turn, then the flip of axes, then tilt in the image. */
function rotationOf({ yaw, pitch, roll }: View): [Vector, Vector, Vector] {
  const [cy, sy] = cosSin(yaw)
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
