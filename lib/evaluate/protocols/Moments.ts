import { Matrix } from '../../linear/index.js'

/** All that a fit needs to know of some faces, whatever their number of vertices: linear and quadratic in the faces. */
export interface Moments {
  /** [n,P] products with a model's columns. */
  readonly products: Matrix
  /** [n] squared lengths. */
  readonly squares: Float64Array
}

/** Those of faces that were read in several parts. */
export function joinMoments(parts: readonly Moments[]): Moments {
  const rows = parts.flatMap(({ products }) => Array.from({ length: products.rows }, (_, i) => products.row(i)))
  return {
    products: Matrix.from(rows),
    squares: Float64Array.from(parts.flatMap(({ squares }) => Array.from(squares))),
  }
}

/** Those of some of the faces, in the order given. */
export function pickMoments({ products, squares }: Moments, rows: readonly number[]): Moments {
  return {
    products: Matrix.from(rows.map((row) => products.row(row))),
    squares: Float64Array.from(rows, (row) => squares[row]),
  }
}

/** The mean over each list of faces: of their mean face the products, and of the faces the squares. */
export function averageMoments({ products, squares }: Moments, lists: readonly (readonly number[])[]): Moments {
  const mean = new Matrix(lists.length, products.columns)
  for (const [i, list] of lists.entries()) {
    const out = mean.row(i)
    for (const row of list) for (const [p, value] of products.row(row).entries()) out[p] += value / list.length
  }
  const averages = lists.map((list) => list.reduce((sum, row) => sum + squares[row], 0) / list.length)
  return { products: mean, squares: Float64Array.from(averages) }
}
