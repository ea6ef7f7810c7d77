import { invalidArgument, SfmError } from '../../errors.js'
import { cholesky, gram, Matrix, multiply, solveCholesky, symmetricEigen } from '../../linear/index.js'
import { Random } from '../../random.js'
import { Adam } from '../Adam.js'
import { diagonal, dot } from '../matrices.js'
import type { TrainingContext } from '../TrainingContext.js'
import { unitRows } from './angularMargin.js'
import type { Evidence } from './Evidence.js'
import { type EvidenceVerification, verifyEvidence } from './evidenceVerification.js'
import { fitLatents } from './fitAdjoint.js'
import { type FoldedModel, LEAST_SHARE, modelOfLatents } from './foldMetric.js'
import {
  metricLoss,
  type RefinementParameters,
  type RefinementSetting,
  refinementLoss,
  replayLoss,
} from './refinementLoss.js'
import type { ShapeDictionary } from './ShapeDictionary.js'

/** A photo to learn from. */
export interface RefinementPhoto extends Evidence {
  /**
   * [k] the folded latents that a fit of the photo finds, of any length: a result's embedding. Fits bend evidence by
   * bounds and outliers, so that a metric for them is better learned from them (docs/training.md). Without them latents
   * are those of linear-Gaussian inference on the evidence.
   */
  latents?: ArrayLike<number>
}

/** A weight for each latent, which leaves likelihood ratios as they are; the whole metric; or basis and mean face as well. */
export type Refinement = 'weights' | 'metric' | 'all'

/** How latents are refined so that their direction tells people apart. */
export interface RefinementOptions {
  /** What is learned ("weights"). */
  parameters?: Refinement
  /** Default 400. */
  steps?: number
  /** People a step (default 40), and photos of each at most (default 6). */
  people?: number
  photos?: number
  /** Of Adam at the start, as a part of the mean length of what is moved (default 3e-3); it falls to 0 linearly. */
  stepSize?: number
  /** gamma (default 3) and m (default 0.1) of CosFace. */
  scale?: number
  margin?: number
  /** Of |M - I|^2 (default 0.01). */
  metricWeight?: number
  /** lambda_rep, for faces known in 3D (default 2), and the part of it that holds the basis (default 0.05). */
  replayWeight?: number
  basisWeight?: number
  /** [n,R] faces known in 3D, as coordinates in the dictionary. */
  identities?: Matrix
}

/** What refining has come to. */
export interface RefinementReport {
  kept: boolean
  /** Why, in words. */
  reason: string
  /** On the validation people, who were not learned from; null where they are too few to be compared. */
  before: EvidenceVerification | null
  after: EvidenceVerification | null
  /** Root mean square distance of the given faces from what the basis can say, mm; null where none are given. */
  representation: { before: number; after: number } | null
}

/** Refined latents may represent faces worse than before by this factor. */
const REPRESENTATION_LOSS = 1.02

/** Steps from one checkpoint to the next. */
const CHECKPOINT_STEPS = 25

/** Of the random numbers that choose batches. */
const BATCHES = 0x7265

/**
 * The discriminative part of learning from photos (docs/training.md): after the covariances have been folded in, metric
 * and, if asked for, basis and mean face are moved so that the directions of fitted latents tell people apart
 * ({@link refinementLoss}), by Adam on batches of people. The metric M is folded in at the end: u = Q^T M x are the new
 * latents, Q diag(lambda) Q^T = M diag(prior) M^T, for turning latents changes no cosine and leaves their prior diagonal.
 * The person's share of latent i is that of its variance between people, as Q^T M takes them from where they were:
 * exact where M is diagonal. Otherwise the shares forget that latents then go together, which costs likelihood ratios
 * more than cosines gain; this is why weights alone are learned unless asked for more (docs/training.md has figures).
 *
 * What was learned is kept only if it tells the validation people apart better than what was there, by area under the
 * curve and by true accepts at a false accept rate of 1e-2, and represents faces as well but for two hundredths.
 *
 * @param folded As {@link foldMetric} made it; its model may have learned other things since.
 * @param dictionary That the evidence is about.
 * @param people The photos of each person, as evidence on the dictionary's coordinates, relative to the model's mean and
 *   with its expressions integrated out.
 * @param validation The same of people to decide by; undefined where the caller measures what was learned, and decides.
 * @returns What was given, where nothing better was found.
 * @throws SfmError INVALID_ARGUMENT, INVALID_INPUT; NUMERICAL naming the step, where the loss is no longer finite; ABORTED.
 * @example
 * const { folded: refined, report } = await refineMetric(folded, dictionary, people, validation, {}, context)
 */
