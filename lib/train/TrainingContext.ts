import type { Checkpoint } from './Checkpoint.js'

/** One line of `metrics.jsonl`. */
export type Metrics = { stage: string; step: number } & Record<string, number | string | null>

/** What a stage of training is given besides its data and options. */
export interface TrainingContext {
  /** Of all random numbers. */
  readonly seed: number
  readonly signal?: AbortSignal | undefined
  /**
   * Writes a line of metrics.
   *
   * @throws SfmError NUMERICAL, naming the stage, the step and the metric, for a number that is not finite: training has
   *   diverged.
   */
  record(metrics: Metrics): void
  /**
   * Tells how far the stage is.
   *
   * @param fraction 0 to 1.
   * @param what Being done.
   */
  progress(fraction: number, what: string): void
  readonly checkpoint: {
    /** The checkpoint of this name that an earlier run has left, if training is being resumed and there is one. */
    load(name: string): Promise<Checkpoint | undefined>
    /** @throws SfmError IO; the checkpoint there was before is as it was. */
    save(name: string, state: Checkpoint): Promise<void>
  }
  /**
   * Lets signals be heard; to be called between steps.
   *
   * @throws SfmError ABORTED
   */
  breathe(): Promise<void>
}
