import { type ImageEvidence, PersonEstimate, type PersonSolution } from '../fit/PersonEstimate.js'
import type { Matrix } from '../linear/index.js'

/** How evidence of one frame after another adds up. */
export interface FusionSettings {
  /** D */
  size: number
  /** p, the weight of the identity's prior. */
  prior: number
  /** What a frame says that those before it have not said. */
  independence: number
  /** What is kept of all that was said, from frame to frame. */
  memory: number
}

/** The identity that a sequence of frames shows: an information filter, of constant size however many they are. */
export class IdentityFilter {
  readonly #settings: FusionSettings
  readonly #sum: PersonEstimate
  #solution: PersonSolution
  /** Frames, and what they count for. */
  frames = 0
  weight = 0
  /** [D] the best estimate, whitened. */
  mean: Float64Array

  constructor(settings: FusionSettings) {
    this.#settings = settings
    this.#sum = new PersonEstimate(settings.size, settings.prior)
    this.#solution = this.#sum.solve()
    this.mean = new Float64Array(settings.size)
  }

  /** Fuses one more frame. The first counts in full; the next ones err like those before them. */
  add(evidence: ImageEvidence): void {
    const { independence, memory } = this.#settings
    const weight = this.frames === 0 ? 1 : independence
    if (memory < 1) this.#sum.add(this.#sum, memory - 1)
    this.#sum.add(evidence, weight)
    this.frames++
    this.weight = memory * this.weight + weight
    this.#solution = this.#sum.solve()
    this.mean = this.#solution.mean()
  }

  /** The logarithm of how much likelier a frame is if it shows this person, than if it shows another. */
  logLikelihoodRatio(evidence: ImageEvidence): number {
    const { size, prior } = this.#settings
    const alone = new PersonEstimate(size, prior).add(evidence, 1)
    const together = new PersonEstimate(size, prior).add(this.#sum, 1).add(evidence, 1)
    return together.solve().logEvidence() - alone.solve().logEvidence() - this.#solution.logEvidence()
  }

  /** The trace of T C T^T, C the covariance of the estimate. */
  spread(transfer: Matrix): number {
    return this.#solution.spread(transfer)
  }

  /** S and h, without the prior. */
  posterior(): { information: Float32Array; shift: Float32Array } {
    return { information: Float32Array.from(this.#sum.information), shift: Float32Array.from(this.#sum.shift) }
  }
}
