import { beforeAll, describe, expect, it } from 'vitest'
import { MemoryCorpus } from '../../lib/corpus/MemoryCorpus.js'
import type { SynthesisOptions } from '../../lib/corpus/synthetic/SynthesisOptions.js'
import { synthesise } from '../../lib/corpus/synthetic/SyntheticCorpus.js'
import type { ScanShard } from '../../lib/corpus/TrainingData.js'
import { writeModel } from '../../lib/model/formats/sphereFaceModel.js'
import { asFloat32 } from '../../lib/model/half.js'
import { type Stage1Result, trainFromScans } from '../../lib/train/stage1/trainFromScans.js'
import { expectSfmRejection } from '../fixtures/expectSfmError.js'
import { decodeReference } from '../fixtures/reference.js'
import { tinyGaussianModel } from '../fixtures/tinyModel.js'
import { MemoryContext, uncheckedData } from '../fixtures/trainingData.js'

const template = tinyGaussianModel()
const width = 3 * template.vertexCount
const OPTIONS = { identityCount: 6, withinFactors: 8, spanRank: 40 } as const

function people(options: SynthesisOptions = {}): Promise<MemoryCorpus> {
  const corpus = synthesise(template, {
    seed: 3,
    identities: 80,
    scansPerIdentity: 5,
    smoothDrift: { amplitude: 0.3, factors: 8 },
    identityDrift: { amplitude: 0.5, factors: 4 },
    splits: { train: 0.75, validation: 0.25 },
    ...options,
  })
  return MemoryCorpus.from(corpus)
}

async function scansOf(corpus: MemoryCorpus): Promise<ScanShard> {
  for await (const shard of corpus.scans()) return shard
  throw new Error('no scans')
}

/** Some of the scans, changed. */
function changed(shard: ScanShard, change: (scan: Float32Array, i: number, subject: string) => void): ScanShard {
  const vertices = shard.vertices.slice()
  for (const [i, subject] of shard.subjects.entries()) change(vertices.subarray(i * width, (i + 1) * width), i, subject)
  return { subjects: shard.subjects, vertices }
}

let corpus: MemoryCorpus
let shard: ScanShard
let subjects: string[]
let context: MemoryContext
let result: Stage1Result

beforeAll(async () => {
  corpus = await people()
  shard = await scansOf(corpus)
  subjects = corpus.subjects()
  context = new MemoryContext()
  result = await trainFromScans(corpus, OPTIONS, context)
})

describe('a model learned from scans', () => {
  it('tells people apart better than principal components do, and shows them as well', () => {
    const { model, pca } = result.report.validation!
    expect(model.ratio).toBeLessThan(0.9 * pca.ratio)
    expect(model.silhouette).toBeGreaterThan(pca.silhouette + 0.05)
    expect(model.crossError).toBeLessThan(1.02 * pca.crossError)
  })

  it('is a sphere model whose pole is the mean, with the template around it', () => {
    const { model } = result
    expect(model.metadata.latent).toBe('sphere')
    expect(model.identityCount).toBe(6)
    expect([...model.identityPriorMean!]).toEqual([0, 0, 0, 0, 0, 1])
    expect(model.identityPriorFactor![0]).toBeCloseTo(1 / result.report.radius, 6)
    expect(model.triangles).toBe(template.triangles)
    expect([...model.schemes.keys()]).toEqual([...template.schemes.keys()])
    expect(model.withinIdentityBasis!.length).toBe(8 * width)
    // The slack column is zero.
    expect(
      asFloat32(model.identityBasis)
        .slice(5 * width)
        .every((value) => value === 0),
    ).toBe(true)
  })

  it('has the source of the scans in its mean and its variance', () => {
    const mean = Math.sqrt(
      result.model.mean.reduce((sum, value, i) => sum + (value - template.mean[i]!) ** 2, 0) / template.vertexCount,
    )
    expect(mean).toBeLessThan(1)
    const variance = (basis: ArrayLike<number>) => Array.from(basis).reduce((sum, value) => sum + value * value, 0)
    const own = variance(asFloat32(result.model.identityBasis)) / result.report.radius ** 2
    expect(own / variance(template.identityBasis)).toBeGreaterThan(0.5)
    expect(own / variance(template.identityBasis)).toBeLessThan(1.3)
  })

  it('comes with the same model without the sphere, which has the same shapes near the mean', () => {
    const { model, ablation } = result
    expect(ablation.metadata.latent).toBe('gaussian')
    expect(ablation.identityCount).toBe(5)
    const v = [0.05, -0.1, 0.02, 0.08, -0.03]
    const r = result.report.radius
    const z = [...v.map((value) => value / r), Math.sqrt(1 - v.reduce((sum, value) => sum + (value / r) ** 2, 0))]
    const [a, b] = [decodeReference(model, z), decodeReference(ablation, v)]
    expect(Math.max(...a.map((value, i) => Math.abs(value - b[i]!)))).toBeLessThan(0.01)
  })

  it('is a file that can be read', () => {
    for (const data of [result.model, result.pca, result.ablation])
      expect(writeModel(data).length).toBeGreaterThan(1000)
  })

  it('comes out the same to the last bit, also from what a checkpoint has kept', async () => {
    const again = await trainFromScans(corpus, OPTIONS, new MemoryContext())
    const resumed = await trainFromScans(corpus, OPTIONS, context)
    for (const other of [again, resumed]) {
      expect(writeModel(other.model)).toEqual(writeModel(result.model))
      expect(writeModel(other.pca)).toEqual(writeModel(result.pca))
      expect(other.report).toEqual(result.report)
    }
  })

  it('chooses alpha by the validation people when asked to', async () => {
    const own = new MemoryContext()
    const { report } = await trainFromScans(corpus, { ...OPTIONS, alpha: 'auto' }, own)
    const tried = own.metrics.filter(({ stage }) => stage === 'scans/alpha')
    const score = (line: (typeof tried)[number]) => (line.crossError as number) * (line.ratio as number)
    const best = tried.reduce((a, b) => (score(b) < score(a) ? b : a))
    expect(report.alpha).toBe(best.alpha)
    expect(tried.length).toBeGreaterThan(3)
  })

  it('refines by the angular margin without getting worse on the validation people', async () => {
    const own = new MemoryContext()
    const angularMargin = {
      rounds: 3,
      identityWeight: 1,
      scale: 10,
      margin: 0.1,
      centreWeight: 2,
      uniformityWeight: 0.1,
      patience: 3,
    }
    const refined = await trainFromScans(corpus, { ...OPTIONS, objective: 'angular-margin', angularMargin }, own)
    const rounds = own.metrics.filter(({ stage }) => stage === 'angular-margin')
    expect(rounds.length).toBe(3)
    for (const { value } of rounds) expect(value).toBeLessThan(1.01 * (rounds[0]!.value as number))
    const [before, after] = [result.report.validation!.model, refined.report.validation!.model]
    expect(after.crossError * after.ratio).toBeLessThanOrEqual(before.crossError * before.ratio)
  })

  it('uses coefficients of expressions where they are known', async () => {
    const known = await people({ knownExpressions: true, expression: 4 })
    const unknown = await people({ expression: 4 })
    const [a, b] = [
      await trainFromScans(known, OPTIONS, new MemoryContext()),
      await trainFromScans(unknown, OPTIONS, new MemoryContext()),
    ]
    expect(a.report.validation!.model.ratio).toBeLessThan(b.report.validation!.model.ratio)
  })
})

