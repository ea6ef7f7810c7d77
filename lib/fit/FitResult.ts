import type { ModelReference } from '../model/ModelReference.js'
import type { FaceInfo, ImageInfo } from './Observation.js'
import type { Posterior } from './Posterior.js'

/** Model space to camera space: `x = rotation * vertex + translation`. */
export interface Pose {
  /**
   * [9] row-major. Camera space has +X right, +Y down, +Z forward, so an upright frontal face has about diag(1, -1,
   * -1).
   */
  rotation: Float64Array
  /** [3] mm. */
  translation: Float64Array
  /** Degrees; positive when the face turns to the image's left (the subject's own right). */
  yaw: number
  /** Degrees; positive when the subject looks up. */
  pitch: number
  /** Degrees; positive when the head tilts clockwise in the image. */
  roll: number
}

/** The camera a result was fitted with. */
export type Camera =
  | { type: 'perspective'; focal: number; principal: [number, number] }
  /** `u = scale * (rotation * vertex + translation) + principal`, with the scale in pixels a millimetre. */
  | { type: 'weak'; scale: number; principal: [number, number] }

/**
 * How a fit ended. A `failed` result says why in its message; its latents are the mean face's, everything else is null
 * or NaN.
 */
export type FitStatus = 'converged' | 'max-iterations' | 'failed'

/** The files written for a result, by format. */
export type ResultFiles = Record<string, string>

/** What {@link Fitter.fit} returns for each observation. The same object, as JSON, is a line of `sfm fit`'s output. */
export interface FitResult {
  id?: string
  subject?: string
  /** The observation's, where it has one. */
  image?: ImageInfo
  /** Where the face is in the photo, of landmarks that a detector found. */
  face?: FaceInfo
  /** Which model was fitted: latents and embeddings of different ones mean different things. Shared, not to be written to. */
  model?: ModelReference
  status: FitStatus
  /** Whether the face may be used: fitted, with finite numbers and landmarks that miss it by less than 10 mm (RMSE). */
  usable: boolean
  /** One sentence for a person: how it ended and, if it failed, why. */
  message: string
  iterations: number
  /** Root mean square distance over the observations used: pixels (2D) or mm (3D); null where nothing was fitted. */
  rmse: number | null
  /** Value of the objective at the start and at the end (docs/fitting.md). */
  cost: { initial: number; final: number } | null
  /** [K] the point on the unit sphere (`sphere` models), or the latents (`gaussian` models). */
  identity: Float32Array
  /** [K-1] unit vector: the direction from the mean; what to compare people by. */
  embedding: Float32Array
  /** Coefficients by name. */
  expression: Record<string, number>
  /** [E] the same coefficients, in the model's order. Not part of the JSON. */
  expressionValues: Float32Array
  /** All NaN (null in JSON) where nothing was fitted. */
  pose: Pose
  /** Null for 3D landmarks, and where nothing was fitted. */
  camera: Camera | null
  /** [L] distance of each landmark, pixels or mm; NaN (null in JSON) where there was none. */
  residuals: Float32Array
  /** Indices of landmarks that the robust loss all but ignored. */
  outliers: number[]
  /**
   * Radians: how far the identity may be off, from the posterior; at 0 it is certain. Null where nothing was fitted.
   */
  identity_uncertainty: number | null
  /**
   * What the landmarks say of the identity: with the option `posterior`, and only where something was fitted. Its JSON
   * form has the numbers as base64 of 32-bit little-endian floats.
   */
  posterior?: Posterior
  files?: ResultFiles
  /** The JSON form: typed arrays as plain arrays, missing values as null. */
  toJSON(): Record<string, unknown>
}
