import { describe, SfmError } from '../errors.js'
import { decimal } from './decimal.js'
import { unexpected } from './unexpected.js'

/** Headers have some hundred bytes, and comments. */
const MAX_HEADER_BYTES = 1024 * 1024

type Reader = (view: DataView, at: number, littleEndian: boolean) => number

/** Scalar types by both of their names: bytes, and how to read one. */
const TYPES: ReadonlyMap<string, { bytes: number; read: Reader }> = new Map(
  (
    [
      ['char int8', 1, (view, at) => view.getInt8(at)],
      ['uchar uint8', 1, (view, at) => view.getUint8(at)],
      ['short int16', 2, (view, at, little) => view.getInt16(at, little)],
      ['ushort uint16', 2, (view, at, little) => view.getUint16(at, little)],
      ['int int32', 4, (view, at, little) => view.getInt32(at, little)],
      ['uint uint32', 4, (view, at, little) => view.getUint32(at, little)],
      ['float float32', 4, (view, at, little) => view.getFloat32(at, little)],
      ['double float64', 8, (view, at, little) => view.getFloat64(at, little)],
    ] as Array<[string, number, Reader]>
  ).flatMap(([names, bytes, read]) => names.split(' ').map((name) => [name, { bytes, read }] as const)),
)

interface Property {
  name: string
  type: { bytes: number; read: Reader }
  /** The type of the list's length; absent for a single value. */
  length?: { bytes: number; read: Reader }
}

interface Element {
  name: string
  count: number
  properties: Property[]
}

interface Header {
  format: 'ascii' | 'binary_little_endian' | 'binary_big_endian'
  elements: Element[]
  /** Where the data begins. */
  end: number
}

/**
 * Reads the vertices of a PLY mesh: ASCII, binary of either byte order, coordinates of any type, any other elements and
 * properties around them. Faces are not looked at. Nothing is allocated on the word of the file.
 *
 * @returns [N,3] in the file's units.
 * @throws SfmError INVALID_INPUT saying what is wrong where.
 * @example
 * const vertices = readPly(await readFile('face.ply'))
 */
export function readPly(bytes: Uint8Array): Float64Array {
  const header = readHeader(bytes)
  const place = header.elements.findIndex(({ name }) => name === 'vertex')
  if (place < 0) throw unexpected('header', 'an element "vertex"', header.elements.map(({ name }) => name).join(', '))
  const before = header.elements.slice(0, place)
  const vertex = header.elements[place]!
  const axes = ['x', 'y', 'z'].map((axis) => {
    const property = vertex.properties.find(({ name, length }) => name === axis && length === undefined)
    if (property === undefined) throw unexpected('header', `a property "${axis}" of the vertices`, 'none')
    return property
  })
  const data = bytes.subarray(header.end)
  // A value of a binary file has a byte at least, one of a text a digit and something between it and the next.
  const least = header.format === 'ascii' ? 2 * vertex.properties.length : vertex.properties.length
  if (vertex.count * least > data.length + 1)
    throw unexpected('header', `vertices that fit into the ${data.length} bytes of data`, vertex.count)
  if (vertex.count === 0) throw unexpected('header', 'vertices', 0)
  return header.format === 'ascii'
    ? readText(data, before, vertex, axes)
    : readBinary(data, before, vertex, axes, header.format === 'binary_little_endian')
}

function readHeader(bytes: Uint8Array): Header {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, MAX_HEADER_BYTES)).toString('latin1')
  const lineBreak = /^ply[ \t]*(\r\n|\n|\r)/.exec(text)?.[1]
  if (lineBreak === undefined) throw unexpected('', 'a PLY file, which begins with "ply"', text.slice(0, 8))
  const close = new RegExp(`(?:\\r|\\n)end_header[ \\t]*${lineBreak}`).exec(text)
  if (close === null) throw unexpected('header', '"end_header"', 'none')

  let format: Header['format'] | undefined
  const elements: Element[] = []
  for (const line of text.slice(0, close.index).split(lineBreak).slice(1)) {
    const words = line.trim().split(/\s+/)
    if (words[0] === 'format') format = readFormat(words)
    else if (words[0] === 'element') elements.push(readElement(words))
    else if (words[0] === 'property') {
      const element = elements.at(-1)
      if (element === undefined) throw unexpected('header', 'an element before its properties', line)
      element.properties.push(readProperty(words))
    } else if (words[0] !== 'comment' && words[0] !== 'obj_info' && words[0] !== '')
      throw unexpected('header', 'format, element, property or comment', line)
  }
  if (format === undefined) throw unexpected('header', 'a line "format"', 'none')
  return { format, elements, end: close.index + close[0].length }
}

