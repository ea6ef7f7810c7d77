import { madeOf } from '../outputs/sharedArrays.js'
import { VisibilityBuffer } from '../render/VisibilityBuffer.js'

/** A surface with what its texture is laid out by. */
export interface MirroredSurface {
  /** [N,2] the origin at the bottom left. */
  uv: Float32Array
  /** [F,3] */
  triangles: Int32Array
  /** [N] each vertex's counterpart. */
  mirror: Int32Array
}

/**
 * For each texel the one that shows the same place of the other half.
 *
 * It is the same for all faces of a model, for which it is worked out once.
 *
 * @returns [size,size]; -1 where there is none.
 */
export function counterparts(surface: MirroredSurface, size: number): Int32Array {
  const { triangles, mirror } = surface
  const known = madeOf(surface.uv, `counterparts ${size}`, () => ({
    triangles,
    mirror,
    texels: makeCounterparts(surface, size),
  }))
  const isSame = known.triangles === triangles && known.mirror === mirror
  return isSame ? known.texels : makeCounterparts(surface, size)
}

function makeCounterparts({ uv, triangles, mirror }: MirroredSurface, size: number): Int32Array {
  const points = new Float32Array((uv.length / 2) * 3)
  for (let v = 0; v < uv.length / 2; v++) {
    points[v * 3] = uv[v * 2]! * size
    points[v * 3 + 1] = (1 - uv[v * 2 + 1]!) * size
  }
  const buffer = new VisibilityBuffer(size, size)
  buffer.draw(points, triangles, 'both')
  const { ids } = buffer
  const texels = new Int32Array(size * size).fill(-1)
  for (let row = 0, at = 0; row < size; row++)
    for (let column = 0; column < size; column++, at++) {
      if (ids[at] === 0) continue
      const t = (Math.abs(ids[at]!) - 1) * 3
      const [a, b, c] = [triangles[t]!, triangles[t + 1]!, triangles[t + 2]!]
      const cx = points[c * 3]!
      const cy = points[c * 3 + 1]!
      const abx = points[a * 3]! - cx
      const aby = points[a * 3 + 1]! - cy
      const bcx = points[b * 3]! - cx
      const bcy = points[b * 3 + 1]! - cy
      const area = abx * bcy - aby * bcx
      const u = ((column + 0.5 - cx) * bcy - (row + 0.5 - cy) * bcx) / area
      const v = ((row + 0.5 - cy) * abx - (column + 0.5 - cx) * aby) / area
      const w = 1 - u - v
      const [p, q, r] = [mirror[a]! * 3, mirror[b]! * 3, mirror[c]! * 3]
      const x = Math.floor(u * points[p]! + v * points[q]! + w * points[r]!)
      const y = Math.floor(u * points[p + 1]! + v * points[q + 1]! + w * points[r + 1]!)
      if (x >= 0 && y >= 0 && x < size && y < size) texels[at] = y * size + x
    }
  return texels
}
