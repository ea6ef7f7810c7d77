/**
 * Folders of face scans with photos or landmarks of the same people, as users of the NoW benchmark and its like have
 * them: what `scans.json` says (docs/evaluation.md).
 */

import { isAbsolute, normalize, sep } from 'node:path'
import { unexpected } from '../inputs/unexpected.js'

/** `scans.json`. Paths are relative to its folder. */
export interface ScanProtocol {
  format: typeof SCAN_PROTOCOL_FORMAT
  name: string
  /** Millimetres in a unit of the scans' coordinates: 1000 for metres. */
  unit: number
  scans: ScanEntry[]
}

/** One scan of one person, and the images from which the face is reconstructed. */
export interface ScanEntry {
  id: string
  subject: string
  /** A mesh or point cloud: OBJ or PLY. */
  scan: string
  /** Seven points in the scan's own coordinates: {@link SCAN_LANDMARKS}. */
  landmarks: Point[]
  /** In the scan's own coordinates. */
  noseTip: Point
  /** Files of landmarks in the images (docs/landmarks.md), all of this person; with several, each is evaluated. */
  images: string[]
  /** Such as `neutral`, `expression`, `occlusion`, `selfie`: errors are given for each as well. */
  condition?: string
}

/** x, y, z. */
export type Point = [number, number, number]

export const SCAN_PROTOCOL_FORMAT = 'sphere-face-model-scans/1'

/** The seven landmarks in their order, with the points of `ibug68` that they are. Left and right are the subject's. */
export const SCAN_LANDMARKS = [
  { name: 'outer corner of the right eye', ibug68: 36 },
  { name: 'inner corner of the right eye', ibug68: 39 },
  { name: 'inner corner of the left eye', ibug68: 42 },
  { name: 'outer corner of the left eye', ibug68: 45 },
  { name: 'base of the nose', ibug68: 33 },
  { name: 'right corner of the mouth', ibug68: 48 },
  { name: 'left corner of the mouth', ibug68: 54 },
] as const

/**
 * Reads what `scans.json` holds.
 *
 * @param value The parsed JSON.
 * @throws SfmError INVALID_INPUT naming what is wrong, and where.
 * @example
 * const protocol = parseScanProtocol(JSON.parse(await readFile('scans/scans.json', 'utf8')))
 */
export function parseScanProtocol(value: unknown): ScanProtocol {
  const { format, name, unit = 1, scans } = object('', value)
  if (format !== SCAN_PROTOCOL_FORMAT) throw unexpected('format', `"${SCAN_PROTOCOL_FORMAT}"`, format)
  if (typeof unit !== 'number' || !(unit > 0 && Number.isFinite(unit)))
    throw unexpected('unit', 'millimetres in a unit, a number above 0', unit)
  const ids = new Set<string>()
  const entries = list('scans', scans).map((entry, i) => {
    const parsed = parseEntry(`scans[${i}]`, entry)
    if (ids.has(parsed.id)) throw unexpected(`scans[${i}].id`, 'an id of its own', parsed.id)
    ids.add(parsed.id)
    return parsed
  })
  return { format, name: words('name', name), unit, scans: entries }
}

function parseEntry(path: string, value: unknown): ScanEntry {
  const { id, subject, scan, landmarks, noseTip, images, condition } = object(path, value)
  const points = list(`${path}.landmarks`, landmarks)
  if (points.length !== SCAN_LANDMARKS.length)
    throw unexpected(`${path}.landmarks`, `${SCAN_LANDMARKS.length} points`, landmarks)
  return {
    id: words(`${path}.id`, id),
    subject: words(`${path}.subject`, subject),
    scan: file(`${path}.scan`, scan),
    landmarks: points.map((each, i) => point(`${path}.landmarks[${i}]`, each)),
    noseTip: point(`${path}.noseTip`, noseTip),
    images: list(`${path}.images`, images).map((each, i) => file(`${path}.images[${i}]`, each)),
    ...(condition !== undefined && condition !== null && { condition: words(`${path}.condition`, condition) }),
  }
}

function object(path: string, value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw unexpected(path, 'an object', value)
  return value as Record<string, unknown>
}

function list(path: string, value: unknown): unknown[] {
  if (!Array.isArray(value) || value.length === 0) throw unexpected(path, 'an array of at least one', value)
  return value
}

function words(path: string, value: unknown): string {
  if (typeof value !== 'string' || value === '') throw unexpected(path, 'a string', value)
  return value
}

function point(path: string, value: unknown): Point {
  if (!Array.isArray(value) || value.length !== 3 || !value.every(Number.isFinite))
    throw unexpected(path, '[x, y, z]', value)
  return value as Point
}

/** A file below the folder: a list from elsewhere must not read what else there is on the disk. */
function file(path: string, value: unknown): string {
  const name = normalize(words(path, value))
  if (isAbsolute(name) || name.split(sep).includes('..')) throw unexpected(path, 'a path within the folder', value)
  return name
}
