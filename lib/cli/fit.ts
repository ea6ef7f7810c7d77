import type { Fitter } from '../fit/Fitter.js'
import type { Observation } from '../fit/Observation.js'
import { readObservations } from '../inputs/readObservations.js'
import type { IdentityTracker } from '../track/IdentityTracker.js'
import type { Cli } from './Cli.js'
import { EXIT } from './exitCode.js'
import { fitPeople } from './fitPeople.js'
import { fitStream, type Outcome } from './fitStream.js'
import { LazyDetector } from './LazyDetector.js'
import { mapOrdered } from './mapOrdered.js'
import { type Device, type ResultFormat, requireFolder } from './options.js'
import { ResultFolder } from './ResultFolder.js'
import { UsageError } from './UsageError.js'

/** As on the command line; see docs/cli.md. */
export interface FitCommandOptions {
  model?: string
  out?: string
  format: readonly ResultFormat[]
  device: Device
  camera?: 'perspective' | 'weak'
  focal?: number
  as?: 'landmarks' | 'photos'
  maxFaces?: number
  minFace?: number
  jobs?: number
  posterior?: boolean
  drawLandmarks?: boolean
  joint?: boolean
  track?: boolean
  json?: boolean
}

/** Faces whose files are written at the same time: the disk is seldom the limit, the encoding is. */
const WRITERS = 4

/** `sfm fit`: photos and landmarks in, faces out, in the order of the inputs. */
export async function fit(inputs: readonly string[], options: FitCommandOptions, cli: Cli): Promise<number> {
  const { out, messages, signal } = cli
  if (options.joint && options.track) throw new UsageError('--joint and --track: one of them at a time')
  requireFolder(options.out, options.format)

  if (options.jobs !== undefined) await cli.engine.setThreads(options.jobs)
  using model = await cli.engine.loadModel(options.model, options.device)
  using fitter = await model.createFitter({
    device: options.device,
    ...(options.camera && { camera: options.camera }),
    ...(options.focal && { focal: options.focal }),
    ...(options.posterior && { posterior: true }),
  })
  const { loadDetector } = cli.engine
  await using detector =
    loadDetector &&
    new LazyDetector(() => {
      messages.progress('loading the face detector')
      return loadDetector(signal)
    })
  try {
    const folder = options.out === undefined ? undefined : await ResultFolder.open(options.out, options.format, model)
    const prints = folder === undefined || options.json === true
    const tally = new Tally()
    const items = readObservations(inputs, {
      signal,
      stdin: cli.stdin,
      detector,
      decode: cli.engine.readPhoto,
      as: options.as,
      maxFaces: options.maxFaces,
      minFace: options.minFace,
      // A focal length that was given counts for photos, too: a camera's note need not be right after an edit.
      cameraFocal: options.focal === undefined,
    })

    if (options.joint) return await fitPeople(model, fitter, items, { folder, prints }, cli)
    const stream = options.track
      ? fitStream(followed(fitter), items, { signal, batchSize: 1 })
      : fitStream(fitter, items, { signal })
    for await (const outcomes of stream) {
      const lines: unknown[] = []
      try {
        for await (const { outcome, record } of mapOrdered(outcomes, WRITERS, (outcome) =>
          write(outcome, folder, options, cli),
        )) {
          tally.add(outcome)
          if (outcome.item.note !== undefined) messages.say(`${outcome.source}: ${outcome.item.note}`)
          if (!outcome.usable) messages.say(complaint(outcome))
          if (prints) lines.push(record)
          if (messages.showsProgress) messages.progress(tally.toString())
        }
      } finally {
        // What is done is given out even if the rest of the batch is not going to be.
        await out.lines(lines)
      }
    }
    messages.endProgress()
    if (options.out !== undefined && !options.json) messages.say(`${tally}, in ${options.out}`)
    return tally.unusable === 0 ? EXIT.success : EXIT.failure
  } finally {
    messages.endProgress()
  }
}

/** Frames of videos in place of single faces: one video for each subject. */
function followed(fitter: Fitter): Pick<Fitter, 'fit'> {
  const trackers = new Map<string | undefined, IdentityTracker>()
  const fit = (frame: Observation, options?: { signal?: AbortSignal | undefined }) => {
    const tracker = trackers.get(frame.subject) ?? fitter.createTracker()
    trackers.set(frame.subject, tracker)
    return tracker.track(frame, options)
  }
  // Asked for single faces only.
  return { fit } as unknown as Pick<Fitter, 'fit'>
}

async function write(
  outcome: Outcome,
  folder: ResultFolder | undefined,
  { drawLandmarks = false }: FitCommandOptions,
  { messages, signal }: Pick<Cli, 'messages' | 'signal'>,
): Promise<{ outcome: Outcome; record: unknown }> {
  signal.throwIfAborted()
  const { id, source, record, result, item, usable } = outcome
  if (folder === undefined) return { outcome, record }
  // A face that is not usable has its record, which says why; a mesh of it would look as good as any.
  if (!usable || !result) return { outcome, record: await folder.write({ id, record }) }
  const view = result.camera ? result : undefined
  const photo = item.photo
  const readPhoto = photo && (async () => photo().catch((error: Error) => without(source, error, { messages, signal })))
  const landmarks = drawLandmarks && item.observation ? pointsOf(item.observation) : undefined
  return {
    outcome,
    record: await folder.write({ id, record, latents: result, view, photo: readPhoto, landmarks, signal }),
  }
}

/** A face may be shown without its photo; a person wants to know. */
function without(source: string, error: Error, { messages, signal }: Pick<Cli, 'messages' | 'signal'>): undefined {
  signal.throwIfAborted()
  messages.say(`${source}: shown without its photo: ${error.message}`)
}

/** Points as pairs, however they were given. */
function pointsOf({ points }: Observation): ReadonlyArray<readonly number[] | null> {
  if (!ArrayBuffer.isView(points)) return points
  return Array.from({ length: points.length / 2 }, (_, i) => [points[2 * i]!, points[2 * i + 1]!])
}

/** A message of the reader names its source already. */
function complaint({ id, source, message, result }: Outcome): string {
  if (result !== undefined) return `${source} (${id}): not usable: ${message}`
  return message.startsWith(source) ? message : `${source} (${id}): ${message}`
}

/** How far it is. */
class Tally {
  readonly #start = performance.now()
  #done = 0
  unusable = 0

  add({ usable }: Outcome): void {
    this.#done++
    if (!usable) this.unusable++
  }

  toString(): string {
    const rate = this.#done / Math.max((performance.now() - this.#start) / 1000, 1e-3)
    const speed = rate >= 10 ? Math.round(rate).toLocaleString('en') : rate.toFixed(1)
    const faces = this.#done === 1 ? '1 face' : `${this.#done.toLocaleString('en')} faces`
    return `${faces}, ${speed} faces/s, ${this.unusable.toLocaleString('en')} not usable`
  }
}
