import type { CameraInput, FaceInfo, ImageInfo, Observation } from '../fit/Observation.js'
import { unexpected } from './unexpected.js'

/**
 * Checks one record of a landmark file (docs/landmarks.md) and returns it as an observation.
 *
 * Only the form is checked here. Whether the model has the scheme, and whether the points suffice for a fit, is for the
 * fitter to say. Unknown fields are left out, so that files may carry notes of their own; an optional field that is
 * `null` counts as absent, as many writers have no other way to say so.
 *
 * @param value What JSON.parse returned for the record.
 * @returns A new object; its `points` and `confidence` are the record's own arrays, not copies.
 * @throws SfmError INVALID_INPUT naming the field, what was expected and what was received.
 * @example
 * const observation = parseObservation({ scheme: 'ibug68', points: [[179.63, 101.4], null] })
 */
export function parseObservation(value: unknown): Observation {
  if (!isRecord(value)) throw unexpected('', 'an object with "scheme" and "points"', value)
  const observation: Observation = {
    scheme: text('scheme', value.scheme, 'the name of a landmark scheme, such as "ibug68"'),
    points: points(value.points),
  }
  if (value.id != null) observation.id = text('id', value.id, 'a string that is not empty')
  if (value.subject != null) observation.subject = text('subject', value.subject, 'a string that is not empty')
  if (value.image != null) observation.image = image(value.image)
  if (value.confidence != null) observation.confidence = confidence(value.confidence, observation.points.length)
  if (value.noise != null) observation.noise = positive('noise', value.noise, 'a positive number')
  if (value.camera != null) observation.camera = camera(value.camera)
  if (value.face != null) observation.face = face(value.face)
  return observation
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function text(path: string, value: unknown, expected: string): string {
  if (typeof value !== 'string' || value === '') throw unexpected(path, expected, value)
  return value
}

function points(value: unknown): Array<number[] | null> {
  if (!Array.isArray(value) || value.length === 0)
    throw unexpected('points', 'an array with one point a landmark', value)
  let width = 0
  for (const [i, point] of value.entries()) {
    if (point === null) continue
    // The first point there is decides between pixels and millimetres for all.
    const fits =
      Array.isArray(point) && (width === 0 ? point.length === 2 || point.length === 3 : point.length === width)
    if (!fits) throw unexpected(`points[${i}]`, width === 3 ? '[x, y, z] or null' : '[x, y] or null', point)
    width = point.length
    for (let axis = 0; axis < width; axis++) {
      if (!Number.isFinite(point[axis])) throw unexpected(`points[${i}][${axis}]`, 'a finite number', point[axis])
    }
  }
  return value
}

function image(value: unknown): ImageInfo {
  if (!isRecord(value)) throw unexpected('image', '{ "width": pixels, "height": pixels }', value)
  const size = { width: positive('image.width', value.width), height: positive('image.height', value.height) }
  if (value.file == null) return size
  return { ...size, file: text('image.file', value.file, 'the name of a file') }
}

function face(value: unknown): FaceInfo {
  if (!isRecord(value)) throw unexpected('face', '{ "box": [left, top, width, height], "score" }', value)
  const { box, score } = value
  if (!Array.isArray(box) || box.length !== 4) throw unexpected('face.box', '[left, top, width, height]', box)
  for (const [i, side] of box.entries()) {
    if (!Number.isFinite(side)) throw unexpected(`face.box[${i}]`, 'a finite number', side)
  }
  if (typeof score !== 'number' || !(score >= 0 && score <= 1))
    throw unexpected('face.score', 'a number in 0..1', score)
  return { box: [...box] as FaceInfo['box'], score }
}

function confidence(value: unknown, count: number): number[] {
  if (!Array.isArray(value) || value.length !== count) {
    throw unexpected('confidence', `an array of ${count}, one number a point`, value)
  }
  for (const [i, c] of value.entries()) {
    if (typeof c !== 'number' || !(c >= 0 && c <= 1)) throw unexpected(`confidence[${i}]`, 'a number in 0..1', c)
  }
  return value
}

function camera(value: unknown): CameraInput {
  if (!isRecord(value)) throw unexpected('camera', '{ "type", "focal", "principal" }', value)
  const camera: CameraInput = {}
  if (value.type != null) {
    if (value.type !== 'perspective' && value.type !== 'weak') {
      throw unexpected('camera.type', '"perspective" or "weak"', value.type)
    }
    camera.type = value.type
  }
  if (value.focal != null) camera.focal = positive('camera.focal', value.focal)
  if (value.principal != null) camera.principal = principal(value.principal)
  return camera
}

function principal(value: unknown): [number, number] {
  if (!Array.isArray(value) || value.length !== 2) throw unexpected('camera.principal', '[x, y]', value)
  for (const [axis, v] of value.entries()) {
    if (!Number.isFinite(v)) throw unexpected(`camera.principal[${axis}]`, 'a finite number', v)
  }
  return [value[0], value[1]]
}

function positive(path: string, value: unknown, expected = 'a positive number of pixels'): number {
  if (typeof value !== 'number' || !(value > 0 && value < Infinity)) {
    throw unexpected(path, expected, value)
  }
  return value
}
