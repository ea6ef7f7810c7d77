/** Of barycentric coordinates along a row. */
const ROUNDING = 1e-9

/**
 * Which triangle is seen at every sample of a raster: a z-buffer that remembers whose depth it holds. What it is used
 * for (a colour, whether a camera saw a vertex, which triangle a texel belongs to) is then worked out once a sample.
 */
export class VisibilityBuffer {
  readonly width: number
  readonly height: number
  /** [height,width] 0 where nothing is, t + 1 for the front of triangle t, -(t + 1) for its back. */
  readonly ids: Int32Array
  /** [height,width] the larger, the nearer. */
  readonly nearness: Float32Array

  constructor(width: number, height: number) {
    this.width = width
    this.height = height
    this.ids = new Int32Array(width * height)
    this.nearness = new Float32Array(width * height).fill(Number.NEGATIVE_INFINITY)
  }

  /** Forgets what was drawn. */
  clear(): void {
    this.ids.fill(0)
    this.nearness.fill(Number.NEGATIVE_INFINITY)
  }

  /**
   * Draws triangles over what is there, hidden by what is nearer. The sample in column i and row j lies at (i + 0.5,
   * j + 0.5); one on an edge belongs to the triangles of both sides, so that a closed surface has no holes.
   *
   * @param points [N,3] x to the right, y down, nearness. A triangle with a NaN is left out.
   * @param triangles [F,3] whose fronts are counter-clockwise to the eye.
   * @param sides Which side of a triangle is drawn.
   * @param firstId The number that triangle 0 goes by.
   */
  draw(points: Float32Array, triangles: ArrayLike<number>, sides: 'front' | 'both', firstId = 0): void {
    const { width, height, ids, nearness } = this
    for (let t = 0; t < triangles.length; t += 3) {
      const a = triangles[t]! * 3
      const b = triangles[t + 1]! * 3
      const c = triangles[t + 2]! * 3
      const ax = points[a]!
      const ay = points[a + 1]!
      const bx = points[b]!
      const by = points[b + 1]!
      const cx = points[c]!
      const cy = points[c + 1]!
      // With y down, counter-clockwise to the eye is negative.
      const area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
      if (!(sides === 'both' ? area !== 0 : area < 0)) continue

      const left = Math.max(0, Math.ceil(Math.min(ax, bx, cx) - 0.5))
      const right = Math.min(width - 1, Math.floor(Math.max(ax, bx, cx) - 0.5))
      const top = Math.max(0, Math.ceil(Math.min(ay, by, cy) - 0.5))
      const bottom = Math.min(height - 1, Math.floor(Math.max(ay, by, cy) - 0.5))
      if (!(left <= right && top <= bottom)) continue

      // Barycentric coordinates u of a, v of b and the nearness are linear in x and y.
      const ux = (by - cy) / area
      const uy = (cx - bx) / area
      const vx = (cy - ay) / area
      const vy = (ax - cx) / area
      const nc = points[c + 2]!
      const na = points[a + 2]! - nc
      const nb = points[b + 2]! - nc
      const id = (area < 0 ? 1 : -1) * (firstId + t / 3 + 1)
      for (let y = top; y <= bottom; y++) {
        let u = (left + 0.5 - cx) * ux + (y + 0.5 - cy) * uy
        let v = (left + 0.5 - cx) * vx + (y + 0.5 - cy) * vy
        let inside = false
        for (let at = y * width + left, end = y * width + right; at <= end; at++, u += ux, v += vx) {
          if (u < -ROUNDING || v < -ROUNDING || u + v > 1 + ROUNDING) {
            if (inside) break
            continue
          }
          inside = true
          const near = nc + u * na + v * nb
          if (near <= nearness[at]!) continue
          nearness[at] = near
          ids[at] = id
        }
      }
    }
  }
}
