import type { Split } from '../../corpus/TrainingData.js'
import type { FitterOptions } from '../../fit/FitterOptions.js'
import type { BootstrapOptions } from '../bootstrap.js'

/** What all protocols may be told. */
export interface ProtocolOptions {
  /** The part of the data to measure with; default `test`. */
  split?: Split | undefined
  /** Of the intervals. */
  bootstrap?: BootstrapOptions | undefined
  /** How landmarks are fitted; as `sfm fit` does by default. */
  fitter?: FitterOptions | undefined
  signal?: AbortSignal | undefined
  /** Hears what is being done. */
  progress?: ((what: string) => void) | undefined
}
