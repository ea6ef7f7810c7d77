import { SfmError } from '../errors.js'
import type { Observation } from '../fit/Observation.js'
import type { Picture } from '../render/Picture.js'
import type { SourceOptions } from './expandInputs.js'
import { parseObservation } from './parseObservation.js'
import { parsePts } from './parsePts.js'
import { type InputRecord, readRecords, within } from './readRecords.js'

/** One observation of the inputs, or why it could not be read. */
export type ObservationItem = {
  /** The observation's id; the name of its file where it has none (docs/landmarks.md). */
  id: string
  /** For messages: file and line. */
  source: string
  /** From 0, over all inputs. */
  index: number
  /** Reads the photo that the landmarks were found in, where there is one. */
  photo?: () => Promise<Picture>
} & ({ observation: Observation; error?: undefined } | { error: SfmError; observation?: undefined })

const EXTENSIONS = ['.json', '.jsonl', '.ndjson', '.pts']

/**
 * Reads landmarks from files, directories, patterns and standard input (`-`), in order and one at a time: JSON (an
 * object or an array), JSON Lines, `.pts`. What a file holds is told by its content. JSON Lines are streamed: memory
 * does not grow with their number.
 *
 * A bad line, file or name is one item with an error (`faces.jsonl:17: points[3]: expected [x, y] or null, ...`), never
 * the end of the stream.
 *
 * @param inputs Paths, patterns and `-`, as on the command line (docs/landmarks.md).
 * @returns Every observation has an id: its own, else its file's name with its position.
 * @throws SfmError ABORTED when the signal fires.
 * @example
 * for await (const { observation, error } of readObservations(['faces.jsonl'])) {
 *   if (error) console.error(error.message)
 *   else console.log(await fitter.fit(observation))
 * }
 */
export async function* readObservations(
  inputs: readonly string[],
  options: SourceOptions = {},
): AsyncGenerator<ObservationItem> {
  const wanted = 'landmarks as JSON, JSON Lines or .pts'
  for await (const record of readRecords(inputs, { ...options, extensions: EXTENSIONS, wanted, parsePts })) {
    yield toItem(record)
  }
}

function toItem({ source, index, defaultId, value, error }: InputRecord): ObservationItem {
  if (error !== undefined) return { id: defaultId, source, index, error }
  try {
    const observation = parseObservation(value)
    observation.id ??= defaultId
    return { id: observation.id, source, index, observation }
  } catch (error) {
    if (!(error instanceof SfmError)) throw error
    return { id: ownId(value) ?? defaultId, source, index, error: within(source, error) }
  }
}

/** A record that cannot be used may still say what it is called. */
function ownId(value: unknown): string | undefined {
  const id = typeof value === 'object' && value !== null && 'id' in value ? value.id : undefined
  return typeof id === 'string' && id !== '' ? id : undefined
}
