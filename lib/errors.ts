/**
 * The stable codes of {@link SfmError}. The native side carries the same table (native/core/Error.h); a test compares
 * the two.
 */
export const ERROR_CODES = [
  /** An argument has the wrong type, length, range or shape. */
  'INVALID_ARGUMENT',
  /** A model file is truncated, inconsistent or not a model at all. */
  'INVALID_MODEL',
  /** An input file (landmarks, latents, results) cannot be understood. */
  'INVALID_INPUT',
  /** The model holds no landmark scheme of that name. */
  'UNKNOWN_SCHEME',
  /** The model, decoder or fitter was disposed before the call. */
  'DISPOSED',
  /** The call's AbortSignal fired; `cause` is the signal's reason. */
  'ABORTED',
  /** More calls are waiting than the queue may hold. */
  'QUEUE_FULL',
  /** Memory could not be had. */
  'OUT_OF_MEMORY',
  /** A computation met numbers it cannot go on with: a singular or indefinite matrix, NaN, a divergence. */
  'NUMERICAL',
  /** The requested device does not exist on this machine, or was lost. */
  'DEVICE_UNAVAILABLE',
  /** The native addon could not be loaded; the message says what to install. */
  'NATIVE_LOAD_FAILED',
  /** An optional peer dependency is absent; the message says how to install it. */
  'MISSING_PEER',
  /** A file or directory could not be read or written; `cause` is the system's error. */
  'IO',
  /** A fault of this package: please report it. */
  'INTERNAL',
] as const

/** One of the stable codes in {@link ERROR_CODES}. */
export type ErrorCode = (typeof ERROR_CODES)[number]

/**
 * Every error this package throws or rejects with.
 *
 * @example
 * try {
 *   await fitter.fit(observation)
 * } catch (error) {
 *   if (error instanceof SfmError && error.code === 'UNKNOWN_SCHEME') console.error(error.message)
 *   else throw error
 * }
 */
export class SfmError extends Error {
  override readonly name = 'SfmError'
  /** What went wrong, stable across versions. */
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

/** The name a value goes by in an error message: short, and safe for any value. */
export function describe(value: unknown): string {
  if (value === null) return 'null'
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value)
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'undefined') return String(value)
  if (typeof value === 'bigint') return `${value}n`
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (ArrayBuffer.isView(value)) {
    const length = 'length' in value ? ` of ${value.length}` : ''
    return `${value.constructor.name}${length}`
  }
  if (typeof value === 'object') return `a ${value.constructor?.name ?? 'null-prototype object'}`
  return `a ${typeof value}`
}

/**
 * An INVALID_ARGUMENT error in the one wording used throughout: what was expected, for which argument, and what came.
 */
export function invalidArgument(argument: string, expected: string, received: unknown): SfmError {
  return new SfmError('INVALID_ARGUMENT', `${argument}: expected ${expected}, received ${describe(received)}`)
}
