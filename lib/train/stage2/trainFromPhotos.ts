import { type LabelledObservation, subjectKey } from '../../corpus/TrainingData.js'
import { SfmError } from '../../errors.js'
import { COMPARISON_ENTRY } from '../../model/comparison.js'
import type { ModelData } from '../../model/ModelData.js'
import { Random } from '../../random.js'
import type { Checkpoint } from '../Checkpoint.js'
import { partOf } from '../partOf.js'
import type { TrainingContext } from '../TrainingContext.js'
import { learnPhotoStatistics, type PhotoStatisticsReport } from './learnPhotoStatistics.js'
import {
  measurePeople,
  measuresOf,
  type PeopleMeasures,
  type PeopleScores,
  pooled,
  thresholdOf,
} from './measurePeople.js'
import { refineLatents } from './refineLatents.js'
import type { Stage2Options } from './Stage2Options.js'

/** How much of what stage 2 learned is in the model. */
export type Kept = 'nothing' | 'statistics' | 'refinement'

/** What stage 2 found. */
export interface Stage2Report extends PhotoStatisticsReport {
  /** What tells apart people that had no part in it best. */
  kept: Kept
  /** On people left out of learning, each once: the model as stage 1 made it, */
  before: PeopleMeasures
  /** with what was learned of people and photos, */
  statistics: PeopleMeasures
  /** and with latents refined as well, unless that was turned off. */
  refinement?: PeopleMeasures
}

/** Landmarks may come to lie so much worse, relatively, before what was learned is dropped. */
const MOST_ERROR = 1.05

/** Fewer people than this make no folds. */
const FEWEST_PEOPLE = 6

/**
 * Stage 2: learns from photos of known people (docs/training.md), measures by cross-validation over people whether it
 * helped, keeps it only if it did, and sets the thresholds for comparing faces by the people left out.
 *
 * @param model A sphere model from stage 1.
 * @param photos Landmarks of photos, several a person.
 * @throws SfmError INVALID_INPUT for too few people; NUMERICAL; ABORTED.
 */
export async function trainFromPhotos(
  model: ModelData,
  photos: readonly LabelledObservation[],
  options: Stage2Options,
  context: TrainingContext,
): Promise<{ model: ModelData; report: Stage2Report }> {
  const fold = foldsOf(photos, options.folds, context.seed)
  const count = Math.max(...fold.values()) + 1
  const variants: Variant[] = options.refinement === 'none' ? VARIANTS.slice(0, 2) : [...VARIANTS]
  const scores: Scored[] = []
  for (let left = 0; left < count; left++) {
    const name = `photos-fold-${left}`
    const part = partOf(context, name, left / (count + 1), (left + 1) / (count + 1))
    const known = await context.checkpoint.load(name)
    const some = (out: boolean) => photos.filter((photo) => (fold.get(subjectKey(photo)) === left) === out)
    const measured = known
      ? scoresOf(known, variants)
      : await crossMeasure(model, some(false), some(true), options, part)
    if (!known) await context.checkpoint.save(name, checkpointOf(measured))
    scores.push(measured)
    const { cosine } = measuresOf(measured.statistics!)
    context.record({ stage: 'photos-fold', step: left, auc: cosine.auc, equalErrorRate: cosine.equalErrorRate })
  }
  const all = Object.fromEntries(variants.map((each) => [each, pooled(scores.map((fold) => fold[each]!))])) as Scored
  const measures = Object.fromEntries(variants.map((each) => [each, measuresOf(all[each]!)])) as Record<
    Variant,
    PeopleMeasures
  >
  let best: Variant = 'before'
  for (const each of variants.slice(1)) if (improves(measures[best], measures[each], measures.before)) best = each

  const part = partOf(context, 'photos', count / (count + 1), 1)
  part.progress(0, 'photos: learn from all')
  const learned = await learnVariants(model, photos, options, part)
  const chosen = learned.models[best]!
  const { single } = all[best]!
  const comparison = {
    cosine: thresholdOf(single.cosine, single.same, options.falseAcceptRate),
    logLikelihoodRatio: thresholdOf(single.logLikelihoodRatio, single.same, options.falseAcceptRate),
  }
  const other = { ...chosen.metadata.other, [COMPARISON_ENTRY]: JSON.stringify(comparison) }
  return {
    model: { ...chosen, metadata: { ...chosen.metadata, other } },
    report: { ...learned.report, kept: best === 'before' ? 'nothing' : best, ...measures },
  }
}

