// Trains the embedded model (models/training/config.json; docs/training.md), and writes it and the variant that saw no
// photo, bases as 16-bit floats. The same data gives the same bytes. Needs the package built, and a folder of data with
// face-3dmm.safetensors and landmarks/photos-dev.jsonl:
//
//     node scripts/train-default-model.mjs [DATA] [MODELS]
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { configureCpu } from '../dist/index.js'
import { readModelFile, writeModelFile } from '../dist/model/formats/modelFile.js'
import { withBasisPrecision } from '../dist/model/half.js'
import { parseTrainingConfig } from '../dist/train/TrainingConfig.js'
import { train } from '../dist/train/train.js'

// The jaw's points slide along the cheek as the head turns: twice the noise of the others (docs/model-format.md has the
// scale).
const IBUG68_JAW = { first: 0, last: 16, reliability: 0.35 }

const at = (path) => fileURLToPath(new URL(path, import.meta.url))
const [data = at('../../shared/data'), models = at('../models')] = process.argv.slice(2)

// Every machine has these kernels: others would round differently.
configureCpu({ instructionSet: 'portable' })
const json = JSON.parse(await readFile(at('../models/training/config.json'), 'utf8'))
const source = join(data, 'face-3dmm.safetensors')
const photos = [join(data, 'landmarks/photos-dev.jsonl')]
const config = parseTrainingConfig({ ...json, corpus: { ...json.corpus, source }, photos })
const { out, stage2 } = await train(config, {
  onProgress: (fraction, what) => process.stderr.write(`\r\x1b[K${Math.round(100 * fraction)}% ${what}`),
})
process.stderr.write('\n')
const inputs = { 'face-3dmm.safetensors': await sha256(source), 'photos-dev.jsonl': await sha256(photos[0]) }
await publish('model', 'sphere-face-model')
await publish('scans-only', 'sphere-face-model-scans-only')
console.log(JSON.stringify(stage2, undefined, 2))

async function publish(kind, name) {
  const trained = await readModelFile(join(out, `${kind}.safetensors`))
  const { metadata } = trained
  const provenance = {
    script: 'scripts/train-default-model.mjs',
    config: 'models/training/config.json',
    inputs: kind === 'model' ? inputs : { 'face-3dmm.safetensors': inputs['face-3dmm.safetensors'] },
    options: { bases: 'F16', ibug68: { jawReliability: IBUG68_JAW.reliability } },
    training: { seed: json.seed, stage1: json.stage1, ...(kind === 'model' && { stage2: json.stage2, report: stage2 }) },
  }
  const model = withIbug68Reliability({ ...trained, metadata: { ...metadata, name, provenance: JSON.stringify(provenance) } })
  await writeModelFile(join(models, `${name}.safetensors`), withBasisPrecision(model, 'f16'))
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
