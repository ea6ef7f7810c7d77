import { describe, SfmError } from '../errors.js'
import { duplicateKey } from '../model/formats/duplicateKey.js'
import { invalidCorpus } from './invalidCorpus.js'
import { type CorpusDescription, SPLITS, type SplitLists } from './TrainingData.js'

/** The only version of the corpus there is. */
export const CORPUS_FORMAT = 'sphere-face-corpus/1'

/** The name of the manifest in a corpus' folder. */
export const MANIFEST_FILE = 'corpus.json'

/** A file of a corpus that holds data. */
export interface ShardEntry {
  /** Its name in the corpus' folder. */
  file: string
  /** Scans, landmark sets or people in it. */
  count: number
  /** The people in it, each once. The `subject` of a scan is an index into this list. */
  subjects: string[]
}

/** A file with landmark sets of one scheme. */
export interface LandmarkEntry extends ShardEntry {
  scheme: string
}

/** What `corpus.json` says (docs/corpus.md). */
export interface Manifest extends CorpusDescription {
  format: typeof CORPUS_FORMAT
  units: 'mm'
  /** N */
  vertexCount: number
  /** Name of the model file that carries topology, expressions and schemes. */
  template: string
  scans: ShardEntry[]
  landmarks: LandmarkEntry[]
  /** Of synthetic people. */
  truth: ShardEntry[]
  splits: SplitLists
}

/**
 * Reads a manifest and checks its form. Whether the people's parts and the files agree with it is for
 * {@link Corpus.open} to say.
 *
 * @throws SfmError INVALID_INPUT naming the field.
 * @example
 * const manifest = parseManifest(await readFile('corpus/corpus.json', 'utf8'))
 */
export function parseManifest(text: string): Manifest {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new SfmError('INVALID_INPUT', `not valid JSON: ${(cause as Error).message.replace(/\s+/g, ' ')}`, { cause })
  }
  if (!isRecord(value)) throw invalidCorpus('manifest', 'a JSON object', describe(value))
  const twice = duplicateKey(text)
  if (twice !== undefined) throw invalidCorpus('manifest', 'every key once', `${describe(twice)} twice`)
  if (value.format !== CORPUS_FORMAT) throw invalidCorpus('format', `"${CORPUS_FORMAT}"`, describe(value.format))
  if (value.units !== 'mm') throw invalidCorpus('units', '"mm"', describe(value.units))
  const manifest: Manifest = {
    format: CORPUS_FORMAT,
    name: string('name', value.name),
    license: string('license', value.license),
    attribution: string('attribution', value.attribution),
    provenance: string('provenance', value.provenance),
    units: 'mm',
    vertexCount: count('vertexCount', value.vertexCount),
    template: fileName('template', value.template),
    scans: entries('scans', value.scans).map(({ where, entry }) => shard(where, entry)),
    landmarks: entries('landmarks', value.landmarks).map(({ where, entry }) => ({
      ...shard(where, entry),
      scheme: name(`${where}.scheme`, entry.scheme),
    })),
    truth: entries('truth', value.truth ?? []).map(({ where, entry }) => shard(where, entry)),
    splits: splits(value.splits),
  }
  requireDifferentFiles(manifest)
  return manifest
}

/** The text of a manifest: the inverse of {@link parseManifest}; one line an entry, so that people can read it. */
export function formatManifest(manifest: Manifest): string {
  const list = (values: readonly unknown[], indent: string) =>
    values.length === 0 ? '[]' : `[\n${values.map((v) => `${indent}  ${JSON.stringify(v)}`).join(',\n')}\n${indent}]`
  const fields = Object.entries(manifest).map(([key, value]) => {
    if (Array.isArray(value)) return `${JSON.stringify(key)}: ${list(value, '  ')}`
    if (key !== 'splits') return `${JSON.stringify(key)}: ${JSON.stringify(value)}`
    const parts = SPLITS.map((split) => `    "${split}": ${list(manifest.splits[split], '    ')}`)
    return `"splits": {\n${parts.join(',\n')}\n  }`
  })
  return `{\n${fields.map((field) => `  ${field}`).join(',\n')}\n}\n`
}

function entries(field: string, value: unknown): Array<{ where: string; entry: Record<string, unknown> }> {
  if (!Array.isArray(value)) throw invalidCorpus(field, 'an array of shards', describe(value))
  return value.map((entry, i) => {
    const where = `${field}[${i}]`
    if (!isRecord(entry)) throw invalidCorpus(where, '{ "file", "count", "subjects" }', describe(entry))
    return { where, entry }
  })
}

function shard(where: string, { file, count: rows, subjects }: Record<string, unknown>): ShardEntry {
  const entry = {
    file: fileName(`${where}.file`, file),
    count: count(`${where}.count`, rows),
    subjects: names(`${where}.subjects`, subjects),
  }
  if (entry.subjects.length === 0 || entry.subjects.length > entry.count)
    throw invalidCorpus(`${where}.subjects`, `1 to ${entry.count} names`, describe(subjects))
  if (new Set(entry.subjects).size < entry.subjects.length)
    throw invalidCorpus(`${where}.subjects`, 'every name once', 'some twice')
  return entry
}

function splits(value: unknown): SplitLists {
  if (!isRecord(value)) throw invalidCorpus('splits', '{ "train", "validation", "test" }', describe(value))
  const unknown = Object.keys(value).find((key) => !SPLITS.some((split) => split === key))
  if (unknown !== undefined) throw invalidCorpus('splits', SPLITS.join(', '), describe(unknown))
  const list = (split: string) => names(`splits.${split}`, value[split] ?? [])
  return { train: list('train'), validation: list('validation'), test: list('test') }
}

/** A file outside of the folder would be no part of the corpus. */
function fileName(where: string, value: unknown): string {
  if (typeof value !== 'string' || !/^[^/\\\0]+$/.test(value) || value === '.' || value === '..')
    throw invalidCorpus(where, "the name of a file in the corpus' folder", describe(value))
  return value
}

function requireDifferentFiles({ template, scans, landmarks, truth }: Manifest): void {
  const files = [MANIFEST_FILE, template, ...[...scans, ...landmarks, ...truth].map(({ file }) => file)]
  const met = new Set<string>()
  for (const file of files) {
    if (met.has(file)) throw invalidCorpus('manifest', 'every file once', `${describe(file)} twice`)
    met.add(file)
  }
}

function string(where: string, value: unknown): string {
  if (typeof value !== 'string') throw invalidCorpus(where, 'a string', describe(value))
  return value
}

function name(where: string, value: unknown): string {
  if (typeof value !== 'string' || value === '')
    throw invalidCorpus(where, 'a string that is not empty', describe(value))
  return value
}

function names(where: string, value: unknown): string[] {
  if (!Array.isArray(value)) throw invalidCorpus(where, 'an array of names', describe(value))
  for (const [i, entry] of value.entries()) name(`${where}[${i}]`, entry)
  return value
}

function count(where: string, value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1)
    throw invalidCorpus(where, 'a whole number from 1', describe(value))
  return value
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
