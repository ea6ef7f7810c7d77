import type { ModelData } from '../model/ModelData.js'
import { SKIN } from './shading.js'

/** What the colour of skin is multiplied by, in regions by their names. */
const TINTS: Readonly<Record<string, readonly [number, number, number]>> = {
  lips: [0.95, 0.8, 0.8],
  ears: [1, 0.92, 0.9],
  nose: [1, 0.96, 0.95],
}

const PLAIN = [1, 1, 1] as const

/** Rounds of spreading at the borders of regions. */
const ROUNDS = 2

/**
 * Colours to see a face by, of a model that knows none: skin, redder where it is thin.
 *
 * @returns [N,3] linear RGB.
 */
export function skinColours({ vertexCount, region, metadata, triangles }: ModelData): Float32Array {
  let colours = new Float32Array(vertexCount * 3)
  for (let v = 0; v < vertexCount; v++) {
    const tint = (region && TINTS[metadata.regionNames[region[v]!] ?? '']) ?? PLAIN
    for (let channel = 0; channel < 3; channel++) colours[v * 3 + channel] = SKIN[channel]! * tint[channel]!
  }
  for (let round = 0; round < ROUNDS; round++) colours = spread(colours, triangles)
  return colours
}

/** The mean of each vertex and those around it. */
function spread(colours: Float32Array<ArrayBuffer>, triangles: Int32Array): Float32Array<ArrayBuffer> {
  const sums = Float32Array.from(colours)
  const counts = new Float32Array(colours.length / 3).fill(1)
  for (let t = 0; t < triangles.length; t += 3)
    for (let corner = 0; corner < 3; corner++) {
      const a = triangles[t + corner]!
      const b = triangles[t + ((corner + 1) % 3)]!
      for (let channel = 0; channel < 3; channel++) sums[a * 3 + channel]! += colours[b * 3 + channel]!
      counts[a]!++
    }
  return sums.map((sum, i) => sum / counts[(i / 3) | 0]!)
}
