import { readFile } from 'node:fs/promises'
import { throwIfAborted } from '../aborts.js'
import { requireOptions } from '../decode/Latents.js'
import { invalidArgument, SfmError } from '../errors.js'
import { LONGEST_SIDE, type Picture } from '../render/Picture.js'
import { focalInPixels, parseExif } from './exif.js'
import type { Photo } from './Photo.js'
import { loadPeer } from './peers.js'

/** Where a photo comes from: a path, a file URL, or the bytes of a file. */
export type PhotoSource = string | URL | Uint8Array | ArrayBuffer

/** Options of {@link readPhoto}. */
export interface ReadPhotoOptions {
  signal?: AbortSignal | undefined
  /** A photo with a longer side has its `pixels` reduced to this; 16384 by default, the most that a picture may have. */
  longestSide?: number | undefined
  /** A photo with more pixels is refused before it is decoded (default 128 million, 512 MB decoded). */
  maxPixels?: number
}

/** What is used of sharp. */
interface Sharp {
  metadata(): Promise<Metadata>
  rotate(): Sharp
  resize(options: { width: number; height: number; fit: 'inside'; withoutEnlargement: boolean }): Sharp
  flatten(options: { background: string }): Sharp
  toColourspace(space: string): Sharp
  ensureAlpha(): Sharp
  raw(options: { depth: 'uchar' }): Sharp
  toBuffer(options: { resolveWithObject: true }): Promise<{ data: Buffer; info: { width: number; height: number } }>
}

interface Metadata {
  format?: string
  width?: number
  height?: number
  pages?: number
  orientation?: number
  exif?: Buffer
}

type OpenSharp = (bytes: Uint8Array, options: { limitInputPixels: number | false; failOn: 'error'; pages: 1 }) => Sharp

/** The rest of what sharp can decode, drawings and documents, are not photos. */
const FORMATS = new Set(['jpeg', 'png', 'webp', 'gif', 'tiff', 'heif'])
const READABLE = 'JPEG, PNG, WebP, GIF, TIFF or AVIF'

/**
 * Decodes a photo: upright by its EXIF orientation, as 8-bit sRGB whatever it was (CMYK, 16 bits, grey, another colour
 * profile), transparent parts on white. Of an animation, the first frame.
 *
 * @throws SfmError INVALID_INPUT for what is no photo, is cut off, or would take too much memory; IO, ABORTED,
 *   INVALID_ARGUMENT; MISSING_PEER where sharp is not installed.
 * @example
 * const { width, height, pixels } = await readPhoto('holidays/beach.jpg')
 */
export async function readPhoto(source: PhotoSource, options: ReadPhotoOptions = {}): Promise<Photo> {
  requireOptions(options)
  const { signal, longestSide = LONGEST_SIDE, maxPixels = 128e6 } = options
  requirePositive('longestSide', longestSide)
  if (longestSide > LONGEST_SIDE) throw invalidArgument('longestSide', `at most ${LONGEST_SIDE}`, longestSide)
  requirePositive('maxPixels', maxPixels)
  throwIfAborted(signal)
  const bytes = await readBytes(source, signal)
  if (bytes.length === 0) throw unreadable('nothing in it')
  const sharp = loadPeer<OpenSharp>('sharp')
  try {
    // The header's word is checked first: sharp's own limit speaks of no numbers.
    const metadata = await sharp(bytes, { limitInputPixels: false, failOn: 'error', pages: 1 }).metadata()
    const { format, width, height } = upright(metadata)
    if (!FORMATS.has(format)) throw unreadable(`expected a photo as ${READABLE}, received ${format}`)
    if (width * height > maxPixels)
      throw unreadable(`${width} x ${height} pixels are more than the ${maxPixels / 1e6} million that are read`)
    throwIfAborted(signal)
    const pixels = await decode(sharp(bytes, { limitInputPixels: maxPixels, failOn: 'error', pages: 1 }), longestSide)
    throwIfAborted(signal)
    const focal = metadata.exif && focalInPixels(parseExif(metadata.exif), { width, height })
    return { width, height, pixels, ...(focal !== undefined && { focal }), format, frames: metadata.pages ?? 1 }
  } catch (error) {
    throw asPhotoError(error)
  }
}

async function decode(image: Sharp, longestSide: number): Promise<Picture> {
  const { data, info } = await image
    .rotate()
    .resize({ width: longestSide, height: longestSide, fit: 'inside', withoutEnlargement: true })
    .flatten({ background: '#ffffff' })
    .toColourspace('srgb')
    .ensureAlpha()
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
  const { width, height } = info
  if (data.length !== width * height * 4)
    throw new SfmError('INTERNAL', `sharp returned ${data.length} bytes for ${width} x ${height} pixels`)
  return { width, height, data: new Uint8Array(data.buffer, data.byteOffset, data.length) }
}

/** Orientations from 5 on lie on their side (Exif 2.32, Orientation). */
function upright({ format = 'something else', width = 0, height = 0, orientation = 1 }: Metadata) {
  return orientation >= 5 ? { format, width: height, height: width } : { format, width, height }
}

async function readBytes(source: PhotoSource, signal: AbortSignal | undefined): Promise<Uint8Array> {
  if (source instanceof ArrayBuffer) return new Uint8Array(source)
  if (source instanceof Uint8Array) return source
  if (typeof source !== 'string' && !(source instanceof URL))
    throw invalidArgument('source', 'a path, a file URL, or bytes', source)
  try {
    return await readFile(source, signal && { signal })
  } catch (error) {
    throwIfAborted(signal)
    throw new SfmError('IO', error instanceof Error ? error.message : String(error), { cause: error })
  }
}

function unreadable(message: string, cause?: unknown): SfmError {
  return new SfmError('INVALID_INPUT', message, cause === undefined ? undefined : { cause })
}

/** Sharp repeats a decoder's complaint for every time it was made; the first line says it, and may announce the others. */
function asPhotoError(error: unknown): SfmError {
  if (error instanceof SfmError) return error
  const [line = ''] = (error instanceof Error ? error.message : String(error)).trim().split('\n')
  const text = line.replace(/:\s*$/, '')
  if (/unsupported image format|unsupported codec|not built with|no.* plugin/i.test(text))
    return unreadable(`expected a photo as ${READABLE}, received another format`, error)
  return unreadable(`the photo is damaged or cut off: ${text}`, error)
}

function requirePositive(name: string, value: unknown): void {
  if (!Number.isInteger(value) || (value as number) < 1) throw invalidArgument(name, 'a whole number above 0', value)
}
