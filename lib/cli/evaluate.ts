import { stat } from 'node:fs/promises'
import { dirname, join, parse } from 'node:path'
import type { Split } from '../corpus/TrainingData.js'
import { SfmError } from '../errors.js'
import type { EvaluationReport } from '../evaluate/EvaluationReport.js'
import type { EvaluatedModel } from '../evaluate/protocols/EvaluatedModel.js'
import type { Cli } from './Cli.js'
import { openEvaluationData } from './evaluationData.js'
import { EXIT } from './exitCode.js'
import { table } from './table.js'
import { UsageError } from './UsageError.js'

/** As on the command line; see docs/cli.md. */
export interface EvaluateCommandOptions {
  against?: string[]
  corpus?: string
  split?: Split
  landmarks?: string[]
  scans?: string
  scale?: boolean
  out?: string
  resamples?: number
  jobs?: number
  json?: boolean
}

/** `sfm evaluate`: how good a model is, beside PCA and the ablation. */
export async function evaluate(path: string, options: EvaluateCommandOptions, cli: Cli): Promise<number> {
  if (options.split !== undefined && options.corpus === undefined && (options.landmarks || options.scans))
    throw new UsageError('--split is of a corpus: it needs --corpus, or the data of the training')
  if (options.jobs !== undefined) await cli.engine.setThreads(options.jobs)
  const { messages, signal } = cli
  const models: EvaluatedModel[] = []
  try {
    await loadModels(path, options.against ?? [], cli, models)
    const { data, skipped, title } = await openEvaluationData(path, models, options, cli)
    const [{ evaluateModels }, { writeReport }] = await Promise.all([
      import('../evaluate/protocols/evaluateModels.js'),
      import('../evaluate/writeReport.js'),
    ])
    const { report, plots } = await evaluateModels(models, data, {
      title,
      scale: options.scale,
      split: options.split,
      signal,
      progress: (what) => messages.progress(what),
      ...(options.resamples !== undefined && { bootstrap: { resamples: options.resamples } }),
    })
    const folder = options.out ?? join(dirname(path), 'evaluation')
    signal.throwIfAborted()
    await writeReport(folder, report, plots)
    messages.endProgress()
    messages.say(`report: ${join(folder, 'report.md')}`)
    await cli.out.write(options.json ? `${JSON.stringify(report)}\n` : describe(report))
    return skipped === 0 ? EXIT.success : EXIT.failure
  } finally {
    messages.endProgress()
    for (const { model } of models) model[Symbol.dispose]()
  }
}

/** What training leaves beside its model, and what it is called. */
const BESIDE = [
  { key: 'pca', file: 'pca.safetensors', name: 'PCA', description: 'Gaussian principal components of the same data' },
  {
    key: 'linear',
    file: 'linear.safetensors',
    name: 'Linear + W',
    description: 'the ablation: linear, with learned variation within people, no sphere',
  },
] as const

/** Loads the models into `models`, so that whoever called can dispose of those that were loaded before one failed. */
async function loadModels(
  path: string,
  against: readonly string[],
  { engine, messages }: Cli,
  models: EvaluatedModel[],
): Promise<void> {
  messages.progress('load models')
  const model = await engine.loadModel(path)
  models.push({ key: 'model', name: model.metadata.name || parse(path).name, model })
  const add = async (key: string, file: string, name: string | undefined, description?: string) => {
    const other = await engine.loadModel(file)
    models.push({ key, name: '', model: other, ...(description && { description }) })
    const used = new Set(models.map((each) => each.name))
    const wanted = name ?? (other.metadata.name || parse(file).name)
    models[models.length - 1] = {
      ...(models.at(-1) as EvaluatedModel),
      name: used.has(wanted) ? `${wanted} (${file})` : wanted,
    }
  }
  for (const [i, other] of against.filter((name) => name !== 'pca').entries())
    await add(`against-${i + 1}`, other, undefined)
  for (const { key, file, name, description } of BESIDE) {
    const beside = join(dirname(path), file)
    if (same(beside, path) || against.some((other) => same(other, beside))) continue
    if (await exists(beside)) await add(key, beside, name, description)
    else if (key === 'pca' && against.includes('pca'))
      throw new SfmError(
        'IO',
        `--against pca: expected ${beside}, which training writes beside its model; there is none`,
      )
  }
}

function same(a: string, b: string): boolean {
  return join(a) === join(b)
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

/** The tables of a report in short: figures without intervals; what is better beyond chance is marked. */
function describe({ models, sections }: EvaluationReport): string {
  const nameOf = (key: string) => models.find((model) => model.key === key)?.name ?? key
  return sections
    .map(({ title, columns, rows }) => {
      const shown = columns.filter(({ key }) => rows.some(({ values }) => typeof values[key]?.value === 'number'))
      const hasConditions = rows.some(({ condition }) => condition !== undefined)
      const header = [
        '',
        ...(hasConditions ? [''] : []),
        ...shown.map(({ name, unit }) => (unit ? `${name} (${unit})` : name)),
      ]
      const lines = rows.map(({ model, condition, values }) => [
        nameOf(model),
        ...(hasConditions ? [condition ?? ''] : []),
        ...shown.map(({ key, decimals = 3, percent }) => {
          const value = values[key]?.value
          if (typeof value !== 'number') return ''
          return percent ? `${(100 * value).toFixed(decimals)}%` : value.toFixed(decimals)
        }),
      ])
      return `${title}\n${table(header, lines)}`
    })
    .join('\n')
}
