import type { TrainingData } from '../../corpus/TrainingData.js'
import { SfmError } from '../../errors.js'
import { multiply } from '../../linear/index.js'
import type { ModelData } from '../../model/ModelData.js'
import { asColumn } from '../matrices.js'
import type { TrainingContext } from '../TrainingContext.js'
import { refine } from './angularMargin/refine.js'
import { assembleModel } from './assembleModel.js'
import { type ClosedForm, closedForm } from './closedForm.js'
import type { FaceSpace, FaceSpaces } from './FaceSpace.js'
import { findSpan } from './findSpan.js'
import { Mirror } from './mirror.js'
import { readScans, requireDisjointSplits } from './readScans.js'
import { firstPeople, readCoordinates } from './ScanCoordinates.js'
import { STAGE1_DEFAULTS, type Stage1Options } from './Stage1Options.js'
import { type ScanStore, storeFromCheckpoint, storeToCheckpoint } from './scanStore.js'
import { type SpaceValidation, validateSpace } from './validateSpace.js'
import { withAlpha } from './withAlpha.js'

/** What came of learning from scans. */
export interface Stage1Report {
  people: number
  scans: number
  /** R, dimensions of the space in which was computed. */
  rank: number
  /** Share of the scans' variation that this space holds. */
  captured: number
  /** Whether mirror images were learned from, and if not why. */
  symmetrised: boolean
  symmetrisedReason?: string
  /** Where the variation within people comes from: `scans`, or `prior` where nobody has two of them. */
  within: 'scans' | 'prior'
  /** r, in standard deviations of the identities. */
  radius: number
  /** mm, of each coordinate: what neither identity nor W explains. */
  noise: number
  alpha: number
  /** On scans of the validation people, where there are two of them with two scans each. */
  validation?: { model: SpaceValidation; pca: SpaceValidation; linear: SpaceValidation }
}

/** Models that scans have taught. */
export interface Stage1Result {
  /** On the sphere, with W. */
  model: ModelData
  /** Principal components of the same scans, as many as the model has latents. */
  pca: ModelData
  /** The model without the sphere: the ablation. */
  ablation: ModelData
  report: Stage1Report
}

/** Values that `auto` chooses alpha from. */
const ALPHAS = [1, 0.85, 0.7, 0.5, 0.35] as const

/** Scans of validation people that models are judged by, at most: every one is compared with every other. */
const JUDGES = 1500

const STAGE = 'scans'

/**
 * Stage 1: learns a model from registered scans with labels. Streams them three times; memory holds a basis of the space
 * they lie in, their coordinates in it and one shard; cost is linear in their number.
 *
 * @throws SfmError INVALID_INPUT for scans that cannot be learned from; ABORTED; NUMERICAL; what reading the data throws.
 * @example
 * const { model } = await trainFromScans(await Corpus.open('people'), {}, context)
 */
export async function trainFromScans(
  data: TrainingData,
  options: Partial<Stage1Options>,
  context: TrainingContext,
): Promise<Stage1Result> {
  const settled: Stage1Options = { ...STAGE1_DEFAULTS, ...options }
  requireDisjointSplits(data)
  const template = await data.template()
  const { mirror, reason } = mirrorFor(template, settled.symmetrise)
  const store = await readStore(data, template, settled, mirror, context)
  const { span, train } = store
  context.progress(0.7, 'closed form')
  await context.breathe()
  const form = closedForm(train, span, template, settled)
  await context.breathe()
  const judge = judgeOf(store, form, template)
  const alpha = chooseAlpha(form, settled.alpha, judge, context)
  const spaces = withAlpha(form, alpha)
  if (settled.objective === 'angular-margin') {
    context.progress(0.8, 'angular margin')
    const inputs = { span, population: form.population, expressionStddev: template.expressionStddev, judge }
    const start = { ...spaces.sphere, radius: spaces.sphere.radius! }
    spaces.sphere = await refine(start, train, inputs, settled.angularMargin, context)
  }
  context.progress(0.9, 'models')
  await context.breathe()
  const [ofModel, ofPca, ofLinear] = [judge(spaces.sphere), judge(spaces.pca), judge(spaces.linear)]
  const report: Stage1Report = {
    people: train.counts.length,
    scans: train.person.length,
    rank: span.rank,
    captured: train.captured,
    symmetrised: span.signs !== undefined,
    ...(reason !== undefined && { symmetrisedReason: reason }),
    within: form.population.withinDegreesOfFreedom > 0 ? 'scans' : 'prior',
    radius: spaces.sphere.radius!,
    noise: spaces.sphere.noise,
    alpha,
    ...(ofModel && ofPca && ofLinear && { validation: { model: ofModel, pca: ofPca, linear: ofLinear } }),
  }
  const step = train.person.length
  context.record({ stage: STAGE, step, people: report.people, captured: report.captured, noise: report.noise })
  for (const [name, values] of Object.entries(report.validation ?? {}))
    context.record({ stage: `${STAGE}/validation`, step, model: name, ...values })
  const models = assemble(spaces, span, template)
  context.progress(1, 'models')
  return { ...models, report }
}

