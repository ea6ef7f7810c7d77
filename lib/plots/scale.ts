import { decimal } from './svg.js'

/** How an axis is to be. */
export interface Axis {
  label: string
  /** `linear` by default. A logarithmic axis shows positive numbers only. */
  type?: 'linear' | 'log'
  /** The ends; the data's, rounded, where absent. */
  from?: number
  to?: number
  /** Where there are to be ticks, and no others. */
  ticks?: readonly number[]
  /** Numbers are shares, and shown as percentages. */
  percent?: boolean
}

/** A tick of an axis; without a label a small one. */
export interface Tick {
  value: number
  label?: string
}

/** From numbers to pixels. */
export interface Scale {
  readonly from: number
  readonly to: number
  readonly ticks: readonly Tick[]
  /** NaN where the axis cannot show the number. */
  place(value: number): number
}

/**
 * A scale for an axis.
 *
 * @param values What it has to show; others than finite ones do not matter.
 * @param range Pixels of the axis's two ends.
 */
export function makeScale(axis: Axis, values: Iterable<number>, range: readonly [number, number]): Scale {
  const log = axis.type === 'log'
  let [low, high] = extent(values, log)
  const ticksOf = log ? logTicks : linearTicks
  if (axis.from === undefined || axis.to === undefined) {
    // Room to the next tick, or none where an end is given.
    const step = log ? 0 : tickStep(axis.from ?? low, axis.to ?? high)
    low = axis.from ?? (log ? 10 ** Math.floor(Math.log10(low) + 1e-9) : step * Math.floor(low / step + 1e-9))
    high = axis.to ?? (log ? 10 ** Math.ceil(Math.log10(high) - 1e-9) : step * Math.ceil(high / step - 1e-9))
  } else {
    ;[low, high] = [axis.from, axis.to]
  }
  if (!(high > low)) high = log ? low * 10 : low + 1
  const warp = log ? Math.log : (value: number) => value
  const [start, length] = [warp(low), warp(high) - warp(low)]
  // As many places behind the point as the steps need: 0.5, 1.0, 1.5.
  const places = log || axis.ticks ? undefined : placesOf(tickStep(low, high) * (axis.percent ? 100 : 1))
  const label = (value: number) => (axis.percent ? `${numberLabel(100 * value, places)}%` : numberLabel(value, places))
  return {
    from: low,
    to: high,
    ticks:
      axis.ticks?.map((value) => ({ value, label: label(value) })) ??
      ticksOf(low, high).map(({ value, labelled }) => (labelled ? { value, label: label(value) } : { value })),
    place: (value) => {
      const place = range[0] + ((warp(value) - start) / length) * (range[1] - range[0])
      return Number.isFinite(place) ? place : Number.NaN
    },
  }
}

const SUPERSCRIPTS = '⁰¹²³⁴⁵⁶⁷⁸⁹'

/**
 * A number as an axis shows it: plain where that is short, a power of ten otherwise.
 *
 * @param places Digits behind the point; as few as it needs where absent.
 */
export function numberLabel(value: number, places?: number): string {
  const size = Math.abs(value)
  const plain = (size > 0.99e-4 && size < 1e6) || size === 0
  if (plain && places !== undefined) return minus((Math.round(value * 10 ** places) / 10 ** places).toFixed(places))
  if (plain) return minus(decimal(Number(value.toPrecision(6)), 6))
  const [digits, exponent] = value.toExponential(2).split('e') as [string, string]
  const power = [...String(Math.abs(Number(exponent)))].map((digit) => SUPERSCRIPTS[Number(digit)]).join('')
  const mantissa = minus(decimal(Number(digits)))
  return `${mantissa === '1' ? '' : `${mantissa}·`}10${Number(exponent) < 0 ? '⁻' : ''}${power}`
}

const minus = (digits: string) => digits.replace('-', '−')

function placesOf(step: number): number | undefined {
  return step > 1e-4 ? Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) : undefined
}

function extent(values: Iterable<number>, log: boolean): [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const value of values) {
    if (!Number.isFinite(value) || (log && value <= 0)) continue
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  if (low > high) return log ? [1, 10] : [0, 1]
  return low < high ? [low, high] : log ? [low / 2, low * 2] : [low - 0.5, low + 0.5]
}

/** 1, 2 or 5 times a power of ten: three to nine of them in the range. */
function tickStep(low: number, high: number): number {
  const raw = Math.max((high - low) / 6, Number.MIN_VALUE * 1e10)
  const power = 10 ** Math.floor(Math.log10(raw))
  const factor = raw / power
  return (factor < 1.5 ? 1 : factor < 3 ? 2 : factor < 7 ? 5 : 10) * power
}

function linearTicks(low: number, high: number): { value: number; labelled: boolean }[] {
  const step = tickStep(low, high)
  const first = Math.ceil(low / step - 1e-9)
  const last = Math.floor(high / step + 1e-9)
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => ({
    value: (first + i) * step,
    labelled: true,
  }))
}

/** Powers of ten, with small ticks between where there is room, labelled at 2 and 5 where there are few powers. */
function logTicks(low: number, high: number): { value: number; labelled: boolean }[] {
  const decades = Math.log10(high / low)
  const every = Math.ceil(decades / 8)
  const ticks: { value: number; labelled: boolean }[] = []
  for (let power = Math.floor(Math.log10(low) + 1e-9); power <= Math.log10(high) + 1e-9; power++) {
    for (let digit = 1; digit < 10; digit++) {
      const value = digit * 10 ** power
      if (value < low * (1 - 1e-9) || value > high * (1 + 1e-9)) continue
      const labelled = digit === 1 ? power % every === 0 : decades <= 1.5 && (digit === 2 || digit === 5)
      if (digit === 1 || decades <= 6) ticks.push({ value, labelled })
    }
  }
  return ticks
}
