import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MemoryCorpus } from '../../lib/corpus/MemoryCorpus.js'
import type { LabelledObservation } from '../../lib/corpus/TrainingData.js'
import { writeModelFile } from '../../lib/model/formats/modelFile.js'
import { photosOf } from '../../lib/train/photosOf.js'
import { parseTrainingConfig } from '../../lib/train/TrainingConfig.js'
import { train } from '../../lib/train/train.js'
import { expectSfmRejection } from '../fixtures/expectSfmError.js'
import { tinyGaussianModel } from '../fixtures/tinyModel.js'

let folder: string
const at = (name: string) => join(folder, name)

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sfm-photos-'))
})
afterEach(() => rm(folder, { recursive: true }))

const photo = (subject: string, collection?: string): LabelledObservation => ({
  subject,
  ...(collection !== undefined && { collection }),
  scheme: 'tiny12',
  image: { width: 100, height: 100 },
  points: Array.from({ length: 12 }, (_, i) => [i, i % 3]),
})

/** anna is learned from, ben chooses settings, cleo and ben of the studio are measured with. */
const corpus = () =>
  new MemoryCorpus({
    template: tinyGaussianModel(),
    splits: { train: ['anna'], validation: ['ben'], test: ['cleo', 'studio/ben'] },
    landmarkSets: [photo('anna'), photo('ben'), photo('cleo'), photo('ben', 'studio')],
  })

async function photosIn(...photos: LabelledObservation[]): Promise<LabelledObservation[]> {
  await writeFile(at('photos.jsonl'), photos.map((each) => `${JSON.stringify(each)}\n`).join(''))
  return photosOf(parseTrainingConfig({ corpus: 'people', photos: ['photos.jsonl'], stage2: {} }), corpus(), folder)
}

const names = (photos: readonly LabelledObservation[]) =>
  photos.map(({ subject, collection }) => [collection, subject].join(' ').trim())

describe('the photos of a training', () => {
  it('are those of the training and validation people, where none are named', async () => {
    const config = parseTrainingConfig({ corpus: 'people', stage2: {} })
    expect(names(await photosOf(config, corpus(), folder))).toEqual(['anna', 'ben'])
  })

  it('are those of the files, of people that the corpus learns from and of others', async () => {
    expect(names(await photosIn(photo('anna'), photo('ben'), photo('dora')))).toEqual(['anna', 'ben', 'dora'])
  })

  it('are not those of test people: it is said which line has one', async () => {
    await expectSfmRejection(
      photosIn(photo('anna'), photo('cleo')),
      'INVALID_INPUT',
      `photos.jsonl:2: subject: expected nobody of the corpus' split "test", received "cleo"`,
    )
    await expectSfmRejection(photosIn(photo('ben', 'studio')), 'INVALID_INPUT', 'received "studio/ben"')
  })

  it('may be of other people of the same name, in another collection', async () => {
    const photos = [photo('cleo', 'studio'), photo('cleo', 'street'), photo('ben', 'street')]
    expect(names(await photosIn(...photos))).toEqual(['studio cleo', 'street cleo', 'street ben'])
  })

  it('are looked at before anything is learned', async () => {
    await writeModelFile(at('tiny.safetensors'), tinyGaussianModel())
    const synthetic = { identities: 20, scansPerIdentity: 2, splits: { train: 0.9, test: 0.1 } }
    const config = parseTrainingConfig({
      corpus: { synthetic, source: at('tiny.safetensors') },
      out: at('out'),
      photos: [at('photos.jsonl')],
      stage2: {},
    })
    const everybody = Array.from({ length: 20 }, (_, i) => photo(`s${String(i).padStart(2, '0')}`))
    await writeFile(at('photos.jsonl'), everybody.map((each) => `${JSON.stringify(each)}\n`).join(''))
    await expectSfmRejection(train(config), 'INVALID_INPUT', /photos\.jsonl:\d+: subject: expected nobody/)
    expect(existsSync(at('out'))).toBe(false)
  })
})
