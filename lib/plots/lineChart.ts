import { type ChartOptions, chart, type LegendEntry, type Mark } from './chart.js'
import { category } from './colour.js'
import type { Scale } from './scale.js'
import { simplify } from './simplify.js'
import { element, INK, polyline } from './svg.js'

/** A point of a line; with `low` and `high` it has an interval. */
export interface LinePoint {
  x: number
  y: number
  low?: number | undefined
  high?: number | undefined
}

/** A line of a chart. */
export interface LineSeries {
  name: string
  /** In the order of the line; points that are not finite interrupt it. */
  points: readonly LinePoint[]
  /** An interval of its own, where it has other places than the line. */
  band?: readonly { x: number; low: number; high: number }[]
  /** Whether each point is marked: for few. */
  markers?: boolean
  /** A line to compare with, such as chance: thin, grey, dotted. */
  reference?: boolean
}

/** Dashes of the first lines, so that they can be told apart in grey: the first is solid. */
const DASHES = [undefined, '7 3', '2 2.5', '8 3 2 3'] as const

/**
 * A chart of lines, with bands for their intervals.
 *
 * @example
 * lineChart({ title: 'Error', x: { label: 'modes' }, y: { label: 'RMS (mm)', from: 0 }, series })
 */
export function lineChart(options: ChartOptions & { series: readonly LineSeries[] }): string {
  const { series } = options
  const bands = series.map(bandOf)
  const x = series.flatMap(({ points }, i) => [...points.map((point) => point.x), ...(bands[i] ?? []).map((b) => b.x)])
  const y = series.flatMap(({ points }, i) => [
    ...points.map((point) => point.y),
    ...(bands[i] ?? []).flatMap(({ low, high }) => [low, high]),
  ])
  return chart(options, { x, y }, (scaleX, scaleY) => {
    const styles = stylesOf(series)
    return {
      // Bands lie below all lines.
      marks: [
        ...bands.map((band, i) => drawBand(band, styles[i] as Style, scaleX, scaleY)),
        ...series.map((line, i) => drawLine(line, styles[i] as Style, scaleX, scaleY)),
      ],
      legend: series.length > 1 ? series.map((line, i) => legendEntry(line, styles[i] as Style)) : [],
    }
  })
}

interface Style {
  colour: string
  width: number
  dash: string | undefined
}

function stylesOf(series: readonly LineSeries[]): Style[] {
  let drawn = 0
  return series.map(({ reference }) =>
    reference
      ? { colour: INK, width: 1, dash: '1 3' }
      : { colour: category(drawn), width: drawn === 0 ? 2.2 : 1.7, dash: DASHES[drawn++ % DASHES.length] },
  )
}

function bandOf({ points, band }: LineSeries): readonly { x: number; low: number; high: number }[] {
  const intervals = band ?? points.map(({ x, low = Number.NaN, high = Number.NaN }) => ({ x, low, high }))
  return intervals.filter(({ low, high }) => Number.isFinite(low) && Number.isFinite(high))
}

function drawBand(
  band: readonly { x: number; low: number; high: number }[],
  { colour }: Style,
  scaleX: Scale,
  scaleY: Scale,
): Mark {
  const upper = band.map(({ x, high }) => [scaleX.place(x), scaleY.place(high)] as const).filter(isPlaced)
  const lower = band.map(({ x, low }) => [scaleX.place(x), scaleY.place(low)] as const).filter(isPlaced)
  if (upper.length < 2) return { markup: '', covers: [] }
  const outline = [...simplify(upper), ...simplify(lower).reverse()]
  return {
    markup: element('path', { d: polyline(outline, true), fill: colour, 'fill-opacity': 0.16 }),
    covers: [...along(upper), ...along(lower)],
  }
}

function drawLine(line: LineSeries, { colour, width, dash }: Style, scaleX: Scale, scaleY: Scale): Mark {
  const places = line.points.map(({ x, y }) => [scaleX.place(x), scaleY.place(y)] as const)
  const pieces = split(places)
  const path = pieces.map((piece) => polyline(simplify(piece))).join('')
  const stroke = { stroke: colour, 'stroke-width': width, 'stroke-dasharray': dash, fill: 'none' }
  const marks = line.markers ? pieces.flat().map((at) => dot(at, colour)) : []
  return {
    markup: [element('path', { d: path, ...stroke, 'stroke-linejoin': 'round' }), ...marks].join(''),
    covers: pieces.flatMap(along),
  }
}

function legendEntry({ name, markers }: LineSeries, { colour, width, dash }: Style): LegendEntry {
  const line = element('path', { d: 'M-11,0H11', stroke: colour, 'stroke-width': width, 'stroke-dasharray': dash })
  return { name, sample: markers ? line + dot([0, 0], colour) : line }
}

function dot([x, y]: readonly [number, number], colour: string): string {
  return element('circle', { cx: x, cy: y, r: 3, fill: colour })
}

/** Runs of points that can be drawn. */
function split(places: readonly (readonly [number, number])[]): (readonly [number, number])[][] {
  const pieces: (readonly [number, number])[][] = [[]]
  for (const place of places) {
    if (isPlaced(place)) pieces.at(-1)?.push(place)
    else if (pieces.at(-1)?.length) pieces.push([])
  }
  return pieces.filter((piece) => piece.length > 0)
}

function isPlaced([x, y]: readonly [number, number]): boolean {
  return Number.isFinite(x) && Number.isFinite(y)
}

/** Points along a line, close enough that nothing passes between them unseen. */
function along(line: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  return simplify(line).flatMap(([x, y], i, all) => {
    const [fromX, fromY] = all[Math.max(0, i - 1)] as readonly [number, number]
    const steps = Math.max(1, Math.ceil(Math.hypot(x - fromX, y - fromY) / 8))
    return Array.from({ length: steps }, (_, s) => {
      const part = (s + 1) / steps
      return [fromX + part * (x - fromX), fromY + part * (y - fromY)] as const
    })
  })
}
