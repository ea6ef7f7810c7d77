import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { throwIfAborted } from '../aborts.js'
import { invalidArgument, SfmError } from '../errors.js'
import { packObservation } from '../fit/packObservation.js'
import { readJsonLines } from '../inputs/readJson.js'
import { readBytes, readModelFile } from '../model/formats/modelFile.js'
import type { ModelData } from '../model/ModelData.js'
import { invalidCorpus } from './invalidCorpus.js'
import { parseLabelledObservation } from './labelledObservation.js'
import { type LandmarkEntry, MANIFEST_FILE, type Manifest, parseManifest } from './Manifest.js'
import { People } from './People.js'
import { asScans, asTruth, scanColumns, truthColumns } from './scanShards.js'
import { readShard, selectRows } from './shardFile.js'
import {
  type CorpusDescription,
  LANDMARK_SETS,
  type LabelledObservation,
  type ScanShard,
  type Selection,
  type Split,
  subjectKey,
  type TrainingData,
  type TruthShard,
} from './TrainingData.js'

/**
 * A corpus on disk (docs/corpus.md). Memory holds the template and one shard, whatever the size of the corpus.
 *
 * @example
 * const corpus = await Corpus.open('my-corpus')
 * for await (const { vertices, subjects } of corpus.scans({ split: 'train' })) learn(vertices, subjects)
 */
export class Corpus implements TrainingData {
  /** Where it is. */
  readonly folder: string
  /** What `corpus.json` says; not to be written to. */
  readonly manifest: Manifest
  readonly #people: People
  readonly #template: ModelData

  private constructor(folder: string, manifest: Manifest, people: People, template: ModelData) {
    this.folder = folder
    this.manifest = manifest
    this.#people = people
    this.#template = template
  }

  /**
   * Opens a corpus and checks all that can be told without reading its shards: the manifest, the template, that every
   * file is there, and that everybody with data is in one part, and in one only.
   *
   * @throws SfmError INVALID_INPUT, naming the field, the file or the people; INVALID_MODEL for the template; IO;
   *   INVALID_ARGUMENT.
   * @example
   * const corpus = await Corpus.open('my-corpus')
   */
  static async open(folder: string): Promise<Corpus> {
    if (typeof folder !== 'string' || folder === '' || folder.includes('\0'))
      throw invalidArgument('folder', "a corpus' folder", folder)
    const path = join(folder, MANIFEST_FILE)
    const text = new TextDecoder().decode(await readBytes(path))
    try {
      const manifest = parseManifest(text)
      const { scans, landmarks, truth, splits } = manifest
      const subjects = (entries: readonly { subjects: string[] }[]) => entries.flatMap((entry) => entry.subjects)
      const people = new People(splits, subjects(scans), subjects(landmarks))
      people.requireKnown(subjects(truth))
      const template = await readModelFile(join(folder, manifest.template))
      requireTemplate(manifest, template)
      await requireFiles(folder, manifest)
      return new Corpus(folder, manifest, people, template)
    } catch (error) {
      if (!(error instanceof SfmError) || error.code !== 'INVALID_INPUT') throw error
      throw new SfmError(error.code, `${path}: ${error.message}`, { cause: error })
    }
  }

  get description(): CorpusDescription {
    const { name, license, attribution, provenance } = this.manifest
    return { name, license, attribution, provenance }
  }

  get vertexCount(): number {
    return this.manifest.vertexCount
  }

  get scanCount(): number {
    return total(this.manifest.scans)
  }

  get landmarkSetCount(): number {
    return total(this.manifest.landmarks)
  }

  /** The model that carries triangles, expressions and schemes; always the same object. */
  async template(): Promise<ModelData> {
    return this.#template
  }

  subjects(split?: Split, having?: 'scans' | 'landmarks'): string[] {
    return this.#people.subjects(split, having)
  }

