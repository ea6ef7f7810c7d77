import { SfmError } from '../errors.js'
import type { Observation } from '../fit/Observation.js'
import type { Picture } from '../render/Picture.js'
import type { SourceOptions } from './expandInputs.js'
import { parseObservation } from './parseObservation.js'
import { parsePts } from './parsePts.js'
import { photoOfRecord } from './photoOfRecord.js'
import { RecentPictures } from './RecentPictures.js'
import { type FacesOptions, readFaces } from './readFaces.js'
import { type InputRecord, type RecordOptions, readRecords, within } from './readRecords.js'

/** One observation of the inputs, or why it could not be read. */
export type ObservationItem = {
  /** The observation's id; the name of its file where it has none (docs/landmarks.md). */
  id: string
  /** For messages: file and line. */
  source: string
  /** From 0, over all inputs. */
  index: number
  /** What a person should know of it, though it is no error. */
  note?: string
  /** Reads the photo that the landmarks are of, where it is known: found in it, or naming it (`image.file`). It may be a smaller copy. */
  photo?: () => Promise<Picture>
} & ({ observation: Observation; error?: undefined } | { error: SfmError; observation?: undefined })

/** How inputs are read. */
export interface ReadObservationsOptions extends SourceOptions {
  /** Finds the faces of photos; without it a photo is an item with an error. */
  detector?: FacesOptions['detector'] | undefined
  /** What decodes photos; `readPhoto` by default. */
  decode?: FacesOptions['decode']
  /** No more of a photo than this many, the largest; all by default. */
  maxFaces?: number | undefined
  /** Smaller ones are left out: pixels of the longer side of the landmarks' box (default 32). */
  minFace?: number | undefined
  /** Whether to take the focal length that a camera has noted in a photo (default true). */
  cameraFocal?: boolean | undefined
  /** What all inputs are; by default each file's content tells. */
  as?: 'landmarks' | 'photos' | undefined
}

const EXTENSIONS = ['.json', '.jsonl', '.ndjson', '.pts']
const PHOTO_EXTENSIONS = ['.jpg', '.jpeg', '.png', '.webp', '.gif', '.tif', '.tiff', '.avif']

/**
 * Reads landmarks from files, directories, patterns and standard input (`-`), in order and one at a time: JSON (an
 * object or an array), JSON Lines, `.pts`; and, with a detector, those of the faces in photos. What a file holds is told
 * by its content. JSON Lines are streamed: memory does not grow with their number.
 *
 * A bad line, file or name is one item with an error (`faces.jsonl:17: points[3]: expected [x, y] or null, ...`), never
 * the end of the stream; a photo without a face is as well.
 *
 * @param inputs Paths, patterns and `-`, as on the command line (docs/landmarks.md).
 * @returns Every observation has an id: its own, else its file's name with its position.
 * @throws SfmError ABORTED when the signal fires; MISSING_PEER at the first photo, where the detector's packages are
 *   not installed.
 * @example
 * for await (const { observation, error } of readObservations(['faces.jsonl'])) {
 *   if (error) console.error(error.message)
 *   else console.log(await fitter.fit(observation))
 * }
 */
export async function* readObservations(
  inputs: readonly string[],
  options: ReadObservationsOptions = {},
): AsyncGenerator<ObservationItem> {
  for await (const record of readRecords(inputs, recordOptions(options))) yield toItem(record, options)
}

function recordOptions(options: ReadObservationsOptions): RecordOptions {
  const { signal, stdin, detector, decode, maxFaces, minFace, cameraFocal, as } = options
  const landmarks = { signal, stdin, extensions: EXTENSIONS, wanted: 'landmarks as JSON, JSON Lines or .pts', parsePts }
  if (detector === undefined || as === 'landmarks') return landmarks
  const faces = { detector, decode, maxFaces, minFace, cameraFocal, recent: new RecentPictures(), signal }
  return {
    ...landmarks,
    ...(as === 'photos' && { extensions: [], allPhotos: true }),
    wanted: 'a photo, or landmarks as JSON, JSON Lines or .pts',
    photoExtensions: PHOTO_EXTENSIONS,
    readPhoto: (bytes, file) => readFaces(bytes, file, faces),
  }
}

function toItem(
  { source, file, index, defaultId, note, photo, value, error }: InputRecord,
  { decode }: ReadObservationsOptions,
): ObservationItem {
  if (error !== undefined) return { id: defaultId, source, index, error }
  try {
    const observation = parseObservation(value)
    observation.id ??= defaultId
    const picture = photo ?? photoOfRecord(observation.image, file, decode)
    return {
      id: observation.id,
      source,
      index,
      ...(note !== undefined && { note }),
      ...(picture && { photo: picture }),
      observation,
    }
  } catch (error) {
    if (!(error instanceof SfmError)) throw error
    return { id: ownId(value) ?? defaultId, source, index, error: within(source, error) }
  }
}

/** A record that cannot be used may still say what it is called. */
function ownId(value: unknown): string | undefined {
  const id = typeof value === 'object' && value !== null && 'id' in value ? value.id : undefined
  return typeof id === 'string' && id !== '' ? id : undefined
}
