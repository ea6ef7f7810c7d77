import { describe } from '../errors.js'
import { COMPARISON_ENTRY, parseComparison } from './comparison.js'
import { invalidModel, metadataLabel } from './invalidModel.js'
import type { ModelMetadata } from './ModelData.js'

/** The only version of the model file there is. */
export const MODEL_FORMAT = 'sphere-face-model/1'

/** Entries with a field of their own in {@link ModelMetadata}; the rest is its `other`. */
const RESERVED = new Set([
  'format',
  'name',
  'version',
  'license',
  'attribution',
  'provenance',
  'units',
  'latent',
  'expression_names',
  'region_names',
])

/**
 * The metadata of a model from a file's entries. Texts that are absent are empty; `format`, `units` and `latent` have
 * to be there.
 *
 * @throws SfmError INVALID_MODEL, naming the entry.
 */
export function parseMetadata(entries: ReadonlyMap<string, string>): ModelMetadata {
  requireOneOf(entries, 'format', [MODEL_FORMAT])
  const text = (key: string) => entries.get(key) ?? ''
  return {
    name: text('name'),
    version: text('version'),
    license: text('license'),
    attribution: text('attribution'),
    provenance: text('provenance'),
    units: requireOneOf(entries, 'units', ['mm'] as const),
    latent: requireOneOf(entries, 'latent', ['sphere', 'gaussian'] as const),
    expressionNames: parseNames(entries, 'expression_names'),
    regionNames: parseNames(entries, 'region_names'),
    // Not by assignment: a key `__proto__` is an entry like any other here.
    other: Object.fromEntries([...entries].filter(([key]) => !RESERVED.has(key))),
  }
}

/** The entries of a file from a model's metadata: the inverse of {@link parseMetadata}. */
export function formatMetadata(metadata: ModelMetadata): Map<string, string> {
  return new Map([
    ...Object.entries(metadata.other),
    ['format', MODEL_FORMAT],
    ['name', metadata.name],
    ['version', metadata.version],
    ['license', metadata.license],
    ['attribution', metadata.attribution],
    ['provenance', metadata.provenance],
    ['units', metadata.units],
    ['latent', metadata.latent],
    ['expression_names', JSON.stringify(metadata.expressionNames)],
    ['region_names', JSON.stringify(metadata.regionNames)],
  ])
}

/**
 * Checks metadata that may come from anywhere.
 *
 * @throws SfmError INVALID_MODEL, naming the entry as the file does.
 */
export function validateMetadata(metadata: ModelMetadata, expressionCount: number): void {
  if (typeof metadata !== 'object' || metadata === null) throw invalidModel('metadata', 'an object', describe(metadata))
  for (const key of ['name', 'version', 'license', 'attribution', 'provenance'] as const) {
    if (typeof metadata[key] !== 'string') throw invalidModel(metadataLabel(key), 'a string', describe(metadata[key]))
  }
  if (metadata.units !== 'mm') throw invalidModel(metadataLabel('units'), '"mm"', describe(metadata.units))
  if (metadata.latent !== 'sphere' && metadata.latent !== 'gaussian') {
    throw invalidModel(metadataLabel('latent'), '"sphere" or "gaussian"', describe(metadata.latent))
  }
  validateExpressionNames(metadata.expressionNames, expressionCount)
  if (!isNames(metadata.regionNames)) {
    throw invalidModel(metadataLabel('region_names'), 'an array of strings', describe(metadata.regionNames))
  }
  validateOther(metadata.other)
}

/** They become the keys of results, so each has to be usable as one and to be there once. */
function validateExpressionNames(names: unknown, count: number): void {
  const where = metadataLabel('expression_names')
  if (!isNames(names) || names.length !== count) {
    throw invalidModel(where, `an array of ${count} strings, one an expression`, describe(names))
  }
  const met = new Set<string>()
  for (const name of names) {
    if (name === '' || name === '__proto__') throw invalidModel(where, 'names that can be keys', describe(name))
    if (met.has(name)) throw invalidModel(where, 'every name once', `${describe(name)} twice`)
    met.add(name)
  }
}

function validateOther(other: unknown): void {
  if (typeof other !== 'object' || other === null) throw invalidModel('metadata', 'other entries', describe(other))
  for (const [key, value] of Object.entries(other)) {
    if (RESERVED.has(key)) throw invalidModel(metadataLabel(key), 'its own field', 'an entry among the others')
    if (typeof value !== 'string') throw invalidModel(metadataLabel(key), 'a string', describe(value))
    if (key === COMPARISON_ENTRY) parseComparison(value)
  }
}

function requireOneOf<const T extends string>(
  entries: ReadonlyMap<string, string>,
  key: string,
  allowed: readonly T[],
): T {
  const value = entries.get(key)
  const found = allowed.find((candidate) => candidate === value)
  if (found === undefined) {
    const expected = allowed.map((candidate) => JSON.stringify(candidate)).join(' or ')
    throw invalidModel(metadataLabel(key), expected, value === undefined ? 'no such entry' : describe(value))
  }
  return found
}

/** A JSON array of strings; empty where the entry is absent. */
function parseNames(entries: ReadonlyMap<string, string>, key: string): string[] {
  const text = entries.get(key)
  if (text === undefined) return []
  let names: unknown
  try {
    names = JSON.parse(text)
  } catch (cause) {
    throw invalidModel(metadataLabel(key), 'a JSON array of strings', describe(text), { cause })
  }
  if (!isNames(names)) throw invalidModel(metadataLabel(key), 'a JSON array of strings', describe(text))
  return names
}

function isNames(names: unknown): names is string[] {
  return Array.isArray(names) && names.every((name) => typeof name === 'string')
}
