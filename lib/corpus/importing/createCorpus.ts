import { createHash } from 'node:crypto'
import { throwIfAborted } from '../../aborts.js'
import { invalidArgument, SfmError } from '../../errors.js'
import { readMesh } from '../../inputs/readMesh.js'
import { readRecords, within } from '../../inputs/readRecords.js'
import type { ModelData } from '../../model/ModelData.js'
import type { Corpus } from '../Corpus.js'
import { CorpusWriter } from '../CorpusWriter.js'
import { parseLabelledObservation, plainObservation } from '../labelledObservation.js'
import { type SplitFractions, splitSubjects } from '../splitSubjects.js'
import { type CorpusDescription, LANDMARK_SETS, type LabelledObservation, subjectKey } from '../TrainingData.js'
import { type Axes, MODEL_AXES } from './axes.js'
import { ScanImporter } from './ScanImporter.js'
import { scanFiles } from './scanFiles.js'
import { UNITS, type Unit } from './units.js'

/** What to make a corpus of. */
export interface CreateCorpusOptions extends Partial<CorpusDescription> {
  /** A model with the scans' topology. */
  template: ModelData
  /** A folder of OBJ and PLY meshes in correspondence with the template: the same vertices in the same order. */
  scans?: string
  /** What of a mesh's name is the person, see {@link scanFiles}; the sub-folder's name by default. */
  subjectPattern?: RegExp
  /** Files of landmarks (JSON, JSON Lines), folders of them, patterns: with `subject`, and `collection` if need be. */
  landmarks?: readonly string[]
  /** Of the scans (default: told by the size of each). */
  units?: Unit | 'auto'
  /** Of the scans (default: the model's). */
  axes?: Axes
  /** Whether scans are moved onto the template (default true). */
  align?: boolean
  /** Default 0.8, 0.1, 0.1. */
  splits?: SplitFractions
  /** Of the division into parts (default 1). */
  seed?: number
  /** Whether files that are of no use are left out, and said; otherwise the first of them ends it all (default). */
  skipBad?: boolean
  signal?: AbortSignal
  onProgress?: (report: Readonly<ImportReport>) => void
}

/** Something about one file or line. */
export interface ImportNote {
  source: string
  message: string
}

/** What has come of the files. */
export interface ImportReport {
  scans: number
  landmarkSets: number
  /** Scans by unit. */
  units: Partial<Record<Unit, number>>
  /** What was left out, and why. */
  skipped: ImportNote[]
  /** What was taken all the same. */
  warnings: ImportNote[]
  /** People by what there is of them. */
  subjects: { all: number; withScans: number; withLandmarks: number; withOneScan: number }
}

/**
 * Makes a corpus of files: scans in correspondence, and landmark sets.
 *
 * @param folder Of the corpus; must not exist yet, or be empty.
 * @throws SfmError INVALID_INPUT naming the first file that is of no use, unless they are to be skipped;
 *   INVALID_ARGUMENT, IO, INVALID_MODEL, ABORTED. Then there is no such folder.
 * @example
 * const { report } = await createCorpus('corpus', { template: model.data, scans: 'scans', skipBad: true })
 */
export async function createCorpus(
  folder: string,
  options: CreateCorpusOptions,
): Promise<{ corpus: Corpus; report: ImportReport }> {
  requireOptions(options)
  const { template, name, license, attribution, provenance, splits, seed = 1 } = options
  await using writer = await CorpusWriter.create(folder, {
    template,
    ...(name !== undefined && { name }),
    ...(license !== undefined && { license }),
    ...(attribution !== undefined && { attribution }),
    ...(provenance !== undefined && { provenance }),
  })
  const report: ImportReport = {
    scans: 0,
    landmarkSets: 0,
    units: {},
    skipped: [],
    warnings: [],
    subjects: { all: 0, withScans: 0, withLandmarks: 0, withOneScan: 0 },
  }
  const scansOf = await importScans(writer, options, report)
  const withLandmarks = await importLandmarks(writer, options, report)
  if (Object.keys(report.units).length > 1) {
    const counts = Object.entries(report.units).map(([unit, count]) => `${count} in ${unit}`)
    report.warnings.push({ source: options.scans!, message: `scans of different units: ${counts.join(', ')}` })
  }
  report.subjects = {
    all: writer.subjects().length,
    withScans: scansOf.size,
    withLandmarks: withLandmarks.size,
    withOneScan: [...scansOf.values()].filter((count) => count === 1).length,
  }
  requireSome(report)
  const lists = splitSubjects(writer.subjects(), splits ?? { train: 0.8, validation: 0.1, test: 0.1 }, seed)
  return { corpus: await writer.finish(lists), report }
}

/** @returns The number of scans by person. */
async function importScans(
  writer: CorpusWriter,
  { template, scans, subjectPattern, skipBad = false, signal, onProgress, ...rest }: CreateCorpusOptions,
  report: ImportReport,
): Promise<Map<string, number>> {
  const scansOf = new Map<string, number>()
  if (scans === undefined) return scansOf
  const { units = 'auto', axes = MODEL_AXES, align = true } = rest
  const importer = new ScanImporter(template, { units, axes, align })
  for (const { path, name, subject } of await scanFiles(scans, subjectPattern)) {
    throwIfAborted(signal)
    const scan = await orSkip(path, skipBad, report, async () => {
      if (subject === undefined) throw nameless(name, subjectPattern)
      return importer.take(await readMesh(path), name, subject) ?? 'the same scan of the same person again'
    })
    // Not within: a disk that is full is no fault of the scan.
    if (scan !== undefined && subject !== undefined) {
      await writer.addScans({ vertices: scan.vertices, subjects: [subject] })
      report.scans++
      report.units[scan.unit] = (report.units[scan.unit] ?? 0) + 1
      scansOf.set(subject, (scansOf.get(subject) ?? 0) + 1)
      for (const message of scan.warnings) report.warnings.push({ source: path, message })
    }
    onProgress?.(report)
  }
  return scansOf
}

