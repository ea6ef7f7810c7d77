import { beforeAll, describe, expect, it } from 'vitest'
import { SfmError } from '../../lib/errors.js'
import { gram, Matrix, multiply } from '../../lib/linear/index.js'
import type { ModelData } from '../../lib/model/ModelData.js'
import { Random } from '../../lib/random.js'
import { Adam } from '../../lib/train/Adam.js'
import type { Checkpoint } from '../../lib/train/Checkpoint.js'
import { diagonal } from '../../lib/train/matrices.js'
import { angularMargin } from '../../lib/train/stage2/angularMargin.js'
import type { Evidence } from '../../lib/train/stage2/Evidence.js'
import { verifyEvidence } from '../../lib/train/stage2/evidenceVerification.js'
import { fitLatents } from '../../lib/train/stage2/fitAdjoint.js'
import { type FoldedModel, foldMetric } from '../../lib/train/stage2/foldMetric.js'
import { type RefinementOptions, refineMetric } from '../../lib/train/stage2/refineMetric.js'
import {
  type RefinementParameters,
  type RefinementSetting,
  refinementLoss,
  replayLoss,
} from '../../lib/train/stage2/refinementLoss.js'
import { dictionaryOf } from '../../lib/train/stage2/ShapeDictionary.js'
import type { TrainingContext } from '../../lib/train/TrainingContext.js'
import { invert, randomMatrix } from '../fixtures/dense.js'
import { expectSfmRejection } from '../fixtures/expectSfmError.js'
import { tinySphereModel } from '../fixtures/tinyModel.js'

const R = 6
const K = 4

/** How far a derivative may be from the central difference, relative to the largest derivative of its kind. */
const GRADIENT_TOLERANCE = 1e-5

/** Evidence of `rows` measurements of R coordinates. */
function randomEvidence(rows: number, seed: number, size = R): Evidence {
  const design = randomMatrix(rows, size, seed)
  const seen = randomMatrix(rows, 1, seed + 1000)
  return {
    information: gram(design),
    shift: multiply(design, seen, { transposeA: true }).data,
    energy: seen.data.reduce((sum, value) => sum + value * value, 0),
  }
}

/** The central differences of a function by each of the numbers, which are put back. */
function differences(values: Float64Array, loss: () => number, step = 1e-5): Float64Array {
  return values.map((value, i) => {
    values[i] = value + step
    const above = loss()
    values[i] = value - step
    const below = loss()
    values[i] = value
    return (above - below) / (2 * step)
  })
}

function expectGradient(actual: ArrayLike<number>, expected: Float64Array): void {
  const largest = Math.max(...expected.map(Math.abs))
  expect(largest).toBeGreaterThan(1e-6)
  for (const [i, value] of expected.entries())
    expect(Math.abs(actual[i]! - value)).toBeLessThan(GRADIENT_TOLERANCE * largest)
}

describe('the angular margin loss', () => {
  const options = { scale: 10, margin: 0.1 }
  const latents = randomMatrix(7, K, 1)
  const people = [0, 1, 2, 0, 1, 1, 2]
  const classes = randomMatrix(3, K, 2)
  const loss = () => angularMargin(latents, people, classes, options).loss

  it('is the cross entropy of the cosines, computed by hand', () => {
    const x = Matrix.from([[3, 0]])
    const w = Matrix.from([
      [2, 0],
      [0, 5],
    ])
    const expected = Math.log(1 + Math.exp(10 * 0 - 10 * (1 - 0.1)))
    expect(angularMargin(x, [0], w, options).loss).toBeCloseTo(expected, 14)
  })

  it('has the derivatives that differences find, by latents and by classes', () => {
    const gradient = angularMargin(latents, people, classes, options)
    expectGradient(gradient.latents.data, differences(latents.data, loss))
    expectGradient(gradient.classes.data, differences(classes.data, loss))
  })

  it('does not depend on lengths, nor does a latent of zero spoil it', () => {
    const longer = new Matrix(
      7,
      K,
      Float64Array.from(latents.data, (value) => 3 * value),
    )
    expect(angularMargin(longer, people, classes, options).loss).toBeCloseTo(loss(), 13)
    const nothing = angularMargin(new Matrix(1, K), [1], classes, options)
    expect(Number.isFinite(nothing.loss)).toBe(true)
    expect([...nothing.latents.data]).toEqual([0, 0, 0, 0])
  })

  it('stays finite where a scale would overflow exponentials', () => {
    expect(Number.isFinite(angularMargin(latents, people, classes, { scale: 1e5, margin: 0.1 }).loss)).toBe(true)
  })
})

