import { join, relative, resolve } from 'node:path'
import { SPLITS, type SplitLists, type TrainingData } from '../corpus/TrainingData.js'
import { writeModelFile } from '../model/formats/modelFile.js'
import type { ModelData } from '../model/ModelData.js'
import { writeFileAtomically } from '../writeFileAtomically.js'
import { modelCard } from './modelCard.js'
import { openTrainingData } from './openTrainingData.js'
import { photosOf } from './photosOf.js'
import { RunFolder } from './RunFolder.js'
import { type Stage1Report, trainFromScans } from './stage1/trainFromScans.js'
import { type Stage2Report, trainFromPhotos } from './stage2/trainFromPhotos.js'
import type { CorpusSource, TrainingConfig } from './TrainingConfig.js'

/** How a training is run. */
export interface TrainOptions {
  signal?: AbortSignal | undefined
  /** Continues from the checkpoints of a run that was stopped, to the same bits. */
  resume?: boolean | undefined
  /** Told how far it is, 0 to 1, and what is being done. */
  onProgress?: ((fraction: number, what: string) => void) | undefined
}

/** What a training has made. */
export interface TrainingReport {
  /** The folder. */
  out: string
  /** Its files by what they are. */
  files: Record<'model' | 'pca' | 'linear' | 'training' | 'metrics' | 'card', string>
  stage1: Stage1Report
  stage2?: Stage2Report
}

/** The models beside each other in the folder, by name. */
const MODEL_FILES = {
  model: 'model.safetensors',
  pca: 'pca.safetensors',
  linear: 'linear.safetensors',
  scansOnly: 'scans-only.safetensors',
} as const

const DESCRIPTIONS = {
  model: 'identities on the unit sphere, variation within people learned',
  pca: 'principal components of the same scans, as many as the model has latents: to compare with',
  linear: 'the model without the sphere: to compare with',
  scansOnly: 'the model before it saw a photo',
} as const

/** What `training.json` says it is. */
export const TRAINING_FORMAT = 'sphere-face-model-training/1'

/**
 * Trains a model and writes it to the configuration's folder: `model.safetensors`; `pca.safetensors` and
 * `linear.safetensors` to compare it with; `training.json`, from which `sfm evaluate` knows the people that were not
 * learned from; `metrics.jsonl`; `card.md`. Files are complete or not there.
 *
 * @throws SfmError INVALID_INPUT for data that cannot be learned from; NUMERICAL naming stage and step; ABORTED, after which
 *   `resume` goes on; IO.
 * @example
 * const { files } = await train(parseTrainingConfig({ corpus: 'people', out: 'out' }))
 */
export async function train(config: TrainingConfig, options: TrainOptions = {}): Promise<TrainingReport> {
  const { signal, resume = false, onProgress } = options
  const base = process.cwd()
  const data = await openTrainingData(config.corpus, base, { signal })
  const splits = Object.fromEntries(SPLITS.map((split) => [split, data.subjects(split)])) as unknown as SplitLists
  const template = await data.template()
  // Before anything is learned: what is wrong with them should not come up after an hour.
  const observations = config.stage2 && (await photosOf(config, data, base))
  const { out, ...decisive } = config
  const run = await RunFolder.open(resolve(base, out), {
    seed: config.seed,
    identity: JSON.stringify([decisive, data.description, data.scanCount, splits, template.metadata]),
    resume,
    signal,
    onProgress,
  })
  try {
    const { model: fromScans, pca, ablation, report } = await trainFromScans(data, config.stage1, run)
    await run.breathe()
    const photos = config.stage2 && observations && (await trainFromPhotos(fromScans, observations, config.stage2, run))
    const models = {
      model: photos?.model ?? fromScans,
      pca,
      linear: ablation,
      ...(photos && { scansOnly: fromScans }),
    }
    for (const [kind, each] of Object.entries(models) as [keyof typeof MODEL_FILES, ModelData][]) {
      await writeModelFile(join(run.path, MODEL_FILES[kind]), described(each, kind, config, data, report))
      await run.breathe()
    }
    const training = {
      format: TRAINING_FORMAT,
      config: { ...config, corpus: movedTo(run.path, base, config.corpus) },
      corpus: data.description,
      splits,
      models: MODEL_FILES,
      stage1: report,
      ...(photos && { stage2: photos.report }),
    }
    await writeFileAtomically(join(run.path, 'training.json'), `${JSON.stringify(training, null, 2)}\n`)
    await writeFileAtomically(join(run.path, 'card.md'), modelCard(config, data, template, report, photos?.report))
    await run.flush()
    await run.removeCheckpoints()
    const { scansOnly: _, ...modelFiles } = MODEL_FILES
    const files = { ...modelFiles, training: 'training.json', metrics: 'metrics.jsonl', card: 'card.md' }
    return {
      out,
      files: Object.fromEntries(Object.entries(files).map(([kind, file]) => [kind, join(out, file)])) as never,
      stage1: report,
      ...(photos && { stage2: photos.report }),
    }
  } catch (error) {
    // What was measured up to here is kept; the first error is the one to tell of.
    await run.flush().catch(() => undefined)
    throw error
  }
}

/** Paths as seen from the folder of the results, which can then be moved together with the data. */
function movedTo(folder: string, base: string, source: CorpusSource): CorpusSource {
  const moved = (path: string) => relative(folder, resolve(base, path)) || '.'
  if ('folder' in source) return { folder: moved(source.folder) }
  return { ...source, ...(source.source !== undefined && { source: moved(source.source) }) }
}

/** A model that says what it is and where it is from. */
function described(
  model: ModelData,
  kind: keyof typeof MODEL_FILES,
  { name, version, seed, stage1 }: TrainingConfig,
  { description }: TrainingData,
  report: Stage1Report,
): ModelData {
  const provenance = JSON.stringify({
    model: DESCRIPTIONS[kind],
    corpus: description.name,
    corpusProvenance: description.provenance,
    seed,
    stage1,
    report,
  })
  return {
    ...model,
    metadata: {
      ...model.metadata,
      name: kind === 'model' ? name : `${name} (${kind})`,
      version,
      license: description.license,
      attribution: description.attribution,
      provenance,
    },
  }
}
