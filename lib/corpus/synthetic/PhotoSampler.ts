import { centroidOf } from '../../alignment.js'
import { IBUG68_JAW } from '../../fit/contour/outlineCurves.js'
import type { CameraInput } from '../../fit/Observation.js'
import type { LandmarkScheme } from '../../model/ModelData.js'
import { Random } from '../../random.js'
import { addFields } from '../fields.js'
import type { LabelledObservation } from '../TrainingData.js'
import type { Person, Population, PopulationFields } from './Population.js'
import { headRotation } from './pose.js'
import type { SyntheticPhotos } from './SynthesisOptions.js'

/** Purposes of random numbers, of {@link Random.stream}; those of {@link Population} come before. */
const STREAM = { photo: 4, landmarks: 5 } as const

/** How far off the picture's centre a face is, at most, as a share of the picture. */
const OFF_CENTRE = 0.1

/** Files hold thousandths of a pixel. */
const PRECISION = 1000

/** A scheme with what of the model its landmarks need, [3L] mm. */
interface Rows {
  scheme: LandmarkScheme
  /** [3L] with the offsets that the scheme's detector has. */
  mean: Float64Array
  /** [n,3L] each. */
  fields: Pick<PopulationFields, 'identity' | 'outside' | 'expression' | 'photoDrift'>
  /** [L] mm. */
  sigma: Float64Array
}

/** What a picture is taken with: from where, by what. */
interface View {
  rotation: readonly number[]
  /** mm, model to camera. */
  translation: readonly [number, number, number]
  focal: number
  /** Pixels a mm at the face. */
  scale: number
}

/** Pictures of synthetic people, as a landmark detector sees them. */
export class PhotoSampler {
  readonly #population: Population
  readonly #photos: SyntheticPhotos
  readonly #seed: number
  readonly #active: number
  readonly #rows: Rows[]
  /** mm */
  readonly #faceHeight: number

  constructor(population: Population, photos: SyntheticPhotos, seed: number, active: number) {
    this.#population = population
    this.#photos = photos
    this.#seed = seed
    this.#active = active
    this.#rows = photos.schemes.map((name) => this.#rowsOf(population.source.schemes.get(name)!))
    const heights = population.mean.filter((_, i) => i % 3 === 1)
    this.#faceHeight = heights.reduce((a, b) => Math.max(a, b)) - heights.reduce((a, b) => Math.min(a, b))
  }

