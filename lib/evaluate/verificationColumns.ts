import { type Estimate, pairedDifference } from './bootstrap.js'
import { type ReportColumn, type ReportDifference, type ReportValue, reportValue } from './EvaluationReport.js'
import type { Verification } from './verification.js'

/** The columns of a table of verification. */
export const VERIFICATION_COLUMNS = [
  { key: 'auc', name: 'AUC', better: 'higher' },
  { key: 'equalErrorRate', name: 'EER', better: 'lower', percent: true, decimals: 1 },
  { key: 'tarAt1e2', name: 'TAR at FAR 1%', better: 'higher', percent: true, decimals: 1 },
  { key: 'tarAt1e3', name: 'TAR at FAR 0.1%', better: 'higher', percent: true, decimals: 1 },
  { key: 'sensitivity', name: "d'", better: 'higher', decimals: 2 },
  { key: 'cost', name: 'Cllr', unit: 'bits', better: 'lower' },
  { key: 'leastCost', name: 'min Cllr', unit: 'bits', better: 'lower' },
] as const satisfies readonly ReportColumn[]

/** The figures of a row of that table. */
export function verificationValues(verification: Verification): Record<string, ReportValue> {
  return Object.fromEntries(
    VERIFICATION_COLUMNS.flatMap(({ key }) => {
      const estimate: Estimate | undefined = verification[key]
      return estimate === undefined ? [] : [[key, reportValue(estimate)]]
    }),
  )
}

/**
 * The paired differences of two models in every measure that both have.
 *
 * @param names Keys of the models in the report, and the condition of the rows.
 * @throws SfmError INVALID_ARGUMENT where the two were not resampled alike.
 */
export function verificationDifferences(
  ours: Verification,
  theirs: Verification,
  names: Pick<ReportDifference, 'model' | 'against' | 'condition'>,
): ReportDifference[] {
  return VERIFICATION_COLUMNS.flatMap(({ key }) => {
    const [a, b]: (Estimate | undefined)[] = [ours[key], theirs[key]]
    return a && b ? [{ ...names, column: key, ...reportValue(pairedDifference(a, b)) }] : []
  })
}
