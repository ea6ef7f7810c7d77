import type { ErrorCode } from '../errors.js'
import type { Picture } from '../render/Picture.js'
import type { FoundFace } from './findAllFaces.js'

/** From the detector to its worker: a picture to look at. */
export interface DetectionRequest {
  id: number
  pixels: Picture
}

/** From the worker: it has loaded, or why it could not. */
export type LoadReply = { loaded: true; error?: undefined } | { loaded: false; error: PlainError }

/** From the worker: the faces of a picture, or what went wrong. */
export type DetectionReply = { id: number } & (
  | { faces: FoundFace[]; error?: undefined }
  | { error: PlainError; faces?: undefined }
)

/** An SfmError on its way between threads, where classes are lost. */
export interface PlainError {
  code: ErrorCode
  message: string
}
