import { SfmError } from '../../errors.js'
import { cholesky, Matrix, type MatrixLike, multiply, symmetricEigen, symmetrised } from '../../linear/index.js'
import { asFloat32 } from '../../model/half.js'
import type { ModelData } from '../../model/ModelData.js'
import { reflectToPole } from '../../model/sphere.js'

/**
 * The neutral faces of a model: mean + sum over d of w_d fields_d, with coordinates in standard deviations, from the
 * direction in which faces vary most to that in which they vary least. The identity x ~ N(0, I) has the normal
 * coordinates v = spread x, and on the sphere its face is that of w = sin|v| / |v| x; in a Gaussian model w = x.
 */
export interface ShapeSpace {
  /** [3N] mm, of the identity at the centre of the prior. */
  readonly mean: Float64Array
  /** [D,3N] mm for a standard deviation, orthogonal to each other. */
  readonly fields: MatrixLike
  /** [D] variance of each coordinate's shapes, mm^2 summed over the vertices; descending. */
  readonly variances: Float64Array
  /**
   * [D,D] from x to normal coordinates, in radians, or to Gaussian latents: those whose direction is the embedding that
   * fits have.
   */
  readonly spread: Matrix
  /** [D,D] spread^T spread, so that |v|^2 = x^T metric x; absent in a Gaussian model, which is flat. */
  readonly metric?: Matrix
}

/**
 * The shape space of a model.
 *
 * @throws SfmError INVALID_MODEL for a model on the sphere whose mean identity has a basis vector of its own (a free slack
 *   column): its faces have no such form.
 */
export function shapeSpaceOf(data: ModelData): ShapeSpace {
  const { identityCount: K, vertexCount: N, identityPriorMean, identityPriorFactor } = data
  const basis: MatrixLike = { rows: K, columns: 3 * N, data: asFloat32(data.identityBasis) }
  const mean = Float64Array.from(data.mean)
  if (!identityPriorMean || !identityPriorFactor) return { mean, ...ordered(basis, Matrix.identity(K)) }
  requireNoSlack(identityPriorMean, basis)
  const chart = chartOf(identityPriorMean)
  // From all columns of the prior's factor to as many as there are dimensions, with the same covariance.
  const tangent = multiply(chart, new Matrix(K, K, Float64Array.from(identityPriorFactor)))
  const factor = cholesky(multiply(tangent, tangent, { transposeB: true }))
  const space = ordered(multiply(chart, basis), factor)
  return { mean, ...space, metric: multiply(space.spread, space.spread, { transposeA: true }) }
}

/** [D,K] the latents of each normal coordinate: z = cos|v| mu + sinc|v| H (v, 0), the rows of H but the last. */
function chartOf(mean: Float32Array): Matrix {
  const K = mean.length
  const chart = new Matrix(K - 1, K)
  for (let d = 0; d < K - 1; d++) {
    const axis = new Float64Array(K)
    axis[d] = 1
    chart.row(d).set(reflectToPole(axis, mean))
  }
  return chart
}

/**
 * Turns coordinates to the principal axes of the shapes.
 *
 * @param basis [D,3N] by normal coordinates.
 * @param factor [D,D] L, their covariance L L^T.
 */
function ordered(basis: MatrixLike, factor: Matrix): Pick<ShapeSpace, 'fields' | 'variances' | 'spread'> {
  const gram = multiply(basis, basis, { transposeB: true })
  const inner = multiply(multiply(factor, gram, { transposeA: true }), factor)
  const { values, vectors } = symmetricEigen(symmetrised(inner))
  const spread = multiply(factor, vectors)
  const fields = multiply(spread, basis, { transposeA: true })
  return { fields: asSingle(fields), variances: values.map((value) => Math.max(0, value)), spread }
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

/** Half the memory; what the files hold has no more digits. */
function asSingle({ rows, columns, data }: Matrix): MatrixLike {
  return { rows, columns, data: Float32Array.from(data) }
}
