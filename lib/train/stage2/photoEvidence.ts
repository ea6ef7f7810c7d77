import type { FitResult } from '../../fit/FitResult.js'
import type { Observation } from '../../fit/Observation.js'
import { Matrix } from '../../linear/index.js'
import { type Evidence, eliminate, evidenceOf, withPrior } from './Evidence.js'
import type { LandmarkRows } from './ShapeDictionary.js'

/** Degrees of freedom of the fitter's Student-t loss. */
const DEGREES_OF_FREEDOM = 4

export interface LinearisationOptions {
  /** Standard deviation of a good landmark, mm on the face. */
  noise: number
  /** Standard deviation of the log of an estimated focal length; undefined where it was given. */
  focalStddev: number | undefined
  /** Student-t weights, as the fitter's; otherwise all landmarks count alike. */
  robust: boolean
}

/** A photo's landmarks around its fit: to first order, displacement = G (columns (g, e)) + pose + noise. */
export interface LinearisedPhoto {
  /** Landmarks in use. */
  landmarks: number[]
  /** [landmarks,2,3] G: millimetres in the image, at the face's distance, per millimetre of the model. */
  projection: Float64Array
  /** [landmarks,2] mm: observed minus predicted by the fit. */
  residual: Float64Array
  /** [landmarks,2] mm: observed minus what the mean face at rest would show, to first order. */
  displacement: Float64Array
  /** [landmarks,2,7] derivatives by turn (3), shift (3) and log focal length. */
  pose: Float64Array
  /** [landmarks] 1 / standard deviation, mm^-1, the robust weight included. */
  inverseDeviation: Float64Array
}

/**
 * Linearises a photo around its fit (docs/fitting.md has the camera's derivatives).
 *
 * @param shape [L,3] mm: the fitted face at the landmarks, model space.
 * @param offset [L,3] mm the scheme's, or undefined.
 */
export function linearisePhoto(
  observation: Observation,
  result: FitResult,
  shape: Float32Array,
  rows: LandmarkRows,
  offset: Float32Array | undefined,
  options: LinearisationOptions,
): LinearisedPhoto {
  const { rotation: r, translation: t } = result.pose
  const camera = result.camera!
  const focal = camera.type === 'perspective' ? camera.focal : Number.POSITIVE_INFINITY
  const pixelsPerMm = camera.type === 'perspective' ? camera.focal / t[2]! : camera.scale
  const landmarks = rows.present.filter((l) => observedPoint(observation, l) !== undefined)
  const n = landmarks.length
  const photo: LinearisedPhoto = {
    landmarks,
    projection: new Float64Array(6 * n),
    residual: new Float64Array(2 * n),
    displacement: new Float64Array(2 * n),
    pose: new Float64Array(14 * n),
    inverseDeviation: new Float64Array(n),
  }
  for (const [i, l] of landmarks.entries()) {
    const s = [0, 1, 2].map((a) => shape[3 * l + a]! + (offset?.[3 * l + a] ?? 0)) as [number, number, number]
    // Turned by the pose, not yet moved.
    const turned = [0, 1, 2].map((a) => r[3 * a]! * s[0] + r[3 * a + 1]! * s[1] + r[3 * a + 2]! * s[2])
    // Depth in units of the face's distance; 1 for all under weak perspective.
    const depth = 1 + (turned[2]! * pixelsPerMm) / focal
    const [x, y] = [(turned[0]! + t[0]!) / depth, (turned[1]! + t[1]!) / depth]
    const observed = observedPoint(observation, l)!
    const residual = [
      (observed[0] - camera.principal[0]) / pixelsPerMm - x,
      (observed[1] - camera.principal[1]) / pixelsPerMm - y,
    ]
    const bend = pixelsPerMm / focal / depth
    const toImage = [
      [1 / depth, 0, -x * bend],
      [0, 1 / depth, -y * bend],
    ]
    const moved = [0, 1, 2].map((a) => s[a]! - rows.mean[3 * l + a]! - (offset?.[3 * l + a] ?? 0))
    for (let a = 0; a < 2; a++) {
      const row = toImage[a]!
      let along = 0
      for (let b = 0; b < 3; b++) {
        const g = row[0]! * r[b]! + row[1]! * r[3 + b]! + row[2]! * r[6 + b]!
        photo.projection[6 * i + 3 * a + b] = g
        along += g * moved[b]!
      }
      photo.residual[2 * i + a] = residual[a]!
      photo.displacement[2 * i + a] = residual[a]! + along
      const pose = photo.pose.subarray(14 * i + 7 * a, 14 * i + 7 * a + 7)
      // row^T (omega x turned) = omega^T (turned x row)
      pose[0] = turned[1]! * row[2]! - turned[2]! * row[1]!
      pose[1] = turned[2]! * row[0]! - turned[0]! * row[2]!
      pose[2] = turned[0]! * row[1]! - turned[1]! * row[0]!
      pose.set(row, 3)
      // With the image held in place at the face's distance, depth / f is what changes.
      pose[6] = (a === 0 ? x : y) * (1 - 1 / depth)
    }
    const deviation = options.noise * rows.noiseFactors[l]!
    const squared = (residual[0]! ** 2 + residual[1]! ** 2) / deviation ** 2
    const weight = options.robust ? (DEGREES_OF_FREEDOM + 2) / (DEGREES_OF_FREEDOM + squared) : 1
    photo.inverseDeviation[i] = Math.sqrt(weight * (observation.confidence?.[l] ?? 1)) / deviation
  }
  return photo
}

/** The evidence of a linearised photo on (dictionary, expression), pose and camera integrated out. */
export function evidenceOfPhoto(photo: LinearisedPhoto, rows: LandmarkRows, options: LinearisationOptions): Evidence {
  const { landmarks, projection, pose, displacement, inverseDeviation } = photo
  const width = rows.columns.length / rows.mean.length
  const posed = options.focalStddev === undefined ? 6 : 7
  const matrix = new Matrix(2 * landmarks.length, posed + width + 1)
  for (const [i, l] of landmarks.entries()) {
    const weight = inverseDeviation[i]!
    for (let a = 0; a < 2; a++) {
      const to = matrix.row(2 * i + a)
      for (let c = 0; c < posed; c++) to[c] = weight * pose[14 * i + 7 * a + c]!
      for (let b = 0; b < 3; b++) {
        const g = weight * projection[6 * i + 3 * a + b]!
        const from = rows.columns.subarray((3 * l + b) * width, (3 * l + b + 1) * width)
        for (let c = 0; c < width; c++) to[posed + c]! += g * from[c]!
      }
      to[posed + width] = weight * displacement[2 * i + a]!
    }
  }
  return eliminate(withPrior(evidenceOf(matrix), 0, posePrecision(options.focalStddev)), posed)
}

/** All but flat, for the depth along the image's axis is seen by no landmark under weak perspective. */
function posePrecision(focalStddev: number | undefined): number[] {
  const pose = new Array<number>(6).fill(1e-9)
  return focalStddev === undefined ? pose : [...pose, 1 / focalStddev ** 2]
}

function observedPoint({ points, confidence }: Observation, l: number): readonly [number, number] | undefined {
  if (confidence && !(confidence[l]! > 0)) return undefined
  const flat = ArrayBuffer.isView(points)
  const x = flat ? points[2 * l] : (points[l]?.[0] ?? Number.NaN)
  const y = flat ? points[2 * l + 1] : (points[l]?.[1] ?? Number.NaN)
  return Number.isFinite(x) && Number.isFinite(y) ? [x!, y!] : undefined
}
