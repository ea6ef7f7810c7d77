import { type Box, type ChartOptions, chart, type Mark } from './chart.js'
import { category } from './colour.js'
import type { Axis, Scale } from './scale.js'
import { decimal, element, INK, polyline, text } from './svg.js'
import { textWidth } from './textWidth.js'

/** What {@link histogram} is given. */
export interface HistogramOptions extends Omit<ChartOptions, 'y' | 'equal'> {
  series: readonly { name: string; values: ArrayLike<number> }[]
  /** Default: share of each series in a bin, in percent. */
  y?: Axis
  /** Bins over the axis; default 48. */
  bins?: number
  /** Vertical lines with a word beside them: a threshold, say. */
  lines?: readonly { at: number; label: string }[]
}

/**
 * How often values occur, series over series: each is scaled to a whole of its own, so that few trials of one person
 * stand beside many of two.
 *
 * @example
 * histogram({ title: 'Similarity', x: { label: 'cosine' }, series: [{ name: 'same person', values: cosines }] })
 */
export function histogram(options: HistogramOptions): string {
  const { series, bins = 48, lines = [] } = options
  const y = options.y ?? { label: 'share of the comparisons', percent: true, from: 0 }
  const values = series.map((each) => Float64Array.from(each.values).filter(Number.isFinite))
  const range = rangeOf(options.x, [...values, Float64Array.from(lines, ({ at }) => at)])
  const shares = values.map((each) => count(each, bins, range))
  // Where a bin's outline begins and ends.
  const edge = (bin: number) => range[0] + ((range[1] - range[0]) * bin) / bins
  return chart(
    { ...options, y, x: { ...options.x, from: range[0], to: range[1] } },
    { x: range, y: shares.flatMap((each) => [0, ...each.map((share) => 1.04 * share)]) },
    (scaleX, scaleY, area) => ({
      marks: [
        ...shares.map((each, i) => draw(each, edge, category(i), scaleX, scaleY)),
        ...lines.map(({ at, label }) => verticalLine(scaleX.place(at), label, area)),
      ],
      legend: series.map(({ name }, i) => ({
        name,
        sample: element('rect', { x: -9, y: -5, width: 18, height: 10, ...fill(category(i)) }),
      })),
    }),
  )
}

function fill(colour: string) {
  return { fill: colour, 'fill-opacity': 0.3, stroke: colour, 'stroke-width': 1.4, 'stroke-linejoin': 'round' }
}

function draw(
  shares: readonly number[],
  edge: (bin: number) => number,
  colour: string,
  scaleX: Scale,
  scaleY: Scale,
): Mark {
  const steps = shares.flatMap((share, bin) => [
    [scaleX.place(edge(bin)), scaleY.place(share)] as const,
    [scaleX.place(edge(bin + 1)), scaleY.place(share)] as const,
  ])
  const [left, right, base] = [scaleX.place(edge(0)), scaleX.place(edge(shares.length)), scaleY.place(0)]
  const outline = polyline([[left, base], ...steps, [right, base]])
  return { markup: element('path', { d: outline, ...fill(colour) }), covers: steps }
}

/** A line with its label along it, which leaves room for the next one. */
function verticalLine(x: number, label: string, { top, bottom }: Box): Mark {
  const line = polyline([
    [x, top],
    [x, bottom],
  ])
  const turned = { transform: `translate(${decimal(x - 4, 1)} ${top + 4}) rotate(-90)` }
  return {
    markup:
      element('path', { d: line, stroke: INK, 'stroke-width': 1, 'stroke-dasharray': '4 3' }) +
      element('text', { ...turned, 'font-size': 11, 'text-anchor': 'end' }, text(label)),
    covers: Array.from({ length: 12 }, (_, i) => [x - 6, top + (i * textWidth(label, 11)) / 11] as const),
  }
}

/** The share of the values in each bin; those beyond the ends are in none. */
function count(values: Float64Array, bins: number, [low, high]: readonly [number, number]): number[] {
  const counts = Array<number>(bins).fill(0)
  for (const value of values) {
    const bin = Math.min(bins - 1, Math.floor(((value - low) / (high - low)) * bins))
    if (value >= low && value <= high) counts[bin]!++
  }
  return counts.map((each) => each / Math.max(1, values.length))
}

/** The axis's ends, or those of the bulk of each series: a few far out must not squeeze the rest. */
function rangeOf(axis: Axis, values: readonly Float64Array[]): [number, number] {
  const sorted = values.filter(({ length }) => length > 0).map((each) => each.slice().sort())
  if (sorted.length === 0) return [axis.from ?? 0, axis.to ?? 1]
  const at = (each: Float64Array, share: number) => each[Math.round(share * (each.length - 1))] as number
  const least = Math.min(...sorted.map((each) => at(each, 0.001)))
  const most = Math.max(...sorted.map((each) => at(each, 0.999)))
  const margin = (most - least) * 0.02
  const [low, high] = [axis.from ?? least - margin, axis.to ?? most + margin]
  return high > low ? [low, high] : [low - 0.5, low + 0.5]
}
