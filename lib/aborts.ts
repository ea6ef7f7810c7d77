import { invalidArgument, SfmError } from './errors.js'

/**
 * For calls that have not begun.
 *
 * @throws SfmError ABORTED, and INVALID_ARGUMENT for what is no signal.
 */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal === undefined || signal === null) return
  if (
    typeof signal.aborted !== 'boolean' ||
    typeof signal.addEventListener !== 'function' ||
    typeof signal.removeEventListener !== 'function'
  )
    throw invalidArgument('signal', 'an AbortSignal', signal)
  if (signal.aborted) throw aborted(signal)
}

/** The error of a call that its signal ended. */
export function aborted(signal: AbortSignal): SfmError {
  return new SfmError('ABORTED', 'the call was aborted', { cause: signal.reason })
}

/** What an abort has to run, by signal. One listener serves all calls: Node warns of more than ten. */
const waiting = new WeakMap<AbortSignal, { runs: Set<() => void>; listener: () => void }>()

/**
 * Runs something when a signal fires.
 *
 * @returns Forgets it again; to be called in any case.
 */
export function whenAborted(signal: AbortSignal, run: () => void): () => void {
  let entry = waiting.get(signal)
  if (entry === undefined) {
    const runs = new Set<() => void>()
    const listener = () => {
      for (const each of [...runs]) each()
    }
    entry = { runs, listener }
    waiting.set(signal, entry)
    signal.addEventListener('abort', listener, { once: true })
  }
  const { runs, listener } = entry
  runs.add(run)
  return () => {
    runs.delete(run)
    if (runs.size > 0) return
    signal.removeEventListener('abort', listener)
    waiting.delete(signal)
  }
}
