import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { SfmError } from '../errors.js'
import { writeFileAtomically } from '../writeFileAtomically.js'
import { checkReport, type EvaluationReport } from './EvaluationReport.js'
import { renderMarkdown } from './renderMarkdown.js'

/**
 * Writes a report to a folder: its figures, `report.md`, and last `report.json`, so that whoever finds that finds all
 * the rest. Each file appears whole or not at all; files of an earlier report are replaced.
 *
 * @param folder Made where it does not exist.
 * @param plots Pictures by file name, at least those that the report names.
 * @throws SfmError INVALID_ARGUMENT where the report contradicts itself or names a picture that is not there; then
 *   nothing is written. IO where a file cannot be written.
 * @example
 * await writeReport('out/evaluation', report, { 'roc.svg': rocFigure({ title: 'ROC', models }) })
 */
export async function writeReport(
  folder: string,
  report: EvaluationReport,
  plots: Readonly<Record<string, string>> = {},
): Promise<void> {
  checkReport(report, Object.keys(plots))
  const markdown = renderMarkdown(report)
  const named = report.sections.flatMap((section) => section.plots?.map(({ file }) => file) ?? [])
  try {
    await mkdir(folder, { recursive: true })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new SfmError('IO', `cannot make the folder ${folder}: ${reason}`, { cause })
  }
  for (const file of new Set(named)) await writeFileAtomically(join(folder, file), plots[file] as string)
  await writeFileAtomically(join(folder, 'report.md'), markdown)
  await writeFileAtomically(join(folder, 'report.json'), `${JSON.stringify(report, null, 2)}\n`)
}
