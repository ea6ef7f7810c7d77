import { headRotation } from '../corpus/synthetic/pose.js'
import { invalidArgument } from '../errors.js'
import type { Camera } from '../fit/FitResult.js'

/** A face as a camera saw it: where it is before which camera. A fit result is one, unless its landmarks were a scan's. */
export interface FitView {
  /** Model space to camera space: row-major rotation [9], translation [3] in mm. */
  pose: { rotation: ArrayLike<number>; translation: ArrayLike<number> }
  camera: Camera | null
}

/** A head before a camera of our own, turned by angles in degrees as those of a pose; 0 is the front. */
export interface Turn {
  /** To the picture's left. */
  yaw?: number
  /** Up. */
  pitch?: number
  /** Clockwise in the picture. */
  roll?: number
}

/** A camera and a pose with all their numbers. */
export interface ResolvedView {
  rotation: ArrayLike<number>
  translation: ArrayLike<number>
  camera: Camera
}

/** A part of a camera's image, in its pixels; what of it lies outside of the image is empty. */
export interface Region {
  x: number
  y: number
  width: number
  height: number
}

/** mm from the camera to the head in views of our own: far enough for the nose not to look large. */
const DISTANCE = 1200

/** How much of the half of a cell's shorter side a head takes. */
const FILLING = 0.94

/** mm: nothing is drawn that is nearer to the camera. */
const NEAREST = 1

/**
 * Checks a fit's view.
 *
 * @throws SfmError INVALID_ARGUMENT naming what is missing or is no number.
 */
export function resolveFitView({ pose, camera }: FitView, name: string): ResolvedView {
  if (typeof camera !== 'object' || camera === null)
    throw invalidArgument(`${name}.camera`, 'a camera; fits of scans, and failed ones, have none', camera)
  checkNumbers(pose?.rotation, 9, `${name}.pose.rotation`)
  checkNumbers(pose.translation, 3, `${name}.pose.translation`)
  checkNumbers(camera.principal, 2, `${name}.camera.principal`)
  const size = camera.type === 'weak' ? camera.scale : camera.focal
  if (!(size > 0 && size < Infinity)) throw invalidArgument(`${name}.camera`, 'a focal length or scale above 0', size)
  return { rotation: pose.rotation, translation: pose.translation, camera }
}

/**
 * A view of our own that shows a whole head in a cell of a picture, from whatever side.
 *
 * @param vertices [N,3] of the head.
 */
export function framed(vertices: Float32Array, { yaw = 0, pitch = 0, roll = 0 }: Turn, cell: Region): ResolvedView {
  for (const [name, angle] of Object.entries({ yaw, pitch, roll }))
    if (!Number.isFinite(angle)) throw invalidArgument(`view.${name}`, 'an angle in degrees', angle)
  const [low, high] = bounds(vertices, 3)
  const centre = low.map((value, axis) => (value + high[axis]!) / 2)
  // Of a sphere around the head, so that it keeps its size while it turns.
  let radius = 0
  for (let i = 0; i < vertices.length; i += 3) {
    const square = (axis: number) => (vertices[i + axis]! - centre[axis]!) ** 2
    radius = Math.max(radius, Math.sqrt(square(0) + square(1) + square(2)))
  }
  radius ||= 1
  const distance = Math.max(DISTANCE, 2 * radius)
  const focal = (FILLING / 2) * Math.min(cell.width, cell.height) * Math.sqrt((distance / radius) ** 2 - 1)
  const rotation = headRotation(yaw, pitch, roll)
  const along = (row: number) => centre.reduce((sum, value, axis) => sum + rotation[row * 3 + axis]! * value, 0)
  return {
    rotation,
    translation: [-along(0), -along(1), distance - along(2)],
    camera: { type: 'perspective', focal, principal: [cell.x + cell.width / 2, cell.y + cell.height / 2] },
  }
}

