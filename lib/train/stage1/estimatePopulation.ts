import { SfmError } from '../../errors.js'
import { Matrix, multiply } from '../../linear/index.js'
import type { ModelData } from '../../model/ModelData.js'
import {
  addDiagonal,
  asColumn,
  besides,
  centred,
  combine,
  loadingsOf,
  meanRow,
  outer,
  positiveInverse,
  scaleColumns,
  solveSymmetric,
  trace,
} from '../matrices.js'
import { boxLeastSquares } from './boxLeastSquares.js'
import { factorAnalysis } from './factorAnalysis.js'
import { covariance, deviations, personMeans, type ScanCoordinates } from './ScanCoordinates.js'
import type { Span } from './Span.js'

/** Second-order statistics of a population, in the coordinates of a {@link Span}. */
export interface Population {
  /** [R] the mean face at rest. */
  mean: Float64Array
  /** [E] the expression that scans have on average. */
  meanExpression: Float64Array
  /** [R,R] covariance of identities: of faces at rest between people. */
  between: Matrix
  /** [R,R] covariance of the scans of one person: expression, registration, noise. */
  within: Matrix
  /** [E] mean square of the coefficients of expressions about their mean, as the scans have it. */
  expressionVariances: Float64Array
  /**
   * [R,R] the same as factors and noise have it: with all of what `expressionVariances` make of the blendshapes in it,
   * which scans, being no more linear than people are, need not have.
   */
  modelledWithin: Matrix
  /** Degrees of freedom of `within`; 0 where nobody has more than one scan. */
  withinDegreesOfFreedom: number
}

/**
 * Scans that the prior of `within` counts for: it decides where nobody has two scans, and is nothing next to hundreds of
 * pairs.
 */
const PRIOR_SCANS = 10

/** Share of the variance that expressions have at least, of what their prior in the model allows. */
const PRIOR_EXPRESSION = 0.1

/** Of the model of variation within people from which expressions are told. */
const FACTORS = 60

/**
 * Moments of scans with labels: x = mean + identity + (expression, drift, noise). The class means are sufficient for the
 * identities, so that expressions need not be taken out of the single scans: what remains of them in the class means is
 * subtracted from the covariance between people. The mean expression, which no second moment knows, is told from the
 * mean identity by the template's face at rest.
 *
 * @throws SfmError INVALID_INPUT for fewer than three people.
 */
export function estimatePopulation(scans: ScanCoordinates, span: Span, template: ModelData): Population {
  const { coordinates, person, counts } = scans
  const people = counts.length
  if (people < 3)
    throw new SfmError(
      'INVALID_INPUT',
      `scans: expected three people or more to learn what tells people apart, received ${people}`,
    )
  const means = personMeans(coordinates, scans)
  const average = symmetricRow(meanRow(means), span.signs)
  const total = symmetricPart(covariance(centred(means, average), people - 1), span.signs)

  const degrees = coordinates.rows - people
  const prior = withinPrior(coordinates, span, template)
  const scatter = covariance(deviations(coordinates, means, person), 1)
  const within = symmetricPart(
    combine(1 / (degrees + PRIOR_SCANS), scatter, PRIOR_SCANS / (degrees + PRIOR_SCANS), prior),
    span.signs,
  )
  // A mean of n scans has 1/n of their variance within a person.
  const share = counts.reduce((sum, n) => sum + 1 / n, 0) / people
  const between = positivePart(combine(1, total, -share, within))

  const meanExpression = estimateMeanExpression(average, between, within, people, span, template)
  const offset = multiply(span.expressions, asColumn(meanExpression)).data
  const { variances, loadings, noise } = factorAnalysis(within, span.expressions, priorVariances(template), {
    factors: Math.min(FACTORS, span.rank - 1),
    learnVariances: true,
  })
  const expression = scaleColumns(span.expressions, variances.map(Math.sqrt))
  return {
    mean: average.map((value, j) => value - offset[j]!),
    meanExpression,
    between,
    within,
    expressionVariances: variances,
    modelledWithin: addDiagonal(outer(besides(expression, loadings)), noise),
    withinDegreesOfFreedom: degrees,
  }
}

/**
 * The scans with their expressions taken out, for principal components of single scans: of the mean expression, of what
 * the class means tell, and of the scans' deviations from them.
 *
 * @returns [n,R]
 */
