import { promisify } from 'node:util'
import { deflateRaw } from 'node:zlib'
import { type ArrayType, type PackedArrays, STEP_MM } from './ViewerData.js'

const deflated = promisify(deflateRaw)

type PackableArray = Uint8Array | Uint16Array | Uint32Array | Int16Array

/** Arrays as text for a page; little-endian, as every browser's machine is. */
export async function packArrays(arrays: readonly PackableArray[]): Promise<PackedArrays> {
  const bytes = Buffer.concat(
    arrays.map(({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength)),
  )
  return {
    layout: arrays.map((array) => [typeOf(array), array.length] as const),
    bytes: (await deflated(bytes)).toString('base64'),
  }
}

/** Millimetres in whole steps. */
export function inSteps(mm: ArrayLike<number>): Int16Array {
  const steps = new Int16Array(mm.length)
  for (let i = 0; i < steps.length; i++) steps[i] = Math.min(32_767, Math.max(-32_768, Math.round(mm[i]! / STEP_MM)))
  return steps
}

function typeOf(array: PackableArray): ArrayType {
  if (array instanceof Uint8Array) return 'uint8'
  if (array instanceof Uint16Array) return 'uint16'
  return array instanceof Uint32Array ? 'uint32' : 'int16'
}
