import { setImmediate } from 'node:timers/promises'
import type { FitResult } from '../FitResult.js'
import type { PackedObservation } from '../packObservation.js'
import type { FittedFace, SlidingContour } from './SlidingContour.js'

/** What of a fit says whether another one is better. */
export interface ComparedFace extends FittedFace, Pick<FitResult, 'usable'> {
  cost: Pick<NonNullable<FitResult['cost']>, 'final'> | null
}

/** Fits by the outline: the second one, where the first has found another yaw. */
const PASSES = 2

/** Images that are looked at in one go, some milliseconds: others want the event loop as well. */
const BLOCK = 4096

/**
 * Fits images anew whose jaw is on the outline, and puts in place of a result what explains the landmarks better.
 *
 * @param results Of the observations as points of the skin; written to.
 * @param refit Fits some of the observations, given with their places, their jaws moved.
 */
export async function slideContours<Face extends ComparedFace>(
  contour: SlidingContour,
  observations: readonly PackedObservation[],
  results: Face[],
  refit: (observations: readonly PackedObservation[], places: readonly number[]) => Promise<Face[]>,
): Promise<void> {
  let open: number[] = []
  for (let start = 0; start < observations.length; start += BLOCK) {
    if (start > 0) await setImmediate()
    const end = start + BLOCK
    const found = onOutline(contour, observations.slice(start, end), results.slice(start, end))
    open.push(...found.map((i) => start + i))
  }
  for (let pass = 0; pass < PASSES && open.length > 0; pass++) {
    const moved = open.map((i) => moveToOutline(contour, observations[i]!, results[i]!.pose.yaw))
    const found = await refit(moved, open)
    open = open.filter((i, k) => {
      const result = found[k]!
      if (!explainsBetter([result], [results[i]!])) return false
      results[i] = result
      return contour.at(observations[i]!.scheme, result.pose.yaw) !== moved[k]!.scheme
    })
  }
}

/** The places of the images whose jaw is on the outline. */
export function onOutline(
  contour: SlidingContour,
  observations: readonly PackedObservation[],
  results: readonly FittedFace[],
): number[] {
  return [...observations.keys()].filter((i) => contour.slideOf(observations[i]!, results[i]!).reachesOutline())
}

/** An observation with its jaw on the outline of a head at this yaw, degrees. */
export function moveToOutline(contour: SlidingContour, observation: PackedObservation, yaw: number): PackedObservation {
  return { ...observation, scheme: contour.at(observation.scheme, yaw) }
}

/** Whether one fit of some images is better than another by its cost; one that is not usable never is. */
export function explainsBetter(these: readonly ComparedFace[], others: readonly ComparedFace[]): boolean {
  const cost = (results: readonly ComparedFace[]) =>
    results.reduce((sum, { cost }) => sum + (cost?.final ?? Infinity), 0)
  return these.every(({ usable }) => usable) && cost(these) < cost(others)
}
