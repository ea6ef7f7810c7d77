import { cholesky, type Matrix, multiply, solveCholesky } from '../../linear/index.js'
import type { ShapeDictionary } from './ShapeDictionary.js'

/**
 * The map of coordinates that mirrors a face from left to right: the least-squares solution of `shapes map = mirrored
 * shapes`. Exact where the dictionary is closed under mirroring.
 *
 * @param mirror [N] index of each vertex's mirror image.
 * @returns [size,size]
 */
export function mirrorMap({ shapes, size, mean }: ShapeDictionary, mirror: ArrayLike<number>): Matrix {
  const stride = mean.length
  const reflected = new Float32Array(shapes.length)
  for (let c = 0; c < size; c++)
    for (let v = 0; v < stride / 3; v++)
      for (let axis = 0; axis < 3; axis++)
        reflected[c * stride + 3 * v + axis] = (axis === 0 ? -1 : 1) * shapes[c * stride + 3 * mirror[v]! + axis]!
  const rows = { rows: size, columns: stride, data: shapes }
  const inner = multiply(rows, rows, { transposeB: true })
  const across = multiply(rows, { ...rows, data: reflected }, { transposeB: true })
  return solveCholesky(cholesky(inner), across)
}
