import { SfmError } from '../errors.js'
import type { Picture } from '../render/Picture.js'
import { asSfmError, expandInputs, type Source, type SourceOptions } from './expandInputs.js'
import { type JsonEntry, readJson, readJsonLines } from './readJson.js'
import { type Kind, SNIFF_BYTES, sniff } from './sniff.js'

/** One record of the inputs, or why it could not be read. */
export type InputRecord = {
  /** For messages: the file's name and, if it holds more than one record, the line or the element. */
  source: string
  /** The file that it was read from; absent for standard input. */
  file?: string
  /** From 0, over all inputs. */
  index: number
  /**
   * What to call the record if it has no id of its own: the file's name, and the position if it holds more than one.
   */
  defaultId: string
  /** What a person should know of it, though it is no error. */
  note?: string
  /** Its pixels, where it was found in a photo. */
  photo?: () => Promise<Picture>
} & ({ value: unknown; error?: undefined } | { error: SfmError; value?: undefined })

/** Options of {@link readRecords}. */
export interface RecordOptions extends SourceOptions {
  /** What counts in a directory: extensions in lower case with their dot. */
  extensions: readonly string[]
  /** For a message: what the files should hold, such as `landmarks as JSON`. */
  wanted: string
  /** Reads a `.pts` file's text; without it such a file is refused. */
  parsePts?: (text: string) => unknown
  /** Reads a photo; without it pictures are refused. */
  readPhoto?: ((bytes: Uint8Array, file: string | undefined) => Promise<JsonEntry[]>) | undefined
  /** Takes every input for a photo, whatever its first bytes say. */
  allPhotos?: boolean | undefined
}

/** `.pts` files have one line a point; whatever is longer is no such file. */
const MAX_PTS_BYTES = 4 * 1024 * 1024

/** A photo is held whole. */
const MAX_PHOTO_BYTES = 512 * 1024 * 1024

/**
 * Reads the records of files, directories, patterns and standard input (see expandInputs) in order, one at a time.
 *
 * Nothing that is wrong with an input ends the stream: a missing file, a line that is not JSON, a picture in
 * place of landmarks are each one record with an error, whose message begins with the record's source.
 *
 * @throws SfmError ABORTED when the signal fires.
 * @example
 * const options = { extensions: ['.json'], wanted: 'fit results as JSON' }
 * for await (const { source, value } of readRecords(['results/'], options)) console.log(source, value)
 */
export async function* readRecords(inputs: readonly string[], options: RecordOptions): AsyncGenerator<InputRecord> {
  let index = 0
  for await (const source of expandInputs(inputs, options.extensions, options)) {
    for await (const entry of readSource(source, options)) {
      const record = {
        source: source.name + entry.place,
        index: index++,
        ...(!source.live && { file: source.name }),
        defaultId: source.stem + (entry.suffix ?? (entry.position === null ? '' : `-${entry.position}`)),
        ...(entry.note !== undefined && { note: entry.note }),
        ...(entry.photo && { photo: entry.photo }),
      }
      if (entry.error === undefined) yield { ...record, value: entry.value }
      else yield { ...record, error: within(record.source, entry.error) }
    }
  }
}

/** The same error, with its place before the message. */
export function within(source: string, error: SfmError): SfmError {
  return new SfmError(error.code, `${source}: ${error.message}`, { cause: error.cause ?? error })
}

async function* readSource(source: Source, options: RecordOptions): AsyncGenerator<JsonEntry> {
  try {
    if (source.error !== undefined) throw source.error
    const { head, bytes } = await peek(source.open(), SNIFF_BYTES)
    const kind = sniff(head, source.name)
    if (options.readPhoto !== undefined && (options.allPhotos || kind.family === 'photo')) {
      yield* await options.readPhoto(await readAll(bytes, MAX_PHOTO_BYTES), source.live ? undefined : source.name)
    } else if (kind.family === 'lines') yield* readJsonLines(bytes)
    else if (kind.family === 'json') yield* readJson(bytes, source.live)
    else if (kind.family === 'pts' && options.parsePts !== undefined) {
      yield { place: '', position: null, value: options.parsePts(await readText(bytes, MAX_PTS_BYTES)) }
    } else throw refusal(kind, options.wanted)
  } catch (error) {
    if (options.signal?.aborted) throw new SfmError('ABORTED', 'reading was aborted', { cause: options.signal.reason })
    // Without the detector no photo can be read, and that is better said once than of each.
    if (error instanceof SfmError && error.code === 'MISSING_PEER') throw error
    yield { place: '', position: null, error: asSfmError(error) }
  }
}

function refusal(kind: Kind, wanted: string): SfmError {
  const hint: Partial<Record<Kind['family'], string>> = {
    photo: '; sfm fit finds the faces in photos',
    mesh: '; fitting scans and meshes is not part of this version',
    model: ', which is given with --model',
  }
  return new SfmError('INVALID_INPUT', `expected ${wanted}, received ${kind.label}${hint[kind.family] ?? ''}`)
}

/**
 * Looks at the beginning of a stream, and gives back a stream that still has it. No more is awaited than is needed: a
 * person who types a line wants an answer to that line. What goes wrong meanwhile comes up where the stream is read.
 */
async function peek(
  bytes: AsyncIterable<Uint8Array>,
  count: number,
): Promise<{ head: Uint8Array; bytes: AsyncIterable<Uint8Array> }> {
  const iterator = bytes[Symbol.asyncIterator]()
  const chunks: Uint8Array[] = []
  let length = 0
  let failure: { error: unknown } | undefined
  while (length < count && failure === undefined) {
    try {
      const next = await iterator.next()
      if (next.done) break
      chunks.push(next.value)
      length += next.value.length
    } catch (error) {
      failure = { error }
    }
  }
  if (failure && length === 0) throw failure.error
  const head = Buffer.concat(chunks)
  async function* all(): AsyncGenerator<Uint8Array> {
    try {
      yield head
      if (failure) throw failure.error
      yield* { [Symbol.asyncIterator]: () => iterator }
    } finally {
      await iterator.return?.()
    }
  }
  return { head, bytes: all() }
}

async function readText(bytes: AsyncIterable<Uint8Array>, limit: number): Promise<string> {
  return (await readAll(bytes, limit)).toString('utf8').replace(/^\uFEFF/, '')
}

async function readAll(bytes: AsyncIterable<Uint8Array>, limit: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of bytes) {
    chunks.push(chunk)
    length += chunk.length
    if (length > limit) throw new SfmError('INVALID_INPUT', `longer than ${limit / 1024 / 1024} MiB`)
  }
  return Buffer.concat(chunks)
}
