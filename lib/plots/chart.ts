/** What all charts share: axes with ticks, a grid, a legend where the data leave room. */

import { type Axis, makeScale, type Scale } from './scale.js'
import { element, INK, picture, text } from './svg.js'
import { textWidth } from './textWidth.js'

/** What every chart may be told. */
export interface ChartOptions {
  /** For screen readers and hovering; it is not drawn. */
  title: string
  /** What there is to see, for who cannot. */
  description?: string | undefined
  x: Axis
  y: Axis
  /** Pixels; 520 by default. A legend that finds no room makes the chart wider. */
  width?: number | undefined
  /** Pixels; 360 by default. */
  height?: number | undefined
  /** Whether a unit is as long on both axes: for maps. */
  equal?: boolean | undefined
}

/** What is drawn between the axes. */
export interface Mark {
  /** Markup, in pixels of the picture. */
  markup: string
  /** Pixels that the legend should not cover. */
  covers: readonly (readonly [number, number])[]
}

/** A line of the legend. */
export interface LegendEntry {
  name: string
  /** The sample before it: markup around (0, 0), 22 pixels wide. */
  sample: string
}

/** Everything between the axes. */
export interface Content {
  marks: readonly Mark[]
  legend: readonly LegendEntry[]
}

const TICK_SIZE = 11
const LABEL_SIZE = 12
const LEGEND_LINE = 17
const SAMPLE_WIDTH = 22

/** The area between the axes, in pixels. */
export interface Box {
  left: number
  top: number
  right: number
  bottom: number
}

/**
 * A chart: axes for the values, and between them what `draw` makes of the two scales.
 *
 * @param values All numbers that the axes have to reach.
 */
export function chart(
  options: ChartOptions,
  values: { x: Iterable<number>; y: Iterable<number> },
  draw: (x: Scale, y: Scale, area: Box) => Content,
): string {
  const { width = 520, height = 360 } = options
  // The labels of the y axis decide where it stands; they do not depend on how long it is.
  const widest = Math.max(
    ...makeScale(options.y, values.y, [1, 0]).ticks.map(({ label = '' }) => textWidth(label, TICK_SIZE)),
    0,
  )
  const area = { left: Math.ceil(widest + 34), top: 12, right: width - 16, bottom: height - 46 }
  let x = makeScale(options.x, values.x, [area.left, area.right])
  let y = makeScale(options.y, values.y, [area.bottom, area.top])
  if (options.equal) [x, y] = equalScales(options, x, y, area)
  const { marks, legend } = draw(x, y, area)
  const key = placeLegend(
    legend,
    area,
    marks.flatMap(({ covers }) => covers),
  )
  return picture(
    { width: Math.max(width, key.right + 8), height, title: options.title, description: options.description },
    grid(x, y, area),
    // An inner picture clips what leaves the area, and needs no name to do so.
    element(
      'svg',
      {
        x: area.left,
        y: area.top,
        width: area.right - area.left,
        height: area.bottom - area.top,
        viewBox: [area.left, area.top, area.right - area.left, area.bottom - area.top].join(' '),
      },
      ...marks.map(({ markup }) => markup),
    ),
    axes(options, x, y, area),
    ...key.markup,
  )
}

/** Both axes at the same pixels a unit, the shorter one extended on both sides. */
function equalScales({ x: axisX, y: axisY }: ChartOptions, x: Scale, y: Scale, area: Box): [Scale, Scale] {
  const [width, height] = [area.right - area.left, area.bottom - area.top]
  const unit = Math.max((x.to - x.from) / width, (y.to - y.from) / height)
  const widen = (axis: Axis, scale: Scale, pixels: number): Axis => {
    const middle = (scale.from + scale.to) / 2
    return { ...axis, from: middle - (unit * pixels) / 2, to: middle + (unit * pixels) / 2 }
  }
  return [
    makeScale(widen(axisX, x, width), [], [area.left, area.right]),
    makeScale(widen(axisY, y, height), [], [area.bottom, area.top]),
  ]
}

