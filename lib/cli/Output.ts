import type { Writable } from 'node:stream'
import { SfmError } from '../errors.js'

/**
 * Standard output with the two things a stream of results needs: writers wait while the reader is slow, and a reader
 * that has gone (`sfm fit ... | head -1`) is not an error but the end.
 */
export class Output {
  readonly #stream: Writable
  readonly #onClosed: () => void
  #closed = false

  /** @param onClosed Called once when the reader has gone. */
  constructor(stream: Writable, onClosed: () => void) {
    this.#stream = stream
    this.#onClosed = onClosed
    // Without a listener the stream's error event would end the process; each write hears of the error by itself.
    stream.on('error', () => undefined)
  }

  /** Whether the reader has gone; whatever is written then goes nowhere. */
  get closed(): boolean {
    return this.#closed
  }

  /**
   * Writes text; settles when the system has taken it.
   *
   * @throws SfmError IO for any failure but a reader that has gone.
   */
  async write(text: string): Promise<void> {
    if (this.#closed || text === '') return
    const error = await new Promise<Error | null | undefined>((resolve) => this.#stream.write(text, resolve))
    if (!error) return
    if (!('code' in error) || (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_DESTROYED')) {
      throw new SfmError('IO', `standard output: ${error.message}`, { cause: error })
    }
    if (this.#closed) return
    this.#closed = true
    this.#onClosed()
  }

  /** Writes each value as a line of JSON. */
  async lines(values: readonly unknown[]): Promise<void> {
    await this.write(values.map((value) => `${JSON.stringify(value)}\n`).join(''))
  }
}