export function neutralised(scans: ScanCoordinates, population: Population, span: Span): Matrix {
  const { coordinates, person, counts } = scans
  const { mean, meanExpression, between, modelledWithin: within, expressionVariances } = population
  const gain = scaleColumns(span.expressions, expressionVariances)
  const means = personMeans(coordinates, scans)
  const offset = multiply(span.expressions, asColumn(meanExpression)).data
  const expected = mean.map((value, j) => value + offset[j]!)

  // E[e | deviation] E^T, and E[e | class mean] E^T for each number of scans that people have.
  const effect = (denominator: Matrix, weight: number) => {
    const solved = solveSymmetric(addDiagonal(denominator, jitter(denominator)), gain)
    const map = multiply(solved, span.expressions, { transposeB: true })
    return new Matrix(
      map.rows,
      map.columns,
      map.data.map((value) => weight * value),
    )
  }
  const ofMeans = new Matrix(means.rows, means.columns)
  for (const n of new Set(counts)) {
    const map = effect(combine(1, between, 1 / n, within), 1 / n)
    const all = multiply(centred(means, expected), map)
    for (const [p, count] of counts.entries()) if (count === n) ofMeans.row(p).set(all.row(p))
  }
  const ofScans = multiply(deviations(coordinates, means, person), effect(within, 1))
  const result = coordinates.copy()
  for (const [i, p] of person.entries()) {
    const row = result.row(i)
    const [a, b] = [ofMeans.row(p), ofScans.row(i)]
    for (let j = 0; j < row.length; j++) row[j]! -= offset[j]! + a[j]! + b[j]!
  }
  return result
}

/** A symmetric matrix without what couples symmetric to antisymmetric fields: as if every mirror image were there, too. */
export function symmetricPart(a: Matrix, signs: Int8Array | undefined): Matrix {
  if (signs === undefined) return a
  return new Matrix(
    a.rows,
    a.columns,
    a.data.map((value, i) => (signs[Math.floor(i / a.columns)] === signs[i % a.columns] ? value : 0)),
  )
}

function symmetricRow(row: Float64Array, signs: Int8Array | undefined): Float64Array {
  return signs === undefined ? row : row.map((value, j) => (signs[j]! > 0 ? value : 0))
}

function positivePart(a: Matrix): Matrix {
  return outer(loadingsOf(a, 0, a.rows).loadings)
}

/** What rounding needs so that a covariance has an inverse. */
function jitter(a: Matrix): number {
  return (1e-9 * trace(a)) / a.rows
}

/** What is supposed of the scans of one person before any has been seen: some expression, some noise. */
function withinPrior(coordinates: Matrix, span: Span, template: ModelData): Matrix {
  const { values } = loadingsOf(covariance(centred(coordinates, meanRow(coordinates)), coordinates.rows - 1), 0, 0)
  // In the directions in which scans vary least there is noise alone.
  const noise = Math.max(1e-6, values[Math.floor(values.length * 0.9)]!)
  const roots = priorVariances(template).map(Math.sqrt)
  return addDiagonal(outer(scaleColumns(span.expressions, roots)), noise)
}

function priorVariances({ expressionStddev }: ModelData): Float64Array {
  return Float64Array.from(expressionStddev, (sd) => PRIOR_EXPRESSION * sd * sd)
}

/**
 * The mean expression, within the bounds of the blendshapes: what of the difference between the corpus' mean and the
 * template's face at rest no difference of identity explains. The two populations are taken to differ by as much as two
 * people do, so that only what identity hardly does is laid to expression.
 */
function estimateMeanExpression(
  average: Float64Array,
  between: Matrix,
  within: Matrix,
  people: number,
  { expressions }: Span,
  { expressionBounds, expressionStddev }: ModelData,
): Float64Array {
  if (expressions.columns === 0) return new Float64Array(0)
  const uncertainty = combine(1, between, 1 / people, within)
  const precision = positiveInverse(addDiagonal(uncertainty, jitter(uncertainty) + 1e-2))
  const weighted = multiply(precision, expressions)
  const h = multiply(expressions, weighted, { transposeA: true })
  for (let e = 0; e < h.rows; e++) h.data[e * h.rows + e]! += 1 / expressionStddev[e]! ** 2
  const b = multiply(weighted, asColumn(average), { transposeA: true }).data
  return boxLeastSquares(h, b, expressionBounds)
}