describe('the adjoint of the fit', () => {
  const photos = [3, 9, 14].map((rows, i) => randomEvidence(rows, 10 + i))
  const basis = randomMatrix(R, K, 20)
  const mean = randomMatrix(R, 1, 21, 0.3).data
  const precision = diagonal([1, 2, 3, 4])
  const direction = randomMatrix(3, K, 22)
  const loss = () => {
    const { latents } = fitLatents(photos, basis, mean, precision)
    return latents.data.reduce((sum, value, i) => sum + value * direction.data[i]! + value ** 3 / 3, 0)
  }

  it('finds the latents that maximise the posterior', () => {
    const { latents } = fitLatents(photos, basis, mean, precision)
    const x = latents.row(1)
    // d . g - g D g / 2 - x P x / 2 with g = m + B x has no slope there.
    const posterior = () => {
      const g = multiply(basis, new Matrix(K, 1, Float64Array.from(x))).data.map((value, r) => value + mean[r]!)
      const { information, shift } = photos[1]!
      const pushed = multiply(information, new Matrix(R, 1, g)).data
      const fit = g.reduce((sum, value, r) => sum + value * shift[r]! - (value * pushed[r]!) / 2, 0)
      return fit - x.reduce((sum, value, i) => sum + precision.at(i, i) * value ** 2, 0) / 2
    }
    for (const slope of differences(x, posterior)) expect(Math.abs(slope)).toBeLessThan(1e-7)
  })

  it('has the derivatives that differences find, by basis and mean', () => {
    const fit = fitLatents(photos, basis, mean, precision)
    const upstream = new Matrix(
      3,
      K,
      fit.latents.data.map((value, i) => direction.data[i]! + value ** 2),
    )
    const gradient = fit.adjoint(upstream)
    expectGradient(gradient.basis.data, differences(basis.data, loss))
    expectGradient(gradient.mean, differences(mean, loss))
  })
})

describe('the loss of the refinement', () => {
  const photos = [4, 6, 8, 10, 12].map((rows, i) => randomEvidence(rows, 30 + i))
  const people = [0, 0, 1, 2, 2]
  const parameters: RefinementParameters = {
    basis: randomMatrix(R, K, 40),
    mean: randomMatrix(R, 1, 41, 0.3).data,
    metric: randomMatrix(K, K, 42),
    classes: randomMatrix(3, K, 43),
  }
  const setting: RefinementSetting = {
    basis: randomMatrix(R, K, 44),
    precision: diagonal([1, 2, 3, 4]),
    gram: gram(randomMatrix(9, R, 45)),
    identities: randomMatrix(5, R, 46),
  }
  const options = { scale: 10, margin: 0.1, metricWeight: 0.01, replayWeight: 0.2, basisWeight: 0.05 }

  it.each(['with', 'without'])('has the derivatives that differences find, %s faces known in 3D', (which) => {
    const held = which === 'with' ? setting : { ...setting, identities: undefined }
    const loss = () => refinementLoss(parameters, photos, people, held, options).loss
    const { gradient } = refinementLoss(parameters, photos, people, held, options)
    expectGradient(gradient.basis.data, differences(parameters.basis.data, loss))
    expectGradient(gradient.mean, differences(parameters.mean, loss))
    expectGradient(gradient.metric.data, differences(parameters.metric.data, loss))
    expectGradient(gradient.classes.data, differences(parameters.classes.data, loss))
  })

  it('is what discriminates alone where basis, mean and metric are at their anchors', () => {
    const anchored = { ...parameters, basis: setting.basis, mean: new Float64Array(R), metric: Matrix.identity(K) }
    const { loss, margin } = refinementLoss(anchored, photos, people, { ...setting, identities: undefined }, options)
    expect(loss).toBe(margin)
  })

  it('finds no distance to faces that the basis can say, and that of those it cannot', () => {
    const { basis, mean } = parameters
    const said = multiply(randomMatrix(3, K, 47), basis, { transposeB: true })
    for (let i = 0; i < said.data.length; i++) said.data[i]! += mean[i % R]!
    expect(replayLoss(basis, mean, setting.gram, said).loss).toBeCloseTo(0, 12)

    const axes = Matrix.from([
      [1, 0],
      [0, 1],
      [0, 0],
    ])
    const above = Matrix.from([
      [5, 7, 3],
      [5, 7, -1],
    ])
    const squares = diagonal([1, 1, 2])
    expect(replayLoss(axes, new Float64Array(3), squares, above).loss).toBeCloseTo((2 * 9 + 2 * 1) / 2, 12)
  })
})

