import { invalidArgument, SfmError } from '../errors.js'
import type { LandmarkScheme } from '../model/ModelData.js'
import { isNumbers, type Numbers, numbersFrom } from '../numbers.js'
import type { CameraInput, FaceInfo, Observation } from './Observation.js'

/** An observation in the one form that the native side takes: checked here, once. */
export interface PackedObservation {
  scheme: LandmarkScheme
  /** 2 for an image's landmarks, 3 for a scan's. */
  dimensions: 2 | 3
  weak: boolean
  /** [L*dimensions]; NaN where missing. */
  points: Float64Array
  /** [L] or null: all 1. */
  confidence: Float32Array | null
  /** Focal length, principal point x and y, image size, noise; NaN where unknown. */
  camera: [number, number, number, number, number]
}

/** MediaPipe's face mesh comes with and without the ten points of the irises, which no model has. */
export const SHORT_FORMS: Readonly<Record<string, number>> = { mediapipe478: 468 }

/**
 * Checks an observation against the model's schemes and packs it.
 *
 * @param name What the observation is called in messages.
 * @param defaults Camera and focal length of observations that do not say.
 * @throws SfmError INVALID_ARGUMENT, UNKNOWN_SCHEME
 */
export function packObservation(
  observation: Observation,
  schemes: ReadonlyMap<string, LandmarkScheme>,
  defaults: { camera: 'perspective' | 'weak'; focal: number | undefined },
  name: string,
): PackedObservation {
  if (typeof observation !== 'object' || observation === null)
    throw invalidArgument(name, 'an object with "scheme" and "points"', observation)
  for (const label of ['id', 'subject'] as const)
    if (observation[label] != null && typeof observation[label] !== 'string')
      throw invalidArgument(`${name}.${label}`, 'a string', observation[label])
  requireFace(observation.face, `${name}.face`)
  const scheme = schemeOf(observation, schemes, name)
  const { dimensions, points } = packPoints(observation.points, scheme, `${name}.points`)
  const confidence = packConfidence(observation.confidence, scheme, `${name}.confidence`)
  const type = cameraType(observation.camera, defaults.camera, `${name}.camera`)
  return {
    scheme,
    dimensions,
    weak: type === 'weak',
    points,
    confidence,
    camera: packCamera(observation, defaults.focal, name),
  }
}

/**
 * The scheme that one observation or many name.
 *
 * @throws SfmError INVALID_ARGUMENT, UNKNOWN_SCHEME
 */
export function schemeOf(
  { scheme }: { scheme: string },
  schemes: ReadonlyMap<string, LandmarkScheme>,
  name: string,
): LandmarkScheme {
  if (typeof scheme !== 'string') throw invalidArgument(`${name}.scheme`, 'the name of a landmark scheme', scheme)
  const found = schemes.get(scheme)
  if (found) return found
  const known = [...schemes.keys()].join(', ')
  throw new SfmError(
    'UNKNOWN_SCHEME',
    `${name}.scheme: the model has no scheme ${JSON.stringify(scheme)}; it has ${known}`,
  )
}

function requireFace(face: FaceInfo | undefined, name: string): void {
  if (face === undefined || face === null) return
  if (typeof face !== 'object') throw invalidArgument(name, 'an object with "box" and "score"', face)
  const { box, score } = face
  if (!Array.isArray(box) || box.length !== 4 || !box.every(Number.isFinite))
    throw invalidArgument(`${name}.box`, '[left, top, width, height]', box)
  if (!(score >= 0 && score <= 1)) throw invalidArgument(`${name}.score`, 'a number from 0 to 1', score)
}

function packPoints(
  from: Observation['points'],
  scheme: LandmarkScheme,
  name: string,
): { dimensions: 2 | 3; points: Float64Array } {
  if (isNumbers(from)) return packFlat(from, scheme, name)
  if (!Array.isArray(from)) throw invalidArgument(name, 'an array of points', from)
  const count = scheme.count
  const length = from.length
  if (length !== count && length !== SHORT_FORMS[scheme.name])
    throw invalidArgument(name, `${count} points, as ${scheme.name} has`, from)
  let dimensions = 0
  let points = new Float64Array(0)
  for (let i = 0; i < length; i++) {
    const point = from[i] as readonly number[] | null
    if (point === null) continue
    if (dimensions === 0) {
      // The first point there is says which kind they all are.
      dimensions = Array.isArray(point) ? point.length : 0
      if (dimensions !== 2 && dimensions !== 3)
        throw invalidArgument(`${name}[${i}]`, '[x, y], [x, y, z] or null', point)
      points = new Float64Array(count * dimensions).fill(Number.NaN)
    }
    if (!Array.isArray(point) || point.length !== dimensions)
      throw invalidArgument(`${name}[${i}]`, dimensions === 2 ? '[x, y] or null' : '[x, y, z] or null', point)
    const x = point[0] as number
    const y = point[1] as number
    points[i * dimensions] = finite(x, name, i, 0)
    points[i * dimensions + 1] = finite(y, name, i, 1)
    if (dimensions === 3) points[i * 3 + 2] = finite(point[2] as number, name, i, 2)
  }
  // Without a single point there is nothing to tell the kind by, and nothing to fit: an image's will do.
  if (dimensions === 0) return { dimensions: 2, points: new Float64Array(count * 2).fill(Number.NaN) }
  return { dimensions: dimensions as 2 | 3, points }
}

