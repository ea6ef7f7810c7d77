import { asFloat32 } from '../../model/half.js'
import type { ModelData } from '../../model/ModelData.js'

/**
 * The model with identities that are their own mirror images, and variation within identities that is its own opposite,
 * to rounding: what stage 2 parts by symmetry is so only as far as the scans' modes are closed under mirroring.
 *
 * @param data With a `mirror` map, of stage 2.
 */
export function exactSymmetry(data: ModelData): ModelData {
  const { mirror, withinIdentityBasis } = data
  if (!mirror) return data
  return {
    ...data,
    identityBasis: averaged(asFloat32(data.identityBasis), mirror, 1),
    ...(withinIdentityBasis && { withinIdentityBasis: averaged(asFloat32(withinIdentityBasis), mirror, -1) }),
  }
}

/** Half the sum of each column and its mirror image, or half their difference. */
function averaged(basis: Float32Array, mirror: Int32Array, sign: 1 | -1): Float32Array {
  const vertices = mirror.length
  const result = new Float32Array(basis.length)
  for (let start = 0; start < basis.length; start += 3 * vertices)
    for (let v = 0; v < vertices; v++)
      for (let axis = 0; axis < 3; axis++) {
        const image = (axis === 0 ? -sign : sign) * basis[start + 3 * mirror[v]! + axis]!
        result[start + 3 * v + axis] = (basis[start + 3 * v + axis]! + image) / 2
      }
  return result
}
