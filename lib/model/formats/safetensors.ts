import { describe, invalidArgument, SfmError } from '../../errors.js'
import { invalidModel, metadataLabel, tensorLabel } from '../invalidModel.js'
import { duplicateKey } from './duplicateKey.js'

/** Size in bytes of one element of each dtype. */
export const DTYPE_BYTES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  I64: 8,
  U64: 8,
  F64: 8,
} as const

/** The element type of a tensor, by its name in the file. */
export type Dtype = keyof typeof DTYPE_BYTES

/** One tensor: row-major, little-endian. */
export interface Tensor {
  readonly dtype: Dtype
  readonly shape: readonly number[]
  readonly bytes: Uint8Array
}

/** What a safetensors file holds. */
export interface Container {
  readonly tensors: ReadonlyMap<string, Tensor>
  readonly metadata: ReadonlyMap<string, string>
}

/**
 * Below the format's own limit of 100 MB: a header needs some 100 bytes a tensor, and one of this size a second to
 * read.
 */
const MAX_HEADER_BYTES = 10_000_000
const LENGTH_BYTES = 8
const METADATA_KEY = '__metadata__'
/**
 * Tensors start at a multiple of this from the start of a file that we write: a cache line, and the widest vector
 * register.
 */
const DATA_ALIGNMENT = 64

/** A tensor's line of the header, checked in itself. */
interface Entry {
  name: string
  dtype: Dtype
  shape: number[]
  begin: number
  end: number
}

/**
 * Reads a safetensors file: an 8-byte little-endian header length, a JSON header, the tensors' bytes. Nothing is
 * copied, the tensors are views of `file`; nothing is allocated on the word of the file; every offset is checked before
 * it is used.
 *
 * @throws SfmError INVALID_MODEL, naming the tensor or metadata entry, when the file is truncated, has bytes that
 *   belong to no tensor, or its header is not well-formed.
 * @example
 * const { tensors, metadata } = readContainer(await readFile('face.safetensors'))
 * tensors.get('mean')?.shape   // [8780, 3]
 */
export function readContainer(file: Uint8Array): Container {
  requireLittleEndian()
  if (!(file instanceof Uint8Array)) throw invalidArgument('bytes', 'a Uint8Array', file)
  // A Buffer's own `slice` would not copy.
  const bytes = asBytes(file)

  const headerLength = readHeaderLength(bytes)
  const header = parseHeader(bytes.slice(LENGTH_BYTES, LENGTH_BYTES + headerLength))
  const data = bytes.subarray(LENGTH_BYTES + headerLength)

  const metadata = new Map<string, string>()
  const entries: Entry[] = []
  for (const [key, value] of Object.entries(header)) {
    if (key === METADATA_KEY) readMetadata(value, metadata)
    else entries.push(readEntry(key, value))
  }
  checkLayout(entries, data.length)

  const tensors = new Map<string, Tensor>()
  for (const { name, dtype, shape, begin, end } of entries) {
    tensors.set(name, { dtype, shape, bytes: data.subarray(begin, end) })
  }
  return { tensors, metadata }
}

/**
 * Writes a safetensors file: the largest element types first and by name within one type, which keeps every tensor
 * aligned without the gaps that the format forbids. The same content gives the same bytes, whatever the order of the
 * maps.
 *
 * @throws SfmError INVALID_ARGUMENT when a tensor's bytes do not fill its shape, or a tensor has the reserved name.
 * @example
 * const mean = new Float32Array([0, 0, 1])
 * writeContainer({ tensors: new Map([['mean', { dtype: 'F32', shape: [1, 3], bytes: asBytes(mean) }]]), metadata: new
 * Map() })
 */
export function writeContainer({ tensors, metadata }: Container): Uint8Array {
  requireLittleEndian()
  const sorted = [...tensors].sort(
    ([a, { dtype: p }], [b, { dtype: q }]) => DTYPE_BYTES[q] - DTYPE_BYTES[p] || compare(a, b),
  )

  const header: [string, unknown][] = []
  if (metadata.size > 0)
    header.push([METADATA_KEY, Object.fromEntries([...metadata].sort(([a], [b]) => compare(a, b)))])
  let offset = 0
  for (const [name, { dtype, shape, bytes }] of sorted) {
    if (name === METADATA_KEY) throw invalidArgument('tensors', `names other than ${METADATA_KEY}`, name)
    if (bytes.length !== byteLength(dtype, shape)) {
      throw invalidArgument(
        tensorLabel(name),
        `${byteLength(dtype, shape)} bytes for ${dtype} [${shape.join(', ')}]`,
        bytes,
      )
    }
    header.push([name, { dtype, shape, data_offsets: [offset, offset + bytes.length] }])
    offset += bytes.length
  }

  const headerBytes = new TextEncoder().encode(stringify(header))
  const dataStart = roundUp(LENGTH_BYTES + headerBytes.length, DATA_ALIGNMENT)
  const file = new Uint8Array(dataStart + offset)
  new DataView(file.buffer).setBigUint64(0, BigInt(dataStart - LENGTH_BYTES), true)
  // The format pads the header with spaces.
  file.fill(0x20, LENGTH_BYTES, dataStart)
  file.set(headerBytes, LENGTH_BYTES)
  let position = dataStart
  for (const [, { bytes }] of sorted) {
    file.set(bytes, position)
    position += bytes.length
  }
  return file
}

