import { requireOptions } from '../decode/Latents.js'
import { type DeviceName, requireDevice } from '../devices.js'
import { invalidArgument } from '../errors.js'
import type { NativeFitOptions } from '../native.js'

/** How faces are fitted. Every default is chosen so that it need not be touched. */
export interface FitterOptions {
  /** Where to compute (default: where the model does). */
  device?: DeviceName
  /** The camera of observations that do not say (default `perspective`). */
  camera?: 'perspective' | 'weak'
  /** Focal length in pixels of observations that do not say; estimated without it. */
  focal?: number
  /**
   * Standard deviation of a good landmark in mm on the face (default 1.24, 2% of an inter-ocular distance of 62 mm). An
   * observation's own `noise` takes precedence. Too small a value costs more than too large a one.
   */
  noise?: number
  /** Student-t loss, which all but ignores outliers (default true); otherwise least squares. */
  robust?: boolean
  /** Keeps expressions within the model's bounds (default true). */
  boundExpression?: boolean
  /**
   * Estimates what the model and the scheme say of variation that is neither identity nor expression, and drops it
   * afterwards (default true; docs/fitting.md). False fits as if they had none.
   */
  nuisances?: boolean
  /**
   * Lets the jaw of `ibug68` slide to the outline of turned faces where its landmarks are there (default true;
   * docs/fitting.md). False takes them for points of the skin whatever they show.
   */
  slideContour?: boolean
  /**
   * Adds to each result what its landmarks say of the identity, for `compare` and `model.fuse` (default false: some 12
   * kB a face, and half to two thirds of a fit's time).
   */
  posterior?: boolean
  /** Weight of the identity's prior (default 1). */
  identityPrior?: number
  /** Weight of the expression's prior (default 1). */
  expressionPrior?: number
  /**
   * Standard deviation of the log of an estimated focal length around 1.2 times the larger side of the image (default
   * 0.35).
   */
  focalStddev?: number
  /** 1 to 1000 (default 50; 5 to 15 are usual, more are for landmarks that are all but exact). */
  maxIterations?: number
  /** Relative decrease of the cost at which a fit counts as converged (default 1e-6). */
  costTolerance?: number
}

/** The options with every default filled in. */
export interface ResolvedFitterOptions {
  camera: 'perspective' | 'weak'
  focal: number | undefined
  slideContour: boolean
  native: Omit<NativeFitOptions, 'weakPerspective' | 'scan' | 'precise' | 'linearise'>
}

const KNOWN: Record<keyof FitterOptions, true> = {
  device: true,
  camera: true,
  focal: true,
  noise: true,
  robust: true,
  boundExpression: true,
  nuisances: true,
  slideContour: true,
  posterior: true,
  identityPrior: true,
  expressionPrior: true,
  focalStddev: true,
  maxIterations: true,
  costTolerance: true,
}

/**
 * Checks the options and fills in the defaults.
 *
 * @throws SfmError INVALID_ARGUMENT, DEVICE_UNAVAILABLE
 */
export function resolveFitterOptions(options: FitterOptions): ResolvedFitterOptions {
  requireOptions(options)
  for (const name of Object.keys(options))
    if (!Object.hasOwn(KNOWN, name))
      throw invalidArgument('options', `names among ${Object.keys(KNOWN).join(', ')}`, name)
  const device = requireDevice(options.device)
  const { camera = 'perspective', focal, robust = true, boundExpression = true, nuisances = true } = options
  const { slideContour = true, posterior = false, maxIterations = 50 } = options
  if (camera !== 'perspective' && camera !== 'weak') throw invalidArgument('camera', "'perspective' or 'weak'", camera)
  if (!Number.isInteger(maxIterations) || maxIterations < 1 || maxIterations > 1000)
    throw invalidArgument('maxIterations', 'an integer from 1 to 1000', maxIterations)
  const costTolerance = positive('costTolerance', options.costTolerance, 1e-6)
  if (costTolerance >= 1) throw invalidArgument('costTolerance', 'a number below 1', costTolerance)
  return {
    camera,
    focal: focal === undefined ? undefined : positive('focal', focal, 0),
    slideContour: boolean('slideContour', slideContour),
    native: {
      device,
      maxIterations,
      robust: boolean('robust', robust),
      degreesOfFreedom: 4,
      boundExpression: boolean('boundExpression', boundExpression),
      nuisances: boolean('nuisances', nuisances),
      posterior: boolean('posterior', posterior),
      identityPrior: positive('identityPrior', options.identityPrior, 1),
      expressionPrior: positive('expressionPrior', options.expressionPrior, 1),
      noise: positive('noise', options.noise, 1.24),
      focalStddev: positive('focalStddev', options.focalStddev, 0.35),
      costTolerance,
    },
  }
}

function positive(name: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback
  if (!Number.isFinite(value) || value <= 0) throw invalidArgument(name, 'a positive number', value)
  return value
}

function boolean(name: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw invalidArgument(name, 'true or false', value)
  return value
}