function finite(value: number, name: string, point: number, axis: number): number {
  if (!Number.isFinite(value)) throw invalidArgument(`${name}[${point}][${axis}]`, 'a finite number', value)
  return value
}

function packFlat(
  from: Numbers,
  { count, name: scheme }: LandmarkScheme,
  name: string,
): { dimensions: 2 | 3; points: Float64Array } {
  const numbers = numbersFrom(Float64Array, from, name, 'numbers')
  const kind = ([2, 3] as const).find(
    (d) => numbers.length === d * count || numbers.length === d * SHORT_FORMS[scheme]!,
  )
  if (kind === undefined)
    throw invalidArgument(name, `${2 * count} or ${3 * count} numbers, as ${scheme} has ${count} landmarks`, numbers)
  const infinite = numbers.findIndex((value) => Math.abs(value) === Number.POSITIVE_INFINITY)
  if (infinite >= 0)
    throw invalidArgument(`${name}[${infinite}]`, 'a finite number, or NaN for a missing point', numbers[infinite])
  const points = new Float64Array(count * kind).fill(Number.NaN)
  points.set(numbers)
  return { dimensions: kind, points }
}

function packConfidence(
  from: ArrayLike<number> | undefined,
  scheme: LandmarkScheme,
  name: string,
): Float32Array | null {
  if (from === undefined || from === null) return null
  const length = typeof from === 'object' ? from.length : undefined
  if (length === undefined || (length !== scheme.count && length !== SHORT_FORMS[scheme.name]))
    throw invalidArgument(name, `${scheme.count} numbers`, from)
  const confidence = new Float32Array(scheme.count)
  for (let i = 0; i < length; i++) {
    const value = from[i] as number
    if (!Number.isFinite(value) || value < 0 || value > 1)
      throw invalidArgument(`${name}[${i}]`, 'a number from 0 to 1', value)
    confidence[i] = value
  }
  return confidence
}

function cameraType(camera: CameraInput | undefined, fallback: 'perspective' | 'weak', name: string) {
  if (camera === undefined || camera === null) return fallback
  if (typeof camera !== 'object') throw invalidArgument(name, 'an object', camera)
  const { type = fallback } = camera
  if (type !== 'perspective' && type !== 'weak') throw invalidArgument(`${name}.type`, "'perspective' or 'weak'", type)
  return type
}

function packCamera(
  { camera, image, noise }: Observation,
  defaultFocal: number | undefined,
  name: string,
): PackedObservation['camera'] {
  let size = Number.NaN
  let centre: readonly [number, number] = [Number.NaN, Number.NaN]
  if (image !== undefined && image !== null) {
    if (typeof image !== 'object') throw invalidArgument(`${name}.image`, 'an object with "width" and "height"', image)
    positive(image.width, `${name}.image.width`)
    positive(image.height, `${name}.image.height`)
    if (image.file != null && typeof image.file !== 'string')
      throw invalidArgument(`${name}.image.file`, 'the name of a file', image.file)
    size = Math.max(image.width, image.height)
    centre = [image.width / 2, image.height / 2]
  }
  const focal = camera?.focal ?? defaultFocal ?? Number.NaN
  if (camera?.focal !== undefined && camera.focal !== null) positive(camera.focal, `${name}.camera.focal`)
  const principal = camera?.principal
  if (principal !== undefined && principal !== null) {
    if (!Array.isArray(principal) || principal.length !== 2 || !principal.every(Number.isFinite))
      throw invalidArgument(`${name}.camera.principal`, '[x, y]', principal)
    centre = principal as readonly [number, number]
  }
  if (noise !== undefined && noise !== null) positive(noise, `${name}.noise`)
  return [focal, centre[0], centre[1], size, noise ?? Number.NaN]
}

function positive(value: unknown, name: string): void {
  if (!Number.isFinite(value) || (value as number) <= 0) throw invalidArgument(name, 'a positive number', value)
}
