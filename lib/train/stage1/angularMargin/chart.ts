import type { Matrix } from '../../../linear/index.js'
import { dot } from '../../matrices.js'

/** A point of the sphere of radius r by its normal coordinates v, and what derivatives need of it. */
export interface ChartPoint {
  /** |v| */
  length: number
  /** [D] v / |v|; zeros at the pole. */
  direction: Float64Array
  /** sin(|v| / r) / (|v| / r): u = sinc v. */
  sinc: number
  /** cos(|v| / r): du/dv = sinc I + (cosine - sinc) n n^T. */
  cosine: number
}

/** The point with normal coordinates v. */
export function chartPoint(v: Float64Array, radius: number): ChartPoint {
  const length = Math.sqrt(dot(v, v))
  const angle = length / radius
  return {
    length,
    direction: length > 0 ? v.map((value) => value / length) : new Float64Array(v.length),
    sinc: angle === 0 ? 1 : Math.sin(angle) / angle,
    cosine: Math.cos(angle),
  }
}

/** du/dv x: symmetric, so that it is its own transpose. */
export function chartDerivative({ direction, sinc, cosine }: ChartPoint, x: Float64Array): Float64Array {
  const along = (cosine - sinc) * dot(direction, x)
  return x.map((value, k) => sinc * value + along * direction[k]!)
}

/** (du/dv)^-1 x, for angles below a right one. */
export function chartInverseDerivative({ direction, sinc, cosine }: ChartPoint, x: Float64Array): Float64Array {
  const along = (1 / cosine - 1 / sinc) * dot(direction, x)
  return x.map((value, k) => value / sinc + along * direction[k]!)
}

/** [n,D] u of each row v. */
export function chartImages(identities: Matrix, radius: number): Matrix {
  const u = identities.copy()
  for (let i = 0; i < u.rows; i++) {
    const row = u.row(i)
    const { sinc } = chartPoint(row, radius)
    for (let k = 0; k < row.length; k++) row[k]! *= sinc
  }
  return u
}