  /**
   * The landmarks of picture number j of person number i in scheme number s: the schemes see the same face in the same
   * pose, each with errors of its own.
   */
  observe(i: number, j: number, s: number, { identity, outside }: Person): Omit<LabelledObservation, 'subject'> {
    const { image, type, known } = this.#photos.camera
    const random = Random.stream(this.#seed, STREAM.photo, i, j)
    const expression = this.#population.expressions.draw(random, this.#photos.expression, this.#active)
    const view = this.#view(random)

    const errors = Random.stream(this.#seed, STREAM.landmarks, i, j, s)
    const { scheme, mean, fields, sigma } = this.#rows[s]!
    const landmarks = mean.slice()
    addFields(landmarks, fields.identity, identity)
    addFields(landmarks, fields.outside, outside)
    addFields(landmarks, fields.expression, expression)
    const factors = fields.photoDrift.length / landmarks.length
    addFields(
      landmarks,
      fields.photoDrift,
      Float64Array.from({ length: factors }, () => errors.normal()),
    )

    const pixels = project(landmarks, view, type, image / 2)
    for (let l = 0; l < scheme.count; l++) {
      const isOutlier = errors.uniform() < this.#photos.outliers
      const spread = view.scale * (isOutlier ? this.#photos.outlierSigma : sigma[l]!)
      pixels[2 * l]! += spread * errors.normal()
      pixels[2 * l + 1]! += spread * errors.normal()
    }
    const missing = this.#occluded(pixels, scheme, errors)
    const points = Array.from({ length: scheme.count }, (_, l) =>
      missing[l] ? null : [rounded(pixels[2 * l]!), rounded(pixels[2 * l + 1]!)],
    )
    const principal: [number, number] = [image / 2, image / 2]
    const camera: CameraInput =
      type === 'weak' ? { type, principal } : known ? { type, focal: view.focal, principal } : { type, principal }
    return { image: { width: image, height: image }, scheme: scheme.name, points, camera }
  }

  #view(random: Random): View {
    const { camera, yaw, pitch, roll } = this.#photos
    const evenly = (most: number) => random.between(-most, most)
    const rotation = headRotation(evenly(yaw), evenly(pitch), evenly(roll))
    const scale = random.between(...camera.faceSize) / this.#faceHeight
    const focal = rounded(random.between(...camera.focal))
    const off = () => (evenly(OFF_CENTRE) * camera.image) / scale
    // The face's middle is where the picture's is, more or less; the model's origin need not be in the face.
    const centre = centroidOf(this.#population.mean)
    const turned = [0, 1, 2].map((axis) => centre.reduce((sum, x, i) => sum + rotation[3 * axis + i]! * x, 0))
    return {
      rotation,
      translation: [off() - turned[0]!, off() - turned[1]!, focal / scale - turned[2]!],
      focal,
      scale,
    }
  }

  /** Landmarks that the scheme has but the model has not, and those behind whatever is in the way. */
  #occluded(pixels: Float64Array, { count, weights }: LandmarkScheme, random: Random): boolean[] {
    const missing = Array.from({ length: count }, (_, l) => weights.subarray(3 * l, 3 * l + 3).every((w) => w === 0))
    const present = missing.flatMap((isMissing, l) => (isMissing ? [] : l))
    const hidden = Math.round(this.#photos.occlusion * present.length)
    if (hidden === 0) return missing
    const centre = present[random.below(present.length)]!
    const distance = (l: number) =>
      (pixels[2 * l]! - pixels[2 * centre]!) ** 2 + (pixels[2 * l + 1]! - pixels[2 * centre + 1]!) ** 2
    for (const l of present.sort((a, b) => distance(a) - distance(b) || a - b).slice(0, hidden)) missing[l] = true
    return missing
  }

  #rowsOf(scheme: LandmarkScheme): Rows {
    const { source, mean: shape, fields } = this.#population
    const rowsOf = (all: Float32Array) => gatherFields(all, scheme, shape.length)
    const mean = gather(source.mean, scheme)
    if (scheme.offset) for (const [k, x] of scheme.offset.entries()) mean[k]! += x
    return {
      scheme,
      mean,
      fields: {
        identity: rowsOf(fields.identity),
        outside: rowsOf(fields.outside),
        expression: rowsOf(fields.expression),
        photoDrift: rowsOf(fields.photoDrift),
      },
      sigma: Float64Array.from({ length: scheme.count }, (_, l) => this.#sigma(scheme, l)),
    }
  }

  /** mm, of a landmark: from that of good ones to that of the contour as its reliability falls from 1 to 0. */
  #sigma({ name, reliability }: LandmarkScheme, landmark: number): number {
    const { sigma, contourSigma } = this.#photos
    const isJaw = name === 'ibug68' && landmark < IBUG68_JAW
    const trust = reliability ? reliability[landmark]! : isJaw ? 0 : 1
    return sigma + (1 - trust) * (contourSigma - sigma)
  }
}

/** The landmarks of a field or shape of the mesh, [3L]. */
function gather(mesh: ArrayLike<number>, { count, indices, weights }: LandmarkScheme): Float64Array {
  const landmarks = new Float64Array(3 * count)
  for (let corner = 0; corner < 3 * count; corner++) {
    const [l, v] = [Math.floor(corner / 3), indices[corner]!]
    for (let axis = 0; axis < 3; axis++) landmarks[3 * l + axis]! += weights[corner]! * mesh[3 * v + axis]!
  }
  return landmarks
}

/** The same of many fields, [n,3N] to [n,3L]. */
function gatherFields(fields: Float32Array, scheme: LandmarkScheme, length: number): Float32Array {
  const count = fields.length / length
  const rows = new Float32Array(count * 3 * scheme.count)
  for (let k = 0; k < count; k++)
    rows.set(gather(fields.subarray(k * length, (k + 1) * length), scheme), k * 3 * scheme.count)
  return rows
}

/** [L,2] pixels of [L,3] mm in model space. */
function project(landmarks: Float64Array, view: View, type: 'perspective' | 'weak', centre: number): Float64Array {
  const { rotation: r, translation: t, focal, scale: weak } = view
  const pixels = new Float64Array((2 * landmarks.length) / 3)
  for (let l = 0; l < pixels.length / 2; l++) {
    const [x, y, z] = [landmarks[3 * l]!, landmarks[3 * l + 1]!, landmarks[3 * l + 2]!]
    const right = r[0]! * x + r[1]! * y + r[2]! * z + t[0]
    const down = r[3]! * x + r[4]! * y + r[5]! * z + t[1]
    const forward = r[6]! * x + r[7]! * y + r[8]! * z + t[2]
    const scale = type === 'weak' ? weak : focal / forward
    pixels[2 * l] = scale * right + centre
    pixels[2 * l + 1] = scale * down + centre
  }
  return pixels
}

function rounded(value: number): number {
  return Math.round(value * PRECISION) / PRECISION
}
