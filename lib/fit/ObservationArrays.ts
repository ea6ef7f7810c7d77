import { invalidArgument } from '../errors.js'
import type { LandmarkScheme } from '../model/ModelData.js'
import { isNumbers, type Numbers, numbersFrom } from '../numbers.js'
import type { ImageInfo } from './Observation.js'
import { type PackedObservation, SHORT_FORMS, schemeOf } from './packObservation.js'

/**
 * The landmarks of B faces of one scheme as flat arrays: what `Fitter.fit` takes as objects, for callers with so many faces that
 * objects matter. What is one number, or one image, counts for all faces.
 */
export interface ObservationArrays {
  /** A scheme of the model, with L landmarks. */
  scheme: string
  /**
   * [B,L,2] pixels, or [B,L,3] mm; NaN in either coordinate marks a missing point. Of `mediapipe478`, L may be 468, without
   * the irises.
   */
  points: Numbers
  /** B. */
  count: number
  /** [B,L] from 0 to 1, as in an observation. */
  confidence?: Numbers
  /** The image's size in pixels, or [B,2] of them, width and height. */
  image?: Pick<ImageInfo, 'width' | 'height'> | Numbers
  /** The kind of camera (default: the fitter's). */
  camera?: 'perspective' | 'weak'
  /** The focal length in pixels, or [B] of them, NaN where it is to be estimated; estimated without it. */
  focal?: number | Numbers
  /** The principal point, or [B,2] of them; the image's centre without it. */
  principal?: readonly [number, number] | Numbers
  /** Standard deviation of a good landmark, pixels or mm, or [B] of them, NaN where the fitter's is to be taken. */
  noise?: number | Numbers
}

/** Observations in the form that the native side takes, many side by side. */
export interface PackedArrays extends Pick<PackedObservation, 'scheme' | 'dimensions' | 'weak'> {
  count: number
  /** [B,L,dimensions] */
  points: Float64Array
  /** [B,L] or null: all 1. */
  confidence: Float32Array | null
  /** [B,5] */
  cameras: Float64Array
}

/** Numbers of a face among a batch's cameras. */
const CAMERA = { focal: 0, principal: 1, imageSize: 3, noise: 4, size: 5 } as const

/**
 * Checks arrays of observations and packs them.
 *
 * @param keeps Whether the points are needed after this turn of the event loop. They are copied then; otherwise they may be the
 *   caller's memory still, which the native side copies.
 * @param defaults Camera and focal length where the arrays do not say.
 * @throws SfmError INVALID_ARGUMENT naming the array, what it should hold and what it holds; UNKNOWN_SCHEME
 */
export function packArrays(
  from: ObservationArrays,
  schemes: ReadonlyMap<string, LandmarkScheme>,
  defaults: { camera: 'perspective' | 'weak'; focal: number | undefined },
  keeps: (scheme: LandmarkScheme) => boolean,
): PackedArrays {
  if (typeof from !== 'object' || from === null || Array.isArray(from))
    throw invalidArgument('observations', 'an object with "scheme", "points" and "count"', from)
  const { count, camera = defaults.camera } = from
  const scheme = schemeOf(from, schemes, 'observations')
  if (!Number.isSafeInteger(count) || count < 0)
    throw invalidArgument('observations.count', 'the number of faces', count)
  if (camera !== 'perspective' && camera !== 'weak')
    throw invalidArgument('observations.camera', "'perspective' or 'weak'", camera)
  const { points, dimensions } = packPoints(from.points, count, scheme, keeps(scheme))
  return {
    scheme,
    dimensions,
    weak: camera === 'weak',
    count,
    points,
    confidence: packConfidence(from.confidence, count, scheme),
    cameras: packCameras(from, count, defaults.focal),
  }
}

/** Some faces of a batch, from the first on. */
export function sliceArrays(batch: PackedArrays, first: number, end: number): PackedArrays {
  const { scheme, dimensions, points, confidence, cameras } = batch
  const width = scheme.count * dimensions
  return {
    ...batch,
    count: end - first,
    points: points.subarray(first * width, end * width),
    confidence: confidence?.subarray(first * scheme.count, end * scheme.count) ?? null,
    cameras: cameras.subarray(first * CAMERA.size, end * CAMERA.size),
  }
}

/** One face of a batch. */
export function observationAt(batch: PackedArrays, i: number): PackedObservation {
  const { scheme, dimensions, weak, points, confidence, cameras } = sliceArrays(batch, i, i + 1)
  return { scheme, dimensions, weak, points, confidence, camera: [...cameras] as PackedObservation['camera'] }
}

/** As numbersFrom, without a copy where there need not be one; what a subclass says is not believed here either. */
function viewNumbers(from: unknown, name: string, expected: string): Float64Array {
  const plain = from instanceof Float64Array && Object.getPrototypeOf(from) === Float64Array.prototype
  if (!plain || from.length === 0) return numbersFrom(Float64Array, from, name, expected)
  return new Float64Array(from.buffer, from.byteOffset, from.length)
}

/** How many landmarks a face of a scheme may come with. */
function landmarkCounts({ count, name }: LandmarkScheme): number[] {
  const short = SHORT_FORMS[name]
  return short === undefined ? [count] : [count, short]
}

