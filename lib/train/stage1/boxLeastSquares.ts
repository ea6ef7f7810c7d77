import type { Matrix } from '../../linear/index.js'

const SWEEPS = 1000

/**
 * The x within bounds that makes 1/2 x^T H x - b^T x least, by descent along one coordinate at a time: exact for as many
 * blendshapes as faces have.
 *
 * @param h [n,n] symmetric, positive definite.
 * @param b [n]
 * @param bounds [n,2] lower and upper; the lower one is where the search starts from if 0 is not between them.
 */
export function boxLeastSquares(h: Matrix, b: ArrayLike<number>, bounds: ArrayLike<number>): Float64Array {
  const n = h.rows
  const clamp = (i: number, value: number) => Math.min(bounds[2 * i + 1]!, Math.max(bounds[2 * i]!, value))
  const x = Float64Array.from({ length: n }, (_, i) => clamp(i, 0))
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    let change = 0
    for (let i = 0; i < n; i++) {
      const row = h.row(i)
      let gradient = -b[i]!
      for (let j = 0; j < n; j++) gradient += row[j]! * x[j]!
      const next = clamp(i, x[i]! - gradient / row[i]!)
      change = Math.max(change, Math.abs(next - x[i]!))
      x[i] = next
    }
    if (change < 1e-12) break
  }
  return x
}
