import { type DeviceName, devices } from './devices.js'
import { type MachineLimits, native, nativeCall } from './native.js'

export type { MachineLimits } from './native.js'

/**
 * What the threads of the CPU could do in a second at most, all together: loops of nothing else, a fifth of a second of them.
 * Undefined where a GPU would do the work.
 *
 * @throws SfmError ABORTED, QUEUE_FULL, NATIVE_LOAD_FAILED
 * @example
 * const limits = await machineLimits('cpu')
 * if (limits) console.log(`${(limits.flops / 1e9).toFixed(0)} GFLOP/s`)
 */
export async function machineLimits(device: DeviceName, signal?: AbortSignal): Promise<MachineLimits | undefined> {
  if (device !== 'cpu' && (device !== 'auto' || devices().length > 1)) return undefined
  return nativeCall<MachineLimits>(signal, (callback) => native().limits(callback))
}