/** @returns Everybody with landmark sets. */
async function importLandmarks(
  writer: CorpusWriter,
  { template, landmarks = [], skipBad = false, signal, onProgress }: CreateCorpusOptions,
  report: ImportReport,
): Promise<Set<string>> {
  const people = new Set<string>()
  const known = new Map<string, { source: string; subject: string }>()
  const options = {
    extensions: ['.json', '.jsonl', '.ndjson'],
    wanted: 'landmarks as JSON or JSON Lines',
    ...(signal && { signal }),
  }
  let batch: LabelledObservation[] = []
  for await (const record of readRecords(landmarks, options)) {
    const { source } = record
    const observation = await orSkip(source, skipBad, report, async () => {
      if (record.error !== undefined) throw record.error
      const observation = plainObservation(parseLabelledObservation(record.value), template.schemes, 'landmarks')
      requireFace(observation)
      const isTwice = isKnown(observation, known, source, subjectKey(observation))
      return isTwice ? 'the same landmarks of the same person again' : observation
    })
    if (observation === undefined) continue
    batch.push({ id: record.defaultId, ...observation })
    people.add(subjectKey(observation))
    report.landmarkSets++
    if (batch.length < LANDMARK_SETS) continue
    await writer.addLandmarkSets(batch)
    batch = []
    onProgress?.(report)
  }
  await writer.addLandmarkSets(batch)
  onProgress?.(report)
  return people
}

/** A landmark set with one place for all of its points is of no face; one without points neither. */
function requireFace({ points }: LabelledObservation): void {
  const present = (points as ReadonlyArray<readonly number[] | null>).filter((point) => point !== null)
  const [first] = present
  if (first === undefined || present.every((point) => point.every((x, axis) => x === first[axis])))
    throw new SfmError('INVALID_INPUT', 'points: expected a face, received points that are missing or all in one place')
}

function isKnown(
  { scheme, points }: LabelledObservation,
  known: Map<string, { source: string; subject: string }>,
  source: string,
  subject: string,
): boolean {
  const hash = createHash('sha256')
    .update(JSON.stringify([scheme, points]))
    .digest('base64')
  const same = known.get(hash)
  if (same === undefined) {
    known.set(hash, { source, subject })
    return false
  }
  if (same.subject === subject) return true
  throw new SfmError(
    'INVALID_INPUT',
    `expected different landmarks of different people, received those of ${same.source}, of ${same.subject}, for ${subject}`,
  )
}

/**
 * What an input has in it. Undefined for one that is left out, which is noted: because of a reason that is no fault (a
 * string), or of a fault where those are to be skipped.
 */
async function orSkip<T extends object>(
  source: string,
  skipBad: boolean,
  report: ImportReport,
  read: () => Promise<T | string>,
): Promise<T | undefined> {
  try {
    const result = await read()
    if (typeof result !== 'string') return result
    report.skipped.push({ source, message: result })
  } catch (error) {
    if (!(error instanceof SfmError) || error.code === 'ABORTED' || error.code === 'INTERNAL') throw error
    const named = error.message.includes(source) ? error : within(source, error)
    if (!skipBad) throw new SfmError(error.code === 'IO' ? 'IO' : 'INVALID_INPUT', named.message, { cause: error })
    report.skipped.push({ source, message: named.message.replace(`${source}: `, '') })
  }
  return undefined
}

/** With everything left out there is no corpus: the reason of the first is the one to know. */
function requireSome({ subjects, skipped }: ImportReport): void {
  if (subjects.all > 0) return
  const [first] = skipped
  const reason = first
    ? `: each of ${skipped.length} is of no use, the first because of ${first.source}: ${first.message}`
    : ''
  throw new SfmError('INVALID_INPUT', `expected scans or landmark sets, received none${reason}`)
}

function nameless(name: string, pattern: RegExp | undefined): SfmError {
  const message =
    pattern === undefined
      ? `expected a sub-folder for each person, received ${name}`
      : `expected a name with a subject by ${pattern}, received ${name}`
  return new SfmError('INVALID_INPUT', message)
}

function requireOptions(options: CreateCorpusOptions): void {
  if (typeof options !== 'object' || options === null) throw invalidArgument('options', 'an object', options)
  const { scans, landmarks, units, subjectPattern } = options
  if (scans === undefined && (landmarks === undefined || landmarks.length === 0))
    throw invalidArgument('scans', 'a folder of scans, or landmarks', 'neither')
  if (scans !== undefined && (typeof scans !== 'string' || scans === ''))
    throw invalidArgument('scans', 'a folder', scans)
  if (landmarks !== undefined && !Array.isArray(landmarks)) throw invalidArgument('landmarks', 'a list', landmarks)
  if (units !== undefined && units !== 'auto' && !Object.hasOwn(UNITS, units))
    throw invalidArgument('units', `auto, ${Object.keys(UNITS).join(', ')}`, units)
  if (subjectPattern !== undefined && !(subjectPattern instanceof RegExp))
    throw invalidArgument('subjectPattern', 'a regular expression', subjectPattern)
}