export async function refineMetric(
  folded: FoldedModel,
  dictionary: ShapeDictionary,
  people: readonly (readonly RefinementPhoto[])[],
  validation: readonly (readonly RefinementPhoto[])[] | undefined,
  options: RefinementOptions,
  context: TrainingContext,
): Promise<{ folded: FoldedModel; report: RefinementReport }> {
  const settled = settle(options)
  requireEvidence('people', people, dictionary.size, folded.variances.length)
  requireEvidence('validation', validation ?? [], dictionary.size, folded.variances.length)
  if (people.filter((own) => own.length > 0).length < 2)
    throw new SfmError('INVALID_INPUT', 'photos: expected those of at least two people, to tell them apart')
  const setting = settingOf(folded, dictionary, settled.identities)
  // A basis that moves changes the fits: those that were given say nothing of it.
  const fitted = settled.parameters !== 'all' && haveLatents([...people, ...(validation ?? [])])
  const latents = people.map((photos) => (fitted ? latentsOf(photos) : linearLatents(photos, setting)))
  const start = startOf(setting, latents)
  const learned = await learn(start, setting, people, latents, settled, context)
  const report = judge(start, learned, setting, validation, fitted)
  return { folded: report.kept ? refold(folded, dictionary, learned) : folded, report }
}

type Settled = Required<Omit<RefinementOptions, 'identities'>> & { identities: Matrix | undefined }

function settle({ identities, ...options }: RefinementOptions): Settled {
  const settled = {
    parameters: 'weights' as const,
    steps: 400,
    people: 40,
    photos: 6,
    stepSize: 3e-3,
    scale: 3,
    margin: 0.1,
    metricWeight: 0.01,
    replayWeight: 2,
    basisWeight: 0.05,
    ...options,
  }
  if (!['weights', 'metric', 'all'].includes(settled.parameters))
    throw invalidArgument('parameters', '"weights", "metric" or "all"', settled.parameters)
  for (const name of ['steps', 'people', 'photos'] as const)
    if (!(Number.isInteger(settled[name]) && settled[name] > 0))
      throw invalidArgument(name, 'a positive integer', settled[name])
  for (const name of ['stepSize', 'scale', 'margin', 'metricWeight', 'replayWeight', 'basisWeight'] as const)
    if (!(settled[name] >= 0 && settled[name] < Number.POSITIVE_INFINITY))
      throw invalidArgument(name, 'a number of 0 or more', settled[name])
  return { ...settled, identities }
}

function requireEvidence(
  name: string,
  people: readonly (readonly RefinementPhoto[])[],
  size: number,
  count: number,
): void {
  for (const [i, own] of people.entries())
    for (const [j, { information, shift, latents }] of own.entries()) {
      if (shift.length !== size || information.rows !== size || information.columns !== size)
        throw invalidArgument(`${name}[${i}][${j}]`, `evidence on ${size} coordinates`, shift)
      if (latents !== undefined && latents.length !== count)
        throw invalidArgument(`${name}[${i}][${j}].latents`, `${count} numbers`, latents)
    }
}

/** Basis and prior of the folded latents, and what represents faces, in the dictionary's coordinates. */
function settingOf(folded: FoldedModel, dictionary: ShapeDictionary, identities: Matrix | undefined) {
  const stride = dictionary.mean.length
  const rows = { rows: dictionary.size, columns: stride, data: dictionary.shapes }
  const products = multiply(rows, rows, { transposeB: true })
  return {
    basis: folded.basis,
    precision: diagonal(folded.variances.map((value) => 1 / value)),
    gram: new Matrix(
      dictionary.size,
      dictionary.size,
      products.data.map((value) => (3 * value) / stride),
    ),
    identities,
  }
}