describe('Adam', () => {
  it('takes a first step of the step size against the gradient, whatever its length', () => {
    const values = Float64Array.of(1, 1, 1)
    new Adam([{ name: 'x', values, stepSize: 0.1 }]).step([Float64Array.of(1e-3, -50, 0)], 0.5)
    expect(values[0]).toBeCloseTo(0.95, 5)
    expect(values[1]).toBeCloseTo(1.05, 5)
    expect(values[2]).toBe(1)
  })

  it('finds the minimum of a badly scaled parabola, and goes on from its tensors to the same bits', () => {
    const run = (from: number, to: number, earlier?: ReturnType<Adam['tensors']>) => {
      const values = Float64Array.of(3, -2)
      const optimiser = new Adam([{ name: 'x', values, stepSize: 0.1 }])
      if (earlier) optimiser.restore(earlier)
      for (let step = from; step < to; step++)
        optimiser.step([Float64Array.of(100 * (values[0]! - 1), values[1]! - 1)], 1 - step / 300)
      return { values, tensors: optimiser.tensors() }
    }
    const { values } = run(0, 300)
    for (const value of values) expect(value).toBeCloseTo(1, 2)
    const tensors = run(0, 100).tensors
    expect(run(100, 300, tensors).values).toEqual(values)
  })
})

describe('the verification of evidence', () => {
  /** Exact evidence on the coordinates themselves. */
  const exact = (...face: number[]): Evidence => ({
    information: diagonal(face.map(() => 100)),
    shift: Float64Array.from(face, (value) => 100 * value),
    energy: 100 * face.reduce((sum, value) => sum + value * value, 0),
  })
  const plain = {
    basis: Matrix.identity(2),
    mean: new Float64Array(2),
    precision: Matrix.identity(2),
    metric: Matrix.identity(2),
  }

  it('tells people apart by direction, in the metric', () => {
    const people = [
      [exact(1, 0), exact(2, 0.1)],
      [exact(0, 1), exact(0.1, 3)],
    ]
    expect(verifyEvidence(people, plain)!.auc).toBe(1)
    expect(verifyEvidence(people, plain)!.tar).toBeNull()
    // Blind to what tells them apart but for noise.
    const blind = {
      ...plain,
      metric: Matrix.from([
        [1, 1],
        [0, 0],
      ]),
    }
    expect(verifyEvidence(people, blind)!.auc).toBeLessThan(0.9)
  })

  it('measures what the fits leave', () => {
    const { misfit } = verifyEvidence([[exact(1, 0), exact(1, 0)], [exact(0, 1)]], plain)!
    // x = d / 101: each is off by 1 / 101 at a precision of 100.
    expect(misfit).toBeCloseTo(Math.sqrt(100) / 101, 12)
  })

  it('says nothing of people that cannot be compared', () => {
    expect(verifyEvidence([[exact(1, 0)], [exact(0, 1)]], plain)).toBeUndefined()
    expect(verifyEvidence([[exact(1, 0), exact(0, 1)], []], plain)).toBeUndefined()
    expect(verifyEvidence([], plain)).toBeUndefined()
  })
})

/** People whose photos differ in ways that the folded statistics do not know of. */
function population(count: number, photos: number, seed: number): Evidence[][] {
  const random = Random.stream(seed, 7)
  return Array.from({ length: count }, () => {
    const person = Array.from({ length: R }, () => random.normal())
    return Array.from({ length: photos }, () => {
      // All of the spread within a person lies along one direction.
      const drift = 3 * random.normal()
      const face = person.map((value, r) => value + drift * (r < 2 ? 1 : -0.3) + 0.2 * random.normal())
      return {
        information: diagonal(face.map(() => 20)),
        shift: Float64Array.from(face, (value) => 20 * value),
        energy: 20 * face.reduce((sum, value) => sum + value * value, 0),
      }
    })
  })
}

/** Checkpoints in memory; stops at a step, if asked to. */
function contextOf(options: { stopAt?: number; checkpoints?: Map<string, Checkpoint> } = {}) {
  const { stopAt = Number.POSITIVE_INFINITY, checkpoints = new Map<string, Checkpoint>() } = options
  const losses: number[] = []
  let breaths = 0
  const context: TrainingContext = {
    seed: 5,
    record: ({ stage, step, loss }) => {
      if (!Number.isFinite(loss)) throw new SfmError('NUMERICAL', `${stage}, step ${step}: training has diverged`)
      losses.push(loss as number)
    },
    progress: () => {},
    checkpoint: {
      load: async (name) => checkpoints.get(name),
      save: async (name, state) => void checkpoints.set(name, state),
    },
    breathe: async () => {
      if (breaths++ === stopAt) throw new SfmError('ABORTED', 'stopped')
    },
  }
  return { context, checkpoints, losses }
}

