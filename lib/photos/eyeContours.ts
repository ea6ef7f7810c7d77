/**
 * Which points of Face Mesh the iris model finds again, more precisely: the two innermost rings around each eye. Its
 * outer rings are left alone, as Face Mesh has them better.
 */
export interface EyeContours {
  /** Of Face Mesh, by the iris model's own points 0 to 31: 9 below, 7 above, then the next ring, 9 and 7. */
  points: readonly number[]
  /** Outer and inner corner. */
  corners: readonly [number, number]
  /** First of the eye's five points of the iris among the 478. */
  iris: number
}

/** The subject's right eye. */
export const RIGHT_EYE: EyeContours = {
  points: [
    [33, 7, 163, 144, 145, 153, 154, 155, 133],
    [246, 161, 160, 159, 158, 157, 173],
    [130, 25, 110, 24, 23, 22, 26, 112, 243],
    [247, 30, 29, 27, 28, 56, 190],
  ].flat(),
  corners: [33, 133],
  iris: 468,
}

/** The subject's left eye: the same from its outer corner inwards. */
export const LEFT_EYE: EyeContours = {
  points: [
    [263, 249, 390, 373, 374, 380, 381, 382, 362],
    [466, 388, 387, 386, 385, 384, 398],
    [359, 255, 339, 254, 253, 252, 256, 341, 463],
    [467, 260, 259, 257, 258, 286, 414],
  ].flat(),
  corners: [263, 362],
  iris: 473,
}

/** The first of the iris model's own points that are the iris. */
export const IRIS_START = 71

/** Those of the model for the five of `mediapipe478`: the centre, then right, top, left and bottom in the picture. */
export const IRIS_ORDER = [0, 1, 2, 3, 4] as const

/** The same for an eye that was shown in the mirror, whose left and right are exchanged. */
export const MIRRORED_IRIS_ORDER = [0, 3, 2, 1, 4] as const
