import type { Latents } from '../decode/Latents.js'
import { SfmError } from '../errors.js'
import { parseLatents } from '../inputs/parseLatents.js'
import { readRecords, within } from '../inputs/readRecords.js'
import { drawLatents } from '../model/drawLatents.js'
import type { SphereFaceModel } from '../model/SphereFaceModel.js'
import type { FaceFormat } from '../outputs/faceFormats.js'
import type { Cli } from './Cli.js'
import { EXIT } from './exitCode.js'
import { mapOrdered } from './mapOrdered.js'
import { ResultFolder } from './ResultFolder.js'
import { UsageError } from './UsageError.js'

/** As on the command line; see docs/cli.md. */
export interface DecodeCommandOptions {
  model?: string
  out: string
  format: readonly FaceFormat[]
  count?: number
  seed?: number
  latents?: string
  json?: boolean
}

type Face = { id: string; source: string } & ({ latents: Latents; error?: undefined } | { error: SfmError })

/** Faces whose files are written at the same time. */
const WRITERS = 4

/** `sfm decode`: files of faces drawn at random, or of given latents. */
export async function decode(options: DecodeCommandOptions, cli: Cli): Promise<number> {
  const { out, messages, signal } = cli
  if (options.latents !== undefined && (options.count !== undefined || options.seed !== undefined)) {
    throw new UsageError('--latents FILE takes the faces from the file: --count and --seed do not go with it')
  }
  using model = await cli.engine.loadModel(options.model)
  try {
    const folder = await ResultFolder.open(options.out, options.format, model)
    const faces = options.latents === undefined ? drawn(model, options) : fromFile(options.latents, cli)
    let done = 0
    let failed = 0
    const write = async (face: Face): Promise<Record<string, unknown> | SfmError> => {
      signal.throwIfAborted()
      if (face.error !== undefined) return face.error
      const { id, latents } = face
      try {
        return await folder.write({ id, latents, record: record(id, latents, model), signal })
      } catch (error) {
        // Latents of another model are one face's fault; a full disk is not.
        if (error instanceof SfmError && error.code === 'INVALID_ARGUMENT') return within(face.source, error)
        throw error
      }
    }
    for await (const written of mapOrdered(faces, WRITERS, write)) {
      if (written instanceof SfmError) {
        failed++
        messages.say(written.message)
      } else {
        done++
        if (options.json) await out.lines([written])
      }
      messages.progress(`${done} faces written, ${failed} failed`)
    }
    messages.endProgress()
    if (!options.json) messages.say(`${done === 1 ? '1 face' : `${done} faces`} written to ${options.out}`)
    return failed === 0 ? EXIT.success : EXIT.failure
  } finally {
    messages.endProgress()
  }
}

function* drawn(model: SphereFaceModel, { count = 1, seed = 1 }: DecodeCommandOptions): Generator<Face> {
  const digits = String(count).length
  let i = 0
  for (const latents of drawLatents(model.data, { count, seed })) {
    const id = `face-${String(++i).padStart(digits, '0')}`
    yield { id, source: id, latents }
  }
}

async function* fromFile(path: string, { stdin, signal }: Cli): AsyncGenerator<Face> {
  const options = { extensions: ['.json', '.jsonl', '.ndjson'], wanted: 'latents as JSON or JSON Lines', stdin, signal }
  for await (const { source, defaultId, value, error } of readRecords([path], options)) {
    if (error !== undefined) {
      yield { id: defaultId, source, error }
      continue
    }
    try {
      const { id = defaultId, ...latents } = parseLatents(value)
      yield { id, source, latents }
    } catch (error) {
      if (!(error instanceof SfmError)) throw error
      yield { id: defaultId, source, error: within(source, error) }
    }
  }
}

/** What `--latents` reads again. */
function record(id: string, { identity, expression = {} }: Latents, model: SphereFaceModel): Record<string, unknown> {
  const values =
    Array.isArray(expression) || ArrayBuffer.isView(expression) ? Array.from(expression as number[]) : undefined
  const byName = values
    ? Object.fromEntries(model.expressionNames.map((name, e) => [name, values[e] ?? 0]))
    : (expression as Record<string, number>)
  return { id, identity: Array.from(identity), expression: byName }
}
