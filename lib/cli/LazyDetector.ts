import type { DetectedFace, DetectOptions, FaceDetector } from '../photos/FaceDetector.js'
import type { Photo } from '../photos/Photo.js'
import type { PhotoSource } from '../photos/readPhoto.js'

/** What is used of a {@link FaceDetector}. */
type Detector = Pick<FaceDetector, 'detect' | 'dispose'>

/** The face detector of a command, loaded at its first photo: who gives landmarks does not wait for it. */
export class LazyDetector {
  readonly #load: () => Promise<Detector>
  #loading: Promise<Detector> | undefined

  constructor(load: () => Promise<Detector>) {
    this.#load = load
  }

  /** As {@link FaceDetector.detect}. */
  async detect(photo: Photo | PhotoSource, options?: DetectOptions): Promise<DetectedFace[]> {
    this.#loading ??= this.#load()
    return (await this.#loading).detect(photo, options)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Why it did not load has been said already.
    const detector = await this.#loading?.catch(() => undefined)
    await detector?.dispose()
  }
}
