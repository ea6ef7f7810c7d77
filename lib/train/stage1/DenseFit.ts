import { Matrix, multiply, symmetricEigen, symmetrised } from '../../linear/index.js'
import { addDiagonal, besides, centred, dot, outer, positiveInverse } from '../matrices.js'
import type { FaceSpace } from './FaceSpace.js'

/** A Newton step that moves no coordinate by more than this has arrived. */
const SMALL_STEP = 1e-10
const MAX_ITERATIONS = 60

/**
 * Fits a face space to scans in the coordinates of its span: the likeliest identity given the scan, with expressions,
 * variation within people and rigid motion as nuisances, all Gaussian. Exact, and independent of the number of vertices.
 */
export class DenseFit {
  readonly #space: FaceSpace
  /** [R,D] N^-1 basis, N the covariance of everything but the identity. */
  readonly #weighted: Matrix
  /** Eigenvalues and -vectors of basis^T N^-1 basis, the information that a scan has on u. */
  readonly #values: Float64Array
  readonly #vectors: Matrix

  /** @param expressions [R,E] blendshapes times their standard deviations. */
  constructor(space: FaceSpace, expressions: Matrix) {
    this.#space = space
    const nuisances = space.within ? besides(expressions, space.within) : expressions
    const precision = positiveInverse(addDiagonal(outer(nuisances), space.noise ** 2))
    this.#weighted = multiply(precision, space.basis)
    const { values, vectors } = symmetricEigen(symmetrised(multiply(space.basis, this.#weighted, { transposeA: true })))
    this.#values = values
    this.#vectors = vectors
  }

  /**
   * Normal coordinates of the identities.
   *
   * @param coordinates [n,R] scans.
   * @returns [n,D] v.
   */
  identities(coordinates: Matrix): Matrix {
    // In the eigenvectors' coordinates the problem is diagonal, and the sphere does not mind being turned.
    const b = multiply(multiply(centred(coordinates, this.#space.mean), this.#weighted), this.#vectors)
    const v = new Matrix(b.rows, b.columns)
    for (let i = 0; i < b.rows; i++) {
      const row = b.row(i).map((value, k) => value / (this.#values[k]! + 1))
      v.row(i).set(this.#space.radius === undefined ? row : onSphere(row, b.row(i), this.#values, this.#space.radius))
    }
    return multiply(v, this.#vectors, { transposeB: true })
  }

  /**
   * Faces at rest of identities.
   *
   * @param v [n,D] normal coordinates.
   * @returns [n,R]
   */
  faces(v: Matrix): Matrix {
    const { mean, basis, radius } = this.#space
    const u = v.copy()
    for (let i = 0; i < u.rows; i++) {
      const row = u.row(i)
      const factor = radius === undefined ? 1 : sinc(lengthOf(row) / radius)
      for (let k = 0; k < row.length; k++) row[k]! *= factor
    }
    const faces = multiply(u, basis, { transposeB: true })
    for (let i = 0; i < faces.rows; i++)
      for (let j = 0; j < mean.length; j++) faces.data[i * mean.length + j]! += mean[j]!
    return faces
  }
}

/**
 * The v that makes 1/2 u^T D u - b^T u + 1/2 |v|^2 least, u = sinc(|v| / r) v, D diagonal: Gauss-Newton on the sphere. Its
 * matrix is diagonal but for two rank-one terms, so that a step costs no more than a sum.
 */
function onSphere(start: Float64Array, b: Float64Array, d: Float64Array, r: number): Float64Array {
  let v = within(start, r)
  let cost = costAt(v, b, d, r)
  let damping = 0
  for (let iteration = 0; iteration < MAX_ITERATIONS; iteration++) {
    const length = lengthOf(v)
    const a = sinc(length / r)
    const bend = Math.cos(length / r) - a
    const n = length > 0 ? v.map((value) => value / length) : v
    // J = a I + bend n n^T, symmetric.
    const slope = v.map((value, k) => d[k]! * a * value - b[k]!)
    const along = dot(n, slope)
    const gradient = v.map((value, k) => a * slope[k]! + bend * along * n[k]! + value)
    const step = solve(gradient, n, d, a, bend, damping)
    const next = within(
      v.map((value, k) => value - step[k]!),
      r,
    )
    const nextCost = costAt(next, b, d, r)
    if (nextCost > cost + 1e-12 * Math.abs(cost)) {
      damping = Math.max(1e-3, 4 * damping)
      if (damping > 1e6) break
      continue
    }
    v = next
    cost = nextCost
    damping /= 8
    if (damping < 1e-6) damping = 0
    if (step.every((value) => Math.abs(value) < SMALL_STEP)) break
  }
  return v
}

/** (J D J + I + damping (D + I))^-1 g by Woodbury: J D J = a^2 D + a bend (m n^T + n m^T) + bend^2 (n^T m) n n^T, m = D n. */
function solve(
  g: Float64Array,
  n: Float64Array,
  d: Float64Array,
  a: number,
  bend: number,
  damping: number,
): Float64Array {
  const inverse = d.map((value) => 1 / (a * a * value + 1 + damping * (value + 1)))
  const m = n.map((value, k) => d[k]! * value)
  const [p, q] = [a * bend, bend * bend * dot(n, m)]
  let [mm, mn, nn, mg, ng] = [0, 0, 0, 0, 0]
  for (let k = 0; k < g.length; k++) {
    mm += m[k]! * m[k]! * inverse[k]!
    mn += m[k]! * n[k]! * inverse[k]!
    nn += n[k]! * n[k]! * inverse[k]!
    mg += m[k]! * g[k]! * inverse[k]!
    ng += n[k]! * g[k]! * inverse[k]!
  }
  // (I + S G) y = S (m^T g, n^T g), S = [[0, p], [p, q]], G = [[mm, mn], [mn, nn]].
  const [t0, t1] = [p * ng, p * mg + q * ng]
  const [e, f, h, i] = [1 + p * mn, p * nn, p * mm + q * mn, 1 + p * mn + q * nn]
  const determinant = e * i - f * h
  const [y0, y1] = [(i * t0 - f * t1) / determinant, (e * t1 - h * t0) / determinant]
  return g.map((value, k) => inverse[k]! * (value - y0 * m[k]! - y1 * n[k]!))
}

function costAt(v: Float64Array, b: Float64Array, d: Float64Array, r: number): number {
  const a = sinc(lengthOf(v) / r)
  let cost = 0
  for (let k = 0; k < v.length; k++) {
    const u = a * v[k]!
    cost += 0.5 * d[k]! * u * u - b[k]! * u + 0.5 * v[k]! * v[k]!
  }
  return cost
}

/** The far hemisphere repeats the shapes of the near one, so the fit stays in this. */
function within(v: Float64Array, r: number): Float64Array {
  const most = 0.999 * (Math.PI / 2) * r
  const length = lengthOf(v)
  return length > most ? v.map((value) => (value * most) / length) : v
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(x) / x
}

function lengthOf(v: Float64Array): number {
  return Math.sqrt(dot(v, v))
}
