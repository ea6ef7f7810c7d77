import { SfmError } from '../../errors.js'
import { type Matrix, multiply } from '../../linear/index.js'
import type { ModelData } from '../../model/ModelData.js'
import { asColumn, centred, combine, loadingsOf, meanRow, outer } from '../matrices.js'
import { estimatePopulation, neutralised, type Population, symmetricPart } from './estimatePopulation.js'
import type { FaceSpace, FaceSpaces } from './FaceSpace.js'
import { factorAnalysis } from './factorAnalysis.js'
import { covariance, personMeans, type ScanCoordinates } from './ScanCoordinates.js'
import type { Span } from './Span.js'
import { sphereRadius } from './sphereRadius.js'

/** What the closed form is told. */
export interface ClosedFormOptions {
  /** K: latents of the model on the sphere, one more than its degrees of freedom. */
  identityCount: number
  /** Columns of `within_identity_basis`. */
  withinFactors: number
}

/** Three models of the same scans, and what they are made from. */
export interface ClosedForm extends FaceSpaces {
  population: Population
}

/**
 * Learns identity and variation within people from scans, in closed form (docs/training.md). Identity: the largest
 * eigenvectors of the covariance between people. Variation within people: factors of the covariance of one person's scans
 * and of the identity that the model leaves out; without the latter the little noise of scans would have a fit take what
 * it cannot represent for what it can.
 *
 * @throws SfmError INVALID_INPUT where the scans cannot carry so many latents.
 */
export function closedForm(
  scans: ScanCoordinates,
  span: Span,
  template: ModelData,
  { identityCount, withinFactors }: ClosedFormOptions,
): ClosedForm {
  const population = estimatePopulation(scans, span, template)
  const { mean, between } = population
  const dimensions = identityCount - 1
  const { loadings, values } = loadingsOf(between, 0, dimensions)
  requireVariance(values, dimensions, scans.counts.length)

  const { within, noise } = withinModel(population, loadings, span, template, withinFactors)
  const linear: FaceSpace = { mean, basis: loadings, within, noise }
  const offset = multiply(span.expressions, asColumn(population.meanExpression)).data
  const lengths = identityLengths(
    scans,
    mean.map((value, j) => value + offset[j]!),
    loadings,
  )
  const sphere: FaceSpace = { ...linear, radius: sphereRadius(lengths, dimensions) }
  return { population, sphere, linear, pca: principalComponents(scans, population, span, identityCount) }
}

/**
 * W and the noise of fits: factors of what the scans of a person differ by, and of the identity that the basis leaves out,
 * besides the expressions as far as the model's prior lets them vary.
 */
export function withinModel(
  { within, between }: Population,
  basis: Matrix,
  span: Span,
  { expressionStddev }: ModelData,
  factors: number,
): { within: Matrix; noise: number } {
  const left = combine(1, between, -1, outer(basis))
  const variances = Float64Array.from(expressionStddev, (sd) => sd * sd)
  const { loadings, noise } = factorAnalysis(combine(1, within, 1, left), span.expressions, variances, {
    factors: Math.min(factors, span.rank - 1),
  })
  return { within: loadings, noise: Math.sqrt(noise) }
}

/**
 * How far the people of scans are from the mean, in coordinates with variance 1: those of their mean scans, nothing shrunk.
 *
 * @param mean [R] of the scans.
 * @param basis [R,D] orthogonal loadings.
 * @returns [g]
 */
export function identityLengths(scans: ScanCoordinates, mean: ArrayLike<number>, basis: Matrix): Float64Array {
  const along = multiply(centred(personMeans(scans.coordinates, scans), mean), basis)
  // Squared lengths of the loadings are the variances.
  const variances = new Float64Array(basis.columns)
  for (let i = 0; i < basis.rows; i++) for (const [k, value] of basis.row(i).entries()) variances[k]! += value * value
  return Float64Array.from({ length: along.rows }, (_, i) =>
    Math.sqrt(along.row(i).reduce((sum, value, k) => sum + (value / variances[k]!) ** 2, 0)),
  )
}

/** What a user of classical tools would make of the same scans: no labels but to take the expressions out. */
function principalComponents(scans: ScanCoordinates, population: Population, span: Span, count: number): FaceSpace {
  const rows = neutralised(scans, population, span)
  const mean = meanRow(rows)
  const total = symmetricPart(covariance(centred(rows, mean), rows.rows - 1), span.signs)
  const { loadings, values } = loadingsOf(total, 0, count)
  const rest = values.subarray(count)
  const noise = Math.sqrt(rest.reduce((sum, value) => sum + Math.max(0, value), 0) / Math.max(1, rest.length))
  return {
    mean: span.signs === undefined ? mean : mean.map((value, j) => (span.signs![j]! > 0 ? value : 0)),
    basis: loadings,
    noise: Math.max(noise, 1e-6),
  }
}

function requireVariance(values: Float64Array, dimensions: number, people: number): void {
  const usable = Math.min(values.filter((value) => value > 1e-9 * values[0]!).length, people - 1)
  if (dimensions <= usable) return
  throw new SfmError(
    'INVALID_INPUT',
    `identityCount: expected at most ${usable + 1}, since ${people} people differ from one another in ${usable} ways; ` +
      `received ${dimensions + 1}`,
  )
}
