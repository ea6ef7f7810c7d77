import { VisibilityBuffer } from '../render/VisibilityBuffer.js'

/** Which point of a surface each texel of its texture is. */
export class Texels {
  readonly size: number
  readonly #buffer: VisibilityBuffer
  readonly #points: Float32Array
  readonly #triangles: Int32Array

  /**
   * @param uv [N,2] the origin at the bottom left.
   * @param triangles [F,3]
   * @param rank [N] where triangles overlap in the texture, that of the larger rank has the texel.
   */
  constructor(uv: Float32Array, triangles: Int32Array, rank: Float32Array, size: number) {
    this.size = size
    this.#triangles = triangles
    const points = new Float32Array((uv.length / 2) * 3)
    for (let v = 0; v < uv.length / 2; v++) {
      points[v * 3] = uv[v * 2]! * size
      points[v * 3 + 1] = (1 - uv[v * 2 + 1]!) * size
      points[v * 3 + 2] = rank[v]!
    }
    this.#points = points
    this.#buffer = new VisibilityBuffer(size, size)
    this.#buffer.draw(points, triangles, 'both')
  }

  /**
   * Visits the texels that belong to a triangle.
   *
   * @param wanted Leaves others out before anything is worked out.
   * @param visit Is given the texel's index, the triangle's vertices, and the barycentric coordinates of the first two.
   */
  each(
    visit: (texel: number, a: number, b: number, c: number, u: number, v: number) => void,
    wanted?: (texel: number) => boolean,
  ): void {
    const { ids } = this.#buffer
    const points = this.#points
    for (let y = 0, at = 0; y < this.size; y++)
      for (let x = 0; x < this.size; x++, at++) {
        const id = ids[at]!
        if (id === 0 || (wanted && !wanted(at))) continue
        const t = (Math.abs(id) - 1) * 3
        const a = this.#triangles[t]!
        const b = this.#triangles[t + 1]!
        const c = this.#triangles[t + 2]!
        const cx = points[c * 3]!
        const cy = points[c * 3 + 1]!
        const abx = points[a * 3]! - cx
        const aby = points[a * 3 + 1]! - cy
        const bcx = points[b * 3]! - cx
        const bcy = points[b * 3 + 1]! - cy
        const area = abx * bcy - aby * bcx
        const u = ((x + 0.5 - cx) * bcy - (y + 0.5 - cy) * bcx) / area
        const v = ((y + 0.5 - cy) * abx - (x + 0.5 - cx) * aby) / area
        visit(at, a, b, c, u, v)
      }
  }
}