function packPoints(from: unknown, count: number, scheme: LandmarkScheme, keeps: boolean) {
  const name = 'observations.points'
  const form = 'a Float32Array or Float64Array of [count, landmarks, 2 or 3]'
  const numbers = keeps ? numbersFrom(Float64Array, from, name, form) : viewNumbers(from, name, form)
  const kinds = ([2, 3] as const).flatMap((dimensions) =>
    landmarkCounts(scheme).map((landmarks) => ({ dimensions, width: landmarks * dimensions })),
  )
  const kind = kinds.find(({ width }) => numbers.length === count * width)
  if (kind === undefined) {
    const { count: landmarks, name: schemeName } = scheme
    const expected = `${count} times ${2 * landmarks} or ${3 * landmarks} numbers, as ${schemeName} has ${landmarks} landmarks`
    throw invalidArgument(name, expected, numbers)
  }
  for (let i = 0; i < numbers.length; i++)
    if (Math.abs(numbers[i] as number) === Number.POSITIVE_INFINITY)
      throw invalidArgument(`${name}[${i}]`, 'a finite number, or NaN for a missing point', numbers[i])
  const { dimensions, width } = kind
  const wide = scheme.count * dimensions
  const points = width === wide ? numbers : new Float64Array(count * wide).fill(Number.NaN)
  if (points !== numbers) spread(numbers, width, points, wide)
  return { dimensions, points }
}

/** Rows of `width` numbers to the beginnings of rows of `wide`. */
function spread(rows: Float64Array, width: number, to: Float64Array | Float32Array, wide: number): void {
  for (let from = 0, at = 0; from < rows.length; from += width, at += wide)
    to.set(rows.subarray(from, from + width), at)
}

function packConfidence(from: unknown, count: number, scheme: LandmarkScheme): Float32Array | null {
  if (from === undefined || from === null) return null
  const name = 'observations.confidence'
  const numbers = numbersFrom(Float64Array, from, name, 'a Float32Array or Float64Array of [count, landmarks]')
  const width = landmarkCounts(scheme).find((landmarks) => numbers.length === count * landmarks)
  if (width === undefined) throw invalidArgument(name, `${count} times ${scheme.count} numbers`, numbers)
  for (let i = 0; i < numbers.length; i++) {
    const value = numbers[i] as number
    // Written so that NaN fails.
    if (!(value >= 0 && value <= 1)) throw invalidArgument(`${name}[${i}]`, 'a number from 0 to 1', value)
  }
  const confidence = new Float32Array(count * scheme.count)
  spread(numbers, width, confidence, scheme.count)
  return confidence
}

function packCameras(from: ObservationArrays, count: number, defaultFocal: number | undefined): Float64Array {
  const cameras = new Float64Array(count * CAMERA.size).fill(Number.NaN)
  const { image, principal, noise } = from
  const focal = from.focal ?? defaultFocal
  if (image !== undefined && image !== null) {
    const expected = 'an object with a positive "width" and "height", or [count, 2] of these'
    const given = isNumbers(image) || typeof image !== 'object' ? image : [image.width, image.height]
    const sizes = perFace(given, 2, count, 'observations.image', expected, isPositive)
    for (let i = 0; i < count; i++) {
      const [width, height] = [sizes(i, 0), sizes(i, 1)]
      cameras.set([width / 2, height / 2, Math.max(width, height)], i * CAMERA.size + CAMERA.principal)
    }
  }
  if (principal !== undefined && principal !== null) {
    const points = perFace(
      principal,
      2,
      count,
      'observations.principal',
      '[x, y], or [count, 2] of these',
      Number.isFinite,
    )
    for (let i = 0; i < count; i++) cameras.set([points(i, 0), points(i, 1)], i * CAMERA.size + CAMERA.principal)
  }
  const put = (given: number | Numbers | null | undefined, name: string, place: number) => {
    if (given === undefined || given === null) return
    const expected = 'a positive number, or [count] of these with NaN where it is not known'
    const isKnown = (value: number) => isPositive(value) || (isNumbers(given) && Number.isNaN(value))
    const values = perFace(isNumbers(given) ? given : [given], 1, count, name, expected, isKnown)
    for (let i = 0; i < count; i++) cameras[i * CAMERA.size + place] = values(i, 0)
  }
  put(focal, 'observations.focal', CAMERA.focal)
  put(noise, 'observations.noise', CAMERA.noise)
  return cameras
}

function isPositive(value: number): boolean {
  return Number.isFinite(value) && value > 0
}

/** The c-th number of face i: from a row for each, or from one for all. Every number has to be allowed. */
function perFace(
  given: unknown,
  width: number,
  count: number,
  name: string,
  expected: string,
  isAllowed: (value: number) => boolean,
): (i: number, c: number) => number {
  const forEach = isNumbers(given)
  const rows = forEach ? numbersFrom(Float64Array, given, name, expected) : given
  if ((!forEach && !Array.isArray(rows)) || (rows as ArrayLike<number>).length !== (forEach ? count * width : width))
    throw invalidArgument(name, expected, given)
  const numbers = rows as ArrayLike<number>
  for (let i = 0; i < numbers.length; i++)
    if (!isAllowed(numbers[i] as number)) throw invalidArgument(forEach ? `${name}[${i}]` : name, expected, numbers[i])
  return (i, c) => numbers[forEach ? i * width + c : c] as number
}
