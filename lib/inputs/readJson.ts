import { SfmError } from '../errors.js'
import type { Picture } from '../render/Picture.js'
import { type Line, MAX_LINE_BYTES, readLines } from './readLines.js'

/** One value of a JSON text, or why it could not be read. */
export type JsonEntry = {
  /** Where it stands, to be put behind the file's name: `:17` a line, `[3]` an element, empty for the only value. */
  place: string
  /** From 1 among the values of the text; null for the only one. */
  position: number | null
  /** What to call it behind the file's name if it has no id of its own; its position by default. */
  suffix?: string
  /** What a person should know of it, though it is no error. */
  note?: string
  /** Its pixels, where it was found in a photo. */
  photo?: () => Promise<Picture>
} & ({ value: unknown; error?: undefined } | { error: SfmError; value?: undefined })

/** A document is held whole, twice: as text and as objects. Whoever has more has JSON Lines. */
const MAX_DOCUMENT_CHARS = 256 * 1024 * 1024

/**
 * Reads JSON Lines, one value at a time: memory holds a line, whatever the length of the stream. A line that is not
 * JSON is one entry with an error; the lines after it are read all the same. Blank lines are skipped.
 *
 * @example
 * for await (const { place, value, error } of readJsonLines(process.stdin)) console.log(place, error ?? value)
 */
export async function* readJsonLines(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<JsonEntry> {
  let position = 0
  for await (const line of readLines(bytes)) {
    if (!isBlank(line)) yield lineEntry(line, ++position)
  }
}

/**
 * Reads JSON whose layout only its content tells: one value, an array of values, or JSON Lines.
 *
 * A text that begins with `[` is an array. Otherwise it is JSON Lines as soon as one of its lines is a whole object of
 * its own with other lines around it, so that a broken first line does not hide those after it; what was held back
 * until then is given first. Lines are streamed; a document is held whole.
 *
 * @param live Whether whoever writes may wait for the answer to a line before the next: then a first line that is an
 *   object is given at once, as a line, though it may turn out to be all there is.
 * @example
 * for await (const { value } of readJson(createReadStream('faces.json'))) console.log(value)
 */
export async function* readJson(bytes: AsyncIterable<Uint8Array>, live = false): AsyncGenerator<JsonEntry> {
  const held: Line[] = []
  let chars = 0
  let lines = false
  let position = 0
  for await (const line of readLines(bytes)) {
    if (isBlank(line)) continue
    if (!lines) {
      held.push(line)
      chars += line.text.length
      if (chars > MAX_DOCUMENT_CHARS) {
        yield { place: '', position: null, error: invalid('too long for one JSON document: write JSON Lines instead') }
        return
      }
      lines = areLines(held, live)
      if (lines) for (const each of held.splice(0)) yield lineEntry(each, ++position)
    } else {
      yield lineEntry(line, ++position)
    }
  }
  if (!lines) yield* documentEntries(held)
}

/** Whether what has been held back shows the layout to be JSON Lines. */
function areLines(held: readonly Line[], live: boolean): boolean {
  const [first] = held
  const last = held.at(-1)
  if (first === undefined || last === undefined || first.text.trimStart().startsWith('[')) return false
  if (held.length === 1) return live && isWholeObject(first.text)
  return isWholeObject(last.text) || (held.length === 2 && isWholeObject(first.text))
}

/** Members of an indented document may be whole objects, too: those do not begin at the line's start. */
function isWholeObject(text: string): boolean {
  if (!text.startsWith('{') || !text.trimEnd().endsWith('}')) return false
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function* documentEntries(lines: readonly Line[]): Generator<JsonEntry> {
  const [only] = lines
  // Line numbers are kept for the parser's message by putting the blank lines back.
  let text = ''
  let at = 1
  for (const line of lines) {
    text += '\n'.repeat(line.number - at) + line.text
    at = line.number
  }
  if (only === undefined) {
    yield { place: '', position: null, error: invalid('nothing in it') }
    return
  }
  const parsed = lines.some((line) => line.tooLong) ? { error: tooLong() } : parse(text)
  if (parsed.error !== undefined || !Array.isArray(parsed.value)) {
    yield { place: '', position: null, ...parsed }
    return
  }
  for (const [i, value] of parsed.value.entries()) yield { place: `[${i}]`, position: i + 1, value }
}

function lineEntry(line: Line, position: number): JsonEntry {
  return { place: `:${line.number}`, position, ...(line.tooLong ? { error: tooLong() } : parse(line.text)) }
}

function parse(text: string): { value: unknown; error?: undefined } | { error: SfmError; value?: undefined } {
  try {
    return { value: JSON.parse(text) }
  } catch (cause) {
    // The parser quotes a piece of the text, line breaks and all; a message is one line.
    const reason = cause instanceof Error ? cause.message.replace(/\s+/g, ' ') : String(cause)
    return { error: invalid(`not valid JSON: ${reason}`, cause) }
  }
}

function isBlank(line: Line): boolean {
  return !line.tooLong && line.text.trim() === ''
}

function tooLong(): SfmError {
  return invalid(`longer than ${MAX_LINE_BYTES / 1024 / 1024} MiB`)
}

function invalid(message: string, cause?: unknown): SfmError {
  return new SfmError('INVALID_INPUT', message, cause === undefined ? undefined : { cause })
}
