import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { synthesise } from '../../lib/corpus/synthetic/SyntheticCorpus.js'
import { type LabelledObservation, subjectKey } from '../../lib/corpus/TrainingData.js'
import { readModelFile, writeModelFile } from '../../lib/model/formats/modelFile.js'
import { lift } from '../../lib/model/lift.js'
import type { ModelData } from '../../lib/model/ModelData.js'
import { Random } from '../../lib/random.js'
import { parseStage2Options, STAGE2_DEFAULTS } from '../../lib/train/stage2/Stage2Options.js'
import { trainFromPhotos } from '../../lib/train/stage2/trainFromPhotos.js'
import { parseTrainingConfig } from '../../lib/train/TrainingConfig.js'
import { train } from '../../lib/train/train.js'
import { expectSfmRejection } from '../fixtures/expectSfmError.js'
import { tinyGaussianModel } from '../fixtures/tinyModel.js'
import { MemoryContext } from '../fixtures/trainingData.js'

const OPTIONS = { ...STAGE2_DEFAULTS, folds: 2, expectationRounds: 3 }

const PEOPLE = {
  identities: 24,
  scansPerIdentity: 3,
  photosPerIdentity: 6,
  photos: { schemes: ['tiny12'], sigma: 0.4, yaw: 20 },
  splits: { train: 0.75, validation: 0.25 },
}

async function photosOf(people: object): Promise<LabelledObservation[]> {
  const all: LabelledObservation[] = []
  for await (const some of synthesise(tinyGaussianModel(), { ...PEOPLE, ...people }).landmarkSets()) all.push(...some)
  return all
}

describe('learning from photos', () => {
  let model: ModelData
  let photos: LabelledObservation[]
  beforeAll(async () => {
    model = lift(tinyGaussianModel())
    photos = await photosOf({})
  })

  it('gives the same bits again, and after a stop in any fold', async () => {
    const whole = new MemoryContext()
    const first = await trainFromPhotos(model, photos, OPTIONS, whole)
    expect(await trainFromPhotos(model, photos, OPTIONS, new MemoryContext())).toEqual(first)
    expect([...whole.saved.keys()]).toContain('photos-fold-1')

    for (const stop of ['photos-fold-0', 'photos-fold-1-refinement', 'photos-refinement']) {
      const stopped = new MemoryContext()
      const save = stopped.checkpoint.save
      stopped.checkpoint.save = async (name, state) => {
        await save(name, state)
        if (name === stop) throw new Error('stopped')
      }
      await expect(trainFromPhotos(model, photos, OPTIONS, stopped)).rejects.toThrow('stopped')
      stopped.checkpoint.save = save
      expect(await trainFromPhotos(model, photos, OPTIONS, stopped)).toEqual(first)
    }
  })

  it('measures stages on the same people, and keeps what tells them apart best', async () => {
    const { model: made, report } = await trainFromPhotos(model, photos, OPTIONS, new MemoryContext())
    const { before, statistics, refinement, kept } = report
    expect(report).toMatchObject({ people: 24 })
    const best = { nothing: before, statistics, refinement: refinement! }[kept]
    for (const other of [before, statistics, refinement!])
      if (other.error <= 1.05 * before.error && other.cosine.tarAt1e2 >= best.cosine.tarAt1e2)
        expect(best.cosine.auc).toBeGreaterThanOrEqual(other.cosine.auc)
    expect(made.identityPersonShare !== undefined).toBe(kept !== 'nothing')
    expect(made.metadata.other).toHaveProperty('comparison')
  })

  it('leaves the model as it was where photos say nothing of people, but for thresholds', async () => {
    const keys = photos.map(({ subject }) => subject)
    new Random(5).shuffle(keys)
    const mixed = photos.map((photo, i) => ({ ...photo, subject: keys[i]! }))
    const { model: made, report } = await trainFromPhotos(model, mixed, OPTIONS, new MemoryContext())
    for (const each of [report.before, report.statistics]) expect(Math.abs(each.cosine.auc - 0.5)).toBeLessThan(0.1)
    if (report.kept === 'nothing') expect({ ...made, metadata: null }).toEqual({ ...model, metadata: null })
  })

  it('refines nothing where it is told not to', async () => {
    const options = { ...OPTIONS, refinement: 'none' as const }
    const context = new MemoryContext()
    const { report } = await trainFromPhotos(model, photos, options, context)
    expect(report).not.toHaveProperty('refinement')
    expect(context.metrics.some(({ stage }) => stage === 'refinement')).toBe(false)
  })

  it('wants people, and options that it knows', async () => {
    const few = photos.filter((photo) => subjectKey(photo) < subjectKey(photos[24]!))
    await expectSfmRejection(
      trainFromPhotos(model, few.slice(0, 12), OPTIONS, new MemoryContext()),
      'INVALID_INPUT',
      'photos: expected those of at least 6 people for 2 folds, received 2',
    )
    expect(() => parseStage2Options({ refinement: 'everything' })).toThrow('refinement')
  })
})

describe('a training of both stages', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sfm-stage2-'))
    await writeModelFile(join(folder, 'tiny.safetensors'), tinyGaussianModel())
  })
  afterAll(() => rm(folder, { recursive: true }))

  const config = (out: string) =>
    parseTrainingConfig({
      corpus: { synthetic: PEOPLE, source: join(folder, 'tiny.safetensors') },
      out: join(folder, out),
      stage1: { identityCount: 5, withinFactors: 3, spanRank: 20 },
      stage2: { folds: 2, expectationRounds: 2 },
    })

  it('writes what it measured and the model before photos, and goes on after a signal to the same bits', async () => {
    const { files, stage2 } = await train(config('whole'))
    const card = await readFile(files.card, 'utf8')
    expect(card).toContain(`${stage2!.photos} photos of 24 people`)
    expect(JSON.parse(await readFile(files.training, 'utf8')).stage2).toEqual(JSON.parse(JSON.stringify(stage2)))
    expect((await readModelFile(join(folder, 'whole', 'scans-only.safetensors'))).identityPersonShare).toBeUndefined()

    const controller = new AbortController()
    const onProgress = (_: number, what: string) => {
      if (what.startsWith('refining')) controller.abort()
    }
    await expectSfmRejection(train(config('parts'), { signal: controller.signal, onProgress }), 'ABORTED')
    await train(config('parts'), { resume: true })
    for (const file of ['model.safetensors', 'card.md', 'metrics.jsonl'])
      expect(await readFile(join(folder, 'parts', file))).toEqual(await readFile(join(folder, 'whole', file)))
  })
})
