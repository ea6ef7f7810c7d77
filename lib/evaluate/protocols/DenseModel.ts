import {
  cholesky,
  Matrix,
  type MatrixLike,
  multiply,
  solveCholesky,
  solveLower,
  solveLowerTransposed,
  symmetricEigen,
  symmetrised,
} from '../../linear/index.js'
import { asFloat32 } from '../../model/half.js'
import type { ModelData } from '../../model/ModelData.js'
import { rigidFields } from './alignFaces.js'
import { likeliest, onSphere } from './likeliest.js'
import type { Moments } from './Moments.js'
import { type ShapeSpace, shapeSpaceOf } from './ShapeSpace.js'
import { nearest } from './sphereSolutions.js'

/** What besides the identity may move a face. Small rigid motions always do. */
export interface DenseModelOptions {
  /** [3N] mm: what displacements are measured from. */
  reference: Float64Array
  /** Expressions, by their prior. */
  expressions?: boolean
  /** The model's variation within people, where it has any. */
  within?: boolean
}

/** How well faces are represented by the first k modes. */
export interface BestFits {
  /** [n] RMS distance of the vertices, mm. */
  readonly errors: Float64Array
  /** [n,P] coefficients of the model's columns. */
  readonly coefficients: Matrix
}

/** The Gram matrix G in blocks, a for the identity and b for the nuisances, K = G_bb + variance * precisions. */
interface Elimination {
  /** [D,D] G_aa - G_ab K^-1 G_ba */
  inner: Matrix
  /** [D,P - D] G_ab K^-1 */
  across: Matrix
  /** K = L L^T */
  factor: Matrix
}

/** Where expressions are free, they are all but free: only what the data leave open is held by their prior. */
const FREE = 1e-4

/** Fields of rigid motion: the last columns, free of any prior. */
const RIGID = 6

/**
 * A model as a linear basis for faces in correspondence: identity, expressions, variation within people and small rigid
 * motions side by side. One pass over the vertices gives {@link Moments}, from which every fit follows by small systems of
 * equations, exactly (mathematics of the dense fit: docs/evaluation.md).
 */
export class DenseModel {
  readonly space: ShapeSpace
  /** [P,3N] fields of identity, then nuisances. */
  readonly #columns: MatrixLike
  /** [P,P] */
  readonly #gram: Matrix
  /** [P - D] precision of the nuisances' priors. */
  readonly #precisions: Float64Array
  /** [1,3N] from the face at the centre of all priors to the reference. */
  readonly #offset: Matrix

