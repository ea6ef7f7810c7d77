import { throwIfAborted } from '../aborts.js'
import type { ModelData } from '../model/ModelData.js'
import { validateModel } from '../model/validate.js'
import { plainObservation } from './labelledObservation.js'
import { People } from './People.js'
import { requireScans, requireTruth } from './requireScans.js'
import { asScans, asTruth, scanRows, truthRows } from './scanShards.js'
import { selectRows } from './shardFile.js'
import {
  type CorpusDescription,
  LANDMARK_SETS,
  type LabelledObservation,
  type ScanShard,
  type Selection,
  SPLITS,
  type Split,
  type SplitLists,
  subjectKey,
  type TrainingData,
  type TruthShard,
} from './TrainingData.js'

/** What a corpus in memory is made of. */
export interface MemoryCorpusContent extends Partial<CorpusDescription> {
  template: ModelData
  /** Everybody with data in one of the lists. */
  splits: Partial<SplitLists>
  scans?: readonly ScanShard[]
  landmarkSets?: readonly LabelledObservation[]
  truth?: readonly TruthShard[]
}

/**
 * Training data in memory: for tests, and for experiments that are small or read their data often.
 *
 * @example
 * const data = await MemoryCorpus.from(synthesise(source, { identities: 100 }))
 */
export class MemoryCorpus implements TrainingData {
  readonly description: CorpusDescription
  readonly vertexCount: number
  readonly scanCount: number
  readonly landmarkSetCount: number
  readonly #template: ModelData
  readonly #people: People
  readonly #scans: readonly ScanShard[]
  readonly #landmarkSets: readonly LabelledObservation[]
  readonly #truth: readonly TruthShard[]

  /**
   * @param content Its arrays are used in place.
   * @throws SfmError INVALID_ARGUMENT, INVALID_MODEL, UNKNOWN_SCHEME; INVALID_INPUT for people in several parts or in
   *   none.
   */
  constructor(content: MemoryCorpusContent) {
    const { template, splits, scans = [], landmarkSets = [], truth = [] } = content
    const { name = '', license = '', attribution = '', provenance = '' } = content
    validateModel(template)
    for (const [i, shard] of scans.entries()) requireScans(shard, template, `scans[${i}]`)
    for (const [i, shard] of truth.entries()) requireTruth(shard, template, `truth[${i}]`)
    const sets = landmarkSets.map((set, i) => plainObservation(set, template.schemes, `landmarkSets[${i}]`))

    this.description = { name, license, attribution, provenance }
    this.#template = template
    this.vertexCount = template.vertexCount
    this.#scans = scans
    this.scanCount = scans.reduce((sum, { subjects }) => sum + subjects.length, 0)
    const schemes = [...new Set(sets.map(({ scheme }) => scheme))]
    this.#landmarkSets = schemes.flatMap((scheme) => sets.filter((set) => set.scheme === scheme))
    this.landmarkSetCount = sets.length
    this.#truth = truth
    const { train = [], validation = [], test = [] } = splits
    this.#people = new People(
      { train, validation, test },
      scans.flatMap(({ subjects }) => subjects),
      sets.map(subjectKey),
    )
    this.#people.requireKnown(truth.flatMap(({ subjects }) => subjects))
  }

  /**
   * Takes other training data into memory.
   *
   * @throws SfmError as reading it does.
   */
  static async from(data: TrainingData, { signal }: { signal?: AbortSignal } = {}): Promise<MemoryCorpus> {
    const select = signal ? { signal } : {}
    const scans: ScanShard[] = []
    for await (const shard of data.scans(select)) scans.push(shard)
    const landmarkSets: LabelledObservation[] = []
    for await (const sets of data.landmarkSets(select)) for (const set of sets) landmarkSets.push(set)
    const truth: TruthShard[] = []
    for await (const shard of data.truth(select)) truth.push(shard)
    const splits = Object.fromEntries(SPLITS.map((split) => [split, data.subjects(split)])) as unknown as SplitLists
    return new MemoryCorpus({
      ...data.description,
      template: await data.template(),
      splits,
      scans,
      landmarkSets,
      truth,
    })
  }

  async template(): Promise<ModelData> {
    return this.#template
  }

  subjects(split?: Split, having?: 'scans' | 'landmarks'): string[] {
    return this.#people.subjects(split, having)
  }

  async *scans({ split, signal }: Selection = {}): AsyncGenerator<ScanShard> {
    const wanted = this.#people.selector(split)
    for (const shard of this.#scans) {
      throwIfAborted(signal)
      const some = asScans(selectRows(scanRows(shard), wanted))
      if (some.subjects.length > 0) yield some
    }
  }

  async *truth({ split, signal }: Selection = {}): AsyncGenerator<TruthShard> {
    const wanted = this.#people.selector(split)
    for (const shard of this.#truth) {
      throwIfAborted(signal)
      const some = asTruth(selectRows(truthRows(shard), wanted))
      if (some.subjects.length > 0) yield some
    }
  }

  async *landmarkSets({
    split,
    scheme,
    signal,
  }: Selection & { scheme?: string } = {}): AsyncGenerator<LabelledObservation[]> {
    const wanted = this.#people.selector(split)
    const sets = this.#landmarkSets.filter(
      (set) => (scheme === undefined || set.scheme === scheme) && wanted(subjectKey(set)),
    )
    for (let from = 0; from < sets.length; from += LANDMARK_SETS) {
      throwIfAborted(signal)
      yield sets.slice(from, from + LANDMARK_SETS)
    }
  }
}
