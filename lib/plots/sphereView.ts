import { symbol } from './scatterChart.js'
import { element, INK, picture, polyline } from './svg.js'

type Direction = readonly [number, number, number]

/** What {@link sphereView} is given. */
export interface SphereViewOptions {
  title: string
  description?: string | undefined
  /** Directions; their length does not matter. */
  points: readonly { direction: Direction; group: number }[]
  /** Pixels on a side; 380 by default. */
  size?: number | undefined
}

/** The view's turn and tilt in degrees: the third direction looks at the reader, a little from above. */
const [TURN, TILT] = [-22, 18]

/**
 * The unit sphere from far away, with directions on it as points by group: those on the far side are faint. The great
 * circles are the planes of each two of the three axes, the finer ones every thirty degrees.
 */
export function sphereView({ title, description, points, size = 380 }: SphereViewOptions): string {
  const radius = size / 2 - 16
  const place = ([x, y]: Direction) => [size / 2 + radius * x, size / 2 - radius * y] as const
  const seen = points
    .filter(({ direction }) => Math.hypot(...direction) > 0)
    .map(({ direction, group }) => ({ at: turned(unit(direction)), group }))
    .sort((a, b) => a.at[2] - b.at[2])
  const circles = [
    ...[30, 60, 120, 150].map((angle) => circle(angle, 0.16)),
    circle(90, 0.5),
    ...[0, 30, 60, 90, 120, 150].map((angle) => meridian(angle, angle % 90 === 0 ? 0.5 : 0.16)),
  ]
  return picture(
    { width: size, height: size, title, description },
    element('circle', { cx: size / 2, cy: size / 2, r: radius, fill: INK, 'fill-opacity': 0.06, stroke: INK }),
    ...circles.map(({ path, opacity }) => visible(path.map(turned), opacity, place)),
    element('g', {}, ...seen.map(({ at, group }) => symbol(group, place(at), at[2] < 0 ? 0.22 : 0.9))),
  )
}

interface Circle {
  path: Direction[]
  opacity: number
}

const STEPS = Array.from({ length: 121 }, (_, i) => (i * Math.PI) / 60)

/** All directions at an angle from the second axis, which points up. */
function circle(degrees: number, opacity: number): Circle {
  const [height, width] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)]
  return { path: STEPS.map((phi) => [width * Math.cos(phi), height, width * Math.sin(phi)] as const), opacity }
}

/** The great circle through the second axis and the direction at an angle from the first. */
function meridian(degrees: number, opacity: number): Circle {
  const [x, z] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)]
  return { path: STEPS.map((phi) => [x * Math.sin(phi), Math.cos(phi), z * Math.sin(phi)] as const), opacity }
}

/** The part of a line on the near side. */
function visible(line: readonly Direction[], opacity: number, place: (at: Direction) => readonly [number, number]) {
  const runs: (readonly [number, number])[][] = [[]]
  for (const at of line) {
    if (at[2] >= 0) runs.at(-1)?.push(place(at))
    else runs.push([])
  }
  const d = runs.filter((run) => run.length > 1).map((run) => polyline(run))
  return element('path', { d: d.join(''), stroke: INK, 'stroke-opacity': opacity, 'stroke-width': 0.75, fill: 'none' })
}

function unit([x, y, z]: Direction): Direction {
  const length = Math.hypot(x, y, z)
  return [x / length, y / length, z / length]
}

/** As the reader sees it: turned about the second axis, then tilted towards them. */
function turned([x, y, z]: Direction): Direction {
  const [c, s] = [Math.cos((TURN * Math.PI) / 180), Math.sin((TURN * Math.PI) / 180)]
  const [p, q] = [Math.cos((TILT * Math.PI) / 180), Math.sin((TILT * Math.PI) / 180)]
  const [a, b] = [c * x + s * z, -s * x + c * z]
  return [a, p * y - q * b, q * y + p * b]
}