/** Vertices as a camera sees them. */
export interface Projection {
  /** [N,3] mm, in camera space. */
  space: Float32Array
  /**
   * [N,3] x and y in pixels of the image, and how near: the larger, the nearer, and linear over a triangle's picture.
   * NaN where a vertex is not before the camera.
   */
  image: Float32Array
}

/** Vertices [N,3] in mm, of model space, as a camera sees them. */
export function project(vertices: Float32Array, { rotation, translation, camera }: ResolvedView): Projection {
  const [r0, r1, r2, r3, r4, r5, r6, r7, r8] = Array.from(rotation) as number[] as Nine
  const [tx, ty, tz] = Array.from(translation) as [number, number, number]
  const [cx, cy] = camera.principal
  const space = new Float32Array(vertices.length)
  const image = new Float32Array(vertices.length)
  const weak = camera.type === 'weak'
  for (let i = 0; i < vertices.length; i += 3) {
    const [x, y, z] = [vertices[i]!, vertices[i + 1]!, vertices[i + 2]!]
    const px = r0 * x + r1 * y + r2 * z + tx
    const py = r3 * x + r4 * y + r5 * z + ty
    const pz = r6 * x + r7 * y + r8 * z + tz
    space[i] = px
    space[i + 1] = py
    space[i + 2] = pz
    const scale = weak ? camera.scale : pz > NEAREST ? camera.focal / pz : Number.NaN
    image[i] = scale * px + cx
    image[i + 1] = scale * py + cy
    // One over the depth is linear in a perspective picture, the depth itself in a weak one.
    image[i + 2] = weak ? -pz : 1 / pz
  }
  return { space, image }
}

/** Directions [N,3] of model space in camera space. */
export function turn(directions: Float32Array, rotation: ArrayLike<number>): Float32Array {
  const turned = new Float32Array(directions.length)
  for (let i = 0; i < directions.length; i += 3)
    for (let row = 0; row < 3; row++)
      turned[i + row] =
        rotation[row * 3]! * directions[i]! +
        rotation[row * 3 + 1]! * directions[i + 1]! +
        rotation[row * 3 + 2]! * directions[i + 2]!
  return turned
}

/**
 * The square around faces in an image.
 *
 * @param images [N,3] of {@link project}.
 * @param margin How much larger than the faces: 0.25 leaves an eighth of the side on each.
 */
export function squareAround(images: readonly Float32Array[], margin = 0.25): Region {
  const boxes = images.map((image) => bounds(image, 3))
  const [left, top] = [0, 1].map((axis) => Math.min(...boxes.map(([low]) => low[axis]!))) as [number, number]
  const [right, bottom] = [0, 1].map((axis) => Math.max(...boxes.map(([, high]) => high[axis]!))) as [number, number]
  const side = Math.max(right - left, bottom - top, 1e-3) * (1 + margin)
  return { x: (left + right - side) / 2, y: (top + bottom - side) / 2, width: side, height: side }
}

/** The least and the largest of each of `width` coordinates; NaN left out. */
export function bounds(points: Float32Array, width: number): [low: number[], high: number[]] {
  const low = Array<number>(width).fill(Number.POSITIVE_INFINITY)
  const high = Array<number>(width).fill(Number.NEGATIVE_INFINITY)
  for (let i = 0; i < points.length; i += width)
    for (let axis = 0; axis < width; axis++) {
      const value = points[i + axis]!
      if (value < low[axis]!) low[axis] = value
      if (value > high[axis]!) high[axis] = value
    }
  return [low, high]
}

type Nine = [number, number, number, number, number, number, number, number, number]

function checkNumbers(values: ArrayLike<number>, count: number, name: string): void {
  if (typeof values !== 'object' || values === null || values.length !== count)
    throw invalidArgument(name, `${count} numbers`, values)
  for (let i = 0; i < count; i++)
    if (!Number.isFinite(values[i])) throw invalidArgument(`${name}[${i}]`, 'a finite number', values[i])
}
