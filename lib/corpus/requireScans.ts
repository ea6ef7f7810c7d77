import { invalidArgument } from '../errors.js'
import { firstNonFinite } from '../model/finite.js'
import type { ModelData } from '../model/ModelData.js'
import type { ScanShard, TruthShard } from './TrainingData.js'

/**
 * Checks scans that a program made.
 *
 * @throws SfmError INVALID_ARGUMENT naming the field.
 */
export function requireScans(shard: ScanShard, { vertexCount, expressionCount }: ModelData, name: string): void {
  if (typeof shard !== 'object' || shard === null)
    throw invalidArgument(name, 'an object with vertices and subjects', shard)
  const { vertices, subjects, expressions, trueExpressions } = shard
  const n = requireSubjects(subjects, `${name}.subjects`)
  requireNumbers(vertices, n * vertexCount * 3, `${name}.vertices`)
  if (expressions !== undefined) requireNumbers(expressions, n * expressionCount, `${name}.expressions`)
  if (trueExpressions !== undefined) requireNumbers(trueExpressions, n * expressionCount, `${name}.trueExpressions`)
}

/**
 * Checks synthetic people that a program made.
 *
 * @throws SfmError INVALID_ARGUMENT naming the field.
 */
export function requireTruth(shard: TruthShard, { vertexCount }: ModelData, name: string): void {
  if (typeof shard !== 'object' || shard === null)
    throw invalidArgument(name, 'an object with subjects, neutrals and identities', shard)
  const { subjects, neutrals, identities } = shard
  const n = requireSubjects(subjects, `${name}.subjects`)
  requireNumbers(neutrals, n * vertexCount * 3, `${name}.neutrals`)
  const latents = identities instanceof Float32Array && n > 0 ? Math.ceil(identities.length / n) : 0
  requireNumbers(identities, n * latents, `${name}.identities`)
}

function requireSubjects(subjects: unknown, name: string): number {
  if (!Array.isArray(subjects)) throw invalidArgument(name, 'an array of names, one a row', subjects)
  for (const [i, subject] of subjects.entries())
    if (typeof subject !== 'string' || subject === '')
      throw invalidArgument(`${name}[${i}]`, 'a string that is not empty', subject)
  return subjects.length
}

function requireNumbers(array: unknown, length: number, name: string): void {
  if (!(array instanceof Float32Array) || array.length !== length)
    throw invalidArgument(name, `a Float32Array of ${length}`, array)
  const at = firstNonFinite(array)
  if (at >= 0) throw invalidArgument(`${name}[${at}]`, 'a finite number', array[at])
}
