/**
 * Smooths one number that is measured once a frame: a Kalman filter of position and velocity, all but still unless the
 * measurements say otherwise. What it knows of the noise it has from the measurements themselves, by their second
 * differences, which a steady motion leaves untouched.
 *
 * It never falls behind by more than one frame's motion, but for what the noise hides: whatever the filter thinks, its
 * position stays within the last measured movement, or three standard deviations of the noise, of the measurement.
 */
export class MotionFilter {
  /** Change a frame. */
  velocity = 0
  readonly #least: number
  /** Of position and velocity. */
  #variance = { position: 0, both: 0, velocity: 0 }
  /** Of the absolute second differences: their median, once it has been found. */
  #spread = 0
  #differences = 0
  #lastChange = Number.NaN

  /** @param least Standard deviation that is not worth telling from zero. */
  constructor(least: number) {
    this.#least = least
  }

  /** Standard deviation of the measurements. */
  get noise(): number {
    return Math.max((this.#spread / MEDIAN_OF_NORMAL) * SECOND_DIFFERENCE, this.#least)
  }

  /** After the first measurement, which is taken as it is, and wherever nothing is known of the motion any more. */
  rest(): void {
    this.velocity = 0
    this.#lastChange = Number.NaN
    this.#variance = { position: this.noise ** 2, both: 0, velocity: this.noise ** 2 }
  }

  /**
   * Takes the next measurement.
   *
   * @param innovation The measurement less what was expected: the position before, and the velocity.
   * @param change The measurement less the one before.
   * @returns What to add to the expected position.
   */
  update(innovation: number, change: number): number {
    this.#learnNoise(change)
    const noise = this.noise
    const variance = this.#variance
    const acceleration = (STILLNESS * noise) ** 2
    variance.position += 2 * variance.both + variance.velocity + acceleration / 4
    variance.both += variance.velocity + acceleration / 2
    variance.velocity += acceleration
    // Nothing that a still face's noise explains, or that the motion so far does: it has begun to move, or to stop.
    if (innovation ** 2 > SURPRISE ** 2 * (variance.position + noise ** 2)) {
      variance.position += innovation ** 2
      variance.velocity += innovation ** 2
    }
    const total = variance.position + noise ** 2
    const gain = variance.position / total
    const velocityGain = variance.both / total
    variance.velocity -= velocityGain * variance.both
    variance.both *= 1 - gain
    variance.position *= 1 - gain
    this.velocity += velocityGain * innovation
    const farthest = Math.max(NOISE_BAND * noise, Math.abs(change))
    const behind = innovation - gain * innovation
    return innovation - Math.min(farthest, Math.max(-farthest, behind))
  }

  /** A running mean at first; then the median, by small steps, which a blink or a turn does not disturb. */
  #learnNoise(change: number): void {
    const difference = Math.abs(change - this.#lastChange)
    this.#lastChange = change
    if (Number.isNaN(difference)) return
    this.#differences++
    if (this.#differences <= FIRST) {
      this.#spread += ((MEDIAN_OF_NORMAL / MEAN_OF_NORMAL) * difference - this.#spread) / this.#differences
    } else {
      this.#spread *= difference > this.#spread ? 1 + RATE : 1 - RATE
      this.#spread = Math.max(this.#spread, (this.#least * MEDIAN_OF_NORMAL) / SECOND_DIFFERENCE)
    }
  }
}

/** Of the absolute value of a standard normal number. */
const MEDIAN_OF_NORMAL = 0.6745
const MEAN_OF_NORMAL = 0.7979
/** The second difference a - 2b + c of independent numbers has six times their variance. */
const SECOND_DIFFERENCE = 1 / Math.sqrt(6)
/** Second differences that are averaged before the median is followed, and the relative step of that. */
const FIRST = 15
const RATE = 0.07
/** Standard deviation of the acceleration a frame, in that of the noise: a still face is averaged over some 15 frames. */
const STILLNESS = 0.002
/** Standard deviations from which on the face has moved. */
const SURPRISE = 4
/** Standard deviations that the position may be off by the noise alone. */
const NOISE_BAND = 3