/**
 * The bytes behind a typed array, without a copy.
 *
 * @example
 * asBytes(new Float32Array([1])).length   // 4
 */
export function asBytes(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}

function readHeaderLength(bytes: Uint8Array): number {
  if (bytes.length < LENGTH_BYTES) throw invalidModel('file', `at least ${LENGTH_BYTES} bytes`, `${bytes.length}`)
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true)
  const limit = Math.min(bytes.length - LENGTH_BYTES, MAX_HEADER_BYTES)
  if (length > BigInt(limit))
    throw invalidModel('header length', `at most ${limit} in a file of ${bytes.length} bytes`, `${length}`)
  return Number(length)
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  let text: string
  let header: unknown
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    header = JSON.parse(text)
  } catch (cause) {
    throw invalidModel('header', 'a JSON object in UTF-8', 'something else', { cause })
  }
  if (!isObject(header)) throw invalidModel('header', 'a JSON object', describe(header))
  const twice = duplicateKey(text)
  if (twice !== undefined) throw invalidModel('header', 'every key once', `${describe(twice)} twice`)
  return header
}

function readMetadata(value: unknown, into: Map<string, string>): void {
  if (!isObject(value)) throw invalidModel(METADATA_KEY, 'an object of strings', describe(value))
  for (const [key, entry] of Object.entries(value)) {
    if (typeof entry !== 'string') throw invalidModel(metadataLabel(key), 'a string', describe(entry))
    into.set(key, entry)
  }
}

function readEntry(name: string, value: unknown): Entry {
  const where = tensorLabel(name)
  if (!isObject(value)) throw invalidModel(where, 'an object with dtype, shape and data_offsets', describe(value))
  const { dtype, shape, data_offsets: offsets } = value
  if (!isDtype(dtype))
    throw invalidModel(where, `a dtype out of ${Object.keys(DTYPE_BYTES).join(', ')}`, describe(dtype))
  if (!isCounts(shape)) throw invalidModel(where, 'a shape of non-negative integers', describe(shape))
  if (!isCounts(offsets) || offsets.length !== 2) {
    throw invalidModel(where, 'data_offsets of two non-negative integers', describe(offsets))
  }
  const [begin, end] = offsets as [number, number]
  const size = byteLength(dtype, shape)
  if (!Number.isSafeInteger(size))
    throw invalidModel(where, 'a shape whose size can be addressed', describeShape(shape))
  if (end - begin !== size) {
    throw invalidModel(where, `${size} bytes for ${dtype} ${describeShape(shape)}`, `data_offsets ${begin} to ${end}`)
  }
  return { name, dtype, shape, begin, end }
}

/**
 * The tensors must tile the data: sorted by offset, each begins where the one before it ends, and the last ends with
 * the file.
 */
function checkLayout(entries: Entry[], dataLength: number): void {
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end)
  let expected = 0
  for (const { name, begin, end } of entries) {
    if (begin !== expected) {
      const fault = begin < expected ? 'an overlap' : 'a gap'
      throw invalidModel(tensorLabel(name), `data_offsets from ${expected} on`, `${begin}, ${fault}`)
    }
    if (end > dataLength) {
      throw invalidModel(tensorLabel(name), `data_offsets within the ${dataLength} bytes of data`, `an end at ${end}`)
    }
    expected = end
  }
  if (expected !== dataLength)
    throw invalidModel('file', `${expected} bytes of data, as its header says`, `${dataLength}`)
}

/** NaN when a partial product cannot be represented exactly, wherever in the shape that happens. */
function byteLength(dtype: Dtype, shape: readonly number[]): number {
  let size: number = DTYPE_BYTES[dtype]
  for (const count of shape) {
    size *= count
    if (!Number.isSafeInteger(size)) return Number.NaN
  }
  return size
}

function describeShape(shape: readonly number[]): string {
  return shape.length > 8 ? `${shape.length} dimensions` : `[${shape.join(', ')}]`
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isDtype(value: unknown): value is Dtype {
  return typeof value === 'string' && Object.hasOwn(DTYPE_BYTES, value)
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((count) => Number.isSafeInteger(count) && count >= 0)
}

/** By UTF-16 code units: the same on every machine, unlike localeCompare. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** JSON of an object given as entries: an object literal would put keys that look like integers first. */
function stringify(entries: readonly [string, unknown][]): string {
  return `{${entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple
}

const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

/** Tensors are used in place, so the machine has to order bytes as the file does. */
function requireLittleEndian(): void {
  if (!LITTLE_ENDIAN) throw new SfmError('INTERNAL', 'model files can be read on little-endian machines only')
}
