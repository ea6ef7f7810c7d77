import type { LandmarkScheme } from '../../model/ModelData.js'
import type { NativeModel } from '../../native.js'
import { project } from '../../render/View.js'
import type { FitResult } from '../FitResult.js'
import type { PackedObservation } from '../packObservation.js'
import { type OutlineCurve, type OutlineMesh, outlineCurves, type SurfacePoint } from './outlineCurves.js'

/** What of a fit says whether its landmarks are on the outline. */
export interface FittedFace extends Pick<FitResult, 'camera' | 'residuals' | 'identity' | 'expressionValues'> {
  pose: Pick<FitResult['pose'], 'rotation' | 'translation' | 'yaw'>
}

/** What a sliding contour needs of its model. */
export interface ContourModel {
  data: OutlineMesh
  native(): NativeModel
  /** The native number of a scheme. */
  nativeScheme(scheme: LandmarkScheme): number
}

/** Degrees of yaw from one scheme to the next. */
const STEP = 5
/** Degrees: in profile nothing is left to slide. */
const LARGEST_YAW = 90
/** mm in the picture, over all landmarks: who slides less than that cannot be told from who does not, and need not be. */
const NOTICEABLE = 4
/** Of the way to the outline: landmarks that have gone less of it are of the skin. A fit hides most of it, by turning the head. */
const SLID = 0.15

/** What tells landmarks on the outline from points of the skin. */
export class Slide {
  /** mm^2: what landmarks are missed by, times the way to the outline; the sum over all that slide. */
  along = 0
  /** mm^2: the squared way. */
  way = 0

  /** Takes another image by the same detector. */
  add({ along, way }: Slide): void {
    this.along += along
    this.way += way
  }

  /**
   * Whether the landmarks are on the outline.
   *
   * @param least mm: not before they have gone that far, over all landmarks and images.
   */
  reachesOutline(least = 0): boolean {
    return this.way > least ** 2 && this.along > SLID * this.way
  }
}

/** A scheme as it is seen at some yaw. */
interface TurnedScheme {
  scheme: LandmarkScheme
  /** mm in the mean face, of the landmarks that are elsewhere now: the way that each has gone. */
  ways: Array<{ landmark: number; way: readonly number[] }>
}

/**
 * Landmarks of a jaw that are where the outline of the face is seen, and slide over the cheek as the head turns, as
 * annotators and most detectors of 68 points have them (docs/fitting.md). For each yaw there is a scheme of its own, made
 * when it is first asked for.
 */
export class SlidingContour {
  readonly #model: ContourModel
  readonly #curves = new Map<LandmarkScheme, OutlineCurve[]>()
  readonly #turned = new Map<LandmarkScheme, Map<number, TurnedScheme>>()

  constructor(model: ContourModel) {
    this.#model = model
  }

  /** Whether anything of a scheme slides at all. */
  slides(scheme: LandmarkScheme): boolean {
    return this.#curvesOf(scheme).length > 0
  }

  /**
   * The scheme whose jaw is on the outline of a face at this yaw.
   *
   * @param yaw Degrees, as in a pose.
   * @returns The scheme itself where nothing of it slides.
   */
  at(scheme: LandmarkScheme, yaw: number): LandmarkScheme {
    return this.#at(scheme, yaw).scheme
  }