describe('models without', () => {
  it('expressions', async () => {
    const bare = {
      ...template,
      expressionCount: 0,
      expressionBasis: new Float32Array(0),
      expressionBounds: new Float32Array(0),
      expressionStddev: new Float32Array(0),
      metadata: { ...template.metadata, expressionNames: [] },
    }
    const { model } = await trainFromScans(
      uncheckedData(bare, [shard], { train: subjects }),
      { ...OPTIONS, objective: 'angular-margin' },
      new MemoryContext(),
    )
    expect(model.expressionCount).toBe(0)
    expect(writeModel(model).length).toBeGreaterThan(1000)
  })

  it('variation within people', async () => {
    const { model } = await trainFromScans(corpus, { ...OPTIONS, withinFactors: 0 }, new MemoryContext())
    expect(model.withinIdentityBasis).toBeUndefined()
    expect(writeModel(model).length).toBeGreaterThan(1000)
  })
})

describe('few scans', () => {
  it('are enough where some people have one only', async () => {
    const seen = new Map<string, number>()
    const rows = shard.subjects.flatMap((subject, i) => {
      const n = seen.get(subject) ?? 0
      seen.set(subject, n + 1)
      return n === 0 || subject < 's40' ? [i] : []
    })
    const some: ScanShard = {
      subjects: rows.map((i) => shard.subjects[i]!),
      vertices: Float32Array.from(rows.flatMap((i) => [...shard.vertices.subarray(i * width, (i + 1) * width)])),
    }
    const { report } = await trainFromScans(
      uncheckedData(template, [some], { train: subjects }),
      OPTIONS,
      new MemoryContext(),
    )
    expect(report).toMatchObject({ people: 80, scans: rows.length, within: 'scans' })
  })

  it('say so where nobody has two', async () => {
    const rows = shard.subjects.flatMap((subject, i) => (shard.subjects.indexOf(subject) === i ? [i] : []))
    const some: ScanShard = {
      subjects: rows.map((i) => shard.subjects[i]!),
      vertices: Float32Array.from(rows.flatMap((i) => [...shard.vertices.subarray(i * width, (i + 1) * width)])),
    }
    const { report, model } = await trainFromScans(
      uncheckedData(template, [some], { train: subjects }),
      OPTIONS,
      new MemoryContext(),
    )
    expect(report.within).toBe('prior')
    expect(report.validation).toBeUndefined()
    expect(asFloat32(model.identityBasis).every(Number.isFinite)).toBe(true)
  })
})

