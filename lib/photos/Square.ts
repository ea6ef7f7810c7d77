/** A square part of a picture, turned about its centre. */
export interface Square {
  /** Centre, pixels. */
  x: number
  y: number
  /** Length of a side, pixels. */
  side: number
  /** Radians, clockwise in the picture. */
  angle: number
}

/**
 * A point of a square in the picture.
 *
 * @param u,v In the square's own axes, from its centre, as parts of its side: -0.5 to 0.5 within it.
 * @returns [x, y] pixels.
 * @example
 * pointOfSquare({ x: 100, y: 50, side: 20, angle: 0 }, 0.5, 0) // [110, 50]
 */
export function pointOfSquare({ x, y, side, angle }: Square, u: number, v: number): [number, number] {
  const along = side * Math.cos(angle)
  const across = side * Math.sin(angle)
  return [x + along * u - across * v, y + across * u + along * v]
}

/**
 * The smallest turned square around points, enlarged about its centre.
 *
 * @param points [x, y] pixels each, at least one.
 * @param angle Radians, clockwise in the picture.
 * @param scale How much longer its side is than the longer one of the points' extent.
 */
export function squareAround(points: ReadonlyArray<readonly number[]>, angle: number, scale: number): Square {
  const cosine = Math.cos(angle)
  const sine = Math.sin(angle)
  const [left, right] = extent(points, ([x, y]) => cosine * x + sine * y)
  const [top, bottom] = extent(points, ([x, y]) => -sine * x + cosine * y)
  const u = (left + right) / 2
  const v = (top + bottom) / 2
  const side = scale * Math.max(right - left, bottom - top)
  return { x: cosine * u - sine * v, y: sine * u + cosine * v, side, angle }
}

/** The smallest and the largest of a measure. */
function extent(
  points: ReadonlyArray<readonly number[]>,
  measure: (point: readonly [number, number]) => number,
): [smallest: number, largest: number] {
  let smallest = Number.POSITIVE_INFINITY
  let largest = Number.NEGATIVE_INFINITY
  for (const point of points) {
    const value = measure(point as unknown as readonly [number, number])
    smallest = Math.min(smallest, value)
    largest = Math.max(largest, value)
  }
  return [smallest, largest]
}
