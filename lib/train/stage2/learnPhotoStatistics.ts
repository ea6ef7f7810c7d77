import { type LabelledObservation, subjectKey } from '../../corpus/TrainingData.js'
import { invalidArgument, SfmError } from '../../errors.js'
import { Matrix } from '../../linear/index.js'
import type { LandmarkScheme, ModelData } from '../../model/ModelData.js'
import { addScaled, diagonal, positiveInverse } from '../matrices.js'
import type { TrainingContext } from '../TrainingContext.js'
import { STANDARD_NOISE } from './calibrateSchemes.js'
import { byPerson, collectEvidence, type PhotoEvidence } from './collectEvidence.js'
import { exactSymmetry } from './exactSymmetry.js'
import { type ExpressionPrior, nextExpressionPrior, relaxedBounds, withoutExpressions } from './expressionPrior.js'
import { type FoldedModel, foldMetric } from './foldMetric.js'
import { type LandmarkStatistics, populationOffset } from './LandmarkStatistics.js'
import { mirrorMap } from './mirrorMap.js'
import { recentre } from './recentre.js'
import { dictionaryOf, type ShapeDictionary } from './ShapeDictionary.js'
import type { Stage2Options } from './Stage2Options.js'
import { type TwoCovariance, twoCovariance } from './twoCovariance.js'

/** What {@link learnPhotoStatistics} is about. */
export interface PhotoStatistics {
  folded: FoldedModel
  /** The shapes that it is made of. */
  dictionary: ShapeDictionary
  expressions: ExpressionPrior
  report: PhotoStatisticsReport
}

/** What was learned, besides the model. */
export interface PhotoStatisticsReport {
  people: number
  photos: number
  /** Photos that could not be fitted. */
  unusable: number
  /** [k] share of each latent's variance that is the person's own. */
  shares: number[]
}

/**
 * Learns from landmarks of photos how people differ, how one person's photos differ, how wide expressions range and
 * where the detector puts its landmarks, and folds it all into the model (docs/training.md).
 *
 * @param data A sphere model from stage 1.
 * @param observations Several photos a person, of at least two people.
 * @throws SfmError INVALID_ARGUMENT, INVALID_INPUT, NUMERICAL, ABORTED
 */
export async function learnPhotoStatistics(
  data: ModelData,
  observations: readonly LabelledObservation[],
  options: Omit<Stage2Options, 'refinement'>,
  context: TrainingContext,
): Promise<PhotoStatistics> {
  const { rounds, noise } = options
  requirePeople(observations)
  const dictionary = dictionaryOf(data)
  const mirror = data.mirror && mirrorMap(dictionary, data.mirror)
  let model = data
  let statistics: PhotoStatistics | undefined
  for (let round = 0; round < rounds; round++) {
    const { photos, schemes } = await collectEvidence(model, dictionary, observations, noise, context)
    const { people, expressions } = await estimate(photos, dictionary, data, mirror, options, context)
    const folded = foldMetric(data, dictionary, { ...people, mean: new Float64Array(dictionary.size) }, mirror)
    const learned = {
      ...exactSymmetry(folded.model, data),
      expressionMean: Float32Array.from(expressions.mean, (value) => Math.max(value, 0)),
      expressionStddev: Float32Array.from(expressions.stddev),
      expressionBounds: relaxedBounds(data.expressionBounds, expressions.stddev),
      schemes: centred(model.schemes, schemes, people.mean, expressions.mean),
    }
    model = { ...learned, schemes: await calibrated(learned, dictionary, observations, noise, context) }
    const report = {
      people: new Set(photos.map(({ person }) => person)).size,
      photos: photos.length,
      unusable: observations.length - photos.length,
      shares: Array.from(folded.shares),
    }
    statistics = { folded, dictionary, expressions, report }
    context.record({ stage: 'photos', step: round, photos: photos.length, share: average(folded.shares) })
  }
  const { folded } = statistics!
  return { ...statistics!, folded: { ...folded, model: await recentre(model, observations, context) } }
}

