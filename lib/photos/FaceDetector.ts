import { Worker } from 'node:worker_threads'
import { aborted, throwIfAborted, whenAborted } from '../aborts.js'
import { requireOptions } from '../decode/Latents.js'
import { invalidArgument, SfmError } from '../errors.js'
import type { Observation } from '../fit/Observation.js'
import { checkPicture, type Picture } from '../render/Picture.js'
import { type FoundFace, sizeOf } from './findAllFaces.js'
import type { DetectionReply, DetectionRequest, LoadReply, PlainError } from './messages.js'
import type { Photo } from './Photo.js'
import { type HalvedPicture, halvedTo } from './Pyramid.js'
import { requirePhotoPeers } from './peers.js'
import { type PhotoSource, readPhoto } from './readPhoto.js'

/** What faces are looked for in: a photo of `readPhoto`, any pixels, or where a photo is to be read from. */
export type PhotoToSearch = Pick<Photo, 'width' | 'height' | 'pixels' | 'focal'> | Picture | PhotoSource

/** A face in a photo: its landmarks, ready to be fitted, and where it is. */
export interface DetectedFace extends Observation {
  image: { width: number; height: number }
  scheme: 'mediapipe478'
  /** [478] x and y, pixels of the photo. */
  points: Array<[number, number]>
  face: { box: [left: number, top: number, width: number, height: number]; score: number }
}

/** Which faces of a photo are wanted. */
export interface DetectOptions {
  signal?: AbortSignal | undefined
  /** No more than this many, the largest; all by default. */
  maxFaces?: number
  /** Smaller ones are left out: pixels of the longer side of the landmarks' box (default 32). */
  minFace?: number
}

/** What of a photo is needed here. */
type DecodedPhoto = Pick<Photo, 'width' | 'height' | 'pixels' | 'focal'>

/** A detection that is waited for. */
interface Pending {
  resolve(faces: FoundFace[] | undefined): void
  reject(error: SfmError): void
}

/** Below this a fit tells little of a face, and the landmarks themselves are off by some 5% of its size. */
export const DEFAULT_MIN_FACE = 32

/** Large photos are halved to less than twice this before faces are looked for: those of an eighth of it are as good. */
const COPY_SIDE = 768

/**
 * Finds the faces of photos, and their landmarks: MediaPipe's networks, from the optional peer `@vladmandic/human`.
 * Nothing is downloaded.
 *
 * It runs in a thread of its own, with one photo at a time, so that the caller's event loop is free meanwhile. Loading
 * takes most of a second; it is worth keeping for as long as there are photos. It does not keep the process alive.
 *
 * @example
 * await using detector = await FaceDetector.load()
 * const faces = await detector.detect('photo.jpg')
 * const results = await fitter.fit(faces)
 */
export class FaceDetector {
  readonly #worker: Worker
  readonly #pending = new Map<number, Pending>()
  #nextId = 0
  /** Why it works no longer. */
  #ended: SfmError | undefined

