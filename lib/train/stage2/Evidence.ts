import { cholesky, gram, Matrix, solveLower } from '../../linear/index.js'
import { apply, block, diagonal, dot } from '../matrices.js'

/**
 * What observations say about unknowns x, as a Gaussian likelihood: log p = shift^T x - x^T information x / 2 - energy /
 * 2. Evidence from independent observations adds up.
 */
export interface Evidence {
  /** [n,n] symmetric. */
  information: Matrix
  /** [n] */
  shift: Float64Array
  /** The squared residual, over its variance, that is left at x = 0. */
  energy: number
}

/**
 * The evidence of whitened rows: y = C x + noise, noise ~ N(0, I).
 *
 * @param rows [m, n + 1] the columns C, then y.
 */
export function evidenceOf(rows: Matrix): Evidence {
  return unpack(gram(rows))
}

/**
 * The evidence together with what was known before: unknowns from `start` on ~ N(mean, precision^-1).
 *
 * @param precision [k,k], or [k] of a diagonal.
 * @param mean [k]; zeros without it.
 */
export function withPrior(
  { information, shift, energy }: Evidence,
  start: number,
  precision: Matrix | ArrayLike<number>,
  mean?: ArrayLike<number>,
): Evidence {
  const matrix = precision instanceof Matrix ? precision : diagonal(precision)
  const k = matrix.rows
  const expected = apply(matrix, mean ?? new Float64Array(k))
  const joined = { information: information.copy(), shift: shift.slice(), energy }
  for (let i = 0; i < k; i++) {
    const row = joined.information.row(start + i)
    for (let j = 0; j < k; j++) row[start + j]! += matrix.at(i, j)
    joined.shift[start + i]! += expected[i]!
  }
  if (mean) joined.energy += dot(expected, mean)
  return joined
}

/**
 * Integrates the first k unknowns out: what is left is the evidence on the others. The Schur complement of their block.
 *
 * @throws SfmError NUMERICAL where evidence and prior leave one of them undetermined.
 */
export function eliminate(evidence: Evidence, k: number): Evidence {
  const packed = pack(evidence)
  const n = packed.rows
  const factor = cholesky(block(packed, [0, k], [0, k]))
  const taken = gram(solveLower(factor, block(packed, [0, k], [k, n])))
  const rest = block(packed, [k, n], [k, n])
  for (let i = 0; i < rest.data.length; i++) rest.data[i]! -= taken.data[i]!
  return unpack(rest)
}

/** The same evidence with its first k unknowns moved to the end. */
export function rotated({ information, shift, energy }: Evidence, k: number): Evidence {
  const n = shift.length
  const from = (i: number) => (i + k) % n
  const turned = new Matrix(n, n)
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) turned.data[i * n + j] = information.at(from(i), from(j))
  return { information: turned, shift: shift.map((_, i) => shift[from(i)]!), energy }
}

/** [n+1,n+1]: information, shift and energy as one symmetric matrix; its bottom row is not filled in but for the energy. */
function pack({ information, shift, energy }: Evidence): Matrix {
  const n = shift.length
  const packed = new Matrix(n + 1, n + 1)
  for (let i = 0; i < n; i++) {
    packed.row(i).set(information.row(i))
    packed.data[i * (n + 1) + n] = shift[i]!
    packed.data[n * (n + 1) + i] = shift[i]!
  }
  packed.data[(n + 1) ** 2 - 1] = energy
  return packed
}

function unpack(packed: Matrix): Evidence {
  const n = packed.rows - 1
  return {
    information: block(packed, [0, n], [0, n]),
    shift: packed.column(n).slice(0, n),
    energy: packed.at(n, n),
  }
}
