import { Matrix, multiply, symmetricEigen } from '../../../linear/index.js'
import {
  addDiagonal,
  asColumn,
  besides,
  centred,
  meanRow,
  outer,
  positiveInverse,
  scaleColumns,
  stacked,
  trace,
} from '../../matrices.js'
import type { TrainingContext } from '../../TrainingContext.js'
import { DenseFit } from '../DenseFit.js'
import type { Population } from '../estimatePopulation.js'
import type { FaceSpace } from '../FaceSpace.js'
import { covariance, personMeans, type ScanCoordinates } from '../ScanCoordinates.js'
import type { Span } from '../Span.js'
import type { AngularMarginOptions } from '../Stage1Options.js'
import { matrixOf, tensorOf } from '../scanStore.js'
import { sphereRadius } from '../sphereRadius.js'
import type { SpaceValidation } from '../validateSpace.js'
import { AngularMarginObjective, type AngularMarginState } from './AngularMarginObjective.js'
import { chartImages, chartInverseDerivative, chartPoint } from './chart.js'
import { meanDirections } from './uniformity.js'

/** Steps of the latents in a round. */
const LATENT_STEPS = 3
/** Halvings of a step that makes a scan's part of the objective worse, before it is given up for this round. */
const HALVINGS = 5
/** Of the least squares of the basis, relative to the latents' variance. */
const RIDGE = 1e-3
/** A step turns a face by this much at most, as a part of r. */
const LONGEST_STEP = 0.8
/** Latents stay in the near hemisphere, whose shapes the far one repeats. */
const LARGEST_ANGLE = 0.99 * (Math.PI / 2)

const STAGE = 'angular-margin'

/** What refining needs besides the scans. */
export interface RefineInputs {
  span: Span
  population: Population
  expressionStddev: ArrayLike<number>
  /** Judges by people that are not learned from; undefined where there are none. */
  judge: (space: FaceSpace) => SpaceValidation | undefined
}

/**
 * Refines the closed form by the paper's objective, latents and basis in turn, until the validation people say that it gets
 * no better. What comes back is the best that they have seen, the closed form itself perhaps.
 *
 * @param start With W as fits will have it.
 * @throws SfmError NUMERICAL naming the round where it diverges; ABORTED.
 */
export async function refine(
  start: FaceSpace & { radius: number },
  scans: ScanCoordinates,
  inputs: RefineInputs,
  options: AngularMarginOptions,
  context: TrainingContext,
): Promise<FaceSpace & { radius: number }> {
  const { span, population, expressionStddev, judge } = inputs
  const expressions = scaleColumns(span.expressions, expressionStddev)
  const nuisances = start.within ? besides(expressions, start.within) : expressions
  const precision = positiveInverse(addDiagonal(outer(nuisances), start.noise ** 2))
  const offset = multiply(span.expressions, asColumn(population.meanExpression)).data
  // At rest on average, as the mean is.
  const rested = withMirrorImages({ ...scans, coordinates: centred(scans.coordinates, offset) }, span.signs)
  const objective = new AngularMarginObjective(rested, precision, options)

  let state = initialState(start, expressions, rested)
  let best = { space: start, score: scoreOf(judge(start)) }
  let waited = 0
  let round = 0
  const kept = await context.checkpoint.load(STAGE)
  if (kept) ({ state, best, waited, round } = fromCheckpoint(kept, start))
  for (; round < options.rounds && waited < options.patience; round++) {
    for (let step = 0; step < LATENT_STEPS; step++) {
      state = latentStep(state, objective, options)
      await context.breathe()
    }
    state = whitened(refitted(state, rested), rested)
    const { value, parts } = objective.evaluate(state)
    const space = { ...start, mean: state.mean, basis: state.basis, radius: state.radius }
    const validation = judge(space)
    context.record({ stage: STAGE, step: round, value, ...parts, radius: state.radius, ...validation })
    const score = scoreOf(validation)
    // Without anybody to ask, the last is taken for the best.
    if (validation === undefined || score < best.score) {
      best = { space, score }
      waited = 0
    } else waited++
    context.progress(0.8 + (0.1 * (round + 1)) / options.rounds, `angular margin, round ${round + 1}`)
    await context.checkpoint.save(STAGE, toCheckpoint(state, best, waited, round + 1))
    await context.breathe()
  }
  return best.space
}

