import { readFileSync } from 'node:fs'
import type { Writable } from 'node:stream'
import { Command, CommanderError, Option } from 'commander'
import { SfmError } from '../errors.js'
import { FACE_FORMATS } from '../outputs/faceFormats.js'
import type { Cli, Engine } from './Cli.js'
import { addCorpusCommand } from './corpus.js'
import { EXIT } from './exitCode.js'
import { Messages } from './Messages.js'
import { Output } from './Output.js'
import { device, faceFormats, positiveInteger, positiveNumber, RESULT_FORMATS, resultFormats, seed } from './options.js'
import { UsageError } from './UsageError.js'

/** The outside of the command line. */
export interface Environment {
  stdin: AsyncIterable<Uint8Array>
  stdout: Writable
  stderr: Writable
  /** Aborted on Ctrl-C by whoever calls; on a reader that has gone by the command itself. */
  controller: AbortController
  /** Whether errors are to be printed with their stacks. */
  debug?: boolean
  /** The package's own by default. */
  engine?: Engine
}

/**
 * Runs `sfm` with the arguments given, without those of Node.
 *
 * @returns The exit status (docs/cli.md); it never rejects.
 * @example
 * process.exitCode = await run(['info', '--json'], { ...process, controller: new AbortController() })
 */
export async function run(args: readonly string[], environment: Environment): Promise<number> {
  const { stdin, stdout, stderr, controller, debug = false, engine = OWN_ENGINE } = environment
  const messages = new Messages(stderr)
  const out = new Output(stdout, () => controller.abort())
  let status: number = EXIT.success
  const cli: Cli = { stdin, out, messages, signal: controller.signal, engine }
  // Commands take the program's settings over when they are added, so the settings come first.
  const program = new Command('sfm').exitOverride().configureOutput({
    writeOut: (text) => void out.write(text),
    writeErr: (text) => void stderr.write(text),
    outputError: (text) => messages.say(text.trimEnd().replace(/^error: /, '')),
  })
  addCommands(program, cli, (code) => {
    status = code
  })
  try {
    await program.parseAsync([...args], { from: 'user' })
  } catch (error) {
    status = failed(error, messages, debug, out.closed)
  }
  return controller.signal.aborted && !out.closed ? EXIT.interrupted : status
}

function failed(error: unknown, messages: Messages, debug: boolean, readerGone: boolean): number {
  // Commander has printed what it had to say.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.success : EXIT.usage
  // The end was asked for: what comes of it is not news.
  if (isAbort(error)) return readerGone ? EXIT.success : EXIT.interrupted
  const text = error instanceof Error ? error.message : String(error)
  messages.say(debug && error instanceof Error ? (error.stack ?? text) : text)
  return error instanceof UsageError ? EXIT.usage : EXIT.failure
}

function isAbort(error: unknown): boolean {
  return (
    (error instanceof SfmError && error.code === 'ABORTED') || (error instanceof Error && error.name === 'AbortError')
  )
}

/** Loaded when a command needs it: `sfm --help` should not wait for a native addon. */
const OWN_ENGINE: Engine = {
  loadModel: async (source, device = 'auto') => (await import('../index.js')).SphereFaceModel.load(source, { device }),
  setThreads: async (threads) => (await import('../index.js')).configureCpu({ threads }),
  limits: async (device, signal) => (await import('../limits.js')).machineLimits(device, signal),
  loadDetector: async (signal) => (await import('../index.js')).FaceDetector.load({ signal }),
}