/** Whether the latents of photos are known, of all of them. */
function haveLatents(people: readonly (readonly RefinementPhoto[])[]): boolean {
  return people.every((photos) => photos.every(({ latents }) => latents !== undefined))
}

function latentsOf(photos: readonly RefinementPhoto[]): Matrix {
  return Matrix.from(photos.map(({ latents }) => latents!))
}

function linearLatents(photos: readonly Evidence[], { basis, precision }: RefinementSetting): Matrix {
  return fitLatents(photos, basis, new Float64Array(basis.rows), precision).latents
}

/** Where learning starts: from the latents as they are; a class is the mean direction of a person's photos. */
function startOf({ basis }: RefinementSetting, latents: readonly Matrix[]): RefinementParameters {
  const k = basis.columns
  const classes = new Matrix(latents.length, k)
  for (const [person, own] of latents.entries()) {
    const row = classes.row(person)
    for (const [i, value] of unitRows(own).data.entries()) row[i % k]! += value
    // Nobody's photos, or such that cancel out, stand nowhere: any direction does.
    if (dot(row, row) === 0) row[0] = 1
  }
  return { basis, mean: new Float64Array(basis.rows), metric: Matrix.identity(k), classes: unitRows(classes) }
}

async function learn(
  start: RefinementParameters,
  setting: RefinementSetting,
  people: readonly (readonly Evidence[])[],
  latents: readonly Matrix[],
  options: Settled,
  context: TrainingContext,
): Promise<RefinementParameters> {
  const parameters: RefinementParameters = {
    basis: start.basis.copy(),
    mean: start.mean.slice(),
    metric: start.metric.copy(),
    classes: start.classes.copy(),
  }
  const whole = options.parameters === 'all'
  const stepSize = options.stepSize * meanColumnLength(parameters.basis)
  const optimiser = new Adam([
    { name: 'metric', values: parameters.metric.data, stepSize: options.stepSize },
    { name: 'classes', values: parameters.classes.data, stepSize: options.stepSize },
    ...(whole
      ? [
          { name: 'basis', values: parameters.basis.data, stepSize },
          { name: 'mean', values: parameters.mean, stepSize },
        ]
      : []),
  ])

  const earlier = await context.checkpoint.load(CHECKPOINT)
  if (earlier) optimiser.restore(earlier.tensors)
  for (let step = (earlier?.state.step as number | undefined) ?? 0; step < options.steps; step++) {
    await context.breathe()
    const batch = drawBatch(people, options, context.seed, step)
    const owners = batch.map(({ person }) => person)
    const { loss, margin, gradient } = whole
      ? refinementLoss(
          parameters,
          batch.map(({ person, photo }) => people[person]![photo]!),
          owners,
          setting,
          options,
        )
      : // Where neither basis nor mean moves, latents stay what they are.
        metricLoss(parameters, rowsOf(latents, batch, parameters.metric.rows), owners, options)
    context.record({ stage: 'refinement', step, loss, margin })
    if (options.parameters === 'weights') keepDiagonal(gradient.metric)
    const moved = 'basis' in gradient ? [gradient.basis.data, gradient.mean] : []
    optimiser.step([gradient.metric.data, gradient.classes.data, ...moved], 1 - step / options.steps)
    const done = step + 1
    context.progress(done / options.steps, 'refining the metric')
    if (done % CHECKPOINT_STEPS === 0)
      await context.checkpoint.save(CHECKPOINT, { state: { step: done }, tensors: optimiser.tensors() })
  }
  return parameters
}

const CHECKPOINT = 'refinement'

/** Sets all but the diagonal to zero: what has no slope does not move. */
function keepDiagonal(a: Matrix): void {
  for (let i = 0; i < a.rows; i++) for (let j = 0; j < a.columns; j++) if (i !== j) a.data[i * a.columns + j] = 0
}

interface PhotoOfPerson {
  person: number
  photo: number
}