function mirrorFor(template: ModelData, symmetrise: boolean | 'auto'): { mirror?: Mirror; reason?: string } {
  if (symmetrise === false) return { reason: 'not asked for' }
  if (symmetrise === true) return { mirror: Mirror.require(template) }
  const mirror = Mirror.of(template)
  return typeof mirror === 'string' ? { reason: mirror } : { mirror }
}

/** Three passes over the scans, or what an earlier run has kept of them. */
async function readStore(
  data: TrainingData,
  template: ModelData,
  { spanRank }: Stage1Options,
  mirror: Mirror | undefined,
  context: TrainingContext,
): Promise<ScanStore> {
  const kept = await context.checkpoint.load(STAGE)
  if (kept) return storeFromCheckpoint(kept, template)
  requireScans(data)
  const { seed, signal } = context
  let pass = 0
  const total = data.subjects('train', 'scans').length
  const scans = async function* () {
    const met = new Set<string>()
    const start = 0.2 * pass++
    for await (const shard of readScans(data, template, 'train', signal)) {
      for (const subject of shard.subjects) met.add(subject)
      yield shard
      context.progress(start + (0.2 * met.size) / total, `scans, pass ${pass} of 3`)
      await context.breathe()
    }
  }
  const span = await findSpan(scans, template, { rank: spanRank, seed, mirror })
  const train = await readCoordinates(scans(), span)
  const store: ScanStore = { span, train }
  if (data.subjects('validation', 'scans').length > 0)
    store.validation = firstPeople(await readCoordinates(readScans(data, template, 'validation', signal), span), JUDGES)
  await context.checkpoint.save(STAGE, storeToCheckpoint(store))
  return store
}

function requireScans(data: TrainingData): void {
  if (data.subjects('train', 'scans').length > 0) return
  throw new SfmError('INVALID_INPUT', 'splits: expected people with scans in "train", received none')
}

type Judge = (space: FaceSpace) => SpaceValidation | undefined

function judgeOf({ span, validation }: ScanStore, { population }: ClosedForm, template: ModelData): Judge {
  const offset = multiply(span.expressions, asColumn(population.meanExpression)).data
  return (space) => validation && validateSpace(space, validation, span, template.expressionStddev, offset)
}

/** The given alpha, or the one with the least product of error and ratio on the validation people. */
function chooseAlpha(form: ClosedForm, asked: number | 'auto', judge: Judge, context: TrainingContext): number {
  if (asked !== 'auto') return asked
  let best: { alpha: number; score: number } | undefined
  for (const [step, alpha] of ALPHAS.entries()) {
    const values = judge(withAlpha(form, alpha).sphere)
    if (values === undefined)
      throw new SfmError(
        'INVALID_INPUT',
        'alpha: expected validation people with two scans each, to choose it by; received none (set a number instead)',
      )
    const score = values.crossError * values.ratio
    context.record({ stage: `${STAGE}/alpha`, step, alpha, ...values })
    if (best === undefined || score < best.score) best = { alpha, score }
  }
  return best!.alpha
}

function assemble(
  { sphere, linear, pca }: FaceSpaces,
  span: ScanStore['span'],
  template: ModelData,
): Pick<Stage1Result, 'model' | 'pca' | 'ablation'> {
  return {
    model: assembleModel(sphere, span, template, {}),
    pca: assembleModel(pca, span, template, {}),
    ablation: assembleModel(linear, span, template, {}),
  }
}
