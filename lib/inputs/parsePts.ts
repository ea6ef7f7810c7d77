import { SfmError } from '../errors.js'
import type { Observation } from '../fit/Observation.js'

/**
 * `.pts` files count pixels from 1 and mean a pixel's centre: (1, 1) is the centre of the top-left pixel. Here that
 * centre is (0.5, 0.5), as the origin is the pixel's top-left corner.
 */
const PIXEL_SHIFT = -0.5

/** The files carry no name of a scheme, only the number of points. MediaPipe leaves the ten irises out on request. */
const SCHEME_BY_COUNT: Readonly<Record<number, { scheme: string; count: number }>> = {
  68: { scheme: 'ibug68', count: 68 },
  468: { scheme: 'mediapipe478', count: 478 },
  478: { scheme: 'mediapipe478', count: 478 },
}

/**
 * Reads a `.pts` file, the form of the 300-W landmarks: `version: 1`, `n_points: 68`, then one `x y` a line in braces.
 *
 * The number of points tells the scheme: 68 ibug68; 478 or 468 mediapipe478 (with 468 the irises count as missing).
 * A line `nan nan` is a missing point. The size of the image is not in the file, so the result has no `image`.
 *
 * @param text The file's content.
 * @returns Points in pixels from the top-left corner of the top-left pixel: half a pixel less than in the file.
 * @throws SfmError INVALID_INPUT naming the line.
 * @example
 * const observation = parsePts(await readFile('image_001.pts', 'utf8'))
 */
export function parsePts(text: string): Observation {
  const lines = text.split(/\r?\n/)
  const header = readHeader(lines)
  const points: Array<[number, number] | null> = []
  let i = header.end
  for (; ; i++) {
    const line = lines[i]
    if (line === undefined) throw invalid(i, '"}" after the last point', 'the end of the file')
    if (line.trim() === '}') break
    if (line.trim() !== '') points.push(readPoint(line, i))
  }
  const rest = lines.findIndex((line, at) => at > i && line.trim() !== '')
  if (rest !== -1) throw invalid(rest, 'nothing after "}"', JSON.stringify(lines[rest]))

  const count = header.count ?? points.length
  if (points.length !== count) throw invalid(i, `${count} points as n_points says`, `${points.length}`)
  const known = SCHEME_BY_COUNT[count]
  if (known === undefined) {
    const counts = Object.keys(SCHEME_BY_COUNT).join(', ')
    throw new SfmError('INVALID_INPUT', `expected a .pts file of ${counts} points, received one of ${count}`)
  }
  return { scheme: known.scheme, points: Array.from({ length: known.count }, (_, index) => points[index] ?? null) }
}

/** The lines before the brace: `name: value`, of which only the number of points matters. */
function readHeader(lines: readonly string[]): { count?: number; end: number } {
  let count: number | undefined
  for (const [i, raw] of lines.entries()) {
    const line = raw.trim()
    if (line === '{') return { ...(count !== undefined && { count }), end: i + 1 }
    if (line === '') continue
    const field = /^(\w+)\s*:\s*(.*)$/.exec(line)
    if (field === null) throw invalid(i, '"name: value" or "{"', JSON.stringify(line.slice(0, 60)))
    if (field[1] === 'version' && Number(field[2]) !== 1) throw invalid(i, 'version 1', `${field[2]}`)
    if (field[1] === 'n_points') {
      count = Number(field[2])
      if (!Number.isInteger(count) || count < 1) throw invalid(i, 'a number of points', JSON.stringify(field[2]))
    }
  }
  throw invalid(lines.length - 1, '"{" before the points', 'the end of the file')
}

function readPoint(line: string, index: number): [number, number] | null {
  const fields = line.trim().split(/\s+/)
  const [x = '', y = ''] = fields
  if (fields.length === 2) {
    if (x.toLowerCase() === 'nan' && y.toLowerCase() === 'nan') return null
    const point: [number, number] = [Number(x) + PIXEL_SHIFT, Number(y) + PIXEL_SHIFT]
    if (point.every(Number.isFinite)) return point
  }
  throw invalid(index, 'two numbers, x and y', JSON.stringify(line.trim().slice(0, 60)))
}

function invalid(index: number, expected: string, received: string): SfmError {
  return new SfmError('INVALID_INPUT', `line ${index + 1}: expected ${expected}, received ${received}`)
}
