import { requireOptions } from './decode/Latents.js'
import { describe, invalidArgument, SfmError } from './errors.js'
import { fromNative, native } from './native.js'

/** Where to compute: `auto` takes the best device there is. */
export type DeviceName = 'auto' | 'cpu' | 'cuda' | `cuda:${number}`

/** A device that this package can compute on. */
export interface Device {
  name: 'cpu'
  /** The instruction sets available, best first: `avx512`, `avx2`, `neon`, `portable`. */
  instructionSets: string[]
  /** The one in use. */
  instructionSet: string
  /** Threads that work at the same time. */
  threads: number
  /** Calls of this JavaScript thread that have not settled. */
  pendingCalls: number
}

/**
 * The devices of this machine. Only the CPU so far.
 *
 * @throws SfmError NATIVE_LOAD_FAILED
 * @example
 * console.log(devices()[0])   // { name: 'cpu', instructionSet: 'avx512', threads: 8, ... }
 */
export function devices(): Device[] {
  const { kernels, inUse, threads, pendingCalls } = native().cpu()
  return [{ name: 'cpu', instructionSets: kernels, instructionSet: inUse, threads, pendingCalls }]
}

/**
 * Sets how many threads the CPU uses for the calls of this JavaScript thread (default: the processors this process may
 * use, or the environment variable SFM_THREADS), and optionally the instruction set, for comparisons. Results do not
 * depend on the number of threads.
 *
 * @param options.threads 1 to 1024.
 * @param options.instructionSet One of `devices()[0].instructionSets`.
 * @throws SfmError INVALID_ARGUMENT, also while calls are under way; DEVICE_UNAVAILABLE where the processor lacks the
 *   instruction set.
 * @example
 * configureCpu({ threads: 1 })
 */
export function configureCpu(options: { threads?: number; instructionSet?: string }): void {
  requireOptions(options)
  const current = native().cpu()
  const { threads = current.threads, instructionSet = current.inUse } = options
  if (!Number.isInteger(threads) || threads < 1 || threads > 1024)
    throw invalidArgument('threads', 'an integer from 1 to 1024', threads)
  if (!current.kernels.includes(instructionSet))
    throw new SfmError(
      'DEVICE_UNAVAILABLE',
      `instructionSet: expected one of ${current.kernels.join(', ')}, received ${describe(instructionSet)}`,
    )
  if (current.pendingCalls > 0)
    throw new SfmError('INVALID_ARGUMENT', 'configureCpu: expected no calls under way; wait for them to settle')
  try {
    native().configureCpu(threads, instructionSet)
  } catch (error) {
    throw fromNative(error)
  }
}

/** Throws unless the device can be had. */
export function requireDevice(device: unknown): void {
  if (device === undefined || device === 'auto' || device === 'cpu') return
  if (typeof device === 'string' && /^cuda(:\d+)?$/.test(device))
    throw new SfmError('DEVICE_UNAVAILABLE', `device: ${device} is not available: this build computes on the CPU only`)
  throw invalidArgument('device', "'auto', 'cpu', 'cuda' or 'cuda:<number>'", device)
}
