import { cholesky, Matrix, multiply, solveCholesky } from '../../linear/index.js'
import { addScaled } from '../matrices.js'
import { type AngularMarginOptions, angularMargin } from './angularMargin.js'
import type { Evidence } from './Evidence.js'
import { fitLatents } from './fitAdjoint.js'

/** What the discriminative part of learning from photos changes. */
export interface RefinementParameters {
  /** [R,k] B: the coordinates in the dictionary that a unit of each latent stands for. */
  basis: Matrix
  /** [R] m: of the mean face. */
  mean: Float64Array
  /** [k,k] M: latents are compared by the direction of M x. */
  metric: Matrix
  /** [people,k] w */
  classes: Matrix
}

/** What metric and classes are for. */
export interface MetricLossOptions extends AngularMarginOptions {
  /** Of |M - I|^2. */
  metricWeight: number
}

/** What else holds basis and mean. */
export interface RefinementLossOptions extends MetricLossOptions {
  /** Of the 3D identities. */
  replayWeight: number
  /** Of the change of basis and mean, as a multiple of `replayWeight`. */
  basisWeight: number
}

/** What does not change. */
export interface RefinementSetting {
  /** [k,k] of the latents' prior. */
  precision: Matrix
  /** B_0 */
  basis: Matrix
  /** [R,R] mm^2: the dictionary's Gram matrix over the number of vertices, so that |g|^2 is a mean squared displacement. */
  gram: Matrix
  /** [n,R] faces known in 3D, by their coordinates in the dictionary; none without it. */
  identities?: Matrix | undefined
}

/** CosFace of M x, and what holds M, with the derivatives by M, w and the latents x. */
export function metricLoss(
  { metric, classes }: Pick<RefinementParameters, 'metric' | 'classes'>,
  latents: Matrix,
  people: ArrayLike<number>,
  options: MetricLossOptions,
) {
  const margin = angularMargin(multiply(latents, metric, { transposeB: true }), people, classes, options)
  const change = addScaled(metric.copy(), -1, Matrix.identity(metric.rows))
  const gradient = multiply(margin.latents, latents, { transposeA: true })
  addScaled(gradient, 2 * options.metricWeight, change)
  return {
    loss: margin.loss + options.metricWeight * squares(change.data),
    margin: margin.loss,
    gradient: { metric: gradient, classes: margin.classes },
    latents: multiply(margin.latents, metric),
  }
}

/**
 * The loss of the paper's second stage for a batch of photos, differentiated through their fits:
 *
 *     CosFace(M x_i; w) + lambda mean_y |(I - P_B) (X_y - m)|^2 + kappa lambda (|B - B_0|^2 + |m|^2) + mu |M - I|^2
 *
 * in the norm of mean squared displacements, |g|^2 = g^T G g. P_B projects onto what the basis spans; the second term is
 * the least over c_y of |X_y - m - B c_y|^2, so that with the residual r_y its derivatives are -2 G r_y c_y^T by B and -2
 * G r_y by m.
 *
 * The mean face is one more column of the basis: what holds the one holds the other.
 *
 * @param people [n] the class of each photo.
 */
export function refinementLoss(
  parameters: RefinementParameters,
  photos: readonly Evidence[],
  people: ArrayLike<number>,
  setting: RefinementSetting,
  options: RefinementLossOptions,
): { loss: number; margin: number; replay: number; gradient: RefinementParameters } {
  const { basis, mean } = parameters
  const { replayWeight, basisWeight } = options
  const fit = fitLatents(photos, basis, mean, setting.precision)
  const discrimination = metricLoss(parameters, fit.latents, people, options)
  const gradient = { ...discrimination.gradient, ...fit.adjoint(discrimination.latents) }

  const anchor = replayWeight * basisWeight
  const change = addScaled(basis.copy(), -1, setting.basis)
  const pulled = multiply(setting.gram, change)
  const meanColumn = new Matrix(mean.length, 1, mean.slice())
  const meanPulled = multiply(setting.gram, meanColumn)
  addScaled(gradient.basis, 2 * anchor, pulled)
  for (let r = 0; r < mean.length; r++) gradient.mean[r]! += 2 * anchor * meanPulled.data[r]!
  let loss = discrimination.loss + anchor * (inner(change, pulled) + inner(meanColumn, meanPulled))

  const replay = setting.identities ? replayLoss(basis, mean, setting.gram, setting.identities) : undefined
  if (replay) {
    loss += replayWeight * replay.loss
    addScaled(gradient.basis, replayWeight, replay.basis)
    for (let r = 0; r < mean.length; r++) gradient.mean[r]! += replayWeight * replay.mean[r]!
  }
  return { loss, margin: discrimination.margin, replay: replay?.loss ?? 0, gradient }
}

/**
 * How far, mm^2 in the mean, faces known in 3D are from what basis and mean can say, and the derivatives of it.
 *
 * @param basis [R,k]
 * @param identities [n,R]
 */
export function replayLoss(basis: Matrix, mean: Float64Array, gram: Matrix, identities: Matrix) {
  const { rows: n, columns } = identities
  const faces = identities.transpose()
  for (let r = 0; r < columns; r++) for (let i = 0; i < n; i++) faces.data[r * n + i]! -= mean[r]!
  const weighted = multiply(gram, basis)
  const coefficients = solveCholesky(
    cholesky(multiply(basis, weighted, { transposeA: true })),
    multiply(weighted, faces, { transposeA: true }),
  )
  const residuals = addScaled(faces, -1, multiply(basis, coefficients))
  const pulled = multiply(gram, residuals)
  const basisGradient = multiply(pulled, coefficients, { transposeB: true })
  for (let i = 0; i < basisGradient.data.length; i++) basisGradient.data[i]! *= -2 / n
  const meanGradient = new Float64Array(columns)
  for (let r = 0; r < columns; r++) for (const value of pulled.row(r)) meanGradient[r]! -= (2 / n) * value
  return { loss: inner(residuals, pulled) / n, basis: basisGradient, mean: meanGradient }
}

function inner(a: Matrix, b: Matrix): number {
  let sum = 0
  for (let i = 0; i < a.data.length; i++) sum += a.data[i]! * b.data[i]!
  return sum
}

function squares(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value * value, 0)
}
