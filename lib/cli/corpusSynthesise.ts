import { readFile } from 'node:fs/promises'
import type { SynthesisOptions } from '../corpus/synthetic/SynthesisOptions.js'
import { synthesise } from '../corpus/synthetic/SyntheticCorpus.js'
import { writeCorpus } from '../corpus/writeCorpus.js'
import { describe, SfmError } from '../errors.js'
import { asSfmError } from '../inputs/expandInputs.js'
import { within } from '../inputs/readRecords.js'
import type { Cli } from './Cli.js'
import type { CorpusSynthesiseOptions } from './corpus.js'
import { corpusFacts, describeCorpus } from './corpusInfo.js'
import { EXIT } from './exitCode.js'

/** `sfm corpus synthesise`: a corpus of people drawn from a model. */
export async function corpusSynthesise(folder: string, options: CorpusSynthesiseOptions, cli: Cli): Promise<number> {
  const { messages, out, signal } = cli
  const { source, config, seed, json } = options
  const read = config === undefined ? {} : await readConfig(config)
  using model = await cli.engine.loadModel(source)
  try {
    const people = inFile(config, () => synthesise(model.data, seed === undefined ? read : { ...read, seed }))
    const [scans, sets] = [people.scanCount, people.landmarkSetCount]
    const corpus = await writeCorpus(folder, people, {
      signal,
      onProgress: (done) =>
        messages.progress(`${done.scans} of ${scans} scans, ${done.landmarkSets} of ${sets} landmark sets`),
    })
    messages.endProgress()
    const facts = await corpusFacts(corpus)
    await out.write(json ? `${JSON.stringify(facts)}\n` : describeCorpus(facts))
    return EXIT.success
  } finally {
    messages.endProgress()
  }
}

async function readConfig(path: string): Promise<SynthesisOptions> {
  const text = await readFile(path, 'utf8').catch((error) => Promise.reject(within(path, asSfmError(error))))
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
    throw new SfmError('INVALID_INPUT', `${path}: expected an object of options, received ${describe(value)}`)
  } catch (cause) {
    if (cause instanceof SfmError) throw cause
    throw new SfmError('INVALID_INPUT', `${path}: not valid JSON: ${(cause as Error).message}`, { cause })
  }
}

/** What is wrong with an option is wrong in the file that it is in. */
function inFile<T>(path: string | undefined, run: () => T): T {
  try {
    return run()
  } catch (error) {
    throw error instanceof SfmError && path !== undefined ? within(path, error) : error
  }
}
