// Makes the embedded model, and the variant that saw no photo; bases as 16-bit floats. The same data gives the same
// bytes. Needs the package built, and a folder of data with face-3dmm.safetensors, landmark-schemes.json,
// landmarks/photos-dev.jsonl and landmarks/aflw2000-68-dev.jsonl:
//
//     node scripts/train-default-model.mjs [DATA] [MODELS]
//     node scripts/train-default-model.mjs --check-ibug68 [DATA]    measures ibug68 on strangers, and writes nothing
//
// Stage 1: the population of 3D faces is known exactly, a Gaussian model. What the closed form tends to as more and more
// scans are drawn from it are the Gaussian's own modes, lifted onto the sphere (docs/sphere.md): sampling them would only
// add noise. Stage 2 learns from photos (docs/training.md). Of ibug68 there are no photos of known people: offsets and
// reliabilities come from faces that were annotated by hand, the centre of its identities from 68 of the 478 points.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { parseLabelledObservation } from '../dist/corpus/labelledObservation.js'
import { subjectKey } from '../dist/corpus/TrainingData.js'
import { boxSize } from '../dist/evaluate/faceScale.js'
import { median } from '../dist/evaluate/statistics.js'
import { configureCpu, SphereFaceModel } from '../dist/index.js'
import { parseObservation } from '../dist/inputs/parseObservation.js'
import { readModelFile, writeModelFile } from '../dist/model/formats/modelFile.js'
import { withBasisPrecision } from '../dist/model/half.js'
import { lift } from '../dist/model/lift.js'
import { calibrateSchemes } from '../dist/train/stage2/calibrateSchemes.js'
import { learnPhotoStatistics } from '../dist/train/stage2/learnPhotoStatistics.js'
import { measurePeople, measuresOf, pooled } from '../dist/train/stage2/measurePeople.js'
import { recentre } from '../dist/train/stage2/recentre.js'
import { refineLatents } from '../dist/train/stage2/refineLatents.js'
import { STAGE2_DEFAULTS } from '../dist/train/stage2/Stage2Options.js'
import { trainFromPhotos } from '../dist/train/stage2/trainFromPhotos.js'
import { symmetricExpressions } from '../dist/train/symmetricExpressions.js'
import { withoutStrays } from '../dist/train/withoutStrays.js'

const SEED = 1
const LIFT = { quantile: 0.999, margin: 1.1 }

// Of the variant that saw no photo. The jaw's points slide along the cheek as the head turns: twice the noise of the
// others (docs/model-format.md has the scale).
const IBUG68_JAW = { first: 0, last: 16, reliability: 0.35 }

// Fits in single precision round as their instruction set does: the same bits need the same one.
configureCpu({ instructionSet: 'avx2' })

const at = (path) => fileURLToPath(new URL(path, import.meta.url))
const { values: flags, positionals } = parseArgs({
  options: { 'check-ibug68': { type: 'boolean' } },
  allowPositionals: true,
})
const [data = at('../../shared/data'), models = at('../models')] = positionals
const source = join(data, 'face-3dmm.safetensors')
const photosFile = join(data, 'landmarks/photos-dev.jsonl')
const annotatedFile = join(data, 'landmarks/aflw2000-68-dev.jsonl')

const gaussian = symmetricExpressions(withoutStrays(await readModelFile(source)))
const scansOnly = withIbug68Reliability(lift(gaussian, LIFT))
const photos = (await readLines(photosFile)).map(parseLabelledObservation)
const { ibug68_to_mediapipe: chosen } = JSON.parse(await readFile(join(data, 'landmark-schemes.json'), 'utf8')).ibug68
const photosOf68 = photos.map((photo) => ({ ...photo, scheme: 'ibug68', points: chosen.map((l) => photo.points[l]) }))
const annotated = (await readLines(annotatedFile)).map(parseObservation)
const context = {
  seed: SEED,
  record: () => undefined,
  progress: (fraction, what) => process.stderr.write(`${Math.round(100 * fraction)}% ${what}\n`),
  checkpoint: { load: async () => undefined, save: async () => undefined },
  breathe: () => setImmediate(),
}
if (flags['check-ibug68']) await checkIbug68()
else await make()

async function make() {
  const { model, report } = await trainFromPhotos(scansOnly, photos, STAGE2_DEFAULTS, context)
  const shapes = {
    name: gaussian.metadata.name,
    sha256: await sha256(source),
    provenance: gaussian.metadata.provenance,
  }
  await publish('sphere-face-model', await withIbug68(model, annotated, photosOf68), {
    shapes,
    photos: { sha256: await sha256(photosFile) },
    ibug68: { annotated: { sha256: await sha256(annotatedFile) }, points: chosen },
    stage2: { seed: SEED, options: STAGE2_DEFAULTS, report },
  })
  await publish('sphere-face-model-scans-only', scansOnly, {
    shapes,
    ibug68: { jawReliability: IBUG68_JAW.reliability },
  })
  console.log(JSON.stringify(report, undefined, 2))
}

/** Where annotators put the 68 landmarks, and then what identities have in common by 68 landmarks of the photos. */
async function withIbug68(model, faces, centre) {
  return recentre(await calibrateSchemes(model, faces, STAGE2_DEFAULTS.noise, context), centre, context)
}

/** Strangers by 68 of the 478 landmarks, every second face in the annotated set left out; and how well those fit. */
async function checkIbug68() {
  const scores = []
  const people = [...new Set(photos.map(subjectKey))].sort()
  for (let fold = 0; fold < 5; fold++) {
    context.progress(fold / 5, 'learn without a fold, and measure on it')
    const left = new Set(people.filter((_, i) => i % 5 === fold))
    const part = (all, out) => all.filter((photo) => left.has(subjectKey(photo)) === out)
    const half = annotated.filter((_, i) => i % 2 === fold % 2)
    const learned = await learnPhotoStatistics(scansOnly, part(photos, false), STAGE2_DEFAULTS, context)
    const refined = await refineLatents(learned, part(photos, false), 'weights', STAGE2_DEFAULTS.noise, context)
    const model = await withIbug68(refined, half, part(photosOf68, false))
    scores.push(await measurePeople(model, part(photosOf68, true), context))
    if (fold < 2) console.log(JSON.stringify({ half: fold, ...(await errorsByYaw(model, fold)) }))
  }
  console.log(JSON.stringify(measuresOf(pooled(scores)), undefined, 2))
}

/** Median RMSE over the size of the face, %, of the annotated faces that were not learned from. */
async function errorsByYaw(data, fold) {
  const model = SphereFaceModel.fromData(data)
  const faces = annotated.filter((_, i) => i % 2 !== fold)
  const labels = (await readLines(annotatedFile)).filter((_, i) => i % 2 !== fold).map(({ yaw_label }) => yaw_label)
  const results = await (await model.createFitter()).fit(faces)
  model.dispose()
  const errors = results.map(({ rmse }, i) => (100 * rmse) / boxSize(faces[i]))
  const between = (low, high) =>
    median(errors.filter((_, i) => Math.abs(labels[i]) >= low && Math.abs(labels[i]) < high))
  return { 'below 30': between(0, 30), '30 to 60': between(30, 60), 'beyond 60': between(60, 181) }
}

async function publish(name, trained, inputs) {
  const provenance = {
    script: 'scripts/train-default-model.mjs',
    options: { ...LIFT, bases: 'F16' },
    ...inputs,
  }
  const metadata = { ...trained.metadata, name, version: '2.1.0', provenance: JSON.stringify(provenance) }
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

async function readLines(path) {
  const text = await readFile(path, 'utf8')
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
}

async function sha256(path) {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
}
