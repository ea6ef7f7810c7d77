import type { DeviceName } from '../devices.js'
import type { MachineLimits } from '../limits.js'
import type { SphereFaceModel } from '../model/SphereFaceModel.js'
import type { FaceDetector } from '../photos/FaceDetector.js'
import type { readPhoto } from '../photos/readPhoto.js'
import type { Messages } from './Messages.js'
import type { Output } from './Output.js'

/** What a command works with: given to it, so that a test can give its own. */
export interface Cli {
  stdin: AsyncIterable<Uint8Array>
  out: Output
  messages: Messages
  /** Fires on Ctrl-C, and when the reader of standard output has gone. */
  signal: AbortSignal
  engine: Engine
}

/** The package behind the command line. */
export interface Engine {
  /** The model of `--model`, or the embedded one, on the device of `--device`. */
  loadModel(source?: string, device?: DeviceName): Promise<SphereFaceModel>
  /** How many threads calls from now on use. */
  setThreads(count: number): Promise<void>
  /** What the device could do at most, where that can be told. */
  limits?(device: DeviceName, signal: AbortSignal): Promise<MachineLimits | undefined>
  /** What finds the faces of photos; without it they are refused. */
  loadDetector?(signal: AbortSignal): Promise<Pick<FaceDetector, 'detect' | 'dispose'>>
  /** What decodes them; sharp by default. */
  readPhoto?: typeof readPhoto
}
