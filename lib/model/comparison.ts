import { describe } from '../errors.js'
import { invalidModel, metadataLabel } from './invalidModel.js'
import type { ModelReference } from './ModelReference.js'

/** From which value of a score on two faces count as one person's. */
export interface ComparisonThreshold {
  threshold: number
  /** How often strangers reach it, where it was calibrated: 0 to 1. */
  falseAcceptRate?: number
  /** How often two observations of one person do. */
  trueAcceptRate?: number
}

/** The thresholds that a model was calibrated for, by score. */
export interface ComparisonThresholds {
  cosine?: ComparisonThreshold
  logLikelihoodRatio?: ComparisonThreshold
  /** Whose thresholds they are: faces of another model are not compared by them. */
  model?: ModelReference
}

/** The metadata entry that holds them, as JSON. */
export const COMPARISON_ENTRY = 'comparison'

const SCORES = ['cosine', 'logLikelihoodRatio'] as const

/**
 * The thresholds of a model file's metadata entry `comparison` (docs/model-format.md); fields that are not known are
 * left out.
 *
 * @param text The entry; undefined where there is none.
 * @throws SfmError INVALID_MODEL
 * @example
 * parseComparison('{"cosine":{"threshold":0.31,"falseAcceptRate":0.01}}')?.cosine?.threshold   // 0.31
 */
export function parseComparison(text: string | undefined): ComparisonThresholds | undefined {
  if (text === undefined) return undefined
  const thresholds: ComparisonThresholds = {}
  const entry = json(text)
  for (const score of SCORES) {
    const value = entry[score]
    if (value !== undefined) thresholds[score] = parseThreshold(value, score)
  }
  return thresholds
}

function json(text: string): Record<string, unknown> {
  const expected = `a JSON object with ${SCORES.map((score) => JSON.stringify(score)).join(' and ')}`
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw invalidModel(metadataLabel(COMPARISON_ENTRY), expected, describe(text), { cause })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalidModel(metadataLabel(COMPARISON_ENTRY), expected, describe(text))
  return value as Record<string, unknown>
}

function parseThreshold(value: unknown, score: string): ComparisonThreshold {
  const where = `${metadataLabel(COMPARISON_ENTRY)}, ${score}`
  if (typeof value !== 'object' || value === null) throw invalidModel(where, 'an object', describe(value))
  const { threshold, falseAcceptRate, trueAcceptRate } = value as Record<string, unknown>
  if (!isNumber(threshold)) throw invalidModel(`${where}, threshold`, 'a finite number', describe(threshold))
  const rates: Partial<ComparisonThreshold> = {}
  for (const [name, rate] of Object.entries({ falseAcceptRate, trueAcceptRate })) {
    if (rate === undefined) continue
    if (!isNumber(rate) || rate < 0 || rate > 1)
      throw invalidModel(`${where}, ${name}`, 'a number from 0 to 1', describe(rate))
    rates[name as 'falseAcceptRate' | 'trueAcceptRate'] = rate
  }
  return { threshold, ...rates }
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}
