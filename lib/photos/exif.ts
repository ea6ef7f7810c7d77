/** What a photo's EXIF says that matters here. */
export interface Exif {
  /** Focal length of a 35 mm camera with the same field of view, mm. */
  focalLengthIn35mmFilm?: number
  /** Size of the picture as the camera wrote it, before anybody cut it. */
  width?: number
  height?: number
}

/** Tags of the Exif IFD, and the pointer to it (Exif 2.32, 4.6). */
const TAGS = { exifIfd: 0x8769, pixelXDimension: 0xa002, pixelYDimension: 0xa003, focalLengthIn35mmFilm: 0xa405 }

/** Bytes of a value by its type; other types hold nothing that is read here. */
const SHORT = 3
const LONG = 4

/**
 * Reads the few fields of EXIF that say how the camera saw. Whatever is not as it should be counts as absent: notes of
 * a camera are no reason to refuse its photo.
 *
 * @param bytes The EXIF block, with or without the leading `Exif\0\0`.
 * @example
 * parseExif((await sharp('photo.jpg').metadata()).exif).focalLengthIn35mmFilm // 26
 */
export function parseExif(bytes: Uint8Array): Exif {
  const start = Buffer.from(bytes.subarray(0, 6)).toString('latin1') === 'Exif\0\0' ? 6 : 0
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, bytes.byteLength - start)
  if (view.byteLength < 8) return {}
  const order = view.getUint16(0)
  if (order !== 0x4949 && order !== 0x4d4d) return {}
  const littleEndian = order === 0x4949
  const exifIfd = readIfd(view, view.getUint32(4, littleEndian), littleEndian).get(TAGS.exifIfd)
  if (exifIfd === undefined) return {}
  const fields = readIfd(view, exifIfd, littleEndian)
  const exif: Exif = {}
  const take = (name: keyof Exif, tag: number) => {
    const value = fields.get(tag)
    // 0 stands for "unknown".
    if (value !== undefined && value > 0) exif[name] = value
  }
  take('focalLengthIn35mmFilm', TAGS.focalLengthIn35mmFilm)
  take('width', TAGS.pixelXDimension)
  take('height', TAGS.pixelYDimension)
  return exif
}

/** The whole numbers of one directory by their tag; a directory that reaches beyond the block has those within it. */
function readIfd(view: DataView, offset: number, littleEndian: boolean): Map<number, number> {
  const values = new Map<number, number>()
  if (offset + 2 > view.byteLength) return values
  const count = view.getUint16(offset, littleEndian)
  for (let i = 0; i < count; i++) {
    const entry = offset + 2 + 12 * i
    if (entry + 12 > view.byteLength) break
    const tag = view.getUint16(entry, littleEndian)
    const type = view.getUint16(entry + 2, littleEndian)
    if (view.getUint32(entry + 4, littleEndian) !== 1) continue
    if (type === SHORT) values.set(tag, view.getUint16(entry + 8, littleEndian))
    else if (type === LONG) values.set(tag, view.getUint32(entry + 8, littleEndian))
  }
  return values
}

/** Diagonal of a frame of 35 mm film, 36 by 24 mm. */
const FILM_DIAGONAL = Math.hypot(36, 24)

/** Sides may differ by the rounding of a smaller copy. */
const ASPECT_TOLERANCE = 0.02

/**
 * The focal length in pixels that EXIF tells, by the diagonal, as the standard for digital cameras has it.
 *
 * @param size Of the picture, in either orientation.
 * @returns Undefined where EXIF does not say, or the picture has been cut since: a part of it has another diagonal.
 * @example
 * focalInPixels({ focalLengthIn35mmFilm: 26 }, { width: 4032, height: 3024 }) // 3028.7...
 */
export function focalInPixels(exif: Exif, { width, height }: { width: number; height: number }): number | undefined {
  if (exif.focalLengthIn35mmFilm === undefined) return undefined
  if (exif.width !== undefined && exif.height !== undefined) {
    const aspect = (a: number, b: number) => Math.max(a, b) / Math.min(a, b)
    if (Math.abs(aspect(exif.width, exif.height) / aspect(width, height) - 1) > ASPECT_TOLERANCE) return undefined
  }
  return (exif.focalLengthIn35mmFilm * Math.hypot(width, height)) / FILM_DIAGONAL
}