  /**
   * How far the landmarks of an image, fitted as points of the skin, have gone on the way from there to the outline: what
   * the fit misses them by, along that way.
   */
  slideOf({ scheme, points, dimensions }: PackedObservation, result: FittedFace): Slide {
    const slide = new Slide()
    const { pose, camera, residuals } = result
    // A fit need not be usable: points of the skin may miss an outline by more than a face could be wrong.
    if (camera === null || dimensions !== 2) return slide
    const { ways } = this.#at(scheme, pose.yaw)
    if (ways.length === 0) return slide
    const { rotation, translation } = pose
    const scale = camera.type === 'weak' ? camera.scale : camera.focal / translation[2]!
    // Of each landmark that is there its number and its step in the picture, mm.
    const steps = new Float64Array(3 * ways.length)
    let count = 0
    let most = 0
    for (const { landmark, way } of ways) {
      if (Number.isNaN(points[2 * landmark]!)) continue
      const right = dot(rotation, 0, way)
      const down = dot(rotation, 3, way)
      const squared = right * right + down * down
      steps[count++] = landmark
      steps[count++] = right
      steps[count++] = down
      slide.way += squared
      most += (residuals[landmark]! / scale) * Math.sqrt(squared)
    }
    // In most faces the landmarks are missed by too little, whichever way it is.
    if (most <= SLID * slide.way) return slide
    const seen = project(this.#landmarks(scheme, result), { rotation, translation, camera }).image
    for (let k = 0; k < count; k += 3) {
      const landmark = steps[k]!
      const right = points[2 * landmark]! - seen[3 * landmark]!
      const down = points[2 * landmark + 1]! - seen[3 * landmark + 1]!
      slide.along += (right * steps[k + 1]! + down * steps[k + 2]!) / scale
    }
    return slide
  }

  #at(scheme: LandmarkScheme, yaw: number): TurnedScheme {
    const turn = Math.max(-LARGEST_YAW, Math.min(LARGEST_YAW, STEP * Math.round(yaw / STEP)))
    const known = kept(this.#turned, scheme, () => new Map<number, TurnedScheme>())
    return kept(known, turn, () => turnedScheme(scheme, this.#curvesOf(scheme), turn))
  }

  #curvesOf(scheme: LandmarkScheme): OutlineCurve[] {
    return kept(this.#curves, scheme, () => outlineCurves(this.#model.data, scheme))
  }

  /** [L,3] mm, of a fitted face, with the scheme's offsets. */
  #landmarks(scheme: LandmarkScheme, { identity, expressionValues }: FittedFace): Float32Array {
    const landmarks = new Float32Array(3 * scheme.count)
    const number = this.#model.nativeScheme(scheme)
    this.#model.native().decodeSync(number, identity, expressionValues, null, landmarks)
    if (scheme.offset) for (let i = 0; i < landmarks.length; i++) landmarks[i]! += scheme.offset[i]!
    return landmarks
  }
}

function dot(matrix: ArrayLike<number>, row: number, vector: readonly number[]): number {
  return matrix[row]! * vector[0]! + matrix[row + 1]! * vector[1]! + matrix[row + 2]! * vector[2]!
}

function kept<K, V>(values: Map<K, V>, key: K, make: () => V): V {
  let value = values.get(key)
  if (value === undefined) {
    value = make()
    values.set(key, value)
  }
  return value
}

function turnedScheme(scheme: LandmarkScheme, curves: readonly OutlineCurve[], yaw: number): TurnedScheme {
  const [indices, weights] = [scheme.indices.slice(), scheme.weights.slice()]
  const ways: TurnedScheme['ways'] = []
  let seen = 0
  for (const { landmark, side, points } of curves) {
    // A yaw to the picture's left turns the right side away.
    if (Math.sign(yaw) !== -side) continue
    const [start] = points as [SurfacePoint]
    const end = points.reduce((best, point) => (outward(point, yaw) > outward(best, yaw) ? point : best), start)
    indices.set(end.vertices, 3 * landmark)
    weights.set(end.weights, 3 * landmark)
    ways.push({ landmark, way: end.at.map((value, axis) => value - start.at[axis]!) })
    seen += (outward(end, yaw) - outward(start, yaw)) ** 2
  }
  if (seen < NOTICEABLE ** 2) return { scheme, ways: [] }
  return { scheme: { ...scheme, name: `${scheme.name} at ${yaw}°`, indices, weights }, ways }
}

/** mm: how far out in the picture of a head so turned a point lies, of the side turned away. */
function outward({ at: [x, , z] }: SurfacePoint, yaw: number): number {
  const angle = (yaw * Math.PI) / 180
  return z! * Math.sin(Math.abs(angle)) - Math.sign(yaw) * x! * Math.cos(angle)
}
