import type { Comparison, PreparedFace } from '../compare.js'
import { SfmError } from '../errors.js'
import { parseEmbedding } from '../inputs/parseEmbedding.js'
import { readRecords, within } from '../inputs/readRecords.js'
import type { ComparisonThresholds } from '../model/comparison.js'
import { type ModelReference, mayBeOfOneModel, modelLabel, referenceOf } from '../model/ModelReference.js'
import type { Cli } from './Cli.js'
import { EXIT } from './exitCode.js'
import { table } from './table.js'

/** As on the command line; see docs/cli.md. */
export interface CompareCommandOptions {
  model?: string
  json?: boolean
}

/** A face by its id, ready to be compared. */
type Face = PreparedFace & { id: string; source: string }

const DEGREES = 180 / Math.PI

/** Lines written at a time: all pairs of a thousand faces are half a million. */
const LINES = 1024

/** `sfm compare`: how alike the faces of fit results are, all pairs. */
export async function compare(inputs: readonly string[], options: CompareCommandOptions, cli: Cli): Promise<number> {
  const { faces, failed } = await readFaces(inputs, cli)
  const [first] = faces
  if (first === undefined || faces.length < 2) {
    throw new SfmError('INVALID_INPUT', `expected two or more usable results, received ${faces.length}`)
  }
  const model = requireOneModel(faces)
  const size = ({ direction }: Face) => direction.length
  const other = faces.find((face) => size(face) !== size(first))
  if (other !== undefined) {
    const [a, b] = [first, other].map((face) => `${face.source} (${size(face)} numbers)`)
    throw new SfmError('INVALID_INPUT', `results of different models cannot be compared: ${a}, ${b}`)
  }
  const thresholds = await readThresholds(options.model, first, model, cli)

  const label = labels(faces)
  const { comparePrepared } = await import('../compare.js')
  const pairs: Array<{ a: string; b: string; comparison: Comparison }> = []
  let lines: unknown[] = []
  for (const [i, a] of faces.entries()) {
    for (const b of faces.slice(i + 1)) {
      const comparison = comparePrepared(a, b, { thresholds })
      if (options.json) lines.push({ a: label(a), b: label(b), ...comparison })
      else pairs.push({ a: label(a), b: label(b), comparison })
      if (lines.length < LINES) continue
      await cli.out.lines(lines)
      cli.signal.throwIfAborted()
      lines = []
    }
  }
  if (options.json) await cli.out.lines(lines)
  else await cli.out.write(tableOf(pairs))
  return failed === 0 ? EXIT.success : EXIT.failure
}

/** Columns for what no pair has are left out. */
function tableOf(pairs: ReadonlyArray<{ a: string; b: string; comparison: Comparison }>): string {
  const columns: Array<[string, (comparison: Comparison) => string | undefined]> = [
    ['cosine', ({ cosine }) => cosine.toFixed(4)],
    ['angle', ({ angle }) => `${(angle * DEGREES).toFixed(1)}°`],
    ['log-likelihood ratio', ({ logLikelihoodRatio }) => logLikelihoodRatio?.toFixed(2)],
    ['same person', ({ samePerson }) => (samePerson === undefined ? undefined : samePerson ? 'yes' : 'no')],
  ]
  const used = columns.filter(([, text]) => pairs.some(({ comparison }) => text(comparison) !== undefined))
  return table(
    ['', '', ...used.map(([title]) => title)],
    pairs.map(({ a, b, comparison }) => [a, b, ...used.map(([, text]) => text(comparison) ?? '')]),
  )
}

/** The model that results are of, where one of them says so; they must not say different ones. */
function requireOneModel(faces: readonly Face[]): ModelReference | undefined {
  const [first, ...rest] = faces.filter(({ model }) => model !== undefined)
  const other = rest.find(({ model }) => !mayBeOfOneModel(model, first?.model))
  if (first === undefined || other === undefined) return first?.model
  const [a, b] = [first, other].map(({ source, model }) => `${source} (${modelLabel(model as ModelReference)})`)
  throw new SfmError('INVALID_INPUT', `results of different models cannot be compared: ${a}, ${b}`)
}

/**
 * The thresholds of the model that made the results. Results that the embedded model has not made, when no other is given,
 * are compared without.
 *
 * @param made The model that the results say they are of.
 */
async function readThresholds(
  source: string | undefined,
  { direction }: Face,
  made: ModelReference | undefined,
  cli: Cli,
): Promise<ComparisonThresholds | undefined> {
  using model = await cli.engine.loadModel(source)
  const { identityCount, metadata } = model.data
  const reference = referenceOf(metadata)
  if (made && reference && !mayBeOfOneModel(made, reference)) {
    if (source !== undefined)
      throw new SfmError(
        'INVALID_INPUT',
        `results of another model: they are of ${modelLabel(made)}, ${source} is ${modelLabel(reference)}`,
      )
    cli.messages.say(`no thresholds: the results are of ${modelLabel(made)}, which --model has to name`)
    return undefined
  }
  const count = metadata.latent === 'sphere' ? identityCount - 1 : identityCount
  if (direction.length === count) return model.comparison
  if (source === undefined) return undefined
  throw new SfmError(
    'INVALID_INPUT',
    `results of another model: their embeddings have ${direction.length} numbers, those of ${source} ${count}`,
  )
}

async function readFaces(inputs: readonly string[], cli: Cli): Promise<{ faces: Face[]; failed: number }> {
  const { prepare } = await import('../compare.js')
  const faces: Face[] = []
  let failed = 0
  const options = { extensions: ['.json', '.jsonl', '.ndjson'], wanted: 'fit results as JSON or JSON Lines' }
  for await (const { source, ...record } of readRecords(inputs, { ...options, stdin: cli.stdin, signal: cli.signal })) {
    try {
      if (record.error !== undefined) throw record.error
      const face = parseEmbedding(record.value)
      faces.push({ ...prepare(face, 'result'), id: face.id ?? record.defaultId, source })
    } catch (error) {
      if (!(error instanceof SfmError)) throw error
      failed++
      // The reader's own errors say where already.
      cli.messages.say((error === record.error ? error : within(source, error)).message)
    }
  }
  return { faces, failed }
}

/** The id, unless another result has the same: then where the result stands. */
function labels(faces: readonly Face[]): (face: Face) => string {
  const seen = new Map<string, number>()
  for (const { id } of faces) seen.set(id, (seen.get(id) ?? 0) + 1)
  return ({ id, source }) => (seen.get(id) === 1 ? id : source)
}
