/** An upright rectangle in a picture, pixels; it may reach beyond the picture, as a face may. */
export type Box = readonly [left: number, top: number, width: number, height: number]

/**
 * The smallest box around points.
 *
 * @param points [x, y] pixels each, at least one.
 */
export function boxAround(points: ReadonlyArray<readonly number[]>): Box {
  const xs = points.map((point) => point[0] as number)
  const ys = points.map((point) => point[1] as number)
  const [left, top] = [Math.min(...xs), Math.min(...ys)]
  return [left, top, Math.max(...xs) - left, Math.max(...ys) - top]
}

/**
 * How much two boxes are the same: the area they share over the area they cover, 0 to 1.
 *
 * @example
 * overlap([0, 0, 2, 1], [1, 0, 2, 1]) // 1/3
 */
export function overlap(a: Box, b: Box): number {
  const width = Math.min(a[0] + a[2], b[0] + b[2]) - Math.max(a[0], b[0])
  const height = Math.min(a[1] + a[3], b[1] + b[3]) - Math.max(a[1], b[1])
  if (width <= 0 || height <= 0) return 0
  const shared = width * height
  return shared / (a[2] * a[3] + b[2] * b[3] - shared)
}

/**
 * Of things that lie over each other the first one, in their order.
 *
 * @param limit The overlap from which on two count as one.
 */
export function withoutDoubles<T>(things: readonly T[], boxOf: (thing: T) => Box, limit: number): T[] {
  const kept: T[] = []
  for (const thing of things) {
    if (kept.every((other) => overlap(boxOf(thing), boxOf(other)) < limit)) kept.push(thing)
  }
  return kept
}
