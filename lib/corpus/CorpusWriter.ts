import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { invalidArgument, SfmError } from '../errors.js'
import { writeModelFile } from '../model/formats/modelFile.js'
import type { ModelData } from '../model/ModelData.js'
import { validateModel } from '../model/validate.js'
import { writeFileAtomically } from '../writeFileAtomically.js'
import { Corpus } from './Corpus.js'
import { plainObservation } from './labelledObservation.js'
import {
  CORPUS_FORMAT,
  formatManifest,
  type LandmarkEntry,
  MANIFEST_FILE,
  type Manifest,
  type ShardEntry,
} from './Manifest.js'
import { byCodeUnit, People } from './People.js'
import { type EncodedShard, RowBuffer } from './RowBuffer.js'
import { requireScans, requireTruth } from './requireScans.js'
import { scanColumns, scanRows, TENSORS, truthColumns, truthRows } from './scanShards.js'
import type { Column, Rows } from './shardFile.js'
import {
  type CorpusDescription,
  type LabelledObservation,
  type ScanShard,
  SHARD_BYTES,
  type SplitLists,
  subjectKey,
  type TruthShard,
} from './TrainingData.js'

/** What a new corpus is to say about itself, and how large its files may become. */
export interface CorpusWriterOptions extends Partial<CorpusDescription> {
  /** A model that carries what all scans share: triangles, expression basis, landmark schemes, regions. */
  template: ModelData
  /** Bytes of a shard, more or less (default 64 MB): what a reader has to hold. */
  shardBytes?: number
}

const TEMPLATE_FILE = 'template.safetensors'

/** Lines of one scheme that have gathered. */
interface LandmarkBuffer {
  lines: string[]
  bytes: number
  subjects: Set<string>
}

/**
 * Writes a corpus (docs/corpus.md) as its data comes: memory holds a shard of each kind. The folder has a temporary name
 * until all is there, so that a stop in between leaves no half of a corpus under the name that was asked for.
 *
 * @example
 * await using writer = await CorpusWriter.create('my-corpus', { template, name: 'mine' })
 * for await (const { vertices, subject } of myScans()) await writer.addScans({ vertices, subjects: [subject] })
 * const corpus = await writer.finish(splitSubjects(writer.subjects(), { train: 0.8, validation: 0.1, test: 0.1 }, 1))
 */
export class CorpusWriter {
  readonly #folder: string
  readonly #temporary: string
  readonly #template: ModelData
  readonly #description: CorpusDescription
  readonly #shardBytes: number
  readonly #entries = { scans: [] as ShardEntry[], landmarks: [] as LandmarkEntry[], truth: [] as ShardEntry[] }
  readonly #people = { scans: new Set<string>(), landmarks: new Set<string>(), truth: new Set<string>() }
  readonly #landmarks = new Map<string, LandmarkBuffer>()
  #scans: RowBuffer | undefined
  #truth: RowBuffer | undefined
  #state: 'open' | 'finished' | 'failed' = 'open'
  #turn: Promise<unknown> = Promise.resolve()

  private constructor(folder: string, temporary: string, { template, shardBytes, ...rest }: CorpusWriterOptions) {
    this.#folder = folder
    this.#temporary = temporary
    this.#template = template
    this.#shardBytes = shardBytes ?? SHARD_BYTES
    const { name = '', license = '', attribution = '', provenance = '' } = rest
    this.#description = { name, license, attribution, provenance }
  }

  /**
   * Begins a corpus.
   *
   * @param folder Must not exist yet, or be empty; the folders it lies in are made.
   * @throws SfmError INVALID_ARGUMENT for a folder that has something in it; INVALID_MODEL for the template; IO.
   */
  static async create(folder: string, options: CorpusWriterOptions): Promise<CorpusWriter> {
    if (typeof folder !== 'string' || folder === '' || folder.includes('\0'))
      throw invalidArgument('folder', 'the name of a new folder', folder)
    requireOptions(options)
    validateModel(options.template)
    const path = resolve(folder)
    await requireNew(path)
    const temporary = join(dirname(path), `.sfm-${randomUUID()}.tmp`)
    await system(`cannot make ${temporary}`, mkdir(temporary, { recursive: true }))
    const writer = new CorpusWriter(path, temporary, options)
    try {
      await writeModelFile(join(temporary, TEMPLATE_FILE), options.template)
    } catch (error) {
      await writer.abandon()
      throw error
    }
    return writer
  }

