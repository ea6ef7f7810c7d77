/** One line of a text, without its line break. */
export interface Line {
  /** From 1. */
  number: number
  /** Empty if the line was too long. */
  text: string
  /** Whether the line was longer than the limit, and so was passed over. */
  tooLong: boolean
}

/** Far beyond the landmarks of any face, and still small beside the memory of any machine. */
export const MAX_LINE_BYTES = 16 * 1024 * 1024

const LINE_FEED = 0x0a

/**
 * Splits a stream of UTF-8 into lines at `\n` or `\r\n`, holding one line at a time.
 *
 * Written here as `node:readline` has no limit of a line's length, and goes on reading while nobody takes its lines.
 *
 * @param limit Bytes a line may have; a longer one is skipped and comes back as `tooLong`.
 * @example
 * for await (const { number, text } of readLines(createReadStream('faces.jsonl'))) console.log(number, text.length)
 */
export async function* readLines(bytes: AsyncIterable<Uint8Array>, limit = MAX_LINE_BYTES): AsyncGenerator<Line> {
  let number = 1
  let pieces: Uint8Array[] = []
  let length = 0

  const take = (): Line => {
    const tooLong = length > limit
    const line = { number, text: tooLong ? '' : decode(pieces, number === 1), tooLong }
    number++
    pieces = []
    length = 0
    return line
  }
  const add = (piece: Uint8Array) => {
    length += piece.length
    if (length <= limit) pieces.push(piece)
    else pieces = []
  }

  for await (const chunk of bytes) {
    let start = 0
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      add(chunk.subarray(start, end))
      yield take()
      start = end + 1
    }
    if (start < chunk.length) add(chunk.subarray(start))
  }
  if (length > 0) yield take()
}

function decode(pieces: readonly Uint8Array[], first: boolean): string {
  const text = Buffer.concat(pieces).toString('utf8')
  const start = first && text.startsWith('\uFEFF') ? 1 : 0
  return text.slice(start, text.endsWith('\r') ? -1 : undefined)
}
