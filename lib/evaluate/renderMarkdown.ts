import {
  checkReport,
  type EvaluationReport,
  type ReportColumn,
  type ReportRow,
  type ReportSection,
  type ReportValue,
} from './EvaluationReport.js'

/**
 * A report for people to read: a table a section, the best figure of each column in bold (of each condition, where there
 * are several), figures linked by their file names.
 *
 * @throws SfmError INVALID_ARGUMENT where the report contradicts itself.
 * @example
 * await writeFile('report.md', renderMarkdown(report))
 */
export function renderMarkdown(report: EvaluationReport): string {
  checkReport(report)
  const names = new Map(report.models.map(({ key, name }) => [key, name]))
  const nameOf = (key: string) => names.get(key) ?? key
  const parts = [
    `# ${plain(report.title)}`,
    report.summary,
    report.models
      .map(({ name, description }) => `- **${plain(name)}**${description ? `: ${description}` : ''}`)
      .join('\n'),
    ...report.sections.flatMap((section) => renderSection(section, nameOf)),
    '## Settings',
    table(
      ['setting', 'value'],
      Object.entries(report.settings).map(([key, value]) => [plain(key), plain(String(value ?? MISSING))]),
    ),
  ]
  return `${parts.filter(Boolean).join('\n\n')}\n`
}

const MISSING = '–'

function renderSection(section: ReportSection, nameOf: (key: string) => string): (string | undefined)[] {
  const { columns, rows, differences = [], checks = [], plots = [], notes = [] } = section
  const conditions = rows.some(({ condition }) => condition !== undefined)
  const column = (key: string) => columns.find((each) => each.key === key) as ReportColumn
  return [
    `## ${plain(section.title)}`,
    section.text,
    rows.length > 0
      ? table(
          ['model', ...(conditions ? [''] : []), ...columns.map(heading)],
          rows.map((row) => [
            plain(nameOf(row.model)),
            ...(conditions ? [plain(row.condition ?? '')] : []),
            ...columns.map((each) => cell(each, row, rows)),
          ]),
        )
      : undefined,
    differences.length > 0
      ? table(
          ['paired difference', 'measure', 'difference', ''],
          differences.map((difference) => [
            [
              `${plain(nameOf(difference.model))} − ${plain(nameOf(difference.against))}`,
              ...(difference.condition === undefined ? [] : [plain(difference.condition)]),
            ].join(', '),
            heading(column(difference.column)),
            figure(column(difference.column), difference, true),
            verdict(column(difference.column), difference),
          ]),
        )
      : undefined,
    checks.length > 0
      ? table(
          ['bar', 'value', '', 'met'],
          checks.map(({ name, value, relation, bound, passed }) => [
            plain(name),
            value === null ? MISSING : String(Number(value.toPrecision(4))),
            `${relation} ${bound}`,
            passed ? 'yes' : '**no**',
          ]),
        )
      : undefined,
    ...plots.map(({ file, title, description }) =>
      [`![${plain(title)}](${file})`, description && `*${plain(description)}*`].filter(Boolean).join('\n\n'),
    ),
    notes.length > 0 ? notes.map((note) => `- ${note}`).join('\n') : undefined,
  ]
}

function heading({ name, unit, better }: ReportColumn): string {
  const arrow = better === undefined ? '' : better === 'higher' ? ' ↑' : ' ↓'
  return `${plain(name)}${unit === undefined ? '' : ` (${plain(unit)})`}${arrow}`
}

/** The figure of a row, in bold if no other of its condition is better. */
function cell(column: ReportColumn, row: ReportRow, rows: readonly ReportRow[]): string {
  const value = row.values[column.key]
  if (value === undefined) return ''
  const shown = (each: ReportRow) => rounded(column, each.values[column.key]?.value ?? null)
  const rivals = rows
    .filter(({ condition }) => condition === row.condition)
    .map(shown)
    .filter((each) => each !== null)
  const own = shown(row)
  const best = column.better === 'higher' ? Math.max(...rivals) : Math.min(...rivals)
  const bold = column.better !== undefined && rivals.length > 1 && own === best
  return figure(column, value, false, bold)
}

/** Two figures that look the same are as good as each other. */
function rounded(column: ReportColumn, value: number | null): number | null {
  return value === null ? null : Number(digits(column, value))
}

function digits({ decimals = 3, percent = false }: ReportColumn, value: number): string {
  const text = (percent ? 100 * value : value).toFixed(decimals)
  // No minus before a zero.
  return Number(text) === 0 ? text.replace('-', '') : text
}

function figure(column: ReportColumn, { value, low, high }: ReportValue, signed: boolean, bold = false): string {
  if (value === null) return MISSING
  const sign = signed && Number(digits(column, value)) > 0 ? '+' : ''
  const number = `${sign}${digits(column, value)}${column.percent ? '%' : ''}`.replace('-', '−')
  const interval =
    low === undefined || low === null || high === undefined || high === null
      ? ''
      : ` [${digits(column, low)}, ${digits(column, high)}]`.replaceAll('-', '−')
  return `${bold ? `**${number}**` : number}${interval}`
}

/** What a difference says: something only where its interval leaves 0 out. */
function verdict({ better }: ReportColumn, { low, high }: ReportValue): string {
  if (better === undefined || low === undefined || low === null || high === undefined || high === null) return ''
  if (low <= 0 && high >= 0) return 'not told apart'
  return low > 0 === (better === 'higher') ? 'better' : 'worse'
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(header), `|${header.map((_, i) => (i === 0 ? '---' : '---:')).join('|')}|`, ...rows.map(line)].join('\n')
}

/** Text of others: on one line, with nothing that Markdown takes for markup. */
function plain(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[\\`*_[\]<>|]/g, '\\$&')
}