  /** The keys of everybody so far, sorted by code unit. */
  subjects(): string[] {
    return [...new Set([...this.#people.scans, ...this.#people.landmarks])].sort(byCodeUnit)
  }

  /**
   * Adds scans; they are copied.
   *
   * @throws SfmError INVALID_ARGUMENT naming the field; IO.
   */
  addScans(scans: ScanShard): Promise<void> {
    return this.#inTurn(async () => {
      requireScans(scans, this.#template, 'scans')
      const rows = scanRows(scans)
      for (const subject of scans.subjects) this.#people.scans.add(subject)
      if (this.#scans?.takes(rows) === false) await this.#writeShards('scans', this.#scans.take())
      if (this.#scans?.takes(rows) !== true) {
        const columns = scanColumns(this.#template.vertexCount, this.#template.expressionCount)
        this.#scans = new RowBuffer(sizesOf(columns, rows), this.#shardBytes)
      }
      await this.#writeShards('scans', this.#scans!.add(rows))
    })
  }

  /**
   * Adds what synthetic people look like, each person once.
   *
   * @throws SfmError INVALID_ARGUMENT naming the field; IO.
   */
  addTruth(truth: TruthShard): Promise<void> {
    return this.#inTurn(async () => {
      requireTruth(truth, this.#template, 'truth')
      if (truth.subjects.length === 0) return
      const rows = truthRows(truth)
      const sizes = sizesOf(truthColumns(this.#template.vertexCount), rows)
      this.#truth ??= new RowBuffer(sizes, this.#shardBytes)
      const [latents] = this.#truth.rows.get(TENSORS.identities)!
      if (sizes.get(TENSORS.identities)![0] !== latents)
        throw invalidArgument('truth.identities', `${latents} latents a person, as before`, truth.identities)
      for (const subject of truth.subjects) {
        if (this.#people.truth.has(subject)) throw invalidArgument('truth.subjects', 'every person once', subject)
        this.#people.truth.add(subject)
      }
      await this.#writeShards('truth', this.#truth.add(rows))
    })
  }

  /**
   * Adds landmark sets, of any of the template's schemes.
   *
   * @throws SfmError INVALID_ARGUMENT naming the field, UNKNOWN_SCHEME; IO.
   */
  addLandmarkSets(observations: readonly LabelledObservation[]): Promise<void> {
    return this.#inTurn(async () => {
      const plain = observations.map((observation, i) =>
        plainObservation(observation, this.#template.schemes, `observations[${i}]`),
      )
      for (const observation of plain) {
        const { scheme } = observation
        const key = subjectKey(observation)
        const line = `${JSON.stringify(observation)}\n`
        const buffer = this.#landmarks.get(scheme) ?? { lines: [], bytes: 0, subjects: new Set() }
        buffer.lines.push(line)
        buffer.bytes += Buffer.byteLength(line)
        buffer.subjects.add(key)
        this.#people.landmarks.add(key)
        this.#landmarks.set(scheme, buffer)
        if (buffer.bytes >= this.#shardBytes) await this.#writeLandmarks(scheme, buffer)
      }
    })
  }

  /**
   * Writes what is left, then the manifest, and gives the folder its name.
   *
   * @param splits Everybody with data in one of the lists: see {@link splitSubjects}.
   * @throws SfmError INVALID_INPUT naming people in several lists, or in none; INVALID_ARGUMENT without any data; IO.
   */
  finish(splits: Partial<SplitLists>): Promise<Corpus> {
    return this.#inTurn(async () => {
      const { train = [], validation = [], test = [] } = splits
      const people = new People({ train, validation, test }, this.#people.scans, this.#people.landmarks)
      if (this.subjects().length === 0) throw invalidArgument('corpus', 'scans or landmark sets', 'none')
      people.requireKnown(this.#people.truth)
      await this.#writeShards('scans', this.#scans?.take() ?? [])
      await this.#writeShards('truth', this.#truth?.take() ?? [])
      for (const [scheme, buffer] of this.#landmarks) await this.#writeLandmarks(scheme, buffer)
      await this.#write(MANIFEST_FILE, formatManifest(this.#manifest(people.lists())))
      await requireNew(this.#folder)
      await system(`cannot make ${this.#folder}`, takeName(this.#temporary, this.#folder))
      this.#state = 'finished'
      return Corpus.open(this.#folder)
    })
  }

  /** Removes what was written, unless it is finished. Idempotent. */
  async abandon(): Promise<void> {
    if (this.#state === 'finished') return
    this.#state = 'failed'
    await rm(this.#temporary, { recursive: true, force: true }).catch(() => undefined)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.abandon()
  }

  #manifest(splits: SplitLists): Manifest {
    const schemes = [...this.#landmarks.keys()]
    const { scans, landmarks, truth } = this.#entries
    return {
      format: CORPUS_FORMAT,
      ...this.#description,
      units: 'mm',
      vertexCount: this.#template.vertexCount,
      template: TEMPLATE_FILE,
      scans,
      // Scheme after scheme, as every source of training data gives them.
      landmarks: [...landmarks].sort((a, b) => schemes.indexOf(a.scheme) - schemes.indexOf(b.scheme)),
      truth,
      splits,
    }
  }

  async #writeShards(kind: 'scans' | 'truth', shards: Iterable<EncodedShard>): Promise<void> {
    for (const { bytes, count, subjects } of shards) {
      const file = `${kind}-${number(this.#entries[kind].length)}.safetensors`
      this.#entries[kind].push({ file, count, subjects })
      await this.#write(file, bytes)
    }
  }

  async #writeLandmarks(scheme: string, { lines, subjects }: LandmarkBuffer): Promise<void> {
    if (lines.length === 0) return
    this.#landmarks.set(scheme, { lines: [], bytes: 0, subjects: new Set() })
    const file = `landmarks-${number(this.#entries.landmarks.length)}.jsonl`
    this.#entries.landmarks.push({ file, count: lines.length, scheme, subjects: [...subjects] })
    await this.#write(file, lines.join(''))
  }

  async #write(file: string, content: string | Uint8Array): Promise<void> {
    try {
      await writeFileAtomically(join(this.#temporary, file), content, { sync: true })
    } catch (error) {
      // What was to be written is gone: nothing that comes later makes this a whole corpus again.
      this.#state = 'failed'
      throw error
    }
  }

  /** One call after the other, also for those who do not wait: each has to find what the one before it has left. */
  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(() => {
      if (this.#state === 'open') return run()
      const reason = this.#state === 'finished' ? 'is finished' : 'was given up'
      throw new SfmError('DISPOSED', `the corpus ${reason}: nothing more can be added`)
    })
    this.#turn = turn.catch(() => undefined)
    return turn
  }
}

function requireOptions(options: CorpusWriterOptions): void {
  if (typeof options !== 'object' || options === null) throw invalidArgument('options', 'an object', options)
  for (const key of ['name', 'license', 'attribution', 'provenance'] as const)
    if (options[key] !== undefined && typeof options[key] !== 'string')
      throw invalidArgument(key, 'a string', options[key])
  const { shardBytes } = options
  if (shardBytes !== undefined && !(Number.isSafeInteger(shardBytes) && shardBytes > 0))
    throw invalidArgument('shardBytes', 'a whole number from 1', shardBytes)
}

/** Sizes of a row by column, of the columns that are there. */
function sizesOf(columns: readonly Column[], { subjects, arrays }: Rows): Map<string, number[]> {
  return new Map(
    columns.flatMap(({ name, row }) => {
      const array = arrays.get(name)
      const open = array === undefined ? 0 : array.length / subjects.length
      return array === undefined ? [] : [[name, row.map((size) => (size === 'any' ? open : size))]]
    }),
  )
}

/** An existing corpus is somebody's work: it is not written over. */
async function requireNew(path: string): Promise<void> {
  const names = await readdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw new SfmError('IO', `cannot make ${path}: ${error.message}`, { cause: error })
  })
  if (names.length > 0) throw invalidArgument('folder', 'a folder that does not exist yet, or is empty', path)
}

async function takeName(temporary: string, folder: string): Promise<void> {
  // Not every system renames onto a folder, even an empty one. One that is not empty stays, and the renaming fails.
  await rmdir(folder).catch(() => undefined)
  await rename(temporary, folder)
}

/** Five digits sort as their numbers do, for the first hundred thousand. */
function number(value: number): string {
  return String(value).padStart(5, '0')
}

async function system<T>(what: string, done: Promise<T>): Promise<T> {
  try {
    return await done
  } catch (cause) {
    throw new SfmError('IO', `${what}: ${(cause as Error).message}`, { cause })
  }
}
