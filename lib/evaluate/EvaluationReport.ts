import { invalidArgument } from '../errors.js'

/** The form of the JSON; another number after the slash will mean another form. */
export const REPORT_FORMAT = 'sphere-face-model-evaluation/1'

/** What an evaluation found: `report.json` as it is, and the content of `report.md` (docs/evaluation.md). */
export interface EvaluationReport {
  format: typeof REPORT_FORMAT
  title: string
  /** Markdown: what to take from it. */
  summary?: string
  /** The models compared, in the order of the tables' rows. */
  models: ReportModel[]
  /** What the figures depend on: seeds, numbers of resamples, names and sizes of the data. */
  settings: Record<string, string | number | boolean | null>
  sections: ReportSection[]
}

/** A model in a report. */
export interface ReportModel {
  /** What rows and differences call it: `sfm`, `pca`, `linear-w`. */
  key: string
  /** What readers see: `PCA`. */
  name: string
  description?: string
}

/** One table with its figures. */
export interface ReportSection {
  /** Such as `representation`. */
  key: string
  title: string
  /** Markdown before the table. */
  text?: string
  columns: ReportColumn[]
  rows: ReportRow[]
  /** Paired differences of two models. */
  differences?: ReportDifference[]
  /** Bars to be cleared. */
  checks?: ReportCheck[]
  plots?: ReportPlot[]
  /** Markdown after the table, a point each. */
  notes?: string[]
}

/** A measure. */
export interface ReportColumn {
  /** Such as `auc`. */
  key: string
  name: string
  /** Such as `mm`. */
  unit?: string
  /** Which models are best; absent where neither is. */
  better?: 'higher' | 'lower'
  /** Digits behind the point in the table; default 3. The JSON has all. */
  decimals?: number
  /** Whether the table shows a share as a percentage. */
  percent?: boolean
}

/** The figures of one model. */
export interface ReportRow {
  /** Its key. */
  model: string
  /** What else they depend on: `K = 64`, `yaw 30 to 60`. Models are compared within one condition. */
  condition?: string
  /** By the column's key. A measure that is missing was not taken. */
  values: Record<string, ReportValue>
}

/** A figure; null where the data cannot tell. */
export interface ReportValue {
  value: number | null
  /** The ends of its confidence interval. */
  low?: number | null
  high?: number | null
}

/** By how much a model differs from another on the same people. */
export interface ReportDifference extends ReportValue {
  model: string
  against: string
  /** The column's key. */
  column: string
  condition?: string
}

/** A figure and the bar it has to clear. */
export interface ReportCheck {
  name: string
  value: number | null
  relation: 'at least' | 'at most'
  bound: number
  passed: boolean
}

/** A figure beside the report. */
export interface ReportPlot {
  /** A plain file name ending in `.svg`. */
  file: string
  title: string
  description?: string
}

/**
 * The form in which a report holds an estimate: without replicates, and null where there is no number.
 *
 * @example
 * row.values.auc = reportValue(verification.auc)
 */
export function reportValue(estimate: { value: number; low?: number; high?: number }): ReportValue {
  const { value, low, high } = estimate
  return {
    value: finite(value),
    ...(low !== undefined && { low: finite(low) }),
    ...(high !== undefined && { high: finite(high) }),
  }
}

/** A check with its answer; a figure that is not there clears no bar. */
export function reportCheck(
  name: string,
  value: number,
  relation: ReportCheck['relation'],
  bound: number,
): ReportCheck {
  return {
    name,
    value: finite(value),
    relation,
    bound,
    passed: relation === 'at least' ? value >= bound : value <= bound,
  }
}

/**
 * Refuses a report that contradicts itself: models, columns or files that are named but not there, or there twice.
 *
 * @param plots Names of the files that will lie beside it; not checked where absent.
 * @throws SfmError INVALID_ARGUMENT
 */
export function checkReport(report: EvaluationReport, plots?: Iterable<string>): void {
  if (report.format !== REPORT_FORMAT) throw invalidArgument('report.format', `"${REPORT_FORMAT}"`, report.format)
  const models = distinct('report.models', report.models)
  distinct('report.sections', report.sections)
  const files = plots === undefined ? undefined : new Set(plots)
  for (const [s, section] of report.sections.entries()) {
    const path = `report.sections[${s}]`
    const columns = distinct(`${path}.columns`, section.columns)
    const rows = new Set<string>()
    for (const [r, row] of section.rows.entries()) {
      requireOneOf(`${path}.rows[${r}].model`, row.model, models)
      for (const key of Object.keys(row.values)) requireOneOf(`${path}.rows[${r}].values`, key, columns)
      const name = JSON.stringify([row.model, row.condition])
      if (rows.has(name)) throw invalidArgument(`${path}.rows[${r}]`, 'one row for a model and condition', name)
      rows.add(name)
    }
    for (const [d, difference] of (section.differences ?? []).entries()) {
      requireOneOf(`${path}.differences[${d}].model`, difference.model, models)
      requireOneOf(`${path}.differences[${d}].against`, difference.against, models)
      requireOneOf(`${path}.differences[${d}].column`, difference.column, columns)
    }
    for (const [p, { file }] of (section.plots ?? []).entries()) {
      if (!/^[A-Za-z0-9][\w.-]*\.svg$/.test(file))
        throw invalidArgument(`${path}.plots[${p}].file`, 'a plain file name ending in .svg', file)
      if (files !== undefined) requireOneOf(`${path}.plots[${p}].file`, file, files)
    }
  }
}

function distinct(path: string, things: readonly { key: string }[]): Set<string> {
  const keys = new Set<string>()
  for (const [i, { key }] of things.entries()) {
    if (typeof key !== 'string' || keys.has(key)) throw invalidArgument(`${path}[${i}].key`, 'a name of its own', key)
    keys.add(key)
  }
  return keys
}

function requireOneOf(path: string, key: string, known: ReadonlySet<string>): void {
  if (!known.has(key)) throw invalidArgument(path, `one of ${[...known].join(', ') || 'none'}`, key)
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null
}
