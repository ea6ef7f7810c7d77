import { fromNative, native } from '../native.js'
import { type ImageEvidence, PersonEstimate } from './PersonEstimate.js'

/** Numbers of a piece of evidence (native/cpu/PersonEvidence.h). */
export const EVIDENCE = { likelihood: 0, normaliser: 1, spread: 2, squaredMean: 3, count: 4 } as const

/** What images say of a person, in the hands of the native side. */
export interface JointEvidence {
  /** Images. */
  readonly count: number
  /**
   * The sum of what images say, each times its weight.
   *
   * @param scales Of the shifts.
   */
  sum(weights: Float64Array, scales?: Float64Array): PersonEstimate
  /** [n,4] numbers of others' evidence, and each image's times its weight; with `moments` all of {@link EVIDENCE}. */
  weigh(others: ImageEvidence, weights: Float64Array, scales: Float64Array, moments: boolean): Float64Array
}

/** That of the images of several batches. */
export class BatchedEvidence implements JointEvidence {
  readonly #batches: ReadonlyArray<{ members: readonly number[]; images: unknown }>
  readonly count: number
  readonly #size: number
  readonly #prior: number
  /** The last sum of information: it is asked for more than once. */
  #summed: { weights: Float64Array; information: Float64Array } | undefined

  /**
   * @param batches As a pass has left them; `members` are their places among all images.
   * @param prior p, the weight of the prior of w.
   */
  constructor(batches: ReadonlyArray<{ members: readonly number[]; images: unknown }>, size: number, prior: number) {
    this.#batches = batches
    this.count = batches.reduce((sum, { members }) => sum + members.length, 0)
    this.#size = size
    this.#prior = prior
  }

  sum(weights: Float64Array, scales: Float64Array = new Float64Array(weights.length).fill(1)): PersonEstimate {
    const sum = new PersonEstimate(this.#size, this.#prior)
    const known = this.#summed?.weights.every((weight, i) => weight === weights[i]) ? this.#summed : undefined
    for (const { members, images } of this.#batches) {
      const [weight, scale] = [weights, scales].map((all) => pick(all, members)) as [Float64Array, Float64Array]
      call(() => native().joint.add(images, weight, scale, known ? null : sum.information, sum.shift))
    }
    if (known) sum.information.set(known.information)
    else this.#summed = { weights: weights.slice(), information: sum.information.slice() }
    return sum
  }

  weigh(others: ImageEvidence, weights: Float64Array, scales: Float64Array, moments: boolean): Float64Array {
    const all = new Float64Array(EVIDENCE.count * weights.length)
    const { information, shift } = others
    for (const { members, images } of this.#batches) {
      const [weight, scale] = [weights, scales].map((each) => pick(each, members)) as [Float64Array, Float64Array]
      const out = new Float64Array(EVIDENCE.count * members.length)
      call(() => native().joint.weigh(images, weight, scale, information, shift, this.#prior, moments, out))
      for (const [i, member] of members.entries())
        all.set(out.subarray(i * EVIDENCE.count, (i + 1) * EVIDENCE.count), member * EVIDENCE.count)
    }
    return all
  }
}

/** The values at some places. */
export const pick = (values: Float64Array, members: readonly number[]) =>
  Float64Array.from(members, (member) => values[member]!)

function call(body: () => void): void {
  try {
    body()
  } catch (error) {
    throw fromNative(error)
  }
}