function addCommands(program: Command, cli: Cli, finish: (status: number) => void): void {
  program
    .description('Fits 3D face models whose identities lie on the unit sphere to landmarks, and decodes them.')
    .version(version(), '--version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .showSuggestionAfterError()
    .addHelpText(
      'after',
      '\nExit status: 0 all inputs usable, 1 some input or step failed, 2 the command line is wrong.',
    )

  const json = () => new Option('--json', 'machine-readable answer on standard output')
  const model = () => new Option('--model <MODEL>', 'model file; the embedded model by default')
  const where = () => new Option('--device <DEVICE>', 'auto, cpu or cuda').argParser(device).default('auto')

  program
    .command('info')
    .description('what a model holds, and its licence')
    .argument('[MODEL]', 'model file; the embedded model by default')
    .addOption(json())
    .action(async (source: string | undefined, options) => {
      finish(await (await import('./info.js')).info(source, options, cli))
    })

  program
    .command('decode')
    .description('meshes and pictures of faces drawn at random, or of given latents')
    .requiredOption('--out <DIR>', 'folder to write to')
    .option('--format <LIST>', FACE_FORMATS.join(', '), faceFormats, ['glb'])
    .option('--count <N>', 'how many faces to draw (default: 1)', positiveInteger)
    .option('--seed <N>', 'of the random numbers (default: 1)', seed)
    .option(
      '--latents <FILE>',
      'JSON or JSON Lines with identity and expression, such as fit results; - reads standard input',
    )
    .addOption(model())
    .addOption(json())
    .action(async (options) => {
      finish(await (await import('./decode.js')).decode(options, cli))
    })

  program
    .command('fit')
    .description('faces from photos and landmarks')
    .argument(
      '<INPUT...>',
      'photos, landmark files (JSON, JSON Lines, .pts), folders, patterns; - reads standard input',
    )
    .addOption(
      new Option('--as <KIND>', 'what the inputs are; their content tells by default').choices(['landmarks', 'photos']),
    )
    .option('--max-faces <N>', 'of a photo, the largest; all by default', positiveInteger)
    .option('--min-face <PX>', 'leaves smaller faces of photos out (default: 32)', positiveNumber)
    .addOption(model())
    .option('--out <DIR>', 'folder to write to; JSON Lines on standard output without it')
    .option('--format <LIST>', RESULT_FORMATS.join(', '), resultFormats, ['json'])
    .option('--draw-landmarks', 'draws the landmarks into png pictures')
    .addOption(where())
    .addOption(new Option('--camera <TYPE>', 'of inputs that do not say').choices(['perspective', 'weak']))
    .option(
      '--focal <PX>',
      'focal length of photos, and of landmarks that do not say; as the camera has noted it, or estimated, without it',
      positiveNumber,
    )
    .option('--joint', 'one face for each person: images of one subject are fitted together, and so are all without')
    .option('--track', 'inputs are the frames of a video: one identity, smooth motion')
    .option('--posterior', 'adds what the landmarks say of the identity, for likelihood ratios of sfm compare')
    .option('--jobs <N>', 'threads; as many as the machine has by default', positiveInteger)
    .addOption(json())
    .action(async (inputs: string[], options) => {
      finish(await (await import('./fit.js')).fit(inputs, options, cli))
    })

  program
    .command('compare')
    .description('how alike the faces of fit results are, all pairs')
    .argument('<RESULT...>', 'results of sfm fit (JSON, JSON Lines), folders, patterns; - reads standard input')
    .addOption(
      new Option('--model <MODEL>', 'that made the results, for its thresholds; the embedded model by default'),
    )
    .addOption(json())
    .action(async (inputs: string[], options) => {
      finish(await (await import('./compare.js')).compare(inputs, options, cli))
    })

  program
    .command('train')
    .description('a model of your own, from scans of many people')
    .argument('<CONFIG>', 'what to learn from and how, as JSON (docs/training.md)')
    .option('--resume', 'continue a training that was stopped, to the same result')
    .option('--jobs <N>', 'threads; as many as the machine has by default', positiveInteger)
    .addOption(json())
    .action(async (config: string, options) => {
      finish(await (await import('./train.js')).train(config, options, cli))
    })

  program
    .command('bench')
    .description('how fast this machine decodes and fits')
    .addOption(model())
    .addOption(where())
    .addOption(json())
    .action(async (options) => {
      finish(await (await import('./bench.js')).bench(options, cli))
    })

  addCorpusCommand(program, cli, finish)

  program
    .command('evaluate')
    .description('how good a model is, beside PCA and the ablation of its training')
    .argument('<MODEL>', 'model file')
    .option('--against <MODEL...>', 'models to compare it with; pca: the one that training left beside it')
    .option('--corpus <FOLDER>', 'evaluates with this corpus; by default with the test people of the training')
    .addOption(new Option('--split <PART>', 'of the corpus').choices(['train', 'validation', 'test']))
    .option('--landmarks <FILE...>', 'evaluates with photos: landmarks with subject, and collection')
    .option('--scans <FOLDER>', 'evaluates with scans and images of the same people')
    .option('--scale', 'fits the size of reconstructions to the scans as well')
    .option('--out <DIR>', 'folder of the report; by default evaluation/ beside the model')
    .option('--resamples <N>', 'of the confidence intervals (default: 1000)', positiveInteger)
    .option('--jobs <N>', 'threads; as many as the machine has by default', positiveInteger)
    .addOption(json())
    .action(async (path: string, options) => {
      finish(await (await import('./evaluate.js')).evaluate(path, options, cli))
    })
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}