describe('refining the metric', () => {
  let data: ModelData
  let folded: FoldedModel
  let dictionary: ReturnType<typeof dictionaryOf>
  const people = population(30, 5, 1)
  const validation = population(20, 4, 2)
  const options: RefinementOptions = {
    steps: 120,
    people: 20,
    photos: 4,
    stepSize: 1e-2,
    metricWeight: 0.01,
    replayWeight: 20,
  }

  beforeAll(() => {
    data = tinySphereModel()
    dictionary = dictionaryOf(data)
    folded = foldMetric(data, dictionary, {
      mean: new Float64Array(R),
      between: Matrix.identity(R),
      within: diagonal([0.5, 1, 1.5, 2, 2.5, 3]),
    })
  })

  const refine = (more: RefinementOptions = {}, { context } = contextOf()) =>
    refineMetric(folded, dictionary, people, validation, { ...options, ...more }, context)

  it.each(['weights', 'metric', 'all'] as const)('learns to tell strangers apart: %s', async (parameters) => {
    const run = contextOf()
    const { folded: refined, report } = await refine({ parameters }, run)
    expect(report.kept, report.reason).toBe(true)
    expect(report.after!.auc).toBeGreaterThan(report.before!.auc + 0.02)
    expect(report.after!.tar!).toBeGreaterThan(report.before!.tar!)
    expect(run.losses).toHaveLength(120)
    expect(run.losses.at(-1)).toBeLessThan(run.losses[0]!)
    expect(refined.model.identityPersonShare!.every((share) => share > 0 && share <= 1)).toBe(true)
  })

  it.each(['weights', 'metric', 'all'] as const)(
    'folds in what it learned: cosines are those that were judged: %s',
    async (parameters) => {
      const { folded: refined, report } = await refine({ parameters })
      const { basis } = refined
      const precision = diagonal(refined.variances.map((value) => 1 / value))
      // The mean face that was learned stands in the model, not in the latents.
      const mean = meanOf(refined.model)
      const again = verifyEvidence(validation, { basis, mean, precision, metric: Matrix.identity(R) })!
      expect(again.auc).toBeCloseTo(report.after!.auc, 6)
      expect(again.misfit).toBeCloseTo(report.after!.misfit, 4)
    },
  )

  /** The coordinates in the dictionary of what a model's mean face has beside its own. */
  function meanOf(model: ModelData): Float64Array {
    const stride = dictionary.mean.length
    const shapes = new Matrix(R, stride, Float64Array.from(dictionary.shapes))
    const moved = new Matrix(
      stride,
      1,
      Float64Array.from(model.mean, (value, i) => value - dictionary.mean[i]!),
    )
    return multiply(invert(gram(shapes.transpose())), multiply(shapes, moved)).data
  }

  it('loses no shape: every face of the dictionary is one of the refined latents', async () => {
    const { folded: refined } = await refine()
    const { model, metric } = refined
    const g = randomMatrix(R, 1, 60)
    const u = multiply(metric, g).data
    const stride = dictionary.mean.length
    const radius = radiusOf(refined)
    for (let i = 0; i < stride; i++) {
      let expected = dictionary.mean[i]!
      let actual = model.mean[i]!
      for (let r = 0; r < R; r++) expected += g.data[r]! * dictionary.shapes[r * stride + i]!
      for (let r = 0; r < R; r++) actual += (u[r]! / radius) * (model.identityBasis[r * stride + i] as number)
      expect(actual).toBeCloseTo(expected, 3)
    }
  })

  /** What latents at unit scale are divided by to stand on the sphere: from one column of the basis. */
  function radiusOf({ model, metric }: FoldedModel): number {
    const stride = dictionary.mean.length
    const column = invert(metric).column(0)
    let inner = 0
    let squared = 0
    for (let i = 0; i < stride; i++) {
      const shape = column.reduce((sum, value, r) => sum + value * dictionary.shapes[r * stride + i]!, 0)
      inner += shape * (model.identityBasis[i] as number)
      squared += shape * shape
    }
    return inner / squared
  }

  it.each(['weights', 'metric', 'all'] as const)(
    'goes on to the same bits after it was stopped: %s',
    async (parameters) => {
      const whole = await refine({ parameters, steps: 60 })
      const stopped = contextOf({ stopAt: 40 })
      await expectSfmRejection(refine({ parameters, steps: 60 }, stopped), 'ABORTED')
      expect(stopped.losses).toHaveLength(40)
      const resumed = contextOf({ checkpoints: stopped.checkpoints })
      const { folded: refined, report } = await refine({ parameters, steps: 60 }, resumed)
      expect(resumed.losses).toHaveLength(60 - 25)
      expect(report).toEqual(whole.report)
      expect(refined.metric.data).toEqual(whole.folded.metric.data)
      expect(refined.model.identityBasis).toEqual(whole.folded.model.identityBasis)
    },
  )

  it('weighs latents alone, unless asked for more: shares and likelihood ratios stay what they are', async () => {
    const { folded: refined } = await refine()
    // Latents may stand in another order.
    const order = (values: ArrayLike<number>) => Array.from(values).sort((a, b) => a - b)
    const before = order(folded.shares)
    for (const [i, share] of order(refined.shares).entries()) expect(share).toBeCloseTo(before[i]!, 10)
    const turned = multiply(refined.metric, invert(folded.metric))
    for (let i = 0; i < R; i++) {
      const row = turned.row(i).map(Math.abs)
      expect(row.filter((value) => value > 1e-10)).toHaveLength(1)
    }
  })

  it('learns from the latents of the fits, where they are given', async () => {
    const random = new Random(9)
    // Fits by which evidence means nothing: people are told apart by the first latent, in spite of a noisy last one.
    const fitted = (all: Evidence[][]) =>
      all.map((photos) => {
        const person = random.normal()
        return photos.map((photo) => ({
          ...photo,
          latents: Float64Array.from(
            { length: R },
            (_, i) => (i === 0 ? person : 1) + (i === R - 1 ? 3 : 0.1) * random.normal(),
          ),
        }))
      })
    const { report } = await refineMetric(
      folded,
      dictionary,
      fitted(people),
      fitted(validation),
      options,
      contextOf().context,
    )
    expect(report.kept, report.reason).toBe(true)
    expect(report.after!.auc).toBeGreaterThan(report.before!.auc + 0.02)
  })

  it('keeps what was there where validation people are told apart no better, and says so', async () => {
    const turned = validation.flat()
    // People of no sense: photo i of each is of another person.
    const nonsense = turned.map((_, i) => [turned[i]!, turned[(i + 41) % turned.length]!])
    const { folded: same, report } = await refineMetric(
      folded,
      dictionary,
      people,
      nonsense,
      options,
      contextOf().context,
    )
    expect(report.kept).toBe(false)
    expect(report.reason).not.toBe('')
    expect(report.before).not.toBeNull()
    expect(same).toBe(folded)
  })

  it('keeps what was there where nobody is left to decide by', async () => {
    const { folded: same, report } = await refineMetric(folded, dictionary, people, [], options, contextOf().context)
    expect(report).toMatchObject({ kept: false, before: null, after: null })
    expect(same).toBe(folded)
  })

  it('reports how faces known in 3D are represented, which a basis of full rank does exactly', async () => {
    const { report } = await refine({ parameters: 'all', identities: randomMatrix(8, R, 70) })
    expect(report.representation!.before).toBeLessThan(1e-6)
    expect(report.representation!.after).toBeLessThan(1e-6)
  })

  it('refuses options and data of no sense, by name', async () => {
    await expectSfmRejection(refine({ steps: 0 }), 'INVALID_ARGUMENT', /steps/)
    await expectSfmRejection(refine({ stepSize: Number.NaN }), 'INVALID_ARGUMENT', /stepSize/)
    await expectSfmRejection(refine({ parameters: 'none' as 'all' }), 'INVALID_ARGUMENT', /parameters/)
    const { context } = contextOf()
    const short = people.map((photos) => photos.map((photo) => ({ ...photo, latents: [1, 2] })))
    await expectSfmRejection(
      refineMetric(folded, dictionary, short, validation, {}, context),
      'INVALID_ARGUMENT',
      /people\[0\]\[0\]\.latents/,
    )
    const wrong = [[randomEvidence(4, 1, R + 1)], [randomEvidence(4, 2, R + 1)]]
    await expectSfmRejection(
      refineMetric(folded, dictionary, wrong, validation, {}, context),
      'INVALID_ARGUMENT',
      /people\[0\]\[0\]/,
    )
    await expectSfmRejection(
      refineMetric(folded, dictionary, [people[0]!], validation, {}, context),
      'INVALID_INPUT',
      /two people/,
    )
  })

  it('reports a loss that is no longer finite with the step', async () => {
    const broken = people.map((photos) =>
      photos.map((photo) => ({ ...photo, shift: photo.shift.map(() => Number.NaN) })),
    )
    await expectSfmRejection(
      refineMetric(folded, dictionary, broken, validation, options, contextOf().context),
      'NUMERICAL',
      /step 0/,
    )
  })
})
