import { dirname, resolve } from 'node:path'
import { SfmError } from '../errors.js'
import type { ImageInfo } from '../fit/Observation.js'
import { readPhoto } from '../photos/readPhoto.js'
import type { Picture } from '../render/Picture.js'
import { LONGEST_SIDE } from './readFaces.js'

/** How much two shapes may differ, of which one is a copy of the other in whole pixels. */
const SHAPE_TOLERANCE = 0.01

/**
 * What reads the photo that a record's landmarks are of, where the record names it: `image.file`, seen from the folder of
 * the record's own file, or from the working directory for standard input. It may be a copy in another size.
 *
 * @param recordFile The file that the record was read from.
 * @returns Undefined where no file is named. What it gives rejects with IO where the file is not there, and with
 *   INVALID_INPUT where it is no photo, or one of another shape.
 */
export function photoOfRecord(
  image: ImageInfo | undefined,
  recordFile: string | undefined,
  decode: typeof readPhoto = readPhoto,
): (() => Promise<Picture>) | undefined {
  if (image?.file === undefined) return undefined
  const { width, height } = image
  const path = resolve(recordFile === undefined ? '.' : dirname(recordFile), image.file)
  return async () => {
    const photo = await decode(path, { longestSide: LONGEST_SIDE })
    if (Math.abs((photo.width * height) / (photo.height * width) - 1) > SHAPE_TOLERANCE)
      throw new SfmError(
        'INVALID_INPUT',
        `image.file: ${path} has ${photo.width} x ${photo.height} pixels, the landmarks' image ${width} x ${height}`,
      )
    return photo.pixels
  }
}
