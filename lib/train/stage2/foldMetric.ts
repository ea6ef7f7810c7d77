import { Matrix, multiply, symmetricEigen } from '../../linear/index.js'
import type { ModelData } from '../../model/ModelData.js'
import { Random } from '../../random.js'
import type { ShapeDictionary } from './ShapeDictionary.js'
import type { TwoCovariance } from './twoCovariance.js'

/** Draws by which the radius and the spread on the sphere are found. */
const DRAWS = 20_000

/** The share of a latent's variance that is the person's own is kept above this: a column is divided by its root. */
export const LEAST_SHARE = 0.02

/** What folding made, besides the model. */
export interface FoldedModel {
  model: ModelData
  /** [k] share of each latent's variance that is the person's own. */
  shares: Float64Array
  /** [k] the latents' variance over photos. */
  variances: Float64Array
  /** [k,k] from the dictionary's coordinates (less the mean's) to the folded latents at unit scale. */
  metric: Matrix
}

/**
 * Puts what was learned of people into the coordinates of the sphere, so that the direction from the mean compares them.
 *
 * The dictionary's coordinates g of a photo have the covariance T = B + W (between and within). Whitened by T, B becomes
 * diag(c) in the right axes: c_i is the share of latent i's variance that is the person's own, and the best estimate of
 * the person's standardised latent is sqrt(c_i) times the photo's. These are the latents u = diag(sqrt c) U^T T^-1/2 (g
 * - mean) of the new model. Their prior is diag(c) for photos; the file keeps
 * c as `identity_person_share`. No shape is lost: the basis becomes dictionary T^1/2 U diag(1 / sqrt c).
 *
 * On the sphere u stands at sin(theta) r, as in the lifting of a Gaussian model (docs/sphere.md).
 *
 * @param base Gives all but the identity.
 */
export function foldMetric(base: ModelData, dictionary: ShapeDictionary, statistics: TwoCovariance): FoldedModel {
  const { mean, between, within } = statistics
  const k = mean.length
  const total = new Matrix(
    k,
    k,
    between.data.map((value, i) => value + within.data[i]!),
  )
  const root = symmetricPower(total, 0.5)
  const inverseRoot = symmetricPower(total, -0.5)
  const { values, vectors } = symmetricEigen(multiply(multiply(inverseRoot, between), inverseRoot))
  const shares = values.map((value) => Math.min(1, Math.max(LEAST_SHARE, value)))
  const deviations = shares.map(Math.sqrt)

  const shapes = multiply(root, vectors)
  for (let i = 0; i < k; i++) for (let j = 0; j < k; j++) shapes.data[i * k + j]! /= deviations[j]!
  const metric = multiply(vectors, inverseRoot, { transposeA: true })
  for (let i = 0; i < k; i++) for (let j = 0; j < k; j++) metric.data[i * k + j]! *= deviations[i]!

  return {
    model: modelOfLatents(base, dictionary, { mean, shapes, variances: shares, shares }),
    shares,
    variances: shares,
    metric,
  }
}

/** Latents whose prior is independent in each: what a model's identity is made of. */
export interface DiagonalLatents {
  /** [R] the mean face, in the dictionary's coordinates. */
  mean: Float64Array
  /** [R,k] what a unit of each latent is, likewise. */
  shapes: Matrix
  /** [k] of the latents of photos. */
  variances: Float64Array
  /** [k] the part of them that is the person's own. */
  shares: Float64Array
}

/**
 * The model with these latents, on the sphere.
 *
 * @param base Gives all but the identity.
 */
export function modelOfLatents(
  base: ModelData,
  dictionary: ShapeDictionary,
  { mean, shapes, variances, shares }: DiagonalLatents,
): ModelData {
  const k = shapes.columns
  const { radius, spread } = reach(variances.map(Math.sqrt))
  const stride = 3 * base.vertexCount
  const identityBasis = new Float32Array((k + 1) * stride)
  const column = new Float64Array(stride)
  for (let j = 0; j < k; j++) {
    column.fill(0)
    for (let i = 0; i < dictionary.size; i++) addTo(column, radius * shapes.at(i, j), dictionary.shapes, i * stride)
    identityBasis.set(column, j * stride)
  }
  const centre = Float64Array.from(dictionary.mean)
  for (let i = 0; i < dictionary.size; i++) addTo(centre, mean[i]!, dictionary.shapes, i * stride)

  const K = k + 1
  const identityPriorMean = new Float32Array(K)
  identityPriorMean[k] = 1
  const identityPriorFactor = new Float32Array(K * K)
  const identityPersonShare = new Float32Array(K).fill(1)
  for (let i = 0; i < k; i++) {
    const unit = spread / radius
    identityPriorFactor[i * K + i] = unit * Math.sqrt(variances[i]!)
    identityPersonShare[i] = shares[i]!
  }
  return {
    ...base,
    identityCount: K,
    mean: Float32Array.from(centre),
    identityBasis,
    identityPriorMean,
    identityPriorFactor,
    identityPersonShare,
    metadata: { ...base.metadata, latent: 'sphere' },
  }
}

/**
 * The radius that holds all but a thousandth of the latents, with a tenth to spare, and the factor between their spread
 * in space and in normal coordinates: E[theta^2 / sin^2 theta]^1/2.
 */
function reach(deviations: Float64Array): { radius: number; spread: number } {
  const random = new Random(1)
  const lengths = Float64Array.from({ length: DRAWS }, () => {
    let sum = 0
    for (const deviation of deviations) sum += (deviation * random.normal()) ** 2
    return Math.sqrt(sum)
  }).sort()
  const radius = 1.1 * lengths[Math.floor(0.999 * DRAWS)]!
  let numerator = 0
  let denominator = 0
  for (const length of lengths) {
    const sine = Math.min(length / radius, 0.999)
    numerator += Math.asin(sine) ** 2
    denominator += sine ** 2
  }
  return { radius, spread: Math.sqrt(numerator / denominator) }
}

/** a^power of a symmetric positive definite matrix. */
function symmetricPower(a: Matrix, power: number): Matrix {
  const { values, vectors } = symmetricEigen(a)
  const scaled = vectors.copy()
  for (let i = 0; i < a.rows; i++)
    for (let j = 0; j < a.rows; j++) scaled.data[i * a.rows + j]! *= Math.max(values[j]!, 1e-12 * values[0]!) ** power
  return multiply(scaled, vectors, { transposeB: true })
}

function addTo(sum: Float64Array, factor: number, values: Float32Array, start: number): void {
  for (let i = 0; i < sum.length; i++) sum[i]! += factor * values[start + i]!
}
