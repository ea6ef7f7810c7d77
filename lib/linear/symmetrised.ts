import { Matrix } from './Matrix.js'

/**
 * (a + a^T) / 2: for products that are symmetric but for rounding.
 *
 * @param a [n,n]
 */
export function symmetrised(a: Matrix): Matrix {
  const { rows: n, data } = a
  const result = new Matrix(n, n)
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) result.data[i * n + j] = (data[i * n + j]! + data[j * n + i]!) / 2
  return result
}
