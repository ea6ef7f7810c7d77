// Makes the embedded model, and the variant that saw no photo; bases as 16-bit floats. The same data gives the same
// bytes. Needs the package built, and a folder of data with face-3dmm.safetensors and landmarks/photos-dev.jsonl:
//
//     node scripts/train-default-model.mjs [DATA] [MODELS]
//
// Stage 1: the population of 3D faces is known exactly, a Gaussian model. What the closed form tends to as more and more
// scans are drawn from it are the Gaussian's own modes, lifted onto the sphere (docs/sphere.md): sampling them would only
// add noise. Stage 2 learns from photos (docs/training.md).
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseLabelledObservation } from '../dist/corpus/labelledObservation.js'
import { configureCpu } from '../dist/index.js'
import { readModelFile, writeModelFile } from '../dist/model/formats/modelFile.js'
import { withBasisPrecision } from '../dist/model/half.js'
import { lift } from '../dist/model/lift.js'
import { STAGE2_DEFAULTS } from '../dist/train/stage2/Stage2Options.js'
import { trainFromPhotos } from '../dist/train/stage2/trainFromPhotos.js'

const SEED = 1
const LIFT = { quantile: 0.999, margin: 1.1 }

// The jaw's points slide along the cheek as the head turns: twice the noise of the others (docs/model-format.md has the
// scale).
const IBUG68_JAW = { first: 0, last: 16, reliability: 0.35 }

// Fits in single precision round as their instruction set does: the same bits need the same one.
configureCpu({ instructionSet: 'avx2' })

const at = (path) => fileURLToPath(new URL(path, import.meta.url))
const [data = at('../../shared/data'), models = at('../models')] = process.argv.slice(2)
const source = join(data, 'face-3dmm.safetensors')
const photosFile = join(data, 'landmarks/photos-dev.jsonl')

const gaussian = await readModelFile(source)
const scansOnly = withIbug68Reliability(lift(gaussian, LIFT))
const photos = (await readFile(photosFile, 'utf8'))
  .trim()
  .split('\n')
  .map((line) => parseLabelledObservation(JSON.parse(line)))
const context = {
  seed: SEED,
  record: () => undefined,
  progress: (fraction, what) => process.stderr.write(`${Math.round(100 * fraction)}% ${what}\n`),
  checkpoint: { load: async () => undefined, save: async () => undefined },
  breathe: () => setImmediate(),
}
const { model, report } = await trainFromPhotos(scansOnly, photos, STAGE2_DEFAULTS, context)
const shapes = { name: gaussian.metadata.name, sha256: await sha256(source), provenance: gaussian.metadata.provenance }
await publish('sphere-face-model', model, {
  shapes,
  photos: { sha256: await sha256(photosFile) },
  stage2: { seed: SEED, options: STAGE2_DEFAULTS, report },
})
await publish('sphere-face-model-scans-only', scansOnly, { shapes })
console.log(JSON.stringify(report, undefined, 2))

async function publish(name, trained, inputs) {
  const provenance = {
    script: 'scripts/train-default-model.mjs',
    options: { ...LIFT, bases: 'F16', ibug68: { jawReliability: IBUG68_JAW.reliability } },
    ...inputs,
  }
  const metadata = { ...trained.metadata, name, version: '2.0.0', provenance: JSON.stringify(provenance) }
  const stored = withBasisPrecision({ ...trained, metadata }, 'f16')
  await writeModelFile(join(models, `${name}.safetensors`), stored)
}

/** A copy whose scheme ibug68 says how far each landmark is to be trusted. */
function withIbug68Reliability(model) {
  const scheme = model.schemes.get('ibug68')
  const reliability = new Float32Array(scheme.count).fill(1)
  reliability.fill(IBUG68_JAW.reliability, IBUG68_JAW.first, IBUG68_JAW.last + 1)
  return { ...model, schemes: new Map(model.schemes).set('ibug68', { ...scheme, reliability }) }
}

async function sha256(path) {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
}
