import { Matrix, multiply, symmetricEigen, symmetrised } from '../../linear/index.js'
import { asFloat32 } from '../../model/half.js'
import type { ModelData } from '../../model/ModelData.js'
import { Random } from '../../random.js'
import { dot } from '../matrices.js'
import type { ShapeDictionary } from './ShapeDictionary.js'
import type { TwoCovariance } from './twoCovariance.js'

/** Draws by which the radius and the spread on the sphere are found. */
const DRAWS = 20_000

/** The share of a latent's variance that is the person's own is kept above this: a column is divided by its root. */
export const LEAST_SHARE = 0.02

/**
 * Asymmetry varies over the photos of one person by this at most, where it is the person's: twice as far as over a
 * population, squared. Landmarks of real photos exceed it by far, in the one direction that follows the yaw (docs/paper.md).
 */
const MOST_ASYMMETRY = 4

/** What folding made, besides the model. */
export interface FoldedModel {
  model: ModelData
  /** [K-1] share of each latent's variance that is the person's own. */
  shares: Float64Array
  /** [K-1] the latents' variance over photos. */
  variances: Float64Array
  /** [k,K-1] what a unit of each latent is, in the dictionary's coordinates. */
  basis: Matrix
  /** [K-1,k] from the dictionary's coordinates (less the mean's) to the folded latents. */
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
 * Where faces are as likely as their mirror images, each latent is symmetric or antisymmetric. Where photos of one person
 * differ in asymmetry by far more than people do, it is pose that they show: the antisymmetric latents follow the yaw
 * (docs/paper.md). They are no identity then but variation within one, and become columns of `within_identity_basis`, as
 * wide as photos show them. Otherwise they stay what they are, with the shares that they have.
 *
 * On the sphere u stands at sin(theta) r, as in the lifting of a Gaussian model (docs/sphere.md).
 *
 * @param base Gives all but the identity.
 * @param mirror [k,k] mirrors the dictionary's coordinates; without it everything counts as symmetric.
 */
export function foldMetric(
  base: ModelData,
  dictionary: ShapeDictionary,
  statistics: TwoCovariance,
  mirror?: Matrix,
): FoldedModel {
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
  const axes = multiply(root, vectors)
  const isIdentity = mirror && asymmetryWithin(within, mirror) > MOST_ASYMMETRY ? symmetryOf(axes, mirror) : undefined
  const identity = [...values.keys()].filter((i) => isIdentity?.[i] ?? true)
  const pose = [...values.keys()].filter((i) => isIdentity && !isIdentity[i])
  const shares = Float64Array.from(identity, (i) => Math.min(1, Math.max(LEAST_SHARE, values[i]!)))
  const deviations = shares.map(Math.sqrt)

  const K = identity.length
  const metric = new Matrix(K, k)
  const whitening = multiply(vectors, inverseRoot, { transposeA: true })
  for (const [to, from] of identity.entries())
    metric.row(to).set(whitening.row(from).map((value) => deviations[to]! * value))

  const basis = new Matrix(k, K)
  for (const [to, from] of identity.entries())
    for (let i = 0; i < k; i++) basis.data[i * K + to] = axes.at(i, from) / deviations[to]!
  return {
    model: modelOfLatents(withAsymmetry(base, dictionary, axes, pose), dictionary, {
      mean,
      shapes: basis,
      variances: shares,
      shares,
    }),
    shares,
    variances: shares,
    basis,
    metric,
  }
}

/**
 * The largest variance of an antisymmetric shape over the photos of one person, in units of the population's.
 *
 * @param within [k,k] in the dictionary's coordinates, which are N(0, I) over the population.
 * @param mirror [k,k]
 */
export function asymmetryWithin(within: Matrix, mirror: Matrix): number {
  const k = within.rows
  // (I - M) / 2 takes the antisymmetric part.
  const part = new Matrix(
    k,
    k,
    mirror.data.map((value, i) => ((i % (k + 1) === 0 ? 1 : 0) - value) / 2),
  )
  const { values } = symmetricEigen(symmetrised(multiply(multiply(part, within), part, { transposeB: true })))
  return values[0]!
}

/** Whether each column, in the dictionary's coordinates, is more like its mirror image than like the opposite. */
function symmetryOf(columns: Matrix, mirror: Matrix): boolean[] {
  const image = multiply(mirror, columns)
  return Array.from({ length: columns.columns }, (_, j) => dot(columns.column(j), image.column(j)) >= 0)
}

/** [columns,N,3] what columns of the dictionary's coordinates look like. */
function shapesOf(dictionary: ShapeDictionary, columns: readonly Float64Array[]): Float32Array {
  const stride = dictionary.mean.length
  const shapes = new Float32Array(columns.length * stride)
  const sum = new Float64Array(stride)
  for (const [j, column] of columns.entries()) {
    sum.fill(0)
    for (const [i, value] of column.entries()) addTo(sum, value, dictionary.shapes, i * stride)
    shapes.set(sum, j * stride)
  }
  return shapes
}

/** The model with columns of the dictionary's coordinates as variation within a person, besides what it has of it. */
function withAsymmetry(
  base: ModelData,
  dictionary: ShapeDictionary,
  axes: Matrix,
  antisymmetric: readonly number[],
): ModelData {
  if (antisymmetric.length === 0) return base
  const asymmetry = shapesOf(
    dictionary,
    antisymmetric.map((i) => axes.column(i)),
  )
  const before = base.withinIdentityBasis && asFloat32(base.withinIdentityBasis)
  return { ...base, withinIdentityBasis: before ? joined(before, asymmetry) : asymmetry }
}

/** Latents whose prior is independent in each: what a model's identity is made of. */
export interface DiagonalLatents {
  /** [k] the mean face, in the dictionary's coordinates. */
  mean: Float64Array
  /** [k,K-1] what a unit of each latent is, likewise. */
  shapes: Matrix
  /** [K-1] of the latents of photos. */
  variances: Float64Array
  /** [K-1] the part of them that is the person's own. */
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
  const { radius, spread } = reach(variances.map(Math.sqrt))
  const stride = dictionary.mean.length
  const K = shapes.columns + 1
  const identityBasis = new Float32Array(K * stride)
  identityBasis.set(
    shapesOf(
      dictionary,
      Array.from({ length: K - 1 }, (_, i) => shapes.column(i).map((value) => radius * value)),
    ),
  )
  const centre = Float64Array.from(dictionary.mean)
  for (const [i, value] of mean.entries()) addTo(centre, value, dictionary.shapes, i * stride)
  const identityPriorMean = new Float32Array(K)
  identityPriorMean[K - 1] = 1
  const identityPriorFactor = new Float32Array(K * K)
  const identityPersonShare = new Float32Array(K).fill(1)
  for (let i = 0; i < K - 1; i++) {
    identityPriorFactor[i * (K + 1)] = (spread / radius) * Math.sqrt(variances[i]!)
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

function joined(a: Float32Array, b: Float32Array): Float32Array {
  const both = new Float32Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
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
