/**
 * Rows of text in columns for a terminal, two spaces apart: the first column and those of words to the left, those of
 * numbers to the right.
 *
 * @param header One title a column; all empty: no line of titles.
 * @example
 * process.stdout.write(table(['batch', 'ms'], [['1', '0.41'], ['64', '9.80']]))
 */
export function table(header: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const all = header.some((title) => title !== '') ? [header, ...rows] : rows
  const columns = header.map((_, c) => ({
    width: Math.max(...all.map((row) => (row[c] ?? '').length)),
    right: rows.length > 0 && rows.every((row) => /^[-+]?[\d.,]+\D?$/.test(row[c] ?? '')),
  }))
  const line = (row: readonly string[]) =>
    columns
      .map(({ width, right }, c) => (right ? (row[c] ?? '').padStart(width) : (row[c] ?? '').padEnd(width)))
      .join('  ')
  return all.map((row) => `${line(row).trimEnd()}\n`).join('')
}
