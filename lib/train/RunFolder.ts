import { createHash } from 'node:crypto'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { throwIfAborted } from '../aborts.js'
import { SfmError } from '../errors.js'
import { asSfmError } from '../inputs/expandInputs.js'
import { writeFileAtomically } from '../writeFileAtomically.js'
import { type Checkpoint, decodeCheckpoint, encodeCheckpoint } from './Checkpoint.js'
import type { Metrics, TrainingContext } from './TrainingContext.js'

/** Metrics reach the disk this often, and with every checkpoint. */
const FLUSH_MS = 2000

/** Of a {@link RunFolder}. */
export interface RunOptions {
  seed: number
  /** Whatever decides the outcome of training, as text: checkpoints of another are refused. */
  identity: string
  /** Whether to continue from the checkpoints there are. */
  resume: boolean
  signal?: AbortSignal | undefined
  onProgress?: ((fraction: number, what: string) => void) | undefined
}

/**
 * The folder that a training writes to, and the context that its stages work in: metrics, checkpoints, signals. A training
 * that is resumed goes on with the metrics as they were at the checkpoint, so that they end as if it had not been stopped.
 */
export class RunFolder implements TrainingContext {
  readonly path: string
  readonly seed: number
  readonly signal: AbortSignal | undefined
  readonly checkpoint: TrainingContext['checkpoint']
  readonly #identity: string
  readonly #onProgress: RunOptions['onProgress']
  readonly #earlier: string[]
  #lines: string[] = []
  #flushed = -1
  #flushedAt = Number.NEGATIVE_INFINITY

  private constructor(path: string, options: RunOptions, earlier: string[]) {
    this.path = path
    this.seed = options.seed
    this.signal = options.signal
    this.#identity = createHash('sha256').update(options.identity).digest('hex')
    this.#onProgress = options.onProgress
    this.#earlier = earlier
    this.checkpoint = {
      load: async (name) => {
        if (!options.resume) return undefined
        const path = this.#checkpointPath(name)
        const bytes = await readIfThere(path)
        if (bytes === undefined) return undefined
        const checkpoint = decode(bytes, this.#identity, path)
        this.#lines = this.#earlier.slice(0, checkpoint.state.metrics as number)
        return checkpoint
      },
      save: async (name, { state, tensors }) => {
        await this.flush()
        const complete = { state: { ...state, metrics: this.#lines.length }, tensors }
        await writeFileAtomically(this.#checkpointPath(name), encodeCheckpoint(complete, this.#identity), {
          sync: true,
        })
      },
    }
  }

  /**
   * Makes the folder where it does not exist. Without `resume` the checkpoints and metrics of earlier runs are removed.
   *
   * @throws SfmError IO
   */
  static async open(path: string, options: RunOptions): Promise<RunFolder> {
    await mkdir(path, { recursive: true }).catch((error) => Promise.reject(asSfmError(error)))
    const run = new RunFolder(path, options, options.resume ? await readLines(join(path, METRICS)) : [])
    if (!options.resume) await run.removeCheckpoints()
    await mkdir(join(path, CHECKPOINTS), { recursive: true }).catch((error) => Promise.reject(asSfmError(error)))
    return run
  }

  record(metrics: Metrics): void {
    for (const [key, value] of Object.entries(metrics)) {
      if (typeof value !== 'number' || Number.isFinite(value)) continue
      throw new SfmError(
        'NUMERICAL',
        `${metrics.stage}, step ${metrics.step}: expected a finite ${key}, received ${value}: training has diverged`,
      )
    }
    this.#lines.push(JSON.stringify(metrics))
  }

  progress(fraction: number, what: string): void {
    this.#onProgress?.(fraction, what)
  }

  async breathe(): Promise<void> {
    await setImmediate()
    throwIfAborted(this.signal)
    if (performance.now() - this.#flushedAt > FLUSH_MS) await this.flush()
  }

  /** Brings the metrics to the disk. */
  async flush(): Promise<void> {
    this.#flushedAt = performance.now()
    if (this.#flushed === this.#lines.length) return
    await writeFileAtomically(join(this.path, METRICS), this.#lines.map((line) => `${line}\n`).join(''))
    this.#flushed = this.#lines.length
  }

  /** Once the results are there. */
  async removeCheckpoints(): Promise<void> {
    const path = join(this.path, CHECKPOINTS)
    await rm(path, { recursive: true, force: true }).catch((error) => Promise.reject(asSfmError(error)))
  }

  #checkpointPath(name: string): string {
    return join(this.path, CHECKPOINTS, `${name}.safetensors`)
  }
}

/** What is wrong with a checkpoint is said with its name. */
function decode(bytes: Uint8Array, identity: string, path: string): Checkpoint {
  try {
    return decodeCheckpoint(bytes, identity)
  } catch (cause) {
    throw new SfmError('INVALID_INPUT', `${path}: ${(cause as Error).message}`, { cause })
  }
}

const METRICS = 'metrics.jsonl'
const CHECKPOINTS = 'checkpoints'

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw asSfmError(error)
  }
}

async function readLines(path: string): Promise<string[]> {
  const bytes = await readIfThere(path)
  return bytes === undefined ? [] : new TextDecoder().decode(bytes).split('\n').slice(0, -1)
}
