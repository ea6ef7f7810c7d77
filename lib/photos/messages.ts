import type { ErrorCode } from '../errors.js'
import type { FoundFace } from './findAllFaces.js'
import type { HalvedPicture } from './Pyramid.js'

/** From the detector to its worker: a picture to look at. */
export interface DetectionRequest {
  id: number
  picture: HalvedPicture
}

/** From the worker: it has loaded, or why it could not. */
export type LoadReply = { loaded: true; error?: undefined } | { loaded: false; error: PlainError }

/** From the worker: the faces of a picture, `undefined` where its copy is too coarse to say; or what went wrong. */
export type DetectionReply = { id: number } & (
  | { faces: FoundFace[] | undefined; error?: undefined }
  | { error: PlainError; faces?: undefined }
)

/** An SfmError on its way between threads, where classes are lost. */
export interface PlainError {
  code: ErrorCode
  message: string
}
