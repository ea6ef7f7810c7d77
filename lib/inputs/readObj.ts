import { SfmError } from '../errors.js'
import { decimal } from './decimal.js'
import { unexpected } from './unexpected.js'

/** A line of a mesh has some numbers; whatever is this long is no text. */
const MAX_LINE_CHARS = 1024 * 1024

/** Vertices that a file may have: far beyond any face, and still small beside the memory of any machine. */
const MAX_VERTICES = 20_000_000

const V = 'v'.charCodeAt(0)

/**
 * Reads the vertices of a Wavefront OBJ mesh, in the file's order, as it is streamed. Faces, texture coordinates,
 * normals, groups and materials are passed over, and so is what a `v` line has behind its three coordinates (weight or
 * colour). Line breaks may be those of any system, and a backslash continues the line of a vertex.
 *
 * @returns [N,3] in the file's units.
 * @throws SfmError INVALID_INPUT naming the line.
 * @example
 * const vertices = await readObj(createReadStream('face.obj'))
 */
export async function readObj(bytes: AsyncIterable<Uint8Array>): Promise<Float64Array> {
  let vertices = new Float64Array(3 * 1024)
  let count = 0
  let number = 0
  let rest = ''

  let begun = ''
  const read = (next: string) => {
    number++
    const line = begun + next
    const at = keyword(line)
    begun = ''
    if (at < 0) return
    // Of vertices alone: a comment that ends with a backslash is a path.
    if (line.endsWith('\\')) {
      begun = `${line.slice(0, -1)} `
      return
    }
    if (count === MAX_VERTICES) throw new SfmError('INVALID_INPUT', `more than ${MAX_VERTICES} vertices`)
    if (3 * count === vertices.length) {
      const larger = new Float64Array(2 * vertices.length)
      larger.set(vertices)
      vertices = larger
    }
    const words = line.slice(at).trim().split(/\s+/, 3)
    for (let axis = 0; axis < 3; axis++) vertices[3 * count + axis] = decimal(words[axis], `line ${number}`)
    count++
  }

  for await (const chunk of bytes) {
    const text = rest + Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString('latin1')
    const end = endOfLines(text)
    rest = text.slice(end)
    if (rest.length > MAX_LINE_CHARS)
      throw new SfmError('INVALID_INPUT', `line ${number + 1} is no text: it is too long`)
    splitLines(text.slice(0, end)).forEach(read)
  }
  splitLines(rest).forEach(read)
  if (begun !== '') read('')
  if (count === 0) throw unexpected('', 'lines "v x y z"', 'none')
  return vertices.slice(0, 3 * count)
}

/** Where the last whole line of a text ends. */
function endOfLines(text: string): number {
  const end = text.lastIndexOf('\n')
  // Old systems have carriage returns alone; one at the very end may be half of a break.
  return 1 + (end < 0 ? text.lastIndexOf('\r', text.length - 2) : end)
}

/** Lines of a text; an empty one behind the last break is none. */
function splitLines(text: string): string[] {
  const lines = text.split(/\r\n|\n|\r/)
  if (lines.at(-1) === '') lines.pop()
  return lines
}

/** Where the numbers of a line begin if it has a vertex; -1 for any other line. */
function keyword(line: string): number {
  let at = 0
  while (isBlank(line.charCodeAt(at))) at++
  return line.charCodeAt(at) === V && isBlank(line.charCodeAt(at + 1)) ? at + 1 : -1
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}
