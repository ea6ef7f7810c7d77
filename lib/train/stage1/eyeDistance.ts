import type { LandmarkScheme, ModelData } from '../../model/ModelData.js'

/** The corners of both eyes in the schemes that everybody numbers alike. */
const EYES: Record<string, readonly [readonly number[], readonly number[]]> = {
  ibug68: [
    [36, 39],
    [42, 45],
  ],
  mediapipe478: [
    [33, 133],
    [263, 362],
  ],
}

/**
 * How far apart the middles of the eyes are.
 *
 * @param points [N,3]
 * @param template Of whose schemes one has eyes, or the answer is undefined.
 */
export function eyeDistance(points: ArrayLike<number>, template: ModelData): number | undefined {
  for (const [name, eyes] of Object.entries(EYES)) {
    const scheme = template.schemes.get(name)
    if (scheme === undefined) continue
    const [left, right] = eyes.map((corners) => middle(points, scheme, corners)) as [number[], number[]]
    return Math.hypot(left[0]! - right[0]!, left[1]! - right[1]!, left[2]! - right[2]!)
  }
  return undefined
}

function middle(points: ArrayLike<number>, { indices, weights }: LandmarkScheme, landmarks: readonly number[]) {
  const sum = [0, 0, 0]
  for (const landmark of landmarks) {
    for (let corner = 3 * landmark; corner < 3 * landmark + 3; corner++) {
      for (let axis = 0; axis < 3; axis++)
        sum[axis]! += (weights[corner]! * points[3 * indices[corner]! + axis]!) / landmarks.length
    }
  }
  return sum
}
