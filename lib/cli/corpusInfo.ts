import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Corpus } from '../corpus/Corpus.js'
import { MANIFEST_FILE } from '../corpus/Manifest.js'
import { SPLITS } from '../corpus/TrainingData.js'
import type { Cli } from './Cli.js'
import type { CorpusInfoOptions } from './corpus.js'
import { EXIT } from './exitCode.js'
import { table } from './table.js'

/** `sfm corpus info`: what a corpus holds. */
export async function corpusInfo(folder: string, options: CorpusInfoOptions, cli: Cli): Promise<number> {
  const corpus = await Corpus.open(folder)
  if (options.check) await check(corpus, cli)
  const facts = await corpusFacts(corpus)
  await cli.out.write(options.json ? `${JSON.stringify(facts)}\n` : describeCorpus(facts))
  return EXIT.success
}

/** What `--json` prints. */
export type CorpusFacts = Awaited<ReturnType<typeof corpusFacts>>

/** What is worth knowing of a corpus, without reading its shards. */
export async function corpusFacts(corpus: Corpus) {
  const { manifest, description } = corpus
  const template = await corpus.template()
  const sets = new Map<string, number>()
  for (const { scheme, count } of manifest.landmarks) sets.set(scheme, (sets.get(scheme) ?? 0) + count)
  const files = [
    MANIFEST_FILE,
    manifest.template,
    ...[...manifest.scans, ...manifest.landmarks, ...manifest.truth].map(({ file }) => file),
  ]
  const sizes = await Promise.all(files.map(async (file) => (await stat(join(corpus.folder, file))).size))
  const people = (split?: (typeof SPLITS)[number]) => ({
    subjects: corpus.subjects(split).length,
    withScans: corpus.subjects(split, 'scans').length,
    withLandmarks: corpus.subjects(split, 'landmarks').length,
  })
  return {
    ...description,
    vertices: corpus.vertexCount,
    template: {
      name: template.metadata.name,
      expressions: template.expressionCount,
      schemes: [...template.schemes.keys()],
    },
    scans: corpus.scanCount,
    landmarkSets: Object.fromEntries(sets),
    truth: manifest.truth.reduce((sum, { count }) => sum + count, 0),
    ...people(),
    splits: Object.fromEntries(SPLITS.map((split) => [split, people(split)])),
    files: files.length,
    bytes: sizes.reduce((sum, size) => sum + size, 0),
  }
}

/** The same for people. */
export function describeCorpus(facts: CorpusFacts): string {
  const count = (value: number) => value.toLocaleString('en')
  const sets = Object.entries(facts.landmarkSets).map(([scheme, number]) => `${count(number)} of ${scheme}`)
  const rows = [
    ['name', facts.name],
    ['licence', facts.license],
    ['attribution', facts.attribution],
    ['surface', `${count(facts.vertices)} vertices, template ${facts.template.name}`],
    ['scans', `${count(facts.scans)} of ${count(facts.withScans)} people`],
    ['landmarks', sets.length === 0 ? 'none' : `${sets.join(', ')}, ${count(facts.withLandmarks)} people`],
    ['truth', facts.truth === 0 ? 'unknown' : `of ${count(facts.truth)} people`],
    ['size', `${(facts.bytes / 1e6).toFixed(1)} MB in ${count(facts.files)} files`],
  ]
  const parts = Object.entries(facts.splits).map(([split, { subjects, withScans, withLandmarks }]) => [
    split,
    count(subjects),
    count(withScans),
    count(withLandmarks),
  ])
  return `${table(['', ''], rows)}\n${table(['people', 'all', 'scans', 'landmarks'], parts)}`
}

/** Reads everything: what is wrong with a file is found nowhere else. */
async function check(corpus: Corpus, { messages, signal }: Cli): Promise<void> {
  try {
    let [scans, sets] = [0, 0]
    for await (const { subjects } of corpus.scans({ signal })) {
      scans += subjects.length
      messages.progress(`${scans} scans`)
    }
    for await (const some of corpus.landmarkSets({ signal })) {
      sets += some.length
      messages.progress(`${scans} scans, ${sets} landmark sets`)
    }
    for await (const _ of corpus.truth({ signal })) messages.progress(`${scans} scans, ${sets} landmark sets, truth`)
  } finally {
    messages.endProgress()
  }
}
