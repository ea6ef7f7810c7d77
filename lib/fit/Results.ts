import { SfmError } from '../errors.js'
import type { ModelReference } from '../model/ModelReference.js'
import type { NativeFits } from '../native.js'
import type { Camera, FitResult, FitStatus, Pose } from './FitResult.js'
import type { FaceInfo, ImageInfo, ObservationLabel } from './Observation.js'
import { type Posterior, triangle } from './Posterior.js'
import { posteriorToJson } from './posteriorJson.js'

/** Places in a record; the order of native/core/Batch.h's FitRecord. */
export const RECORD = {
  status: 0,
  failure: 1,
  usable: 2,
  iterations: 3,
  initialCost: 4,
  finalCost: 5,
  rmse: 6,
  uncertainty: 7,
  rotation: 8,
  translation: 17,
  focal: 20,
  scale: 21,
  principal: 22,
  size: 24,
} as const

export const STATUS: readonly FitStatus[] = ['converged', 'max-iterations', 'failed']

/** By native/core/Fit.h's FitFailure. */
const FAILURES: readonly string[] = [
  '',
  'too few landmarks: at least 6 in an image or 4 of a scan are needed, with a confidence above 0',
  'the landmarks are degenerate: they coincide or lie on a line',
  'a coordinate is larger than 1e7',
  'no start was found with the face in front of the camera: is the focal length right?',
  'the arithmetic broke down: the observation or the model is too extreme',
]

/**
 * A landmark whose weight in the robust loss falls below this was all but ignored (it missed by more than some 5
 * sigma).
 */
const OUTLIER_WEIGHT = 0.15

/** Of a face that was not fitted; made anew, since a caller may write to it. */
function noPose(): Pose {
  return {
    rotation: new Float64Array(9).fill(Number.NaN),
    translation: new Float64Array(3).fill(Number.NaN),
    yaw: Number.NaN,
    pitch: Number.NaN,
    roll: Number.NaN,
  }
}

/**
 * An object with all expressions' names, to be copied and filled in: engines keep its properties in fixed places, where an
 * object that gets dozens of them one by one becomes a hash table of four times the size.
 */
function noExpression(names: readonly string[]): Record<string, number> {
  let made = expressionsOf.get(names)
  if (made === undefined) {
    made = JSON.parse(JSON.stringify(Object.fromEntries(names.map((name) => [name, null])))) as Record<string, number>
    expressionsOf.set(names, made)
  }
  return made
}

const expressionsOf = new WeakMap<readonly string[], Record<string, number>>()

/** What was fitted: landmarks of an image, by a camera of either kind, or of a scan. */
export type Space = 'perspective' | 'weak' | 'scan'

/** The sizes of the arrays of one result. */
export interface ResultSizes {
  identityCount: number
  embeddingCount: number
  expressionNames: readonly string[]
  /** [D] of each latent's variance, the person's own; all of it without. */
  personShare: Float32Array | undefined
  /** What results say that they are of. */
  reference: ModelReference | undefined
}

/**
 * The result of the i-th fit of a native batch.
 *
 * @param landmarkCount L of the batch's scheme.
 * @param withPosterior Whether the batch was asked for posteriors.
 */
export function resultOf(
  { records, arrays }: NativeFits,
  i: number,
  sizes: ResultSizes,
  landmarkCount: number,
  label: ObservationLabel,
  space: Space,
  withPosterior: boolean,
): FitResult {
  // Numbers one after the other, by their places: a view of the record would be one more object for each result.
  const from = i * RECORD.size
  const at = (place: number) => records[from + place] as number
  const status = STATUS[at(RECORD.status)]
  if (status === undefined) throw new SfmError('INTERNAL', 'the native side returned an unknown status')
  const failed = status === 'failed'
  const usable = at(RECORD.usable) === 1

  const { identityCount: K, embeddingCount: D, expressionNames } = sizes
  const E = expressionNames.length
  const posteriorSize = withPosterior ? triangle(D) + D : 0
  const begin = i * (K + D + E + 2 * landmarkCount + posteriorSize)
  const weights = begin + K + D + E + landmarkCount
  const end = weights + landmarkCount
  // Copies: a caller who keeps a result must not keep a batch, and who keeps an embedding not a result.
  const expressionValues = arrays.slice(begin + K + D, begin + K + D + E)
  const expression = { ...noExpression(expressionNames) }
  for (let e = 0; e < E; e++) expression[expressionNames[e] as string] = expressionValues[e] as number
  const outliers: number[] = []
  for (let l = 0; l < landmarkCount; l++) if ((arrays[weights + l] as number) < OUTLIER_WEIGHT) outliers.push(l)

  return new Result(label, sizes.reference, {
    status,
    usable,
    message: message(status, usable, at(RECORD.failure), at(RECORD.iterations)),
    iterations: at(RECORD.iterations),
    rmse: failed ? null : at(RECORD.rmse),
    cost: failed ? null : { initial: at(RECORD.initialCost), final: at(RECORD.finalCost) },
    identity: arrays.slice(begin, begin + K),
    embedding: arrays.slice(begin + K, begin + K + D),
    expression,
    expressionValues,
    pose: failed
      ? noPose()
      : poseOf(
          records.slice(from + RECORD.rotation, from + RECORD.rotation + 9),
          records.slice(from + RECORD.translation, from + RECORD.translation + 3),
          space === 'scan',
        ),
    camera: failed ? null : cameraOf(at, space),
    residuals: arrays.slice(weights - landmarkCount, weights),
    outliers,
    identity_uncertainty: failed ? null : at(RECORD.uncertainty),
    posterior:
      withPosterior && !failed
        ? {
            information: arrays.slice(end, end + triangle(D)),
            shift: arrays.slice(end + triangle(D), end + posteriorSize),
          }
        : undefined,
  })
}