/** The scans and their mirror images, which are other people, where use is made of symmetry. */
function withMirrorImages(scans: ScanCoordinates, signs: Int8Array | undefined): ScanCoordinates {
  if (signs === undefined) return scans
  const { coordinates, person, people, counts } = scans
  return {
    ...scans,
    coordinates: stacked([coordinates, scaleColumns(coordinates, signs)], coordinates.columns),
    person: Int32Array.from([...person, ...person.map((p) => p + people.length)]),
    people: [...people, ...people.map((name) => `${name}, mirrored`)],
    counts: Int32Array.from([...counts, ...counts]),
  }
}

function scoreOf(validation: SpaceValidation | undefined): number {
  return validation ? validation.crossError * validation.ratio : Number.POSITIVE_INFINITY
}

function initialState(
  space: FaceSpace & { radius: number },
  expressions: Matrix,
  scans: ScanCoordinates,
): AngularMarginState {
  const identities = new DenseFit(space, expressions).identities(scans.coordinates)
  const { mean, basis, radius } = space
  return { mean, basis, radius, identities, weights: weightsOf(identities, scans) }
}

/** The people's mean directions: CosFace's weights, given the latents, up to what the margin pushes apart. */
function weightsOf(identities: Matrix, { person, counts }: ScanCoordinates): Matrix {
  const directions = new Matrix(identities.rows, identities.columns)
  for (let i = 0; i < identities.rows; i++) directions.row(i).set(chartPoint(identities.row(i), 1).direction)
  return meanDirections(directions, person, counts).means
}

/**
 * A Gauss-Newton step of each scan's latents on the sphere, with one factorisation for all: J^-1 (A^T N^-1 A + beta I)^-1 J^-1
 * for the matrix, shortened until the scan's part of the objective falls.
 */
function latentStep(
  state: AngularMarginState,
  objective: AngularMarginObjective,
  { identityWeight, scale, centreWeight }: AngularMarginOptions,
): AngularMarginState {
  const { identities, radius } = state
  const before = objective.evaluate(state)
  // The curvature of the softmax is at most scale^2 / 4, over |v|^2 on the sphere.
  const curvature = (identityWeight * scale * scale) / 4 / identities.columns
  const inverseMatrix = positiveInverse(addDiagonal(objective.information(state.basis), 1 + centreWeight + curvature))

  const turned = new Matrix(identities.rows, identities.columns)
  const points = Array.from({ length: identities.rows }, (_, i) => chartPoint(identities.row(i), radius))
  for (const [i, point] of points.entries()) turned.row(i).set(chartInverseDerivative(point, before.gradient.row(i)))
  const directions = multiply(turned, inverseMatrix)
  for (const [i, point] of points.entries())
    directions.row(i).set(shortened(chartInverseDerivative(point, directions.row(i)), LONGEST_STEP * radius))

  const centres = objective.centresOf(chartImages(identities, radius))
  const next = identities.copy()
  const lengths = new Float64Array(identities.rows).fill(1)
  for (let halving = 0; halving <= HALVINGS; halving++) {
    for (let i = 0; i < next.rows; i++) {
      const [from, direction] = [identities.row(i), directions.row(i)]
      const moved = from.map((value, k) => value - lengths[i]! * direction[k]!)
      next.row(i).set(shortened(moved, LARGEST_ANGLE * radius))
    }
    const after = objective.evaluate({ ...state, identities: next }, centres)
    let worse = 0
    for (let i = 0; i < next.rows; i++) {
      const pull = before.uniformityGradient.row(i)
      const slope = next.row(i).reduce((sum, value, k) => sum + pull[k]! * (value - identities.row(i)[k]!), 0)
      if (after.perScan[i]! + slope <= before.perScan[i]!) continue
      lengths[i] = halving === HALVINGS ? 0 : lengths[i]! / 2
      if (halving === HALVINGS) next.row(i).set(identities.row(i))
      worse++
    }
    if (worse === 0) break
  }
  return { ...state, identities: next }
}

