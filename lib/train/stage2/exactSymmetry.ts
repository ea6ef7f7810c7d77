import { asFloat32 } from '../../model/half.js'
import type { ModelData } from '../../model/ModelData.js'
import { dot } from '../matrices.js'
import { mirrorImage } from '../symmetricExpressions.js'

/** An identity that is no more like its mirror image, or the opposite of it, than this (a cosine) is neither. */
const LEAST_LIKENESS = 0.5

/**
 * The model with shapes that are their own mirror image, or the opposite of it, to rounding: what stage 2 parts by symmetry
 * is so only as far as the scans' modes are closed under mirroring. Identities become what they are more like; those that
 * are neither stay. Variation within identities that stage 2 has added is asymmetry.
 *
 * @param data With a `mirror` map, of stage 2.
 * @param base The model that it was learned from: variation within identities that it has stays as it is.
 */
export function exactSymmetry(data: ModelData, base?: ModelData): ModelData {
  const { mirror, withinIdentityBasis } = data
  if (!mirror) return data
  return {
    ...data,
    identityBasis: parted(asFloat32(data.identityBasis), mirror, signOf),
    ...(withinIdentityBasis && {
      withinIdentityBasis: parted(asFloat32(withinIdentityBasis), mirror, () => -1, base?.withinIdentityBasis?.length),
    }),
  }
}

/** Half the sum (sign 1) or the difference (-1) of each column and its mirror image; the column itself for 0. */
function parted(
  basis: Float32Array,
  mirror: Int32Array,
  sign: (column: Float32Array, image: Float32Array) => number,
  from = 0,
): Float32Array {
  const stride = 3 * mirror.length
  const result = basis.slice()
  for (let start = from; start < basis.length; start += stride) {
    const column = basis.subarray(start, start + stride)
    const image = mirrorImage(column, mirror)
    const s = sign(column, image)
    if (s === 0) continue
    result.set(
      column.map((value, i) => (value + s * image[i]!) / 2),
      start,
    )
  }
  return result
}

function signOf(column: Float32Array, image: Float32Array): number {
  const likeness = dot(column, image) / dot(column, column)
  return Math.abs(likeness) >= LEAST_LIKENESS ? Math.sign(likeness) : 0
}
