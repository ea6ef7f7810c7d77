import { invalidModel, tensorLabel } from './invalidModel.js'
import type { ModelData } from './ModelData.js'
import { MODEL_TENSORS } from './schema.js'

/** How far the mean's length may be from 1, and the factor's columns from the tangent space, relative to their size. */
const TOLERANCE = 1e-4
/**
 * The least variance left in any direction, relative to the factor's largest entry squared: below it single precision
 * sees none.
 */
const NARROWEST = 1e-10
/** The checks below cost K^3 operations, and a fit more: no file may ask for minutes. */
const MAX_IDENTITY_COUNT = 1024

/**
 * The identity prior of a `sphere` model: its mean is a point of the sphere, its factor spans the tangent space there.
 * A `gaussian` model's prior is N(0, I), and a file that says otherwise is refused rather than misread.
 *
 * @throws SfmError INVALID_MODEL
 */
export function validatePrior({
  metadata,
  identityPriorMean: mean,
  identityPriorFactor: factor,
  identityCount,
}: ModelData): void {
  if (metadata.latent === 'gaussian') {
    requireNone(MODEL_TENSORS.identityPriorMean.name, mean)
    requireNone(MODEL_TENSORS.identityPriorFactor.name, factor)
  } else if (mean && factor) {
    if (identityCount > MAX_IDENTITY_COUNT) {
      throw invalidModel(
        tensorLabel(MODEL_TENSORS.identityBasis.name),
        `at most ${MAX_IDENTITY_COUNT} latents`,
        `${identityCount}`,
      )
    }
    validateMean(mean)
    validateFactor(factor, mean)
  }
}

function requireNone(name: string, array: unknown): void {
  if (array !== undefined) throw invalidModel(tensorLabel(name), 'no such tensor in a gaussian model', 'one')
}

function validateMean(mean: Float32Array): void {
  const length = Math.sqrt(mean.reduce((sum, value) => sum + value * value, 0))
  if (Math.abs(length - 1) > TOLERANCE) {
    throw invalidModel(tensorLabel(MODEL_TENSORS.identityPriorMean.name), 'a unit vector', `one of length ${length}`)
  }
}

/** L has to be tangent, mean^T L = 0, and of rank K - 1: every direction of the tangent space has a variance. */
function validateFactor(factor: Float32Array, mean: Float32Array): void {
  const where = tensorLabel(MODEL_TENSORS.identityPriorFactor.name)
  const K = mean.length
  const normal = new Float64Array(K)
  let size = 0
  for (let row = 0; row < K; row++) {
    for (let column = 0; column < K; column++) {
      const value = factor[row * K + column]!
      normal[column]! += mean[row]! * value
      size = Math.max(size, Math.abs(value))
    }
  }
  const off = normal.findIndex((value) => Math.abs(value) > TOLERANCE * size)
  if (off >= 0) throw invalidModel(where, 'columns orthogonal to identity_prior_mean', `column ${off} that is not`)
  if (!hasFullRank(factor, mean, size)) {
    throw invalidModel(where, `rank ${K - 1}, a spread in every tangent direction`, 'a lower rank')
  }
}

/** Whether L, tangent and with entries up to `size`, has a variance in every tangent direction. */
function hasFullRank(factor: Float32Array, mean: Float32Array, size: number): boolean {
  const K = mean.length
  // The factor of a whitened model is diagonal, with a zero along the mean.
  if (isDiagonal(factor, K)) {
    const variances = Float64Array.from(mean, (_, k) => (factor[k * (K + 1)]! / size) ** 2)
    return variances.filter((variance) => variance > NARROWEST).length === K - 1
  }
  return isPositiveDefinite(factor, mean, size)
}

function isDiagonal(matrix: Float32Array, K: number): boolean {
  for (let i = 0; i < matrix.length; i++) if (matrix[i] !== 0 && i % (K + 1) !== 0) return false
  return true
}

/** Whether (L L^T) / size^2 + mean mean^T is: it lacks no direction if L lacks none but the mean. By Cholesky. */
function isPositiveDefinite(factor: Float32Array, mean: Float32Array, size: number): boolean {
  const K = mean.length
  const rows = Array.from(mean, (_, row) =>
    Float64Array.from(factor.subarray(row * K, (row + 1) * K), (value) => value / size),
  )
  const lower: Float64Array[] = []
  for (let i = 0; i < K; i++) {
    const row = new Float64Array(i + 1)
    for (let j = 0; j <= i; j++) {
      const covariance = dot(rows[i]!, rows[j]!, K) + mean[i]! * mean[j]!
      const rest = covariance - dot(row, lower[j] ?? row, j)
      if (j < i) row[j] = rest / lower[j]![j]!
      else {
        if (!(rest > NARROWEST)) return false
        row[i] = Math.sqrt(rest)
      }
    }
    lower.push(row)
  }
  return true
}

function dot(a: Float64Array, b: Float64Array, length: number): number {
  let sum = 0
  for (let i = 0; i < length; i++) sum += a[i]! * b[i]!
  return sum
}