/** Mean and basis by least squares with a ridge: whatever N is, it has no say in it. */
function refitted(state: AngularMarginState, scans: ScanCoordinates): AngularMarginState {
  const u = chartImages(state.identities, state.radius)
  const [meanOfU, meanOfScans] = [meanRow(u), meanRow(scans.coordinates)]
  const [du, dx] = [centred(u, meanOfU), centred(scans.coordinates, meanOfScans)]
  const gramOfU = covariance(du, u.rows)
  const ridge = (RIDGE * trace(gramOfU)) / u.columns
  const cross = multiply(dx, du, { transposeA: true })
  const basis = multiply(cross, positiveInverse(addDiagonal(gramOfU, ridge)))
  for (let i = 0; i < basis.data.length; i++) basis.data[i]! /= u.rows
  const shift = multiply(basis, asColumn(meanOfU)).data
  return { ...state, basis, mean: meanOfScans.map((value, j) => value - shift[j]!) }
}

/**
 * The same faces in coordinates in which the people's mean images u have mean 0 and covariance I, or the scale would drift
 * from round to round; with the radius that they need, and the weights that follow.
 */
function whitened(state: AngularMarginState, scans: ScanCoordinates): AngularMarginState {
  const u = chartImages(state.identities, state.radius)
  const middle = meanRow(personMeans(u, scans))
  const moved = centred(u, middle)
  const means = personMeans(moved, scans)
  const { values, vectors } = symmetricEigen(covariance(means, Math.max(1, means.rows - 1)))
  const least = 1e-6 * values[0]!
  const roots = values.map((value) => Math.sqrt(Math.max(least, value)))
  const root = multiply(scaleColumns(vectors, roots), vectors, { transposeB: true })
  const rootInverse = multiply(
    scaleColumns(
      vectors,
      roots.map((value) => 1 / value),
    ),
    vectors,
    { transposeB: true },
  )
  const images = multiply(moved, rootInverse)
  const shift = multiply(state.basis, asColumn(middle)).data
  const lengths = Float64Array.from({ length: means.rows }, (_, p) => norm(multiply(rowOf(means, p), rootInverse).data))
  const radius = sphereRadius(lengths, u.columns)
  const identities = images.copy()
  for (let i = 0; i < identities.rows; i++) {
    const row = identities.row(i)
    const length = norm(row)
    if (length === 0) continue
    const angle = Math.min(LARGEST_ANGLE, Math.asin(Math.min(1, length / radius)))
    for (let k = 0; k < row.length; k++) row[k]! *= (radius * angle) / length
  }
  return {
    mean: state.mean.map((value, j) => value + shift[j]!),
    basis: multiply(state.basis, root),
    radius,
    identities,
    weights: weightsOf(identities, scans),
  }
}

function rowOf(a: Matrix, i: number): Matrix {
  return new Matrix(1, a.columns, a.row(i).slice())
}

function shortened(x: Float64Array, most: number): Float64Array {
  const length = norm(x)
  return length > most ? x.map((value) => (value * most) / length) : x
}

function norm(x: Float64Array): number {
  return Math.sqrt(x.reduce((sum, value) => sum + value * value, 0))
}

type Best = { space: FaceSpace & { radius: number }; score: number }

function toCheckpoint(state: AngularMarginState, { space, score }: Best, waited: number, round: number) {
  const tensors = new Map([
    ['basis', tensorOf(state.basis)],
    ['mean', tensorOf(asColumn(state.mean))],
    ['identities', tensorOf(state.identities)],
    ['weights', tensorOf(state.weights)],
    ['best.basis', tensorOf(space.basis)],
    ['best.mean', tensorOf(asColumn(space.mean))],
  ])
  // JSON has no infinity.
  const finite = Number.isFinite(score) ? score : null
  return { state: { radius: state.radius, bestRadius: space.radius, score: finite, waited, round }, tensors }
}

function fromCheckpoint(
  { state, tensors }: Awaited<ReturnType<TrainingContext['checkpoint']['load']>> & object,
  start: FaceSpace & { radius: number },
): { state: AngularMarginState; best: Best; waited: number; round: number } {
  const known = state as { radius: number; bestRadius: number; score: number | null; waited: number; round: number }
  const matrix = (name: string) => matrixOf(tensors.get(name)!)
  const space = {
    ...start,
    mean: matrix('best.mean').data,
    basis: matrix('best.basis'),
    radius: known.bestRadius,
  }
  return {
    state: {
      mean: matrix('mean').data,
      basis: matrix('basis'),
      radius: known.radius,
      identities: matrix('identities'),
      weights: matrix('weights'),
    },
    best: { space, score: known.score ?? Number.POSITIVE_INFINITY },
    waited: known.waited,
    round: known.round,
  }
}
