import { OptionReader } from '../corpus/synthetic/OptionReader.js'
import { invalidArgument } from '../errors.js'
import { type AngularMarginOptions, STAGE1_DEFAULTS, type Stage1Options } from './stage1/Stage1Options.js'
import { parseStage2Options, type Stage2Options } from './stage2/Stage2Options.js'

/** Where people to learn from come from: a corpus on disk, or one drawn from a model as it is needed. */
export type CorpusSource =
  | { folder: string }
  /** Options as of `sfm corpus synthesise`; the source is a model file, the embedded model without it. */
  | { synthetic: Readonly<Record<string, unknown>>; source?: string }

/** All that training is told; docs/training.md describes the file. Paths are relative to the current folder. */
export interface TrainingConfig {
  /** What the model is to be called. */
  name: string
  version: string
  corpus: CorpusSource
  /** Folder that the results are written to. */
  out: string
  /** Of all random numbers. */
  seed: number
  stage1: Stage1Options
  /**
   * Landmarks of photos to learn from in stage 2: files, folders or patterns of JSON Lines with `subject` and, where
   * people of several sources are in them, `collection`; nobody of the corpus' test people. Without it the corpus' own
   * landmark sets.
   */
  photos?: string[]
  /** Learning from photos; without it there is no second stage. */
  stage2?: Stage2Options
}

/**
 * Checks a configuration, as JSON.parse returned it, and fills in the defaults.
 *
 * @throws SfmError INVALID_ARGUMENT naming the field by its path, such as `stage1.identityCount`.
 * @example
 * const config = parseTrainingConfig(JSON.parse(await readFile('config.json', 'utf8')))
 */
export function parseTrainingConfig(value: unknown): TrainingConfig {
  const o = new OptionReader(value)
  const stage2 = o.value('stage2')
  const photos = o.value('photos') === undefined ? undefined : o.strings('photos', [])
  if (photos && stage2 === undefined)
    throw invalidArgument('stage2', 'options ({} for the defaults), as there are photos', stage2)
  const config: TrainingConfig = {
    name: name(o, 'name', 'my face model'),
    version: name(o, 'version', '1.0.0'),
    corpus: corpusSource(o),
    out: name(o, 'out', 'out'),
    seed: o.integer('seed', 1),
    stage1: stage1(o.group('stage1')),
    ...(photos && { photos }),
    ...(stage2 !== undefined && { stage2: parseStage2Options(stage2) }),
  }
  o.finish()
  return config
}

function corpusSource(o: OptionReader): CorpusSource {
  const value = o.value('corpus')
  if (typeof value === 'string' && value !== '') return { folder: value }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalidArgument('corpus', 'a folder, or { "synthetic": { ... } }', value)
  const group = o.group('corpus')
  const folder = group.value('folder')
  const synthetic = group.value('synthetic')
  const source = group.value('source')
  group.finish()
  if ((folder === undefined) === (synthetic === undefined))
    throw invalidArgument('corpus', 'either "folder" or "synthetic"', value)
  if (folder !== undefined) {
    if (typeof folder !== 'string' || folder === '') throw invalidArgument('corpus.folder', 'a folder', folder)
    if (source !== undefined) throw invalidArgument('corpus.source', 'nothing, as the corpus is a folder', source)
    return { folder }
  }
  if (typeof synthetic !== 'object' || Array.isArray(synthetic))
    throw invalidArgument('corpus.synthetic', 'an object of options', synthetic)
  if (source !== undefined && (typeof source !== 'string' || source === ''))
    throw invalidArgument('corpus.source', 'a model file', source)
  return { synthetic: synthetic as Record<string, unknown>, ...(source !== undefined && { source }) }
}

function stage1(o: OptionReader): Stage1Options {
  const d = STAGE1_DEFAULTS
  const settled: Stage1Options = {
    identityCount: o.integer('identityCount', d.identityCount, 2, 1024),
    withinFactors: o.integer('withinFactors', d.withinFactors, 0, 1024),
    alpha: o.value('alpha') === 'auto' ? 'auto' : o.number('alpha', d.alpha as number, 0, 1),
    symmetrise: o.value('symmetrise') === 'auto' ? 'auto' : symmetrise(o),
    spanRank: o.integer('spanRank', d.spanRank, 2, 4096),
    objective: o.choice('objective', ['closed-form', 'angular-margin'], d.objective),
    angularMargin: angularMargin(o.group('angularMargin')),
  }
  o.finish()
  return settled
}

function symmetrise(o: OptionReader): boolean | 'auto' {
  return o.value('symmetrise') === undefined ? STAGE1_DEFAULTS.symmetrise : o.boolean('symmetrise', true)
}

function angularMargin(o: OptionReader): AngularMarginOptions {
  const d = STAGE1_DEFAULTS.angularMargin
  const settled: AngularMarginOptions = {
    rounds: o.integer('rounds', d.rounds, 1, 10_000),
    identityWeight: o.number('identityWeight', d.identityWeight),
    scale: o.number('scale', d.scale),
    margin: o.number('margin', d.margin, 0, 1),
    centreWeight: o.number('centreWeight', d.centreWeight),
    uniformityWeight: o.number('uniformityWeight', d.uniformityWeight),
    patience: o.integer('patience', d.patience, 1, 10_000),
  }
  o.finish()
  return settled
}

function name(o: OptionReader, key: string, fallback: string): string {
  const value = o.string(key, fallback)
  if (value === '') throw invalidArgument(key, 'a text that is not empty', value)
  return value
}