/** Expressions and identities in turns: each is nuisance to the other. */
async function estimate(
  photos: readonly PhotoEvidence[],
  { size }: ShapeDictionary,
  data: ModelData,
  mirror: Matrix | undefined,
  options: Omit<Stage2Options, 'refinement'>,
  context: TrainingContext,
): Promise<{ people: TwoCovariance; expressions: ExpressionPrior }> {
  const start = startOf(size, options.withinVariance)
  let people = start
  let expressions: ExpressionPrior = {
    mean: new Float64Array(data.expressionCount),
    stddev: Float64Array.from(data.expressionStddev),
  }
  const evidence = photos.map((photo) => photo.evidence)
  for (let turn = 0; turn < TURNS; turn++) {
    const shape = { precision: positiveInverse(totalOf(people)), mean: people.mean }
    for (let step = 0; step < 2; step++) {
      await context.breathe()
      expressions = nextExpressionPrior(evidence, shape, expressions, data.expressionStddev)
    }
    await context.breathe()
    const shapes = photos.map((photo) => ({ ...photo, evidence: withoutExpressions(photo.evidence, expressions) }))
    people = twoCovariance(byPerson(shapes), people, start, {
      rounds: Math.ceil(options.expectationRounds / TURNS),
      betweenWeight: options.betweenWeight,
      withinWeight: options.withinWeight,
      ...(mirror && { mirror }),
    })
  }
  return { people, expressions }
}

const TURNS = 3

/** Between and within as before any photo: the population's spread, and a multiple of it for one person. */
function startOf(k: number, withinVariance: number): TwoCovariance {
  return {
    mean: new Float64Array(k),
    between: Matrix.identity(k),
    within: diagonal(new Float64Array(k).fill(withinVariance)),
  }
}

function totalOf({ between, within }: TwoCovariance): Matrix {
  return addScaled(between.copy(), 1, within)
}

/**
 * Schemes whose offsets hold what all photos have in common: the population's mean, and expressions that would be
 * negative on average, for no face is at less than rest all the time: it is the detector that puts its landmarks
 * elsewhere.
 */
function centred(
  schemes: Map<string, LandmarkScheme>,
  seen: readonly LandmarkStatistics[],
  mean: Float64Array,
  expressionMean: Float64Array,
): Map<string, LandmarkScheme> {
  const result = new Map(schemes)
  const common = Float64Array.of(...mean, ...expressionMean.map((value) => Math.min(value, 0)))
  for (const { scheme, rows } of seen) {
    const shared = populationOffset(rows, common)
    const offset = Float32Array.from(shared, (value, i) => value + (scheme.offset?.[i] ?? 0))
    result.set(scheme.name, { ...scheme, offset })
  }
  return result
}

/** Schemes that know what is left of the landmarks as well, once the model has been fitted to all photos. */
async function calibrated(
  model: ModelData,
  dictionary: ShapeDictionary,
  observations: readonly LabelledObservation[],
  noise: number,
  context: TrainingContext,
): Promise<Map<string, LandmarkScheme>> {
  const { schemes } = await collectEvidence(model, dictionary, observations, noise, context)
  const result = new Map(model.schemes)
  for (const statistics of schemes) result.set(statistics.scheme.name, statistics.calibrated(noise, STANDARD_NOISE))
  return result
}

function requirePeople(observations: readonly LabelledObservation[]): void {
  if (observations.length === 0) throw invalidArgument('observations', 'at least one photo', observations)
  if (new Set(observations.map(subjectKey)).size < 2)
    throw new SfmError('INVALID_INPUT', 'photos: expected those of at least two people, to tell them apart')
}

function average(values: ArrayLike<number>): number {
  return Array.from(values).reduce((sum, value) => sum + value, 0) / values.length
}
