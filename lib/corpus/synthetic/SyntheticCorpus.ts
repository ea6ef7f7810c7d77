import { setImmediate } from 'node:timers/promises'
import { throwIfAborted } from '../../aborts.js'
import type { ModelData } from '../../model/ModelData.js'
import { validateModel } from '../../model/validate.js'
import { People } from '../People.js'
import { splitSubjects } from '../splitSubjects.js'
import {
  type CorpusDescription,
  LANDMARK_SETS,
  type LabelledObservation,
  type ScanShard,
  type Selection,
  SHARD_BYTES,
  type Split,
  subjectKey,
  type TrainingData,
  type TruthShard,
} from '../TrainingData.js'
import { PhotoSampler } from './PhotoSampler.js'
import { type Person, Population } from './Population.js'
import { type Synthesis, type SynthesisOptions, settle } from './SynthesisOptions.js'

/** The collection of people that have pictures and no scans. */
const PHOTO_COLLECTION = 'photos'

/** A person of the corpus, before it is drawn. */
interface Member {
  /** Number in the population. */
  index: number
  subject: string
  collection?: string
  scans: number
  photos: number
}

/**
 * People drawn from a model, with scans, pictures and the truth about them: drawn anew whenever they are asked for, so
 * that no memory or disk is needed for them. {@link MemoryCorpus.from} and {@link writeCorpus} keep them.
 */
export class SyntheticCorpus implements TrainingData {
  /** All options with their values. */
  readonly options: Synthesis
  readonly description: CorpusDescription
  readonly #source: ModelData
  readonly #members: readonly Member[]
  readonly #people: People
  readonly #population: Population
  readonly #photos: PhotoSampler | undefined

