import type { Camera } from '../fit/FitResult.js'
import { MotionFilter } from './MotionFilter.js'
import { rotationOf, times, type Vector, vectorOf } from './rotations.js'

/** What moves from frame to frame. */
export interface FaceState {
  /** [9] */
  rotation: Float64Array
  /** [3] mm */
  translation: Float64Array
  camera: Camera | null
  /** [E] */
  expression: Float32Array
}

/** Standard deviations that nobody sees: radians, pixels or mm, of the log of the size, of an expression. */
const LEAST = { rotation: 1e-5, place: 1e-3, size: 1e-6, expression: 1e-4 } as const

/**
 * Smooths pose and expression of a face over the frames of a video. The place in the image and the size there are what
 * an image tells well, so these are smoothed, and not the translation, along which depth and noise are one.
 */
export class FaceMotion {
  readonly #rotation = [0, 1, 2].map(() => new MotionFilter(LEAST.rotation))
  readonly #place: Channel[]
  readonly #expression: Channel[]
  readonly #bounds: ArrayLike<number>
  #measured: Float64Array | undefined
  #smoothed: Float64Array = new Float64Array(9)

  /** @param bounds [E,2] of the expressions. */
  constructor(bounds: ArrayLike<number>) {
    this.#bounds = bounds
    this.#place = [LEAST.place, LEAST.place, LEAST.size].map((least) => new Channel(least))
    this.#expression = Array.from({ length: bounds.length / 2 }, () => new Channel(LEAST.expression))
  }

  /** Begins anew: the next frame is taken as it is. What is known of the noise stays. */
  restart(): void {
    this.#measured = undefined
    for (const channel of [...this.#place, ...this.#expression]) channel.restart()
  }

  /**
   * Takes the next frame.
   *
   * @param focal Focal length to report, where it is not the frame's own.
   * @returns The same, smoothed; [9] and [3] of the pose.
   */
  smooth({ rotation, translation, camera, expression }: FaceState, focal?: number): FaceState {
    const seen = toImage(translation, camera).map((value, i) => this.#place[i]!.next(value)) as Vector
    const reported = camera?.type === 'perspective' ? { ...camera, focal: focal ?? camera.focal } : camera
    return {
      rotation: this.#turn(rotation),
      ...fromImage(seen, reported),
      expression: expression.map((value, e) => {
        const smoothed = this.#expression[e]!.next(value)
        return Math.min(this.#bounds[2 * e + 1]!, Math.max(this.#bounds[2 * e]!, smoothed))
      }),
    }
  }

  #turn(measured: Float64Array): Float64Array {
    const before = this.#measured
    this.#measured = measured
    if (before === undefined) {
      for (const filter of this.#rotation) filter.rest()
      this.#smoothed = measured
      return measured.slice()
    }
    const change = vectorOf(times(measured, before, true))
    const expected = times(rotationOf(this.#rotation.map(({ velocity }) => velocity) as Vector), this.#smoothed)
    const innovation = vectorOf(times(measured, expected, true))
    const step = this.#rotation.map((filter, i) => filter.update(innovation[i]!, change[i]!)) as Vector
    this.#smoothed = times(rotationOf(step), expected)
    return this.#smoothed.slice()
  }
}

/** A plain number of its own. */
class Channel {
  readonly #filter: MotionFilter
  #measured = Number.NaN
  #smoothed = Number.NaN

  constructor(least: number) {
    this.#filter = new MotionFilter(least)
  }

  restart(): void {
    this.#measured = Number.NaN
  }

  next(measured: number): number {
    const change = measured - this.#measured
    this.#measured = measured
    if (Number.isNaN(change)) {
      this.#filter.rest()
      this.#smoothed = measured
    } else {
      const expected = this.#smoothed + this.#filter.velocity
      this.#smoothed = expected + this.#filter.update(measured - expected, change)
    }
    return this.#smoothed
  }
}

/** Place in the image and log of the size there; of a scan, which has no image, the translation itself. */
function toImage([x, y, z]: Float64Array, camera: Camera | null): Vector {
  if (camera === null) return [x!, y!, z!]
  const scale = camera.type === 'weak' ? camera.scale : camera.focal / z!
  return [scale * x!, scale * y!, Math.log(scale)]
}

function fromImage([p, q, size]: Vector, camera: Camera | null): Pick<FaceState, 'translation' | 'camera'> {
  if (camera === null) return { translation: Float64Array.of(p, q, size), camera }
  const scale = Math.exp(size)
  const [x, y] = [p / scale, q / scale]
  if (camera.type === 'weak') return { translation: Float64Array.of(x, y, 0), camera: { ...camera, scale } }
  return { translation: Float64Array.of(x, y, camera.focal / scale), camera }
}
