// The population of the acceptance bars: identities N(0, I) on the modes of a Gaussian model and 0.6 mm outside of them,
// expressions of 1.8 mm, drift of 1.2 mm (smooth) and 1.12 mm (within the identity space) in every scan, 0.3 mm of noise.

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { MemoryCorpus } from '../../dist/corpus/MemoryCorpus.js'
import { synthesise } from '../../dist/corpus/synthetic/SyntheticCorpus.js'
import { SphereFaceModel } from '../../dist/model/SphereFaceModel.js'

/** 3D training data, where it is there; otherwise the variant of the embedded model that saw no photo. */
const SOURCE = fileURLToPath(new URL('../../../shared/data/face-3dmm.safetensors', import.meta.url))

const SCANS_ONLY = fileURLToPath(new URL('../../models/sphere-face-model-scans-only.safetensors', import.meta.url))

/** Directions that a drift is mixed from: enough that no few factors are all of it. */
const DRIFT_FACTORS = 36

const drift = (rms) => ({ amplitude: rms / Math.sqrt(DRIFT_FACTORS), factors: DRIFT_FACTORS })

export const SIZES = {
  full: {
    train: 400,
    test: 100,
    scans: 12,
    testScans: 10,
    photos: 10,
    counts: [16, 32, 64, 100],
    count: 64,
    spanRank: 320,
    stage2: {
      scanned: 100,
      scans: 8,
      learners: 400,
      photos: 15,
      test: 100,
      testPhotos: 10,
      count: 32,
      spanRank: 320,
      // Economical: two folds, and nothing refined after the statistics, which takes half as long again.
      options: { folds: 2, refinement: 'none' },
    },
  },
  // Too few people for 64 latents, and for differences of a hundredth in the rates of pictures.
  small: { train: 120, test: 20, scans: 5, testScans: 5, photos: 5, counts: [32], count: 32, spanRank: 160 },
}

/** @param file A model file in place of either. */
export async function loadSource(file = existsSync(SOURCE) ? SOURCE : SCANS_ONLY) {
  const model = await SphereFaceModel.load(file)
  model.dispose()
  return { source: model.data, name: file }
}

/** What all populations have in common. */
const drawn = (seed) => ({
  seed,
  smoothDrift: drift(1.2),
  identityDrift: drift(1.12),
  photos: { drift: drift(1.2), yaw: 45, sigma: 1.2, contourSigma: 3, outliers: 0.02 },
})

/** People of a seed, with scans, pictures and the truth about them. */
export async function population(source, seed, { train, test, scans, photos }) {
  const people = train + test
  return MemoryCorpus.from(
    synthesise(source, {
      ...drawn(seed),
      identities: people,
      scansPerIdentity: scans,
      photosPerIdentity: photos,
      splits: { train: train / people, test: test / people },
    }),
  )
}

/** Some people with scans, and others with photos alone. */
export async function photoPopulation(source, seed, { scanned, scans, learners, photos, test }) {
  return MemoryCorpus.from(
    synthesise(source, {
      ...drawn(seed),
      identities: scanned,
      scansPerIdentity: scans,
      photoIdentities: learners + test,
      photosPerIdentity: photos,
      splits: { train: 1 },
    }),
  )
}
