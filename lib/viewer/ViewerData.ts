import type { Camera } from '../fit/FitResult.js'
import type { Openings } from '../render/openings.js'

/** What a viewer's page holds beside its program, as JSON. Written by {@link encodeViewer}, read in the browser. */
export interface ViewerData {
  title: string
  model: ViewerModel
  faces: ViewerFace[]
}

/** The numbers of arrays: their types and lengths, in order, and their bytes (deflated, base64). */
export interface PackedArrays {
  layout: Array<readonly [type: ArrayType, length: number]>
  bytes: string
}

export type ArrayType = 'uint8' | 'uint16' | 'uint32' | 'int16'

/** Displacements and shapes are whole numbers of this many millimetres: less than anybody sees. */
export const STEP_MM = 0.01

/** What all faces have in common. N vertices, K latents, E expressions, D directions. */
export interface ViewerModel {
  name: string
  attribution: string
  license: string
  latent: 'sphere' | 'gaussian'
  openings?: Openings
  expressions: Array<{ name: string; least: number; most: number }>
  /** [D][K] tangent vectors at the mean, one standard deviation of the prior long: those that change the face the most. */
  directions: number[][]
  hasUv: boolean
  /**
   * Triangles [F,3]; texture coordinates [N,2] in 65535ths, where there are any; colours [N,3] as sRGB bytes; then
   * columns [N,3] in steps: the mean face, the pole (what the mean's own latent adds), D directions, E expressions.
   */
  arrays: PackedArrays
}

/** One face. */
export interface ViewerFace {
  name: string
  /** [K] the tangent vector at the mean that leads to the face. */
  tangent: number[]
  /** [E] */
  expression: number[]
  /** One column [N,3] in steps: what the tangent vector is in millimetres. */
  arrays: PackedArrays
  /** A picture as a data URL, laid out by the texture coordinates. */
  texture?: string
  /** What the camera saw. */
  photo?: ViewerPhoto
}

/** A photo, or a part of it, and where the face is before its camera. */
export interface ViewerPhoto {
  /** As a data URL. */
  image: string
  width: number
  height: number
  rotation: number[]
  translation: number[]
  /** In pixels of this image. */
  camera: Camera
}