function message(status: FitStatus, usable: boolean, failure: number, iterations: number): string {
  if (status === 'failed') return FAILURES[failure] ?? 'the fit failed'
  const end =
    status === 'converged'
      ? `converged in ${iterations} iterations`
      : `stopped after ${iterations} iterations, not converged`
  return usable ? end : `${end}; the landmarks miss the face by more than it could be wrong`
}

function degrees(radians: number): number {
  return (radians * 180) / Math.PI
}

/** The yaw of the rotation [9] from `at` on, see {@link poseOf}. */
export function yawOf(rotations: Float64Array, at: number, scan: boolean): number {
  const r20 = rotations[at + 6] as number
  return degrees(-Math.asin(Math.min(1, Math.max(-1, scan ? -r20 : r20))))
}

/**
 * Angles by nod (pitch), then turn (yaw), then the flip of axes, then tilt in the image (roll):
 * R = Rz(roll) diag(1,-1,-1) Ry(-yaw) Rx(-pitch). A scan has no image to flip for: R = diag(1,-1,-1) times that.
 */
export function poseOf(rotation: Float64Array, translation: Float64Array, scan: boolean): Pose {
  const [r00, , , r10, , , , r21, r22] = rotation as unknown as number[] as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const flip = scan ? -1 : 1
  return {
    rotation,
    translation,
    yaw: yawOf(rotation, 0, scan),
    pitch: degrees(Math.atan2(flip * r21, -flip * r22)),
    roll: degrees(Math.atan2(flip * r10, r00)),
  }
}

export function cameraOf(at: (place: number) => number, space: Space): Camera | null {
  if (space === 'scan') return null
  const principal: [number, number] = [at(RECORD.principal), at(RECORD.principal + 1)]
  return space === 'weak'
    ? { type: 'weak', scale: at(RECORD.scale), principal }
    : { type: 'perspective', focal: at(RECORD.focal), principal }
}

/** What a fit finds, of which a result consists beside its labels. */
type Fitted = Omit<FitResult, keyof ObservationLabel | 'model' | 'posterior' | 'files' | 'toJSON'> & {
  posterior: Posterior | undefined
}

/**
 * A result, whose JSON form is no field of it. Fields are set one by one and in one order, so that engines keep all results in
 * one shape: spreading labels and fields into an object took longer than everything else about a result.
 */
class Result implements FitResult {
  declare id?: string
  declare subject?: string
  declare image?: ImageInfo
  declare face?: FaceInfo
  declare model?: ModelReference
  declare posterior?: Posterior
  declare status: FitStatus
  declare usable: boolean
  declare message: string
  declare iterations: number
  declare rmse: number | null
  declare cost: FitResult['cost']
  declare identity: Float32Array
  declare embedding: Float32Array
  declare expression: Record<string, number>
  declare expressionValues: Float32Array
  declare pose: Pose
  declare camera: Camera | null
  declare residuals: Float32Array
  declare outliers: number[]
  declare identity_uncertainty: number | null

  constructor({ id, subject, image, face }: ObservationLabel, model: ModelReference | undefined, fitted: Fitted) {
    if (id !== undefined) this.id = id
    if (subject !== undefined) this.subject = subject
    if (image !== undefined) this.image = image
    if (face !== undefined) this.face = face
    if (model !== undefined) this.model = model
    this.status = fitted.status
    this.usable = fitted.usable
    this.message = fitted.message
    this.iterations = fitted.iterations
    this.rmse = fitted.rmse
    this.cost = fitted.cost
    this.identity = fitted.identity
    this.embedding = fitted.embedding
    this.expression = fitted.expression
    this.expressionValues = fitted.expressionValues
    this.pose = fitted.pose
    this.camera = fitted.camera
    this.residuals = fitted.residuals
    this.outliers = fitted.outliers
    this.identity_uncertainty = fitted.identity_uncertainty
    if (fitted.posterior !== undefined) this.posterior = fitted.posterior
  }

  toJSON(this: FitResult): Record<string, unknown> {
    const { expressionValues: _, identity, embedding, pose, residuals, posterior, ...rest } = this
    return {
      ...rest,
      identity: Array.from(identity),
      embedding: Array.from(embedding),
      pose: Number.isNaN(pose.yaw)
        ? null
        : { ...pose, rotation: Array.from(pose.rotation), translation: Array.from(pose.translation) },
      residuals: Array.from(residuals, (value) => (Number.isNaN(value) ? null : value)),
      ...(posterior && { posterior: posteriorToJson(posterior) }),
    }
  }
}
