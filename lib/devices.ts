import { requireOptions } from './decode/Latents.js'
import { describe, invalidArgument, SfmError } from './errors.js'
import { fromNative, native } from './native.js'

/**
 * Where to compute: `auto` takes the CUDA devices of the machine, all together, or the CPU where there are none or where
 * one fails (or what the environment variable SFM_DEVICE says); `cuda` all of them, `cuda:1` the one of that number.
 */
export type DeviceName = 'auto' | 'cpu' | 'cuda' | `cuda:${number}`

/** The processor that this program runs on. */
export interface CpuDevice {
  name: 'cpu'
  /** The instruction sets available, best first: `amx`, `avx512bf16`, `avx512`, `avx2`, `neon`, `portable`. */
  instructionSets: string[]
  /** The one in use. */
  instructionSet: string
  /** Threads that work at the same time. */
  threads: number
  /** Calls of this JavaScript thread that have not settled. */
  pendingCalls: number
}

/** An NVIDIA GPU that this build has code for. */
export interface CudaDevice {
  name: `cuda:${number}`
  /** Such as `NVIDIA H200`. */
  model: string
  /** Bytes. */
  memory: number
  /** Such as `9.0`. */
  computeCapability: string
  multiprocessors: number
}

/** A device that this package can compute on. */
export type Device = CpuDevice | CudaDevice

/**
 * The devices of this machine: the CPU, then the CUDA devices that can be used. The first call asks the driver, which may
 * take a moment.
 *
 * @throws SfmError NATIVE_LOAD_FAILED
 * @example
 * console.log(devices()[0])   // { name: 'cpu', instructionSet: 'avx512', threads: 8, ... }
 * const gpu = devices().find(({ name }) => name === 'cuda:0')
 */
export function devices(): [CpuDevice, ...CudaDevice[]] {
  const { kernels, inUse, threads, pendingCalls } = native().cpu()
  const cuda = native()
    .cuda()
    .usable.map(({ ordinal, ...device }): CudaDevice => ({ name: `cuda:${ordinal}`, ...device }))
  return [{ name: 'cpu', instructionSets: kernels, instructionSet: inUse, threads, pendingCalls }, ...cuda]
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

/** The device, or `auto` where none is named; throws unless it can be had. */
export function requireDevice(device: unknown): DeviceName {
  if (device === undefined) return 'auto'
  if (device === 'auto' || device === 'cpu') return device
  if (typeof device !== 'string' || !/^cuda(:\d+)?$/.test(device))
    throw invalidArgument('device', "'auto', 'cpu', 'cuda' or 'cuda:<number>'", device)
  const { usable, trouble } = native().cuda()
  if (!usable.some(({ ordinal }) => device === 'cuda' || device === `cuda:${ordinal}`)) {
    const there = usable.map(({ ordinal }) => `cuda:${ordinal}`).join(', ')
    const why = trouble || (there ? `this machine has ${there}` : 'no CUDA device was found')
    throw new SfmError('DEVICE_UNAVAILABLE', `device: ${device} is not available: ${why}`)
  }
  return device as DeviceName
}

/** What has been warned of: once is enough. */
const warned = new Set<string>()

/** Tells Node's warning channel, once, that another device than the one asked for did the work. */
export function warnOfFallback(warning: string | undefined): void {
  if (warning === undefined || warned.has(warning)) return
  warned.add(warning)
  process.emitWarning(`${warning}; the CPU does the work instead`, { type: 'SfmWarning', code: 'DEVICE_UNAVAILABLE' })
}
