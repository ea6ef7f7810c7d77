import type { Writable } from 'node:stream'

/** Ten times a second is as often as anybody can read. */
const REDRAW_MS = 100

const CLEAR_LINE = '\r\x1b[2K'

/** What people read, on standard error: messages, and below them a line of progress if it is a terminal. */
export class Messages {
  readonly #stream: Writable & { isTTY?: boolean }
  #progress = ''
  #drawnAt = Number.NEGATIVE_INFINITY

  constructor(stream: Writable & { isTTY?: boolean }) {
    this.#stream = stream
    // Whoever closed standard error does not want messages.
    stream.on('error', () => undefined)
  }

  /** Whether progress is shown at all, so that nobody need work it out in vain. */
  get showsProgress(): boolean {
    return this.#stream.isTTY === true
  }

  /** One message, on lines of its own. */
  say(text: string): void {
    this.#stream.write(`${this.#progress === '' ? '' : CLEAR_LINE}sfm: ${text}\n${this.#progress}`)
  }

  /** Replaces the line of progress; calls in quick succession are dropped. */
  progress(text: string): void {
    const now = performance.now()
    if (!this.showsProgress || now - this.#drawnAt < REDRAW_MS) return
    this.#drawnAt = now
    this.#progress = text
    this.#stream.write(CLEAR_LINE + text)
  }

  /** Takes the line of progress away. */
  endProgress(): void {
    if (this.#progress !== '') this.#stream.write(CLEAR_LINE)
    this.#progress = ''
  }
}