/** The model as stage 1 made it; with the statistics of photos; with its latents refined. */
const VARIANTS = ['before', 'statistics', 'refinement'] as const
type Variant = (typeof VARIANTS)[number]
type Scored = { [variant in Variant]?: PeopleScores }

/** All variants that there are to be, learned from some people. */
async function learnVariants(
  model: ModelData,
  photos: readonly LabelledObservation[],
  { refinement, ...options }: Stage2Options,
  context: TrainingContext,
): Promise<{ models: { [variant in Variant]?: ModelData }; report: PhotoStatisticsReport }> {
  const learned = await learnPhotoStatistics(model, photos, options, context)
  const models = { before: model, statistics: learned.folded.model }
  if (refinement === 'none') return { models, report: learned.report }
  const refined = await refineLatents(learned, photos, refinement, options.noise, context)
  return { models: { ...models, refinement: refined }, report: learned.report }
}

/** Learned from some people, measured on others. */
async function crossMeasure(
  model: ModelData,
  train: readonly LabelledObservation[],
  test: readonly LabelledObservation[],
  options: Stage2Options,
  context: TrainingContext,
): Promise<Scored> {
  context.progress(0, 'photos: learn without a fold, and measure on it')
  const { models } = await learnVariants(model, train, options, context)
  const scores: Scored = {}
  for (const [variant, each] of Object.entries(models) as [Variant, ModelData][])
    scores[variant] = await measurePeople(each, test, context)
  return scores
}

/** Strangers are told apart better by the area under the curve and at few false alarms, and faces fit as well. */
function improves(best: PeopleMeasures, next: PeopleMeasures, before: PeopleMeasures): boolean {
  return (
    next.cosine.auc > best.cosine.auc &&
    !(next.cosine.tarAt1e2 < best.cosine.tarAt1e2) &&
    next.error <= MOST_ERROR * before.error
  )
}

/** Each person's fold: people of each collection in random order, dealt out in turn. */
function foldsOf(photos: readonly LabelledObservation[], folds: number, seed: number): Map<string, number> {
  const collections = new Map<string, Set<string>>()
  for (const photo of photos) {
    const own = collections.get(photo.collection ?? '') ?? new Set()
    collections.set(photo.collection ?? '', own.add(subjectKey(photo)))
  }
  const fold = new Map<string, number>()
  const random = new Random(seed)
  let next = 0
  for (const name of [...collections.keys()].sort()) {
    const people = [...collections.get(name)!].sort()
    random.shuffle(people)
    for (const person of people) fold.set(person, next++ % folds)
  }
  if (fold.size < Math.max(FEWEST_PEOPLE, 2 * folds))
    throw new SfmError(
      'INVALID_INPUT',
      `photos: expected those of at least ${Math.max(FEWEST_PEOPLE, 2 * folds)} people for ${folds} folds, received ${fold.size}`,
    )
  return fold
}

const KINDS = ['single', 'sets'] as const
const LISTS = ['cosine', 'logLikelihoodRatio', 'same'] as const

function checkpointOf(scored: Scored): Checkpoint {
  const tensors = new Map<string, { shape: readonly number[]; data: Float64Array }>()
  const add = (name: string, values: readonly number[]) =>
    tensors.set(name, { shape: [values.length], data: Float64Array.from(values) })
  for (const [variant, scores] of Object.entries(scored)) {
    for (const kind of KINDS) for (const list of LISTS) add(`${variant}.${kind}.${list}`, scores[kind][list])
    add(`${variant}.errors`, scores.errors)
  }
  return { state: {}, tensors }
}

function scoresOf({ tensors }: Checkpoint, variants: readonly Variant[]): Scored {
  const values = (name: string) => Array.from(tensors.get(name)!.data)
  const read = (variant: Variant): PeopleScores => {
    const kind = (name: string) => ({
      cosine: values(`${variant}.${name}.cosine`),
      logLikelihoodRatio: values(`${variant}.${name}.logLikelihoodRatio`),
      same: values(`${variant}.${name}.same`),
    })
    return { single: kind('single'), sets: kind('sets'), errors: values(`${variant}.errors`) }
  }
  return Object.fromEntries(variants.map((variant) => [variant, read(variant)]))
}