  /** @throws SfmError as {@link synthesise}. */
  constructor(source: ModelData, options: SynthesisOptions = {}) {
    validateModel(source)
    this.options = settle(options, source)
    this.#source = source
    this.#members = membersOf(this.options)
    const keys = (having: 'scans' | 'photos') => this.#members.filter((member) => member[having] > 0).map(subjectKey)
    const lists = splitSubjects(this.#members.map(subjectKey), this.options.splits, this.options.seed)
    this.#people = new People(lists, keys('scans'), keys('photos'))
    this.#population = new Population(source, this.options)
    const { photos, photosPerIdentity, seed, activeExpressions } = this.options
    if (photosPerIdentity > 0) this.#photos = new PhotoSampler(this.#population, photos, seed, activeExpressions)
    const { name, version, license, attribution } = source.metadata
    this.description = {
      name: this.options.name,
      license,
      attribution,
      provenance: JSON.stringify({ drawnFrom: `${name} ${version}`.trim(), options: this.options }),
    }
  }

  get vertexCount(): number {
    return this.#source.vertexCount
  }

  get scanCount(): number {
    return this.#members.reduce((sum, { scans }) => sum + scans, 0)
  }

  get landmarkSetCount(): number {
    const schemes = this.options.photos.schemes.length
    return this.#members.reduce((sum, { photos }) => sum + photos * schemes, 0)
  }

  /** The source itself. */
  async template(): Promise<ModelData> {
    return this.#source
  }

  subjects(split?: Split, having?: 'scans' | 'landmarks'): string[] {
    return this.#people.subjects(split, having)
  }

  async *scans({ split, signal }: Selection = {}): AsyncGenerator<ScanShard> {
    const { mean } = this.#population
    const E = this.#source.expressionCount
    const members = this.#selected(split)
    let left = members.reduce((sum, { scans }) => sum + scans, 0)
    const most = Math.max(1, Math.floor(SHARD_BYTES / (4 * mean.length)))
    const shard = () => {
      const rows = Math.min(left, most)
      return {
        subjects: [] as string[],
        vertices: new Float32Array(rows * mean.length),
        drawn: new Float32Array(rows * E),
      }
    }
    let { subjects, vertices, drawn } = shard()
    for (const member of members) {
      if (member.scans === 0) continue
      await this.#pause(signal)
      const neutral = this.#population.neutral(this.#population.person(member.index))
      for (let j = 0; j < member.scans; j++) {
        const row = subjects.length
        const scan = vertices.subarray(row * mean.length, (row + 1) * mean.length)
        drawn.set(this.#population.scan(member.index, j, neutral, scan), row * E)
        subjects.push(subjectKey(member))
        if (subjects.length * mean.length < vertices.length) continue
        left -= subjects.length
        const { knownExpressions } = this.options
        yield { subjects, vertices, ...(knownExpressions && { expressions: drawn }), trueExpressions: drawn }
        ;({ subjects, vertices, drawn } = shard())
      }
    }
  }

  async *landmarkSets({
    split,
    scheme,
    signal,
  }: Selection & { scheme?: string } = {}): AsyncGenerator<LabelledObservation[]> {
    const members = this.#selected(split)
    for (const [s, name] of this.options.photos.schemes.entries()) {
      if (scheme !== undefined && name !== scheme) continue
      let batch: LabelledObservation[] = []
      for (const member of members) {
        if (member.photos === 0) continue
        await this.#pause(signal)
        const person = this.#population.person(member.index)
        for (let j = 0; j < member.photos; j++) {
          batch.push(this.#observation(member, j, s, person))
          if (batch.length < LANDMARK_SETS) continue
          yield batch
          batch = []
        }
      }
      if (batch.length > 0) yield batch
    }
  }

  async *truth({ split, signal }: Selection = {}): AsyncGenerator<TruthShard> {
    const { length } = this.#population.mean
    const K = this.#source.identityCount
    const most = Math.max(1, Math.floor(SHARD_BYTES / (4 * length)))
    const members = this.#selected(split)
    for (let from = 0; from < members.length; from += most) {
      const some = members.slice(from, from + most)
      const neutrals = new Float32Array(some.length * length)
      const identities = new Float32Array(some.length * K)
      for (const [row, { index }] of some.entries()) {
        await this.#pause(signal)
        const person = this.#population.person(index)
        neutrals.set(this.#population.neutral(person), row * length)
        identities.set(person.identity, row * K)
      }
      yield { subjects: some.map(subjectKey), neutrals, identities }
    }
  }

  #selected(split: Split | undefined): Member[] {
    const wanted = this.#people.selector(split)
    return this.#members.filter((member) => wanted(subjectKey(member)))
  }

  #observation({ index, subject, collection }: Member, j: number, s: number, person: Person): LabelledObservation {
    return {
      id: `${subject}-${String(j).padStart(2, '0')}`,
      subject,
      ...(collection !== undefined && { collection }),
      ...this.#photos!.observe(index, j, s, person),
    }
  }

  /** Between people: lets everything else have its turn, the signal among it. */
  async #pause(signal: AbortSignal | undefined): Promise<void> {
    throwIfAborted(signal)
    await setImmediate()
    throwIfAborted(signal)
  }
}

/**
 * A population drawn from a model: people, scans and pictures of them as {@link Synthesis} describes, everything seeded.
 * The same source, options and seed give the same corpus to the last bit.
 *
 * @param source A Gaussian model or one on the sphere; it is the corpus' template, too.
 * @param options All have defaults, see {@link Synthesis}.
 * @throws SfmError INVALID_ARGUMENT naming the option, UNKNOWN_SCHEME, INVALID_MODEL.
 * @example
 * const people = synthesise(source.data, { identities: 500, scansPerIdentity: 12, seed: 1 })
 * await writeCorpus('people', people)
 */
export function synthesise(source: ModelData, options: SynthesisOptions = {}): SyntheticCorpus {
  return new SyntheticCorpus(source, options)
}

function membersOf(options: Synthesis): Member[] {
  const { identities, scansPerIdentity, photoIdentities, photosPerIdentity } = options
  const named = (prefix: string, count: number) => {
    const digits = String(Math.max(0, count - 1)).length
    return Array.from({ length: count }, (_, i) => `${prefix}${String(i).padStart(digits, '0')}`)
  }
  const ownPhotos = photoIdentities > 0 ? 0 : photosPerIdentity
  return [
    ...named('s', identities).map((subject, index) => ({ index, subject, scans: scansPerIdentity, photos: ownPhotos })),
    ...named('p', photoIdentities).map((subject, i) => ({
      // Numbers of their own, so that more people with scans do not make others of them.
      index: PHOTO_PEOPLE + i,
      subject,
      collection: PHOTO_COLLECTION,
      scans: 0,
      photos: photosPerIdentity,
    })),
  ]
}

const PHOTO_PEOPLE = 2 ** 31
