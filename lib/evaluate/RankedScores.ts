import { invalidArgument } from '../errors.js'
import { requireLength, requireNumbers } from './checks.js'

/**
 * The weight of each kind of trials in each run of scores, from the highest to the lowest. A run is of equal scores, or
 * of all scores between two others that only one kind of trials has: there the ROC curve is a straight line, and no
 * monotone map of scores tells them apart.
 */
export interface Runs {
  /** [V] of trials of one person. */
  readonly same: Float64Array
  /** [V] of trials of two. */
  readonly different: Float64Array
}

/** The scores of some trials in their order, sorted once for measures under many weights. */
export class RankedScores {
  /** Trials from the highest score to the lowest. */
  readonly #order: Int32Array
  /** By rank: whether the trial is one of one person. */
  readonly #same: Uint8Array
  /** Ends of the runs, by rank. */
  readonly #runEnds: Int32Array

  /**
   * @param scores [T] the larger, the more alike; infinite ones are allowed.
   * @param same [T] 1 (or true) for trials of one person. There must be trials of either kind.
   * @throws SfmError INVALID_ARGUMENT
   */
  constructor(scores: ArrayLike<number>, same: ArrayLike<number | boolean>) {
    requireBothKinds('scores', scores, same)
    const descending = (a: number, b: number) => (scores[a] === scores[b] ? 0 : scores[a] > scores[b] ? -1 : 1)
    this.#order = Int32Array.from(scores, (_, i) => i).sort(descending)
    this.#same = Uint8Array.from(this.#order, (trial) => (same[trial] ? 1 : 0))
    this.#runEnds = Int32Array.from(this.#findRuns(scores))
  }

  /**
   * The trials of each run, each counting as often as its weight says; once where there are none.
   *
   * @param weights [T] at least 0.
   */
  runs(weights?: ArrayLike<number>): Runs {
    if (weights !== undefined) requireLength('weights', weights, this.#order.length)
    const runs = { same: new Float64Array(this.#runEnds.length), different: new Float64Array(this.#runEnds.length) }
    let rank = 0
    for (let run = 0; run < this.#runEnds.length; run++) {
      let [same, different] = [0, 0]
      for (; rank < this.#runEnds[run]; rank++) {
        const weight = weights === undefined ? 1 : weights[this.#order[rank]]
        if (this.#same[rank]) same += weight
        else different += weight
      }
      runs.same[run] = same
      runs.different[run] = different
    }
    return runs
  }

  *#findRuns(scores: ArrayLike<number>): Generator<number> {
    /** What the run before has: 0 or 1 where it is of one kind, 2 where it is of both. */
    let before: number | undefined
    for (let start = 0, end = 0; start < this.#order.length; start = end) {
      const score = scores[this.#order[start]]
      let kind = this.#same[start] as number
      for (end = start + 1; end < this.#order.length && scores[this.#order[end]] === score; end++)
        if (this.#same[end] !== kind) kind = 2
      if (before !== undefined && (kind !== before || kind === 2)) yield start
      before = kind
    }
    yield this.#order.length
  }
}

/** Refuses scores that are not numbers, and trials all of one kind. */
export function requireBothKinds(name: string, scores: ArrayLike<number>, same: ArrayLike<number | boolean>): void {
  requireNumbers(name, scores)
  requireLength('same', same, scores.length)
  const kinds = new Set<boolean>()
  for (let i = 0; i < same.length; i++) kinds.add(Boolean(same[i]))
  if (kinds.size < 2) throw invalidArgument('same', 'trials of one person and trials of two', same)
}