  private constructor(worker: Worker) {
    this.#worker = worker
    worker.on('message', (reply: DetectionReply) => this.#settle(reply))
    worker.on('error', (error) => this.#end(new SfmError('INTERNAL', `the face detector: ${error.message}`)))
    worker.on('exit', () => this.#end(new SfmError('INTERNAL', 'the face detector ended unexpectedly')))
    worker.unref()
  }

  /**
   * Starts the thread and loads the networks.
   *
   * @throws SfmError MISSING_PEER with the command that installs what is missing; ABORTED.
   */
  static async load(options: { signal?: AbortSignal | undefined } = {}): Promise<FaceDetector> {
    requireOptions(options)
    const { signal } = options
    throwIfAborted(signal)
    requirePhotoPeers()
    // What the networks' library prints is not for this process's own output; flags such as --input-type are not for it.
    const worker = new Worker(new URL('./worker.js', import.meta.url), { stdout: true, stderr: true, execArgv: [] })
    let forget: (() => void) | undefined
    try {
      await new Promise<void>((resolve, reject) => {
        forget = signal && whenAborted(signal, () => reject(aborted(signal)))
        worker.once('message', (reply: LoadReply) => (reply.loaded ? resolve() : reject(revived(reply.error))))
        worker.once('error', (error) => reject(new SfmError('INTERNAL', `the face detector: ${error.message}`)))
      })
      return new FaceDetector(worker)
    } catch (error) {
      await worker.terminate()
      throw error
    } finally {
      forget?.()
    }
  }

  /**
   * Finds the faces of a photo, the largest first.
   *
   * An aborted call ends at once; what the thread has begun it still ends by itself.
   *
   * @param photo It is not changed, and may be changed while the call is under way.
   * @returns An observation for each face, with the photo's size, the face's box and score, and the focal length
   *   where the camera has noted it; none if there is no face.
   * @throws SfmError as `readPhoto`; ABORTED, DISPOSED, INVALID_ARGUMENT.
   */
  async detect(photo: PhotoToSearch, options: DetectOptions = {}): Promise<DetectedFace[]> {
    const { maxFaces, minFace } = requireDetectOptions(options)
    const { signal } = options
    throwIfAborted(signal)
    this.#requireRunning()
    const seen = decoded(photo) ?? (await readPhoto(photo as PhotoSource, { signal }))
    const faces = await this.#find(seen, signal)
    return faces
      .map((face) => asObservation(face, seen))
      .filter((face) => faceSize(face) >= minFace)
      .slice(0, maxFaces)
  }

  /** Looks at a smaller copy first, where there is one: if faces are large it shows the same, in less time. */
  async #find({ pixels }: Pick<Photo, 'pixels'>, signal: AbortSignal | undefined): Promise<FoundFace[]> {
    const small = halvedTo(pixels, COPY_SIDE)
    const found = small.halvings > 0 ? await this.#ask(small, signal) : undefined
    if (found !== undefined) return found
    const { width, height, data } = pixels
    // The photo stays the caller's; its copy is handed over as it is.
    const copy = { width, height, data: new Uint8Array(data) }
    return (await this.#ask({ pixels: copy, halvings: 0, width, height }, signal)) as FoundFace[]
  }

  /** @param picture Is handed over to the thread. */
  async #ask(picture: HalvedPicture, signal: AbortSignal | undefined): Promise<FoundFace[] | undefined> {
    throwIfAborted(signal)
    this.#requireRunning()
    const id = this.#nextId++
    let forget: (() => void) | undefined
    try {
      return await new Promise<FoundFace[] | undefined>((resolve, reject) => {
        this.#pending.set(id, { resolve, reject })
        forget = signal && whenAborted(signal, () => reject(aborted(signal)))
        this.#worker.ref()
        const request: DetectionRequest = { id, picture }
        this.#worker.postMessage(request, [picture.pixels.data.buffer as ArrayBuffer])
      })
    } finally {
      forget?.()
      this.#pending.delete(id)
      if (this.#pending.size === 0) this.#worker.unref()
    }
  }

  #settle(reply: DetectionReply): void {
    const pending = this.#pending.get(reply.id)
    if (reply.error) pending?.reject(revived(reply.error))
    else pending?.resolve(reply.faces)
  }

  #requireRunning(): void {
    if (this.#ended) throw new SfmError(this.#ended.code, this.#ended.message, { cause: this.#ended })
  }

  #end(reason: SfmError): void {
    this.#ended ??= reason
    for (const { reject } of this.#pending.values()) reject(this.#ended)
  }

  /** Ends the thread; calls under way are rejected with DISPOSED. Idempotent. */
  async dispose(): Promise<void> {
    this.#end(new SfmError('DISPOSED', 'the face detector has been disposed'))
    await this.#worker.terminate()
  }

  [Symbol.dispose](): void {
    void this.dispose()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose()
  }
}

/** A face's size in pixels, as `minFace` counts it. */
export function faceSize({ face }: DetectedFace): number {
  return sizeOf(face.box)
}

/**
 * Checks the options and fills in the defaults.
 *
 * @throws SfmError INVALID_ARGUMENT
 */
function requireDetectOptions(options: DetectOptions): { maxFaces: number; minFace: number } {
  requireOptions(options)
  const { maxFaces = Number.POSITIVE_INFINITY, minFace = DEFAULT_MIN_FACE } = options
  if (maxFaces !== Number.POSITIVE_INFINITY && !(Number.isInteger(maxFaces) && maxFaces >= 1))
    throw invalidArgument('maxFaces', 'a whole number above 0', maxFaces)
  if (!Number.isFinite(minFace) || minFace < 0) throw invalidArgument('minFace', 'a number of pixels from 0', minFace)
  return { maxFaces, minFace }
}

/** The same face in pixels of the photo, where the network saw a smaller copy. */
function asObservation(
  { points, box, score }: FoundFace,
  { width, height, pixels, focal }: DecodedPhoto,
): DetectedFace {
  const x = width / pixels.width
  const y = height / pixels.height
  return {
    image: { width, height },
    scheme: 'mediapipe478',
    points: points.map((point) => [x * point[0], y * point[1]]),
    ...(focal !== undefined && { camera: { focal } }),
    face: { box: [x * box[0], y * box[1], x * box[2], y * box[3]], score },
  }
}

/** The photo, if that is what it is; undefined where it is still to be read. */
function decoded(photo: PhotoToSearch): DecodedPhoto | undefined {
  if (typeof photo !== 'object' || photo === null) return undefined
  if ('pixels' in photo) {
    checkPicture(photo.pixels, 'photo.pixels')
    for (const side of ['width', 'height'] as const)
      if (!(photo[side] >= photo.pixels[side] && photo[side] < Infinity))
        throw invalidArgument(`photo.${side}`, `a number of pixels from ${photo.pixels[side]}`, photo[side])
    return photo
  }
  if (!('data' in photo)) return undefined
  checkPicture(photo, 'photo')
  return { width: photo.width, height: photo.height, pixels: photo }
}

function revived({ code, message }: PlainError): SfmError {
  return new SfmError(code, message)
}
