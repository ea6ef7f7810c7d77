import { extname } from 'node:path'

/** What a file holds, told by its first bytes, and by its name only where those leave it open. */
export interface Kind {
  /** `json`: a document, or JSON Lines; `lines`: JSON Lines for certain. */
  family: 'json' | 'lines' | 'pts' | 'photo' | 'mesh' | 'model' | 'unknown'
  /** For a message: "a PNG picture". */
  label: string
}

/** The fewest bytes that tell the kinds apart; more do no harm. */
export const SNIFF_BYTES = 16

const JSON_KIND: Kind = { family: 'json', label: 'JSON' }
const LINES_KIND: Kind = { family: 'lines', label: 'JSON Lines' }
const PTS_KIND: Kind = { family: 'pts', label: 'a .pts file' }

const photo = (label: string): Kind => ({ family: 'photo', label })
const mesh = (label: string): Kind => ({ family: 'mesh', label })
const unknown = (label: string): Kind => ({ family: 'unknown', label })

/** Bytes, as Latin-1 by their offset, of what people are likely to give by mistake, or before its time. */
const SIGNATURES: ReadonlyArray<readonly [Readonly<Record<number, string>>, Kind]> = [
  [{ 0: '\x89PNG\r\n' }, photo('a PNG picture')],
  [{ 0: '\xff\xd8\xff' }, photo('a JPEG picture')],
  [{ 0: 'GIF8' }, photo('a GIF picture')],
  [{ 0: 'RIFF', 8: 'WEBP' }, photo('a WebP picture')],
  [{ 0: 'II*\0' }, photo('a TIFF picture')],
  [{ 0: 'MM\0*' }, photo('a TIFF picture')],
  [{ 0: 'BM', 6: '\0\0\0\0' }, photo('a BMP picture')],
  [{ 0: 'II+\0' }, photo('a TIFF picture')],
  [{ 0: 'MM\0+' }, photo('a TIFF picture')],
  [{ 4: 'ftyphe' }, photo('a HEIF picture')],
  [{ 4: 'ftypmif1' }, photo('a HEIF picture')],
  [{ 4: 'ftypmsf1' }, photo('a HEIF picture')],
  [{ 4: 'ftypavi' }, photo('an AVIF picture')],
  [{ 0: '\0\0\0\x0cjP  ' }, photo('a JPEG 2000 picture')],
  [{ 0: '\0\0\0\x0cJXL ' }, photo('a JPEG XL picture')],
  [{ 0: 'ply\n' }, mesh('a PLY mesh')],
  [{ 0: 'ply\r' }, mesh('a PLY mesh')],
  [{ 0: 'glTF' }, mesh('a GLB mesh')],
  [{ 0: 'solid ' }, mesh('an STL mesh')],
  // The header's length as a 64-bit number below 16 MiB, then the header's brace.
  [{ 3: '\0\0\0\0\0{' }, { family: 'model', label: 'a model file' }],
  [{ 0: '\x1f\x8b' }, unknown('gzip data')],
  [{ 0: 'PK\x03\x04' }, unknown('a ZIP archive')],
  [{ 0: '\xff\xfe' }, unknown('UTF-16 text')],
  [{ 0: '\xfe\xff' }, unknown('UTF-16 text')],
]

const BY_EXTENSION: Readonly<Record<string, Kind>> = {
  '.json': JSON_KIND,
  '.jsonl': LINES_KIND,
  '.ndjson': LINES_KIND,
  '.pts': PTS_KIND,
  '.obj': mesh('an OBJ mesh'),
  '.stl': mesh('an STL mesh'),
  '.gltf': mesh('a glTF mesh'),
}

/**
 * Tells what a file holds.
 *
 * @param head Its first bytes: {@link SNIFF_BYTES} or more, unless it has no more.
 * @param name Its name, for the extension; any text for a stream that has none.
 * @example
 * sniff(Buffer.from('{"id":'), 'faces.jsonl').family // 'lines'
 */
export function sniff(head: Uint8Array, name: string): Kind {
  const text = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, 512)).toString('latin1')
  const signature = SIGNATURES.find(([parts]) =>
    Object.entries(parts).every(([offset, bytes]) => text.startsWith(bytes, Number(offset))),
  )
  if (signature !== undefined) return signature[1]

  const named = BY_EXTENSION[extname(name).toLowerCase()]
  const start = text.replace(/^\xef\xbb\xbf/, '').trimStart()
  if (text.includes('\0')) return unknown('binary data')
  if (start === '') return named ?? JSON_KIND
  if (/^[[{]/.test(start)) return named?.family === 'lines' || named?.family === 'mesh' ? named : JSON_KIND
  if (/^(version|n_points)\s*:/.test(start)) return PTS_KIND
  // A name that says nothing leaves JSON Lines whose first line is broken as the likeliest.
  return named ?? (extname(name) === '' ? JSON_KIND : unknown('text of another kind'))
}
