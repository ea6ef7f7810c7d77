import { asBytes } from './formats/safetensors.js'
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
  identityPersonShare: share,
  identityCount,
}: ModelData): void {
  if (metadata.latent === 'gaussian') {
    requireNone(MODEL_TENSORS.identityPriorMean.name, mean)
    requireNone(MODEL_TENSORS.identityPriorFactor.name, factor)
    requireNone(MODEL_TENSORS.identityPersonShare.name, share)
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
    if (share) validateShare(share, factor, mean)
  }
}

/** Shares are of the prior's axes: only a diagonal prior at the last axis has them one a latent. */
function validateShare(share: Float32Array, factor: Float32Array, mean: Float32Array): void {
  const where = tensorLabel(MODEL_TENSORS.identityPersonShare.name)
  const bad = share.findIndex((value) => !(value >= 0 && value <= 1))
  if (bad >= 0) throw invalidModel(where, 'numbers from 0 to 1', `${share[bad]} at ${bad}`)
  const K = mean.length
  const diagonal = Float32Array.from(mean, (_, k) => factor[k * (K + 1)]!)
  if (!mean.subarray(0, K - 1).every((value) => value === 0) || !hasOnly(factor, diagonal))
    throw invalidModel(where, 'a diagonal identity_prior_factor, its mean the last axis', 'another prior')
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
  const diagonal = Float32Array.from(mean, (_, k) => factor[k * (K + 1)]!)
  // As it is where the mean is the pole and all is whitened. Its zeros would take a third of the time to load a model.
  const isDiagonal = mean.subarray(0, K - 1).every((value) => value === 0) && hasOnly(factor, diagonal)

  const size = largest(isDiagonal ? diagonal : factor)
  const normal = isDiagonal ? diagonal.map((value, k) => mean[k]! * value) : productWith(mean, factor)
  const off = normal.findIndex((value) => Math.abs(value) > TOLERANCE * size)
  if (off >= 0) throw invalidModel(where, 'columns orthogonal to identity_prior_mean', `column ${off} that is not`)

  const isFull = isDiagonal
    ? diagonal.subarray(0, K - 1).every((value) => (value / size) ** 2 > NARROWEST)
    : size > 0 && isPositiveDefinite(factor, mean, size)
  if (!isFull) throw invalidModel(where, `rank ${K - 1}, a spread in every tangent direction`, 'a lower rank')
}

/** Whether a matrix is zero but for its diagonal: compared as bytes. */
function hasOnly(matrix: Float32Array, diagonal: Float32Array): boolean {
  const expected = new Float32Array(matrix.length)
  for (let k = 0; k < diagonal.length; k++) expected[k * (diagonal.length + 1)] = diagonal[k]!
  return Buffer.compare(asBytes(matrix), asBytes(expected)) === 0
}

function largest(values: Float32Array): number {
  return values.reduce((size, value) => Math.max(size, Math.abs(value)), 0)
}

/** vector^T matrix */
function productWith(vector: Float32Array, matrix: Float32Array): Float64Array {
  const K = vector.length
  const product = new Float64Array(K)
  for (let row = 0; row < K; row++) {
    for (let column = 0; column < K; column++) product[column]! += vector[row]! * matrix[row * K + column]!
  }
  return product
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
