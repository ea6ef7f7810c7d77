import { type LabelledObservation, subjectKey } from '../../corpus/TrainingData.js'
import { SfmError } from '../../errors.js'
import { COMPARISON_ENTRY } from '../../model/comparison.js'
import type { ModelData } from '../../model/ModelData.js'
import { Random } from '../../random.js'
import type { Checkpoint } from '../Checkpoint.js'
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
import type { Stage2Options } from './Stage2Options.js'

/** What stage 2 found. */
export interface Stage2Report extends PhotoStatisticsReport {
  /** Whether what was learned is in the model: people that had no part in it are told apart better. */
  kept: boolean
  /** On people left out of learning, each once: the model as stage 1 made it, and with what was learned. */
  before: PeopleMeasures
  after: PeopleMeasures
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
  const before: PeopleScores[] = []
  const after: PeopleScores[] = []
  for (let left = 0; left < count; left++) {
    context.progress(left / (count + 1), 'photos: learn without a fold, and measure on it')
    const part = (out: boolean) => photos.filter((photo) => (fold.get(subjectKey(photo)) === left) === out)
    const name = `photos-fold-${left}`
    const known = await context.checkpoint.load(name)
    const scores = known ? scoresOf(known) : await crossMeasure(model, part(false), part(true), options, context)
    if (!known) await context.checkpoint.save(name, checkpointOf(scores))
    before.push(scores.before)
    after.push(scores.after)
    const { cosine } = measuresOf(scores.after)
    context.record({ stage: 'photos-fold', step: left, auc: cosine.auc, equalErrorRate: cosine.equalErrorRate })
  }
  context.progress(count / (count + 1), 'photos: learn from all')
  const learned = await learnPhotoStatistics(model, photos, options, context)
  const [first, second] = [measuresOf(pooled(before)), measuresOf(pooled(after))]
  const kept = improves(first, second)
  const chosen = kept ? learned.model : model
  const { single } = pooled(kept ? after : before)
  const comparison = {
    cosine: thresholdOf(single.cosine, single.same, options.falseAcceptRate),
    logLikelihoodRatio: thresholdOf(single.logLikelihoodRatio, single.same, options.falseAcceptRate),
  }
  const other = { ...chosen.metadata.other, [COMPARISON_ENTRY]: JSON.stringify(comparison) }
  return {
    model: { ...chosen, metadata: { ...chosen.metadata, other } },
    report: { ...learned.report, kept, before: first, after: second },
  }
}

/** Learned from some people, measured on others. */
async function crossMeasure(
  model: ModelData,
  train: readonly LabelledObservation[],
  test: readonly LabelledObservation[],
  options: Stage2Options,
  context: TrainingContext,
): Promise<{ before: PeopleScores; after: PeopleScores }> {
  const learned = await learnPhotoStatistics(model, train, options, context)
  return { before: await measurePeople(model, test, context), after: await measurePeople(learned.model, test, context) }
}

/** Strangers are told apart better by the area under the curve and at few false alarms, and faces fit as well. */
function improves(before: PeopleMeasures, after: PeopleMeasures): boolean {
  return (
    after.cosine.auc > before.cosine.auc &&
    !(after.cosine.tarAt1e2 < before.cosine.tarAt1e2) &&
    after.error <= MOST_ERROR * before.error
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

const PARTS = ['before', 'after'] as const
const KINDS = ['single', 'sets'] as const
const LISTS = ['cosine', 'logLikelihoodRatio', 'same'] as const

function checkpointOf(scores: { before: PeopleScores; after: PeopleScores }): Checkpoint {
  const tensors = new Map<string, { shape: readonly number[]; data: Float64Array }>()
  const add = (name: string, values: readonly number[]) =>
    tensors.set(name, { shape: [values.length], data: Float64Array.from(values) })
  for (const part of PARTS) {
    for (const kind of KINDS) for (const list of LISTS) add(`${part}.${kind}.${list}`, scores[part][kind][list])
    add(`${part}.errors`, scores[part].errors)
  }
  return { state: {}, tensors }
}

function scoresOf({ tensors }: Checkpoint): { before: PeopleScores; after: PeopleScores } {
  const values = (name: string) => Array.from(tensors.get(name)!.data)
  const read = (part: string): PeopleScores => {
    const kind = (name: string) => ({
      cosine: values(`${part}.${name}.cosine`),
      logLikelihoodRatio: values(`${part}.${name}.logLikelihoodRatio`),
      same: values(`${part}.${name}.same`),
    })
    return { single: kind('single'), sets: kind('sets'), errors: values(`${part}.errors`) }
  }
  return { before: read('before'), after: read('after') }
}
