import { type ChartOptions, chart, type LegendEntry, type Mark } from './chart.js'
import { category } from './colour.js'
import { element, polyline } from './svg.js'

/** A point of a map. */
export interface ScatterPoint {
  x: number
  y: number
  /** Number of its group: its person's, say. */
  group: number
}

/** What {@link scatterChart} is given. */
export interface ScatterOptions extends ChartOptions {
  points: readonly ScatterPoint[]
  /** Names of the groups, for a legend. */
  names?: readonly string[]
  /** Whether each point is tied to the middle of its group. */
  spokes?: boolean
}

/** Before the shape changes. */
const COLOURS = 8

/**
 * Points on a plane, coloured and shaped by group; eight colours times four shapes are told apart, then they begin
 * again.
 */
export function scatterChart(options: ScatterOptions): string {
  const { points, names = [], spokes = false } = options
  const shown = points.filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y))
  const values = { x: shown.map(({ x }) => x), y: shown.map(({ y }) => y) }
  return chart(options, values, (scaleX, scaleY) => {
    const groups = new Map<number, (readonly [number, number])[]>()
    for (const { x, y, group } of shown)
      groups.set(group, [...(groups.get(group) ?? []), [scaleX.place(x), scaleY.place(y)]])
    const sorted = [...groups].sort(([a], [b]) => a - b)
    const drawn = sorted.map(([group, places]) => drawGroup(group, places))
    const ties = sorted.map(([group, places]) => drawSpokes(group, places))
    const legend = names.map((name, group): LegendEntry => ({ name, sample: symbol(group, [0, 0]) }))
    return { marks: spokes ? [...ties, ...drawn] : drawn, legend }
  })
}

function drawGroup(group: number, places: readonly (readonly [number, number])[]): Mark {
  return { markup: places.map((place) => symbol(group, place)).join(''), covers: places }
}

function drawSpokes(group: number, places: readonly (readonly [number, number])[]): Mark {
  const middle = [0, 1].map((axis) => places.reduce((sum, place) => sum + (place[axis] as number), 0) / places.length)
  const lines = places.map((place) => polyline([middle as [number, number], place]))
  const stroke = { stroke: category(group % COLOURS), 'stroke-width': 0.8, 'stroke-opacity': 0.45, fill: 'none' }
  return { markup: element('path', { d: lines.join(''), ...stroke }), covers: [] }
}

/** A point of a group: circle, square, diamond, triangle, changing after each round of colours. */
export function symbol(group: number, [x, y]: readonly [number, number], opacity = 0.85): string {
  const style = { fill: category(group % COLOURS), 'fill-opacity': opacity }
  const at = (places: readonly (readonly [number, number])[]) =>
    element('path', {
      d: polyline(
        places.map(([a, b]) => [x + a, y + b]),
        true,
      ),
      ...style,
    })
  switch (Math.floor(group / COLOURS) % 4) {
    case 0:
      return element('circle', { cx: x, cy: y, r: 3.2, ...style })
    case 1:
      return element('rect', { x: x - 2.8, y: y - 2.8, width: 5.6, height: 5.6, ...style })
    case 2:
      return at([
        [0, -4],
        [4, 0],
        [0, 4],
        [-4, 0],
      ])
    default:
      return at([
        [0, -3.8],
        [3.6, 2.8],
        [-3.6, 2.8],
      ])
  }
}
