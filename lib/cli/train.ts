import { readFile } from 'node:fs/promises'
import { SfmError } from '../errors.js'
import { asSfmError } from '../inputs/expandInputs.js'
import { within } from '../inputs/readRecords.js'
import type { Stage1Report } from '../train/stage1/trainFromScans.js'
import { parseTrainingConfig, type TrainingConfig } from '../train/TrainingConfig.js'
import { train as runTraining, type TrainingReport } from '../train/train.js'
import type { Cli } from './Cli.js'
import { EXIT } from './exitCode.js'
import { table } from './table.js'

/** As on the command line; see docs/cli.md. */
export interface TrainCommandOptions {
  resume?: boolean
  jobs?: number
  json?: boolean
}

/** `sfm train`: a model of one's own. */
export async function train(path: string, options: TrainCommandOptions, cli: Cli): Promise<number> {
  const { messages, out, signal } = cli
  const config = await readConfig(path)
  if (options.jobs !== undefined) await cli.engine.setThreads(options.jobs)
  try {
    const report = await runTraining(config, {
      signal,
      resume: options.resume,
      onProgress: (fraction, what) => messages.progress(`${Math.round(100 * fraction)}% ${what}`),
    })
    messages.endProgress()
    await out.write(options.json ? `${JSON.stringify(report)}\n` : describe(report))
    return EXIT.success
  } finally {
    messages.endProgress()
  }
}

async function readConfig(path: string): Promise<TrainingConfig> {
  const text = await readFile(path, 'utf8').catch((error) => Promise.reject(within(path, asSfmError(error))))
  try {
    return parseTrainingConfig(JSON.parse(text))
  } catch (cause) {
    if (cause instanceof SfmError) throw within(path, cause)
    throw new SfmError('INVALID_INPUT', `${path}: not valid JSON: ${(cause as Error).message}`, { cause })
  }
}

function describe({ out, stage1 }: TrainingReport): string {
  return `${learned(stage1)}${figures(stage1)}in ${out}: model.safetensors, pca.safetensors, linear.safetensors, card.md\n`
}

function learned({ people, scans, alpha, within: source }: Stage1Report): string {
  const guess = source === 'prior' ? '; nobody has two scans, so what varies within a person is a guess' : ''
  return `learned from ${scans.toLocaleString('en')} scans of ${people.toLocaleString('en')} people, alpha ${alpha}${guess}\n`
}

function figures({ validation }: Stage1Report): string {
  if (validation === undefined) return ''
  const rows = Object.entries(validation).map(([name, { crossError, ratio, silhouette }]) => [
    name,
    crossError.toFixed(3),
    ratio.toFixed(3),
    silhouette.toFixed(3),
  ])
  return `\n${table(['validation people', 'mm', 'within/between', 'silhouette'], rows)}\n`
}
