import { requireOptions } from '../decode/Latents.js'
import { invalidArgument } from '../errors.js'

/** How a video is followed. Every default is chosen so that it need not be touched. */
export interface TrackerOptions {
  /**
   * 0..1: how much of what a frame says is news, after the frames before it (default 0.2). Landmarks of neighbouring
   * frames err alike; as if they did not (1), the tracker would be too sure of itself.
   */
  independence?: number
  /**
   * 0..1: what is kept of all that is known of the identity from one frame to the next (default 1, all of it). Below,
   * old frames are forgotten, and the uncertainty settles at a level instead of falling on.
   */
  memory?: number
  /** Frames in a row that must show somebody else until the tracker follows them (default 5). */
  patience?: number
  /** Whether pose and expression are smoothed (default true). */
  smooth?: boolean
}

export type ResolvedTrackerOptions = Required<TrackerOptions>

const DEFAULTS: ResolvedTrackerOptions = { independence: 0.2, memory: 1, patience: 5, smooth: true }

/**
 * Checks the options and fills in the defaults.
 *
 * @throws SfmError INVALID_ARGUMENT
 */
export function resolveTrackerOptions(options: TrackerOptions): ResolvedTrackerOptions {
  requireOptions(options)
  for (const name of Object.keys(options))
    if (!Object.hasOwn(DEFAULTS, name))
      throw invalidArgument('options', `names among ${Object.keys(DEFAULTS).join(', ')}`, name)
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  const resolved: ResolvedTrackerOptions = { ...DEFAULTS, ...given }
  for (const name of ['independence', 'memory'] as const)
    if (!(Number.isFinite(resolved[name]) && resolved[name] > 0 && resolved[name] <= 1))
      throw invalidArgument(name, 'a number above 0, up to 1', resolved[name])
  if (!Number.isInteger(resolved.patience) || resolved.patience < 1 || resolved.patience > 1000)
    throw invalidArgument('patience', 'an integer from 1 to 1000', resolved.patience)
  if (typeof resolved.smooth !== 'boolean') throw invalidArgument('smooth', 'true or false', resolved.smooth)
  return resolved
}
