import { SfmError } from '../../errors.js'
import { Matrix, type MatrixLike, multiply, symmetricEigen } from '../../linear/index.js'
import { asFloat32 } from '../../model/half.js'
import type { ModelData } from '../../model/ModelData.js'
import { reflectToPole } from '../../model/sphere.js'

/**
 * The neutral faces of a model: mean + sum over d of u_d fields_d, with coordinates u in standard deviations, from the
 * direction in which faces vary most to that in which they vary least. On the sphere u = r sin(|x| / r) x / |x| for
 * x ~ N(0, I); in a Gaussian model u = x.
 */
export interface ShapeSpace {
  /** [3N] mm, of the identity at the centre of the prior. */
  readonly mean: Float64Array
  /** [D,3N] mm for a standard deviation, orthogonal to each other. */
  readonly fields: MatrixLike
  /** [D] variance of each coordinate's shapes, mm^2 summed over the vertices; descending. */
  readonly variances: Float64Array
  /** r; absent in a Gaussian model, whose coordinates have no end. */
  readonly radius?: number
}

/** Covariances in the tangent space differ by this part at most from a multiple of I: more than files' rounding. */
const ISOTROPIC = 1e-4

/**
 * The shape space of a model.
 *
 * @throws SfmError INVALID_MODEL for a model on the sphere whose prior is not the same in all directions, or whose mean
 *   identity has a basis vector of its own (a free slack column): its faces have no such form.
 */
export function shapeSpaceOf(data: ModelData): ShapeSpace {
  const { identityCount: K, vertexCount: N, identityPriorMean, identityPriorFactor } = data
  const basis: MatrixLike = { rows: K, columns: 3 * N, data: asFloat32(data.identityBasis) }
  const mean = Float64Array.from(data.mean)
  if (!identityPriorMean || !identityPriorFactor) return ordered(mean, basis, Matrix.identity(K))
  const scale = isotropicScale(identityPriorMean, identityPriorFactor)
  requireNoSlack(identityPriorMean, basis)
  // z = cos|v| mu + sinc|v| H (v, 0) with v = scale x: the rows of H but the last, times scale.
  const chart = new Matrix(K - 1, K)
  for (let d = 0; d < K - 1; d++) {
    const axis = new Float64Array(K)
    axis[d] = scale
    chart.row(d).set(reflectToPole(axis, identityPriorMean))
  }
  return { ...ordered(mean, basis, chart), radius: 1 / scale }
}

/**
 * Turns coordinates to the principal axes of the shapes.
 *
 * @param basis [K,3N]
 * @param chart [D,K] the latents of each coordinate.
 */
function ordered(mean: Float64Array, basis: MatrixLike, chart: Matrix): ShapeSpace {
  const gram = multiply(basis, basis, { transposeB: true })
  const inner = multiply(multiply(chart, gram), chart, { transposeB: true })
  const { values, vectors } = symmetricEigen(symmetrised(inner))
  const fields = multiply(multiply(vectors, chart, { transposeA: true }), basis)
  return { mean, fields: asSingle(fields), variances: values.map((value) => Math.max(0, value)) }
}

/** The standard deviation of every normal coordinate, in radians. */
function isotropicScale(mean: Float32Array, factor: Float32Array): number {
  const K = mean.length
  const rows = Array.from({ length: K }, (_, k) => reflectToPole(column(factor, K, k), mean))
  // rows[k] is column k of H L; covariance (H L) (H L)^T without the last row and column.
  const turned = Matrix.from(rows)
  const covariance = multiply(turned, turned, { transposeA: true })
  const variance = Array.from({ length: K - 1 }, (_, d) => covariance.at(d, d)).reduce((a, b) => a + b, 0) / (K - 1)
  for (let i = 0; i < K - 1; i++)
    for (let j = 0; j < K - 1; j++)
      if (!(Math.abs(covariance.at(i, j) - (i === j ? variance : 0)) <= ISOTROPIC * variance))
        throw new SfmError(
          'INVALID_MODEL',
          'identity_prior_factor: expected the same spread in all directions of the tangent space, as training leaves it',
        )
  return Math.sqrt(variance)
}

function requireNoSlack(mean: Float32Array, basis: MatrixLike): void {
  const pole = multiply(new Matrix(1, mean.length, Float64Array.from(mean)), basis)
  if (largest(pole.data) > 1e-3 * largest(basis.data))
    throw new SfmError(
      'INVALID_MODEL',
      'identity_basis: expected nothing along the mean identity (a slack column of zero), as training leaves it',
    )
}

function largest(values: Float64Array | Float32Array): number {
  let most = 0
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]))
  return most
}

function column(matrix: Float32Array, size: number, k: number): Float64Array {
  return Float64Array.from({ length: size }, (_, i) => matrix[i * size + k])
}

function symmetrised(a: Matrix): Matrix {
  const result = a.copy()
  for (let i = 0; i < a.rows; i++)
    for (let j = 0; j < a.rows; j++) result.data[i * a.rows + j] = (a.at(i, j) + a.at(j, i)) / 2
  return result
}

/** Half the memory; what the files hold has no more digits. */
function asSingle({ rows, columns, data }: Matrix): MatrixLike {
  return { rows, columns, data: Float32Array.from(data) }
}
