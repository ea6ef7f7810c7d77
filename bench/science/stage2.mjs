// Few people with scans, many others with photos: what stage 2 adds to stage 1, on people that neither has seen.

import { setImmediate } from 'node:timers/promises'
import { assembleModel } from '../../dist/train/stage1/assembleModel.js'
import { STAGE2_DEFAULTS } from '../../dist/train/stage2/Stage2Options.js'
import { trainFromPhotos } from '../../dist/train/stage2/trainFromPhotos.js'
import { facesAtRest, representation, spaceOf } from './dense.mjs'
import { pairsOfPictures, withConfidence } from './photos.mjs'
import { learnFromScans } from './scans.mjs'

/** Learns as `sfm train` does, with these options of stage 2, and measures on people left out of everything. */
export async function measureStage2(data, seed, { learners, testPhotos, count, spanRank, options }, log) {
  const { template, span, formOf } = await learnFromScans(data, seed, spanRank)
  const form = formOf(count)
  const scansOnly = assembleModel(form.sphere, span, template, {})
  const pca = assembleModel(form.pca, span, template, {})
  log('stage 2: scans')

  const people = data.subjects(undefined, 'landmarks')
  const { learned, unseen } = await photosOf(data, new Set(people.slice(0, learners)), testPhotos)
  const all = { ...STAGE2_DEFAULTS, ...options }
  const { model, report } = await trainFromPhotos(scansOnly, learned, all, contextOf(seed))
  log('stage 2: photos')

  const index = new Map(people.slice(learners).map((key, row) => [key, row]))
  const faces = await facesAtRest(data, span, index, 'train')
  const { shares: _, ...gate } = report
  return {
    model: {
      representation: representation(spaceOf(model, span), faces, span),
      ...(await pairsOfPictures(model, unseen)),
    },
    scansOnly: {
      representation: representation(form.sphere, faces, span),
      ...(await pairsOfPictures(scansOnly, unseen)),
    },
    pca: { representation: representation(form.pca, faces, span), ...(await pairsOfPictures(pca, unseen)) },
    gate,
  }
}

/** All photos of those who are learned from, the first ones of everybody else. */
async function photosOf(data, learners, testPhotos) {
  const [learned, unseen] = [[], []]
  const counted = new Map()
  for await (const sets of data.landmarkSets({ scheme: 'ibug68' })) {
    for (const set of sets) {
      const key = `${set.collection}/${set.subject}`
      counted.set(key, (counted.get(key) ?? 0) + 1)
      if (learners.has(key)) learned.push(withConfidence(set))
      else if (counted.get(key) <= testPhotos) unseen.push(withConfidence(set))
    }
  }
  return { learned, unseen }
}

function contextOf(seed) {
  return {
    seed,
    record: () => undefined,
    progress: () => undefined,
    checkpoint: { load: async () => undefined, save: async () => undefined },
    breathe: () => setImmediate(),
  }
}
