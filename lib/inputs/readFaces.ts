import { SfmError } from '../errors.js'
import { DEFAULT_MIN_FACE, type DetectedFace, type FaceDetector, faceSize } from '../photos/FaceDetector.js'
import { isPlain } from '../photos/isPlain.js'
import type { Photo } from '../photos/Photo.js'
import { readPhoto } from '../photos/readPhoto.js'
import type { RecentPictures } from './RecentPictures.js'
import type { JsonEntry } from './readJson.js'

/** Enough for every face that is large enough to be fitted, and a bound on what is held of a stream of photos. */
export const LONGEST_SIDE = 4096

/** How photos among the inputs are read. */
export interface FacesOptions {
  /** What finds the faces. */
  detector: Pick<FaceDetector, 'detect'>
  /** What decodes photos; {@link readPhoto} by default. */
  decode?: typeof readPhoto | undefined
  /** No more of a photo than this many, the largest; all by default. */
  maxFaces?: number | undefined
  /** Smaller ones are left out: pixels of the longer side of the landmarks' box (default 32). */
  minFace?: number | undefined
  /** Whether to take the focal length that the camera has noted (default true). */
  cameraFocal?: boolean | undefined
  /** Holds pixels for whoever shows the faces over them. */
  recent: RecentPictures
  signal?: AbortSignal | undefined
}

/**
 * Finds the faces of a photo, as records of a landmark file: the largest first. One alone is called after the file, of
 * several the first is `#0`.
 *
 * @param file The photo's name, for whoever shows the face over it.
 * @throws SfmError INVALID_INPUT for what is no photo, and for one without a face that is large enough, which says why.
 */
export async function readFaces(
  bytes: Uint8Array,
  file: string | undefined,
  {
    detector,
    decode = readPhoto,
    maxFaces,
    minFace = DEFAULT_MIN_FACE,
    cameraFocal = true,
    recent,
    signal,
  }: FacesOptions,
): Promise<JsonEntry[]> {
  const photo = await decode(bytes, { signal, longestSide: LONGEST_SIDE })
  const all = await detector.detect(photo, { minFace: 0, signal })
  const faces = all.filter((face) => faceSize(face) >= minFace).slice(0, maxFaces)
  if (faces.length === 0) throw new SfmError('INVALID_INPUT', reason(photo, all, minFace))
  const frames = photo.frames > 1 ? { note: `the first of its ${photo.frames} pictures is used` } : {}
  const pixels = recent.keep(photo.pixels, async () => {
    const again = await decode(file ?? bytes, { longestSide: LONGEST_SIDE })
    return again.pixels
  })
  return faces.map((face, i) => {
    const suffix = faces.length === 1 ? '' : `#${i}`
    const { camera, image, ...rest } = face
    const value = { ...rest, image: { ...image, ...(file && { file }) }, ...(cameraFocal && camera && { camera }) }
    return { place: suffix, position: null, suffix, value, photo: pixels, ...(i === 0 && frames) }
  })
}

function reason(photo: Photo, [largest, ...others]: readonly DetectedFace[], minFace: number): string {
  if (largest === undefined)
    return isPlain(photo.pixels)
      ? 'no face was found: the picture is of one colour all over'
      : 'no face was found in the picture'
  const faces = others.length === 0 ? 'the face' : `the largest of ${others.length + 1} faces`
  return `${faces} is ${faceSize(largest).toFixed(0)} pixels large, and less than ${minFace} are left out (--min-face)`
}
