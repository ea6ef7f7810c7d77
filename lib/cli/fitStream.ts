import { SfmError } from '../errors.js'
import type { FitResult } from '../fit/FitResult.js'
import type { Fitter } from '../fit/Fitter.js'
import type { Observation } from '../fit/Observation.js'
import type { ObservationItem } from '../inputs/readObservations.js'
import { inBatches } from './inBatches.js'
import { mapOrdered } from './mapOrdered.js'

/** What became of one input. */
export interface Outcome {
  id: string
  /** For messages: file and line. */
  source: string
  usable: boolean
  message: string
  /** The line of output, without `files`. */
  record: Record<string, unknown>
  /** Absent where there was nothing to fit, or the fitter refused it. */
  result?: FitResult
  /** What was fitted. */
  item: ObservationItem
}

/** Enough for every core many times over, and few enough to be quick about it. */
const BATCH_SIZE = 256
/** One is fitted, one waits for it, one is being written. */
const BATCHES_IN_FLIGHT = 3

/** Errors that one observation is to blame for; any other concerns them all. */
export const OF_AN_OBSERVATION = new Set(['INVALID_ARGUMENT', 'INVALID_INPUT', 'UNKNOWN_SCHEME'])

/**
 * Fits a stream of observations, in batches, and gives the outcomes in its order. Memory holds a few batches, however
 * long the stream.
 *
 * What could not be read, and what the fitter refuses, becomes an outcome of status `failed` in its place.
 *
 * @throws SfmError ABORTED when the signal fires, after what was fitted until then; others as Fitter.fit.
 * @example
 * for await (const outcomes of fitStream(fitter, readObservations(['faces/']))) console.log(outcomes.length)
 */
export async function* fitStream(
  fitter: Pick<Fitter, 'fit'>,
  items: AsyncIterable<ObservationItem>,
  { signal, batchSize = BATCH_SIZE }: { signal?: AbortSignal; batchSize?: number } = {},
): AsyncGenerator<Outcome[]> {
  yield* mapOrdered(inBatches(items, batchSize), BATCHES_IN_FLIGHT, (batch) => fitBatch(fitter, batch, signal))
}

async function fitBatch(
  fitter: Pick<Fitter, 'fit'>,
  items: readonly ObservationItem[],
  signal: AbortSignal | undefined,
): Promise<Outcome[]> {
  const observations = items.flatMap(({ observation }) => observation ?? [])
  const results = await fitAll(fitter, observations, signal)
  let next = 0
  return items.map((item) => {
    const result = item.error ?? results[next++]
    if (result === undefined)
      throw new SfmError('INTERNAL', `${results.length} results for ${observations.length} faces`)
    if (result instanceof SfmError) return failure(item, result.message)
    const { usable, message } = result
    return { id: item.id, source: item.source, usable, message, record: result.toJSON(), result, item }
  })
}

/**
 * The fitter takes a batch whole or refuses it whole. Halving finds those to blame: a refusal comes before any work, so
 * that every other face is still fitted once, and in company.
 */
async function fitAll(
  fitter: Pick<Fitter, 'fit'>,
  observations: readonly Observation[],
  signal: AbortSignal | undefined,
): Promise<Array<FitResult | SfmError>> {
  const [first] = observations
  if (first === undefined) return []
  try {
    // By itself an observation is called "observation" in messages, without its place in a batch that nobody knows of.
    if (observations.length === 1) return [await fitter.fit(first, { signal })]
    return await fitter.fit(observations, { signal })
  } catch (error) {
    if (!(error instanceof SfmError) || !OF_AN_OBSERVATION.has(error.code)) throw error
    if (observations.length === 1) return [error]
    const middle = observations.length >> 1
    const halves = [observations.slice(0, middle), observations.slice(middle)]
    return (await Promise.all(halves.map((half) => fitAll(fitter, half, signal)))).flat()
  }
}

/** The same fields as every result, so that nobody who reads the output needs a second case. */
function failure(item: ObservationItem, message: string): Outcome {
  const { id, source } = item
  const record = {
    id,
    status: 'failed',
    usable: false,
    message,
    iterations: 0,
    rmse: null,
    cost: null,
    identity: [],
    embedding: [],
    expression: {},
    pose: null,
    camera: null,
    residuals: [],
    outliers: [],
    identity_uncertainty: null,
  }
  return { id, source, usable: false, message, record, item }
}
