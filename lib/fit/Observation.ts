/** What is known of the camera. Lengths in pixels, the origin at the top-left corner of the top-left pixel. */
export interface CameraInput {
  /** `perspective` (default), or `weak`: scaled orthographic, no focal length. */
  type?: 'perspective' | 'weak'
  /** Focal length in pixels; estimated where absent. */
  focal?: number
  /** Principal point; the image's centre where absent. */
  principal?: readonly [number, number]
}

/** The image that landmarks are of. */
export interface ImageInfo {
  /** Pixels. */
  width: number
  height: number
  /** Its file, for whoever shows the face over it. */
  file?: string
}

/** Where a detector saw the face. */
export interface FaceInfo {
  /** Left, top, width and height in pixels; it may reach beyond the image. */
  box: [left: number, top: number, width: number, height: number]
  /** 0..1: how sure the detector is. */
  score: number
}

/** The landmarks of one face in one image (2D) or one scan (3D). One line of a landmark file has this form. */
export interface Observation {
  /** Returned with the result. */
  id?: string
  /** Whose face it is; a label of the caller's. */
  subject?: string
  /** Size of the image in pixels; without it, and without a camera, the field of view is guessed from the landmarks. */
  image?: ImageInfo
  /** A scheme of the model: `ibug68`, `mediapipe478`, ... */
  scheme: string
  /**
   * One point a landmark: `[x, y]` pixels, or `[x, y, z]` mm (all of one kind); `null` where it is missing.
   * A flat typed array of 2L or 3L numbers does as well; NaN marks a missing point there.
   */
  points: ReadonlyArray<readonly number[] | null> | Float32Array | Float64Array
  /**
   * 0..1 for each landmark; 0 ignores it. A landmark of confidence c weighs as one with a variance 1/c times as large.
   */
  confidence?: ArrayLike<number>
  /**
   * Standard deviation of a good landmark, in pixels (2D) or mm (3D), where it is known; otherwise the fitter's, which
   * grows with the face's size.
   */
  noise?: number
  camera?: CameraInput
  /** Of landmarks that a detector found; comes back with the result. */
  face?: FaceInfo
}

/** What a result takes over from its observation. */
export type ObservationLabel = Pick<Observation, 'id' | 'subject' | 'image' | 'face'>