  async *scans({ split, signal }: Selection = {}): AsyncGenerator<ScanShard> {
    const columns = scanColumns(this.vertexCount, this.#template.expressionCount)
    const wanted = this.#people.selector(split)
    for (const entry of this.manifest.scans) {
      throwIfAborted(signal)
      if (entry.subjects.some(wanted)) yield asScans(selectRows(await readShard(this.folder, entry, columns), wanted))
    }
  }

  async *truth({ split, signal }: Selection = {}): AsyncGenerator<TruthShard> {
    const columns = truthColumns(this.vertexCount)
    const wanted = this.#people.selector(split)
    for (const entry of this.manifest.truth) {
      throwIfAborted(signal)
      if (entry.subjects.some(wanted)) yield asTruth(selectRows(await readShard(this.folder, entry, columns), wanted))
    }
  }

  async *landmarkSets({
    split,
    scheme,
    signal,
  }: Selection & { scheme?: string } = {}): AsyncGenerator<LabelledObservation[]> {
    const wanted = this.#people.selector(split)
    for (const entry of this.manifest.landmarks) {
      if (scheme !== undefined && entry.scheme !== scheme) continue
      if (!entry.subjects.some(wanted)) continue
      let batch: LabelledObservation[] = []
      for await (const observation of this.#landmarkFile(entry, signal)) {
        if (wanted(subjectKey(observation))) batch.push(observation)
        if (batch.length < LANDMARK_SETS) continue
        yield batch
        batch = []
      }
      if (batch.length > 0) yield batch
    }
  }

  /** All of a file's sets, each checked, and their number. */
  async *#landmarkFile(entry: LandmarkEntry, signal?: AbortSignal): AsyncGenerator<LabelledObservation> {
    throwIfAborted(signal)
    const known = new Set(entry.subjects)
    let count = 0
    for await (const { place, value, error } of readJsonLines(bytesOf(join(this.folder, entry.file)))) {
      throwIfAborted(signal)
      try {
        if (error) throw error
        const observation = parseLabelledObservation(value)
        if (observation.scheme !== entry.scheme)
          throw invalidCorpus('scheme', `"${entry.scheme}", as the manifest says`, JSON.stringify(observation.scheme))
        packObservation(observation, this.#template.schemes, { camera: 'perspective', focal: undefined }, 'landmarks')
        const key = subjectKey(observation)
        if (!known.has(key))
          throw invalidCorpus('subject', "one of the file's, as the manifest says", JSON.stringify(key))
        count++
        yield observation
      } catch (error) {
        if (!(error instanceof SfmError) || error.code === 'ABORTED') throw error
        throw new SfmError('INVALID_INPUT', `${entry.file}${place}: ${error.message}`, { cause: error })
      }
    }
    if (count !== entry.count)
      throw new SfmError('INVALID_INPUT', `${entry.file}: expected ${entry.count} landmark sets, received ${count}`)
  }
}

function total(entries: readonly { count: number }[]): number {
  return entries.reduce((sum, { count }) => sum + count, 0)
}

function requireTemplate({ template: file, vertexCount, landmarks }: Manifest, template: ModelData): void {
  if (template.vertexCount !== vertexCount)
    throw invalidCorpus(file, `${vertexCount} vertices, as the manifest says`, `${template.vertexCount}`)
  const unknown = landmarks.find(({ scheme }) => !template.schemes.has(scheme))
  if (unknown !== undefined)
    throw invalidCorpus(
      unknown.file,
      `a scheme of ${file} (${[...template.schemes.keys()].join(', ')})`,
      unknown.scheme,
    )
}

async function requireFiles(folder: string, { scans, landmarks, truth }: Manifest): Promise<void> {
  for (const { file } of [...scans, ...landmarks, ...truth]) {
    const entry = await stat(join(folder, file)).catch((cause) => {
      throw new SfmError('IO', `cannot read ${join(folder, file)}: ${(cause as Error).message}`, { cause })
    })
    if (!entry.isFile()) throw invalidCorpus(file, 'a file', 'something else')
  }
}

async function* bytesOf(path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(path, { highWaterMark: 256 * 1024 })
  } catch (cause) {
    throw new SfmError('IO', `cannot read ${path}: ${(cause as Error).message}`, { cause })
  }
}
