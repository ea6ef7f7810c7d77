import { type ArrayType, type PackedArrays, STEP_MM } from '../lib/viewer/ViewerData.js'

const ARRAYS = { uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, int16: Int16Array } as const

type Unpacked = InstanceType<(typeof ARRAYS)[ArrayType]>

/** The arrays that lib/viewer/packArrays.ts packed. */
export async function unpack({ layout, bytes }: PackedArrays): Promise<Unpacked[]> {
  const text = atob(bytes)
  // A loop, since Uint8Array.from with a function takes ten times as long, and there are megabytes.
  const packed = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) packed[i] = text.charCodeAt(i)
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate-raw'))
  const buffer = await new Response(stream).arrayBuffer()
  let at = 0
  return layout.map(([type, length]) => {
    const from = at
    at += length * ARRAYS[type].BYTES_PER_ELEMENT
    // A copy, since a view would have to begin at a multiple of its numbers' size.
    return new ARRAYS[type](buffer.slice(from, at))
  })
}

/** Whole steps in millimetres. */
export function inMillimetres(steps: ArrayLike<number>): Float32Array {
  const mm = new Float32Array(steps.length)
  for (let i = 0; i < mm.length; i++) mm[i] = steps[i]! * STEP_MM
  return mm
}
