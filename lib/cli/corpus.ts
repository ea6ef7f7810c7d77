import { type Command, InvalidArgumentError, Option } from 'commander'
import { type Axes, parseAxes } from '../corpus/importing/axes.js'
import { UNITS, type Unit } from '../corpus/importing/units.js'
import type { SplitFractions } from '../corpus/splitSubjects.js'
import { SPLITS } from '../corpus/TrainingData.js'
import type { Cli } from './Cli.js'
import { seed } from './options.js'

/** As on the command line; see docs/corpus.md. */
export interface CorpusInfoOptions {
  check?: boolean
  json?: boolean
}

/** As on the command line; see docs/corpus.md. */
export interface CorpusCreateOptions {
  template?: string
  scans?: string
  subjectPattern?: RegExp
  landmarks?: string[]
  units: Unit | 'auto'
  axes?: Axes
  align: boolean
  split?: SplitFractions
  seed?: number
  skipBad?: boolean
  name?: string
  license?: string
  attribution?: string
  provenance?: string
  json?: boolean
}

/** As on the command line; see docs/corpus.md. */
export interface CorpusSynthesiseOptions {
  source?: string
  config?: string
  seed?: number
  json?: boolean
}

/** Adds `sfm corpus` to the program. */
export function addCorpusCommand(program: Command, cli: Cli, finish: (status: number) => void): void {
  const corpus = program.command('corpus').description('folders of scans and landmarks of many people to learn from')
  const json = () => new Option('--json', 'machine-readable answer on standard output')

  corpus
    .command('info')
    .description('what a corpus holds')
    .argument('<FOLDER>', 'the corpus')
    .option('--check', 'read all of it')
    .addOption(json())
    .action(async (folder: string, options: CorpusInfoOptions) => {
      finish(await (await import('./corpusInfo.js')).corpusInfo(folder, options, cli))
    })

  corpus
    .command('create')
    .description('a corpus from meshes in correspondence and landmark files')
    .argument('<FOLDER>', 'the new corpus')
    .option('--template <MODEL>', "model file with the meshes' topology; the embedded model by default")
    .option('--scans <FOLDER>', 'OBJ and PLY meshes, in a sub-folder for each person')
    .option('--subject-pattern <REGEX>', "what of a mesh's name is the person: its first group", regex)
    .option('--landmarks <FILE...>', 'landmarks with "subject" (JSON, JSON Lines), folders, patterns')
    .addOption(new Option('--units <UNIT>', 'of the meshes').choices(['auto', ...Object.keys(UNITS)]).default('auto'))
    .option('--axes <AXES>', "which axes of the meshes are the model's x, y and z, such as x,z,-y", axes)
    .option('--no-align', 'leave meshes where they are')
    .option('--split <SHARES>', 'of training, validation and test (default: 0.8,0.1,0.1)', shares)
    .option('--seed <N>', 'of the split (default: 1)', seed)
    .option('--skip-bad', 'leave out files that are of no use, and say so')
    .option('--name <TEXT>', 'what the corpus is called')
    .option('--license <TEXT>', 'its licence')
    .option('--attribution <TEXT>', 'whom to name')
    .option('--provenance <TEXT>', 'where it is from')
    .addOption(json())
    .action(async (folder: string, options: CorpusCreateOptions) => {
      finish(await (await import('./corpusCreate.js')).corpusCreate(folder, options, cli))
    })

  corpus
    .command('synthesise')
    .description('a corpus of people drawn from a model')
    .argument('<FOLDER>', 'the new corpus')
    .option('--source <MODEL>', 'model file to draw from; the embedded model by default')
    .option('--config <FILE>', 'options as JSON (docs/corpus.md)')
    .option('--seed <N>', "instead of the options' own", seed)
    .addOption(json())
    .action(async (folder: string, options: CorpusSynthesiseOptions) => {
      finish(await (await import('./corpusSynthesise.js')).corpusSynthesise(folder, options, cli))
    })
}

// Each parser below reads an option's text, and throws InvalidArgumentError, which commander puts behind the option's
// name.

function regex(text: string): RegExp {
  try {
    return new RegExp(text)
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message)
  }
}

function axes(text: string): Axes {
  try {
    return parseAxes(text)
  } catch {
    throw new InvalidArgumentError('Expected each of x, y and z once, with its sign, such as x,z,-y.')
  }
}

function shares(text: string): SplitFractions {
  const values = text.split(',').map((word) => (word.trim() === '' ? Number.NaN : Number(word)))
  const sum = values.reduce((a, b) => a + b, 0)
  if (values.length !== 3 || values.some((share) => !(share >= 0)) || Math.abs(sum - 1) > 1e-9)
    throw new InvalidArgumentError('Expected three shares with a sum of 1, such as 0.8,0.1,0.1.')
  return Object.fromEntries(SPLITS.map((split, i) => [split, values[i]]))
}
