import { SfmError } from '../errors.js'
import { type NamedEmbedding, parseEmbedding } from '../inputs/parseEmbedding.js'
import { readRecords, within } from '../inputs/readRecords.js'
import type { Cli } from './Cli.js'
import { EXIT } from './exitCode.js'
import { table } from './table.js'

/** As on the command line; see docs/cli.md. */
export interface CompareCommandOptions {
  json?: boolean
}

type Face = NamedEmbedding & { id: string; source: string }

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
  const other = faces.find(({ embedding }) => embedding.length !== first.embedding.length)
  if (other !== undefined) {
    const [a, b] = [first, other].map(({ source, embedding }) => `${source} (${embedding.length} numbers)`)
    throw new SfmError('INVALID_INPUT', `results of different models cannot be compared: ${a}, ${b}`)
  }

  const label = labels(faces)
  const similarity = (await import('../compare.js')).compare
  const rows: string[][] = []
  let lines: unknown[] = []
  for (const [i, a] of faces.entries()) {
    for (const b of faces.slice(i + 1)) {
      const { cosine, angle } = similarity(a, b)
      if (options.json) lines.push({ a: label(a), b: label(b), cosine, angle })
      else rows.push([label(a), label(b), cosine.toFixed(4), `${(angle * DEGREES).toFixed(1)}°`])
      if (lines.length < LINES) continue
      await cli.out.lines(lines)
      cli.signal.throwIfAborted()
      lines = []
    }
  }
  if (options.json) await cli.out.lines(lines)
  else await cli.out.write(table(['', '', 'cosine', 'angle'], rows))
  return failed === 0 ? EXIT.success : EXIT.failure
}

async function readFaces(inputs: readonly string[], cli: Cli): Promise<{ faces: Face[]; failed: number }> {
  const faces: Face[] = []
  let failed = 0
  const options = { extensions: ['.json', '.jsonl', '.ndjson'], wanted: 'fit results as JSON or JSON Lines' }
  for await (const record of readRecords(inputs, { ...options, stdin: cli.stdin, signal: cli.signal })) {
    try {
      if (record.error !== undefined) throw record.error
      const face = asFace(record.value, record.source)
      faces.push({ ...face, id: face.id ?? record.defaultId, source: record.source })
    } catch (error) {
      if (!(error instanceof SfmError)) throw error
      failed++
      cli.messages.say(error.message)
    }
  }
  return { faces, failed }
}

function asFace(value: unknown, source: string): NamedEmbedding {
  try {
    return parseEmbedding(value)
  } catch (error) {
    throw error instanceof SfmError ? within(source, error) : error
  }
}

/** The id, unless another result has the same: then where the result stands. */
function labels(faces: readonly Face[]): (face: Face) => string {
  const seen = new Map<string, number>()
  for (const { id } of faces) seen.set(id, (seen.get(id) ?? 0) + 1)
  return ({ id, source }) => (seen.get(id) === 1 ? id : source)
}
