import { invalidArgument } from '../errors.js'
import type { Observation } from '../fit/Observation.js'

/** Indices of the outer corners of the eyes, the subject's right and left. */
const OUTER_EYE_CORNERS: Readonly<Record<string, readonly [number, number]>> = {
  ibug68: [36, 45],
  mediapipe478: [33, 263],
}

/**
 * The inter-eye distance of a face in an image: between the outer corners of the eyes, as is usual for errors of
 * landmarks. It shrinks as the head turns; beyond some 40 degrees of yaw take {@link boxSize}.
 *
 * @returns Pixels; NaN where a corner is missing.
 * @throws SfmError INVALID_ARGUMENT for other schemes than `ibug68` and `mediapipe478`.
 */
export function eyeDistance({ scheme, points }: Pick<Observation, 'scheme' | 'points'>): number {
  const corners = OUTER_EYE_CORNERS[scheme]
  if (corners === undefined)
    throw invalidArgument('scheme', `one of ${Object.keys(OUTER_EYE_CORNERS).join(', ')}`, scheme)
  const [right, left] = corners.map((i) => pointAt(points, i)) as [readonly number[], readonly number[]]
  return Math.hypot(
    (left[0] ?? Number.NaN) - (right[0] ?? Number.NaN),
    (left[1] ?? Number.NaN) - (right[1] ?? Number.NaN),
  )
}

/**
 * The size of a face in an image whatever its pose: the root of the area of the box around its landmarks, by which errors
 * on AFLW2000-3D are given.
 *
 * @returns Pixels; NaN where there are no points.
 */
export function boxSize({ points }: Pick<Observation, 'points'>): number {
  const count = ArrayBuffer.isView(points) ? points.length / 2 : points.length
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity]
  for (let i = 0; i < count; i++) {
    const [x = Number.NaN, y = Number.NaN] = pointAt(points, i)
    if (Number.isNaN(x) || Number.isNaN(y)) continue
    left = Math.min(left, x)
    right = Math.max(right, x)
    top = Math.min(top, y)
    bottom = Math.max(bottom, y)
  }
  return right >= left ? Math.sqrt((right - left) * (bottom - top)) : Number.NaN
}

/** Flat arrays hold two numbers a point. */
function pointAt(points: Observation['points'], i: number): readonly number[] {
  if (ArrayBuffer.isView(points)) return Array.from(points.subarray(2 * i, 2 * i + 2))
  return points[i] ?? []
}
