import { describe, invalidArgument, SfmError } from '../errors.js'
import { invalidCorpus, listed } from './invalidCorpus.js'
import { SPLITS, type Split, type SplitLists } from './TrainingData.js'

/**
 * Who is in a corpus, and in which part of it. Everybody with data is in exactly one part: a person in two of them would
 * have a model measured on people it has seen, and one in none would be lost without a word.
 */
export class People {
  readonly #splitOf: ReadonlyMap<string, Split>
  readonly #having: Readonly<Record<'scans' | 'landmarks', ReadonlySet<string>>>

  /**
   * @param lists The people of each part.
   * @param scans Keys of those with scans; each may come any number of times.
   * @param landmarks Keys of those with landmark sets, likewise.
   * @throws SfmError INVALID_INPUT, naming the people that are in more than one part, in none, or without data.
   */
  constructor(lists: SplitLists, scans: Iterable<string>, landmarks: Iterable<string>) {
    this.#splitOf = splitOfEach(lists)
    this.#having = { scans: new Set(scans), landmarks: new Set(landmarks) }
    const withData = new Set([...this.#having.scans, ...this.#having.landmarks])
    const nowhere = [...withData].filter((key) => !this.#splitOf.has(key)).sort(byCodeUnit)
    if (nowhere.length > 0)
      throw invalidCorpus('splits', 'every subject with data in one of them', `${listed(nowhere)} in none`)
    const empty = [...this.#splitOf.keys()].filter((key) => !withData.has(key)).sort(byCodeUnit)
    if (empty.length > 0) throw invalidCorpus('splits', 'subjects that have data', listed(empty))
  }

  /** @throws SfmError INVALID_INPUT naming those of whom ground truth speaks, but no data. */
  requireKnown(truth: Iterable<string>): void {
    const strangers = [...truth].filter((key) => !this.#splitOf.has(key)).sort(byCodeUnit)
    if (strangers.length > 0) throw invalidCorpus('truth', 'people that have data', listed(strangers))
  }

  /** Keys of a part, or of all, sorted by code unit. */
  subjects(split?: Split, having?: 'scans' | 'landmarks'): string[] {
    if (split !== undefined) requireSplit(split)
    if (having !== undefined && having !== 'scans' && having !== 'landmarks')
      throw invalidArgument('having', '"scans" or "landmarks"', having)
    const keys: string[] = []
    for (const [key, of] of this.#splitOf)
      if ((split === undefined || of === split) && (having === undefined || this.#having[having].has(key)))
        keys.push(key)
    return keys.sort(byCodeUnit)
  }

  /** The lists of all parts. */
  lists(): SplitLists {
    return { train: this.subjects('train'), validation: this.subjects('validation'), test: this.subjects('test') }
  }

  /**
   * Whom a selection takes.
   *
   * @throws SfmError INVALID_INPUT for a part without people: whoever asks for one counts on it.
   */
  selector(split: Split | undefined): (key: string) => boolean {
    if (split === undefined) return () => true
    requireSplit(split)
    if (![...this.#splitOf.values()].includes(split))
      throw new SfmError('INVALID_INPUT', `the corpus has nobody in its split ${describe(split)}`)
    return (key) => this.#splitOf.get(key) === split
  }
}

/** The order of names on every machine. */
export function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function splitOfEach(lists: SplitLists): Map<string, Split> {
  const splitOf = new Map<string, Split>()
  const twice = new Set<string>()
  for (const split of SPLITS) {
    for (const key of lists[split]) {
      if (splitOf.has(key)) twice.add(`${key} (${splitOf.get(key)}, ${split})`)
      splitOf.set(key, split)
    }
  }
  if (twice.size > 0) throw invalidCorpus('splits', 'every subject in one of them, once', listed([...twice]))
  return splitOf
}

function requireSplit(split: unknown): void {
  if (!SPLITS.includes(split as Split)) throw invalidArgument('split', SPLITS.map((s) => `"${s}"`).join(', '), split)
}
