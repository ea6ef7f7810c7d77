import { createCorpus, type ImportReport } from '../corpus/importing/createCorpus.js'
import type { Cli } from './Cli.js'
import type { CorpusCreateOptions } from './corpus.js'
import { corpusFacts, describeCorpus } from './corpusInfo.js'
import { EXIT } from './exitCode.js'
import { UsageError } from './UsageError.js'

/** `sfm corpus create`: a corpus from files. */
export async function corpusCreate(folder: string, options: CorpusCreateOptions, cli: Cli): Promise<number> {
  const { messages, out, signal } = cli
  const { template, split, json, scans, landmarks, ...rest } = options
  if (scans === undefined && landmarks === undefined)
    throw new UsageError('--scans FOLDER or --landmarks FILE is needed')
  using model = await cli.engine.loadModel(template)
  try {
    const { corpus, report } = await createCorpus(folder, {
      ...rest,
      template: model.data,
      ...(scans !== undefined && { scans }),
      ...(landmarks !== undefined && { landmarks }),
      ...(split && { splits: split }),
      signal,
      onProgress: ({ scans, landmarkSets, skipped }) =>
        messages.progress(`${scans} scans, ${landmarkSets} landmark sets, ${skipped.length} left out`),
    })
    messages.endProgress()
    for (const { source, message } of report.skipped) messages.say(`left out: ${source}: ${message}`)
    for (const { source, message } of report.warnings) messages.say(`${source}: ${message}`)
    for (const sentence of remarks(report)) messages.say(sentence)
    const facts = await corpusFacts(corpus)
    await out.write(json ? `${JSON.stringify({ ...facts, report })}\n` : describeCorpus(facts))
    return report.skipped.length === 0 ? EXIT.success : EXIT.failure
  } finally {
    messages.endProgress()
  }
}

/** What is no fault of any file, but good to know. */
function remarks({ units, subjects }: ImportReport): string[] {
  const sentences: string[] = []
  const found = Object.entries(units).map(([unit, count]) => `${count} in ${unit}`)
  if (found.length > 0) sentences.push(`scans: ${found.join(', ')}`)
  if (subjects.withOneScan > 0)
    sentences.push(
      `${subjects.withOneScan} of ${subjects.withScans} people have one scan, which says nothing of what varies within a person`,
    )
  return sentences
}
