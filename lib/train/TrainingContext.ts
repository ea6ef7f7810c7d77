/** The state of a stage between two steps. */
export interface Checkpoint {
  /** Counters and the like: JSON. */
  state: Record<string, unknown>
  arrays: Record<string, Float64Array>
}

/** What a stage of training is given besides its data and options. */
export interface TrainingContext {
  seed: number
  signal?: AbortSignal
  /**
   * One line of metrics.jsonl.
   *
   * @throws SfmError NUMERICAL where a number is not finite, naming stage and step.
   */
  record(metrics: { stage: string; step: number } & Record<string, number | string | null>): void
  progress(fraction: number, what: string): void
  checkpoint: {
    load(name: string): Promise<Checkpoint | undefined>
    save(name: string, checkpoint: Checkpoint): Promise<void>
  }
  /** Lets the event loop run; throws when aborted. */
  breathe(): Promise<void>
}