function readFormat([, format, version]: string[]): Header['format'] {
  if (format !== 'ascii' && format !== 'binary_little_endian' && format !== 'binary_big_endian')
    throw unexpected('header', 'the format ascii, binary_little_endian or binary_big_endian', format)
  if (version !== '1.0') throw unexpected('header', 'version 1.0', version)
  return format
}

function readElement([, name, count]: string[]): Element {
  const number = count !== undefined && /^\d+$/.test(count) ? Number(count) : Number.NaN
  if (name === undefined || !Number.isSafeInteger(number)) throw unexpected('header', 'element NAME COUNT', count)
  return { name, count: number, properties: [] }
}

function readProperty(words: string[]): Property {
  const type = (name: string | undefined) => {
    const known = TYPES.get(name ?? '')
    if (known === undefined) throw unexpected('header', `a type out of ${[...TYPES.keys()].join(', ')}`, name)
    return known
  }
  if (words[1] === 'list') return { length: type(words[2]), type: type(words[3]), name: words[4] ?? '' }
  return { type: type(words[1]), name: words[2] ?? '' }
}

function readBinary(
  data: Uint8Array,
  before: readonly Element[],
  vertex: Element,
  axes: readonly Property[],
  littleEndian: boolean,
): Float64Array {
  const view = new DataView(data.buffer, data.byteOffset, data.length)
  let at = 0
  const skip = (bytes: number) => {
    at += bytes
    if (at > data.length) throw ended()
  }
  const skipProperty = ({ type, length }: Property) => {
    if (length === undefined) return skip(type.bytes)
    const start = at
    skip(length.bytes)
    const items = length.read(view, start, littleEndian)
    if (!(items >= 0)) throw unexpected('data', 'lists with a length of 0 or more', items)
    skip(items * type.bytes)
  }
  for (const { count, properties } of before) {
    if (properties.every(({ length }) => length === undefined))
      skip(count * properties.reduce((sum, { type }) => sum + type.bytes, 0))
    else for (let i = 0; i < count; i++) properties.forEach(skipProperty)
  }
  const vertices = new Float64Array(3 * vertex.count)
  for (let v = 0; v < vertex.count; v++) {
    for (const property of vertex.properties) {
      const start = at
      skipProperty(property)
      const axis = axes.indexOf(property)
      if (axis < 0) continue
      const value = property.type.read(view, start, littleEndian)
      if (!Number.isFinite(value)) throw unexpected(`vertex ${v}`, 'finite coordinates', value)
      vertices[3 * v + axis] = value
    }
  }
  return vertices
}

function readText(
  data: Uint8Array,
  before: readonly Element[],
  vertex: Element,
  axes: readonly Property[],
): Float64Array {
  const lines = linesOf(data)
  for (const { count } of before) for (let i = 0; i < count; i++) nextLine(lines)
  const vertices = new Float64Array(3 * vertex.count)
  for (let v = 0; v < vertex.count; v++) {
    const words = nextLine(lines).split(/\s+/)
    let word = 0
    for (const property of vertex.properties) {
      const axis = axes.indexOf(property)
      if (axis >= 0) vertices[3 * v + axis] = decimal(words[word], `vertex ${v}`)
      word += property.length === undefined ? 1 : 1 + decimal(words[word], `vertex ${v}`)
    }
  }
  return vertices
}

/** Lines that are not blank, without the blanks around them. */
function* linesOf(data: Uint8Array): Generator<string> {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.length)
  // Old files have carriage returns alone.
  const lineBreak = bytes.includes(0x0a) ? 0x0a : 0x0d
  for (let start = 0; start < bytes.length; ) {
    const found = bytes.indexOf(lineBreak, start)
    const end = found < 0 ? bytes.length : found
    const line = bytes.toString('latin1', start, end).trim()
    if (line !== '') yield line
    start = end + 1
  }
}

function nextLine(lines: Generator<string>): string {
  const next = lines.next()
  if (next.done) throw ended()
  return next.value
}

function ended(): SfmError {
  return new SfmError('INVALID_INPUT', `data: expected more of it, as the header says, received ${describe('its end')}`)
}
