import { IRIS_ORDER, IRIS_START, LEFT_EYE, MIRRORED_IRIS_ORDER, RIGHT_EYE } from './eyeContours.js'
import { EYE_POINTS, INPUT, MESH_POINTS, type Networks } from './Networks.js'
import type { Pyramid } from './Pyramid.js'
import { pointOfSquare, type Square, squareAround } from './Square.js'

/** A face's landmarks, in the order of `mediapipe478`. */
export interface LocatedFace {
  /** [478] x and y, pixels. */
  points: Array<[number, number]>
  /** 0..1: how sure the network is that it was shown a face. */
  presence: number
}

/** Face Mesh has learned from faces with a quarter of their size around them. */
const MARGIN = 1.5

/** The iris model has learned from squares of this many eye widths. */
const EYE_MARGIN = 2.3

/** An eye is seen well enough for the iris model unless it is this much narrower than the other, as in profile. */
const NARROW_EYE = 0.6

/** Below this the network says that there is no face. */
const LEAST_PRESENCE = 0.5

/**
 * Finds the landmarks of a face.
 *
 * Face Mesh looks twice: first where the detector saw a face, then where the landmarks are, turned with them; its
 * second answer hardly depends on how good the detector's box was. Then the iris model refines the eyes.
 *
 * @param square Around the face, as the detector saw it.
 * @returns Undefined where Face Mesh sees no face.
 */
export function locateLandmarks(networks: Networks, picture: Pyramid, square: Square): LocatedFace | undefined {
  const first = runMesh(networks, picture, { ...square, side: MARGIN * square.side })
  const second = runMesh(networks, picture, squareAround(first.points, tiltOf(first.points), MARGIN))
  if (second.presence < LEAST_PRESENCE) return undefined
  refineEyes(networks, picture, second.points)
  return second
}

function runMesh(networks: Pick<Networks, 'mesh'>, picture: Pyramid, square: Square): LocatedFace {
  const face = picture.sample(square, { size: INPUT.mesh, range: [0, 1], outside: 'border' })
  const { points, presence } = networks.mesh(face)
  return { points: inPicture(points, square, INPUT.mesh, MESH_POINTS), presence }
}

/**
 * Puts the iris model's points in the place of Face Mesh's, and the irises behind them. An eye that is hardly seen
 * keeps what Face Mesh made of it, with an iris in its middle: the iris model then sees what it has never learned from.
 */
function refineEyes(networks: Pick<Networks, 'eyes'>, picture: Pyramid, points: Array<[number, number]>): void {
  const angle = tiltOf(points)
  const eyes = [RIGHT_EYE, LEFT_EYE].map((contours) => {
    const corners = contours.corners.map((corner) => points[corner] as [number, number])
    // The model knows the subject's right eye; a left one is shown in the mirror.
    return { contours, square: squareAround(corners, angle, EYE_MARGIN), mirrored: contours === LEFT_EYE }
  })
  const samples = INPUT.eyes ** 2 * 3
  const inputs = new Float32Array(eyes.length * samples)
  for (const [i, { square, mirrored }] of eyes.entries()) {
    const sampling = { size: INPUT.eyes, range: [0, 1], outside: 'border', mirrored } as const
    inputs.set(picture.sample(square, sampling), i * samples)
  }
  const output = networks.eyes(inputs, eyes.length)
  const widest = Math.max(...eyes.map(({ square }) => square.side))
  for (const [i, { contours, square, mirrored }] of eyes.entries()) {
    const numbers = output.subarray(i * EYE_POINTS * 3, (i + 1) * EYE_POINTS * 3)
    const found = inPicture(numbers, square, INPUT.eyes, EYE_POINTS, mirrored)
    const seen = square.side >= NARROW_EYE * widest
    if (seen) for (const [j, landmark] of contours.points.entries()) points[landmark] = found[j] as [number, number]
    for (const [j, from] of (mirrored ? MIRRORED_IRIS_ORDER : IRIS_ORDER).entries())
      points[contours.iris + j] = seen ? (found[IRIS_START + from] as [number, number]) : [square.x, square.y]
  }
}

/** How much a face is tilted, radians, clockwise: the line between the outer corners of its eyes. */
export function tiltOf(points: ReadonlyArray<readonly [number, number]>): number {
  const [right, left] = [RIGHT_EYE, LEFT_EYE].map(({ corners }) => points[corners[0]] as [number, number]) as [
    [number, number],
    [number, number],
  ]
  return Math.atan2(left[1] - right[1], left[0] - right[0])
}

/** A network's points, [count, 3] in samples of a square, in the picture. */
function inPicture(
  numbers: Float32Array,
  square: Square,
  size: number,
  count: number,
  mirrored = false,
): Array<[number, number]> {
  const sign = mirrored ? -1 : 1
  return Array.from({ length: count }, (_, i) => {
    const u = (numbers[3 * i] as number) / size - 0.5
    const v = (numbers[3 * i + 1] as number) / size - 0.5
    return pointOfSquare(square, sign * u, v)
  })
}