  /** @throws SfmError INVALID_MODEL, see {@link shapeSpaceOf}. */
  constructor(data: ModelData, { reference, expressions = false, within = false }: DenseModelOptions) {
    this.space = shapeSpaceOf(data)
    const width = 3 * data.vertexCount
    const { expressionStddev: stddev } = data
    const parts = [this.space.fields.data]
    if (expressions) parts.push(scaledRows(asFloat32(data.expressionBasis), stddev, width))
    if (within && data.withinIdentityBasis) parts.push(asFloat32(data.withinIdentityBasis))
    parts.push(rigidFields(this.space.mean))
    this.#columns = stacked(parts, width)
    this.#gram = multiply(this.#columns, this.#columns, { transposeB: true })
    const nuisances = this.#columns.rows - this.modes
    this.#precisions = Float64Array.from({ length: nuisances }, (_, i) => (i < nuisances - RIGID ? 1 : 0))
    const centre = this.space.mean.slice()
    if (expressions && data.expressionMean) addRows(centre, data.expressionMean, asFloat32(data.expressionBasis))
    this.#offset = new Matrix(
      1,
      width,
      reference.map((value, i) => value - centre[i]),
    )
  }

  /** D */
  get modes(): number {
    return this.space.fields.rows
  }

  /**
   * Reads faces.
   *
   * @param displacements [n,3N] from the reference, mm; see {@link alignFaces}.
   */
  moments(displacements: MatrixLike): Moments {
    const products = multiply(displacements, this.#columns, { transposeB: true })
    const shift = multiply(this.#offset, this.#columns, { transposeB: true }).data
    const along = multiply(displacements, this.#offset, { transposeB: true }).data
    const constant = squaredLength(this.#offset.data, 0, this.#offset.columns)
    const squares = Float64Array.from(
      along,
      (value, i) =>
        squaredLength(displacements.data, i * displacements.columns, displacements.columns) + 2 * value + constant,
    )
    for (let i = 0; i < products.rows; i++) {
      const row = products.row(i)
      for (let p = 0; p < row.length; p++) row[p] += shift[p]
    }
    return { products, squares }
  }

  /** What fits leave of the faces' coordinates, mm, on the average: as much as all of it that is noise. */
  noise({ products, squares }: Moments): number {
    const total = squares.reduce((a, b) => a + b, 0)
    const coordinates = products.rows * this.#columns.columns
    let variance = Math.max(1e-6, total / coordinates)
    for (let i = 0; i < NOISE_ROUNDS; i++) {
      const system = this.#gram.copy()
      for (let p = 0; p < system.rows; p++) system.data[p * system.rows + p] += variance * this.#precision(p)
      const solved = solveLower(cholesky(ridged(system)), products.transpose())
      variance = Math.max(1e-6, (total - squaredLength(solved.data, 0, solved.data.length)) / coordinates)
    }
    return Math.sqrt(variance)
  }

  /**
   * The likeliest identity of each face, with everything else as a nuisance.
   *
   * @param noise Of each coordinate, mm.
   * @returns [n,D] x ~ N(0, I) by the prior.
   */
  identities({ products }: Moments, noise: number): Matrix {
    const variance = noise * noise
    const { inner, across } = this.#eliminated(variance)
    const { values, vectors } = symmetricEigen(scaled(inner, 1 / variance))
    const information = values.map((value) => Math.max(0, value))
    const shifts = multiply(scaled(this.#reduced(products, across), 1 / variance), vectors)
    const { metric } = this.space
    const turned = metric && multiply(multiply(vectors, metric, { transposeA: true }), vectors)
    const x = new Matrix(shifts.rows, shifts.columns)
    for (let i = 0; i < x.rows; i++) x.row(i).set(likeliest(shifts.row(i), information, turned))
    return multiply(x, vectors, { transposeB: true })
  }

  /**
   * What people are compared by: normal coordinates, or Gaussian latents. Their direction is what a fit of landmarks
   * gives as the embedding.
   *
   * @param x [n,D] as {@link identities} returns it.
   * @returns [n,D]
   */
  embeddings(x: Matrix): Matrix {
    return multiply(x, this.space.spread, { transposeB: true })
  }

  /**
   * The best fit to each face with the first `modes` identity modes, no prior on them.
   *
   * @param modes At most D.
   */
  bestFits(moments: Moments, modes = this.modes): BestFits {
    const elimination = this.#eliminated(FREE)
    const axes = this.#unitAxes(modes)
    const inner = multiply(multiply(axes, block(elimination.inner, modes), { transposeA: true }), axes)
    const { values, vectors } = symmetricEigen(symmetrised(inner))
    const floor = 1e-12 * Math.max(values[0] ?? 0, 1e-12)
    const sizes = values.map((value) => Math.max(floor, value))
    const turn = multiply(axes, vectors)
    const shifts = multiply(firstColumns(this.#reduced(moments.products, elimination.across), modes), turn)
    const reach = this.space.metric ? 1 : Number.POSITIVE_INFINITY
    const turned = new Matrix(shifts.rows, modes)
    for (let i = 0; i < turned.rows; i++) turned.row(i).set(nearest(shifts.row(i), sizes, reach))
    return this.#completed(moments, multiply(turned, turn, { transposeB: true }), elimination)
  }

  /**
   * How near faces of given identities come to faces, the rest fitted.
   *
   * @param x [n,D] identities, as {@link identities} returns them.
   */
  fitsOf(moments: Moments, x: Matrix): BestFits {
    const w = new Matrix(x.rows, x.columns)
    for (let i = 0; i < x.rows; i++) w.row(i).set(onSphere(x.row(i), this.space.metric))
    return this.#completed(moments, w, this.#eliminated(FREE))
  }

  /**
   * What fits leave of faces.
   *
   * @param displacements [n,3N] as {@link moments} was given them.
   * @returns [n,3N] mm
   */
  residuals(displacements: MatrixLike, { coefficients }: BestFits): Matrix {
    const residuals = scaled(multiply(coefficients, this.#columns), -1)
    const offset = this.#offset.data
    for (let i = 0; i < residuals.data.length; i++)
      residuals.data[i] += displacements.data[i] + offset[i % offset.length]
    return residuals
  }

  /**
   * What fits take for the faces where they do not move: with expressions, without rigid motion.
   *
   * @returns [n,3N] mm from the reference.
   */
  faces({ coefficients }: BestFits): Matrix {
    const still = coefficients.copy()
    for (let i = 0; i < still.rows; i++) still.row(i).fill(0, still.columns - RIGID)
    const faces = multiply(still, this.#columns)
    const offset = this.#offset.data
    for (let i = 0; i < faces.data.length; i++) faces.data[i] -= offset[i % offset.length]
    return faces
  }

  /** [k,k] axes of the first k coordinates in which the sphere is round, of radius 1; as they are where there is none. */
  #unitAxes(modes: number): Matrix {
    const { metric } = this.space
    return metric
      ? solveLowerTransposed(cholesky(block(metric, modes)), Matrix.identity(modes))
      : Matrix.identity(modes)
  }

  #precision(p: number): number {
    return p < this.modes ? 1 : this.#precisions[p - this.modes]
  }

  /**
   * The likeliest nuisances for given coordinates of the identity, and the errors of both together.
   *
   * @param w [n,k] the first k coordinates.
   */
  #completed({ products, squares }: Moments, w: Matrix, { across, factor }: Elimination): BestFits {
    const D = this.modes
    const moved = multiply(w, firstRows(across, w.columns))
    const own = solveCholesky(factor, lastColumns(products, D).transpose()).transpose()
    const coefficients = new Matrix(products.rows, products.columns)
    for (let i = 0; i < coefficients.rows; i++) {
      const row = coefficients.row(i)
      row.set(w.row(i))
      for (let b = 0; b < own.columns; b++) row[D + b] = own.at(i, b) - moved.at(i, b)
    }
    const images = multiply(coefficients, this.#gram)
    const vertices = this.#columns.columns / 3
    const errors = squares.map((square, i) => {
      const [c, g, image] = [coefficients.row(i), products.row(i), images.row(i)]
      let left = square
      for (let p = 0; p < c.length; p++) left += c[p] * (image[p] - 2 * g[p])
      return Math.sqrt(Math.max(0, left) / vertices)
    })
    return { errors, coefficients }
  }

  #eliminated(variance: number): Elimination {
    const D = this.modes
    const G = this.#gram
    const inner = block(G, D)
    const mixed = new Matrix(G.rows - D, D)
    const system = new Matrix(G.rows - D, G.rows - D)
    for (let b = 0; b < system.rows; b++) {
      mixed.row(b).set(G.row(D + b).subarray(0, D))
      system.row(b).set(G.row(D + b).subarray(D))
      system.data[b * system.rows + b] += variance * this.#precisions[b]
    }
    const factor = cholesky(ridged(system))
    const solved = solveCholesky(factor, mixed)
    const taken = multiply(mixed, solved, { transposeA: true })
    for (let i = 0; i < D; i++)
      for (let j = 0; j < D; j++) inner.data[i * D + j] -= (taken.at(i, j) + taken.at(j, i)) / 2
    return { inner, across: solved.transpose(), factor }
  }

  /** g_a - G_ab K^-1 g_b of each face, [n,D]. */
  #reduced(products: Matrix, across: Matrix): Matrix {
    const own = firstColumns(products, this.modes)
    const taken = multiply(lastColumns(products, this.modes), across, { transposeB: true })
    for (let i = 0; i < own.data.length; i++) own.data[i] -= taken.data[i]
    return own
  }
}

/** The estimate moves by less than a percent after these. */
const NOISE_ROUNDS = 6

/** Lets columns depend on each other, as blendshapes do: far below anything that can be measured. */
function ridged(a: Matrix): Matrix {
  let largest = 0
  for (let i = 0; i < a.rows; i++) largest = Math.max(largest, a.at(i, i))
  const result = a.copy()
  for (let i = 0; i < a.rows; i++) result.data[i * a.rows + i] += 1e-10 * largest
  return result
}

/** sum + weights^T rows, in place. */
function addRows(sum: Float64Array, weights: ArrayLike<number>, rows: Float32Array): void {
  for (let i = 0; i < rows.length; i++) sum[i % sum.length] += weights[Math.floor(i / sum.length)] * rows[i]
}

function scaledRows(rows: Float32Array, scales: ArrayLike<number>, width: number): Float32Array {
  return rows.map((value, i) => value * scales[Math.floor(i / width)])
}

function stacked(parts: readonly (Float32Array | Float64Array)[], width: number): MatrixLike {
  const data = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    data.set(part, at)
    at += part.length
  }
  return { rows: data.length / width, columns: width, data }
}

/** The first rows and columns. */
function block(a: Matrix, size: number): Matrix {
  return firstColumns(firstRows(a, size), size)
}

function firstRows(a: Matrix, count: number): Matrix {
  return new Matrix(count, a.columns, a.data.slice(0, count * a.columns))
}

function firstColumns(a: Matrix, count: number): Matrix {
  const part = new Matrix(a.rows, count)
  for (let i = 0; i < a.rows; i++) part.row(i).set(a.row(i).subarray(0, count))
  return part
}

function lastColumns(a: Matrix, from: number): Matrix {
  const part = new Matrix(a.rows, a.columns - from)
  for (let i = 0; i < a.rows; i++) part.row(i).set(a.row(i).subarray(from))
  return part
}

function scaled(a: Matrix, factor: number): Matrix {
  return new Matrix(
    a.rows,
    a.columns,
    a.data.map((value) => factor * value),
  )
}

function squaredLength(values: Float64Array | Float32Array, from: number, count: number): number {
  let sum = 0
  for (let i = from; i < from + count; i++) sum += values[i] * values[i]
  return sum
}