function grid(x: Scale, y: Scale, { left, top, right, bottom }: Box): string {
  const lines = [
    ...x.ticks.filter(({ label }) => label !== undefined).map(({ value }) => `M${px(x.place(value))},${top}V${bottom}`),
    ...y.ticks.filter(({ label }) => label !== undefined).map(({ value }) => `M${left},${px(y.place(value))}H${right}`),
  ]
  return element('path', { d: lines.join(''), stroke: INK, 'stroke-opacity': 0.22, 'stroke-width': 0.75, fill: 'none' })
}

function axes(options: ChartOptions, x: Scale, y: Scale, { left, top, right, bottom }: Box): string {
  const length = (label: string | undefined) => (label === undefined ? 2.5 : 5)
  const ticks = [
    ...x.ticks.map(({ value, label }) => `M${px(x.place(value))},${bottom}v${length(label)}`),
    ...y.ticks.map(({ value, label }) => `M${left},${px(y.place(value))}h${-length(label)}`),
  ]
  const middleY = (top + bottom) / 2
  return element(
    'g',
    {},
    element('path', {
      d: `M${left},${top}V${bottom}H${right}${ticks.join('')}`,
      stroke: INK,
      'stroke-width': 1,
      fill: 'none',
    }),
    element(
      'g',
      { 'font-size': TICK_SIZE, 'text-anchor': 'middle' },
      ...x.ticks
        .filter(({ label }) => label !== undefined)
        .map(({ value, label = '' }) => element('text', { x: x.place(value), y: bottom + 17 }, text(label))),
    ),
    element(
      'g',
      { 'font-size': TICK_SIZE, 'text-anchor': 'end' },
      ...y.ticks
        .filter(({ label }) => label !== undefined)
        .map(({ value, label = '' }) => element('text', { x: left - 8, y: y.place(value) + 4 }, text(label))),
    ),
    element(
      'g',
      { 'font-size': LABEL_SIZE, 'text-anchor': 'middle' },
      element('text', { x: (left + right) / 2, y: bottom + 37 }, text(options.x.label)),
      element('text', { x: 14, y: middleY, transform: `rotate(-90 14 ${px(middleY)})` }, text(options.y.label)),
    ),
  )
}

/** Puts the legend into the corner that covers nothing; beside the chart where all do. */
function placeLegend(
  entries: readonly LegendEntry[],
  area: Box,
  covered: readonly (readonly [number, number])[],
): { markup: string[]; right: number } {
  if (entries.length === 0) return { markup: [], right: 0 }
  const width = SAMPLE_WIDTH + 8 + Math.max(...entries.map(({ name }) => textWidth(name, LABEL_SIZE)))
  const height = LEGEND_LINE * entries.length
  const inset = 10
  const [near, far] = [area.left + inset, area.right - inset - width]
  const [high, low] = [area.top + inset, area.bottom - inset - height]
  const corners = [
    [far, high],
    [near, high],
    [far, low],
    [near, low],
  ] as const
  const fits = width + 2 * inset < area.right - area.left && height + 2 * inset < area.bottom - area.top
  const free = corners.find(
    ([x, y]) => fits && !covered.some(([a, b]) => a > x - 6 && a < x + width + 6 && b > y - 6 && b < y + height + 6),
  )
  const [left, top] = free ?? [area.right + inset, area.top]
  const lines = entries.map(({ name, sample }, i) => {
    const y = top + LEGEND_LINE * (i + 0.5)
    return (
      element('g', { transform: `translate(${px(left + SAMPLE_WIDTH / 2)} ${px(y)})` }, sample) +
      element('text', { x: left + SAMPLE_WIDTH + 8, y: y + 4 }, text(name))
    )
  })
  return { markup: [element('g', { 'font-size': LABEL_SIZE }, ...lines)], right: left + width }
}

function px(value: number): string {
  return String(Math.round(value * 10) / 10)
}