/** Some photos of some people, others in each step, whatever was drawn before. */
function drawBatch(
  people: readonly (readonly Evidence[])[],
  options: Settled,
  seed: number,
  step: number,
): PhotoOfPerson[] {
  const random = Random.stream(seed, BATCHES, step)
  const some = (count: number, most: number) =>
    random.shuffle(Array.from({ length: count }, (_, i) => i)).slice(0, most)
  return some(people.length, options.people).flatMap((person) =>
    some(people[person]!.length, options.photos).map((photo) => ({ person, photo })),
  )
}

function rowsOf(latents: readonly Matrix[], batch: readonly PhotoOfPerson[], columns: number): Matrix {
  const rows = new Matrix(batch.length, columns)
  for (const [i, { person, photo }] of batch.entries()) rows.row(i).set(latents[person]!.row(photo))
  return rows
}

/** Whether what was learned is better than what was there. */
function judge(
  start: RefinementParameters,
  learned: RefinementParameters,
  setting: RefinementSetting,
  validation: readonly (readonly RefinementPhoto[])[] | undefined,
  fitted: boolean,
): RefinementReport {
  const { precision, gram: metric, identities } = setting
  const latents = validation && fitted ? latentsOf(validation.flat()) : undefined
  const [before, after] = [start, learned].map(
    (each) => (validation && verifyEvidence(validation, { ...each, precision }, latents)) ?? null,
  )
  const distance = ({ basis, mean }: RefinementParameters) =>
    Math.sqrt(Math.max(replayLoss(basis, mean, metric, identities!).loss, 0))
  const representation = identities ? { before: distance(start), after: distance(learned) } : null
  const report = { before: before!, after: after!, representation }
  const judged = (kept: boolean, reason: string) => ({ kept, reason, ...report })
  if (!validation) return judged(true, 'nobody was there to decide by')
  if (!before || !after) return judged(false, 'too few validation photos to compare')
  const worse =
    after.misfit > REPRESENTATION_LOSS * before.misfit ||
    (representation !== null && representation.after > REPRESENTATION_LOSS * representation.before + TOLERANCE_MM)
  if (worse) return judged(false, 'faces are represented worse')
  if (after.auc <= before.auc) return judged(false, 'the area under the ROC curve is no larger')
  if (after.tar !== null && before.tar !== null && after.tar <= before.tar)
    return judged(false, 'no more true accepts at a false accept rate of 1e-2')
  return judged(true, 'validation people are told apart better')
}

/** A basis that says all that the dictionary does is off by rounding alone. */
const TOLERANCE_MM = 1e-6

/** The model whose latents are M x, turned until their prior is diagonal. */
function refold(folded: FoldedModel, dictionary: ShapeDictionary, learned: RefinementParameters): FoldedModel {
  const { variances: priors, shares: before } = folded
  const { values: variances, vectors } = symmetricEigen(
    gram(scaledRows(learned.metric.transpose(), priors.map(Math.sqrt))),
  )
  const turned = multiply(vectors, learned.metric, { transposeA: true })
  const between = gram(
    scaledRows(
      turned.transpose(),
      priors.map((prior, i) => Math.sqrt(prior * before[i]!)),
    ),
  )
  const shares = variances.map((variance, i) => Math.min(1, Math.max(LEAST_SHARE, between.at(i, i) / variance)))
  const shapes = multiply(learned.basis, inverseOf(turned))
  return {
    model: modelOfLatents(folded.model, dictionary, { mean: learned.mean, shapes, variances, shares }),
    variances,
    shares,
    basis: shapes,
    metric: multiply(turned, folded.metric),
  }
}

/** The inverse of a well-conditioned square matrix. */
function inverseOf(a: Matrix): Matrix {
  return solveCholesky(cholesky(gram(a)), a.transpose())
}

function scaledRows(a: Matrix, factors: ArrayLike<number>): Matrix {
  return new Matrix(
    a.rows,
    a.columns,
    a.data.map((value, i) => value * factors[Math.floor(i / a.columns)]!),
  )
}

function meanColumnLength(a: Matrix): number {
  let sum = 0
  for (let j = 0; j < a.columns; j++) {
    const column = a.column(j)
    sum += Math.sqrt(dot(column, column)) / a.columns
  }
  return sum
}