describe('scans that cannot be learned from', () => {
  const train = (shards: readonly ScanShard[], options = {}, splits = {}) =>
    trainFromScans(
      uncheckedData(template, shards, { train: subjects, ...splits }),
      { ...OPTIONS, ...options },
      new MemoryContext(),
    )

  it('of another size', async () => {
    const short: ScanShard = { subjects: ['s00'], vertices: new Float32Array(width - 3) }
    await expectSfmRejection(
      train([shard, short]),
      'INVALID_INPUT',
      '63 vertices each, as the template has, received 62',
    )
  })

  it('with NaN', async () => {
    const bad = changed(shard, (scan, i) => {
      if (i === 7) scan[31] = Number.NaN
    })
    await expectSfmRejection(
      train([bad]),
      'INVALID_INPUT',
      /scan 3 of "s01": expected finite coordinates, .* vertex 10/,
    )
  })

  it.each([
    [0.001, 'metres'],
    [0.1, 'centimetres'],
    [1 / 25.4, 'inches'],
    [1000, 'micrometres'],
  ])('of %s times the size', async (factor, unit) => {
    const bad = changed(shard, (scan) => {
      for (let i = 0; i < scan.length; i++) scan[i]! *= factor
    })
    await expectSfmRejection(
      train([bad]),
      'INVALID_INPUT',
      new RegExp(`expected millimetres, received .* between the eyes, as if it were in ${unit}`),
    )
  })

  it('with axes swapped, or mirrored', async () => {
    const turned = changed(shard, (scan) => {
      for (let i = 0; i < scan.length; i += 3) [scan[i + 1], scan[i + 2]] = [-scan[i + 2]!, scan[i + 1]!]
    })
    await expectSfmRejection(train([turned]), 'INVALID_INPUT', /turned by (8|9)\d degrees: have axes been swapped/)
    const swapped = changed(shard, (scan) => {
      for (let i = 0; i < scan.length; i += 3) [scan[i + 1], scan[i + 2]] = [scan[i + 2]!, scan[i + 1]!]
    })
    await expectSfmRejection(train([swapped]), 'INVALID_INPUT', 'mirror image')
    const mirrored = changed(shard, (scan) => {
      for (let i = 0; i < scan.length; i += 3) scan[i]! *= -1
    })
    await expectSfmRejection(train([mirrored]), 'INVALID_INPUT', 'mirror image')
  })

  it('whose points are in another order', async () => {
    const bad = changed(shard, (scan) => {
      for (let v = 0; v < template.vertexCount; v++) {
        const w = (v * 25) % template.vertexCount
        for (let axis = 0; axis < 3; axis++) scan[3 * v + axis] = shard.vertices[3 * w + axis]!
      }
    })
    await expectSfmRejection(train([bad]), 'INVALID_INPUT', /order of the template|mirror image|turned by/)
  })

  it('that are a single point', async () => {
    const bad = changed(shard, (scan, i) => {
      if (i === 0) scan.fill(5)
    })
    await expectSfmRejection(train([bad]), 'INVALID_INPUT', /scan 1 of "s00": expected a surface/)
  })

  it('that are there twice, of one person or of two', async () => {
    const own = changed(shard, (scan, i) => {
      if (i === 1) scan.set(shard.vertices.subarray(0, width))
    })
    await expectSfmRejection(train([own]), 'INVALID_INPUT', /scan 1 of "s00" as scan 2 of "s00" again/)
    const others = changed(shard, (scan, i) => {
      if (i === 12) scan.set(shard.vertices.subarray(0, width))
    })
    await expectSfmRejection(train([others]), 'INVALID_INPUT', /scan 1 of "s00" as scan 3 of "s02" again/)
  })

  it('of one person only, or of two', async () => {
    for (const some of [['s00'], ['s00', 's01']])
      await expectSfmRejection(
        train([shard], {}, { train: some }),
        'INVALID_INPUT',
        `three people or more .* received ${some.length}`.replace('.*', 'to learn what tells people apart,'),
      )
  })

  it('of fewer people than there are to be latents', async () => {
    await expectSfmRejection(
      train([shard], { identityCount: 10 }, { train: subjects.slice(0, 5) }),
      'INVALID_INPUT',
      /identityCount: expected at most [2-5], since 5 people .*; received 10/,
    )
  })

  it('of nobody', async () => {
    await expectSfmRejection(train([shard], {}, { train: [] }), 'INVALID_INPUT', 'people with scans in "train"')
  })

  it('of people to be tested on', async () => {
    await expectSfmRejection(
      train([shard], {}, { test: ['s05', 's06'] }),
      'INVALID_INPUT',
      'expected nobody of "test" in training, received "s05", "s06"',
    )
  })

  it('without validation people, where alpha is to be chosen by them', async () => {
    await expectSfmRejection(train([shard], { alpha: 'auto' }), 'INVALID_INPUT', 'alpha: expected validation people')
  })

  it('of a template that is not symmetric, where mirror images are insisted on', async () => {
    const { mirror: _, ...crooked } = template
    await expectSfmRejection(
      trainFromScans(
        uncheckedData(crooked, [shard], { train: subjects }),
        { ...OPTIONS, symmetrise: true },
        new MemoryContext(),
      ),
      'INVALID_INPUT',
      'symmetrise: expected a symmetric template',
    )
  })
})
