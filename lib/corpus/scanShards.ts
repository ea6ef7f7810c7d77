import type { Column, Rows } from './shardFile.js'
import type { ScanShard, TruthShard } from './TrainingData.js'

/** Names of the tensors in the files of a corpus (docs/corpus.md). */
export const TENSORS = {
  vertices: 'vertices',
  expressions: 'expression',
  trueExpressions: 'truth.expression',
  neutrals: 'neutral',
  identities: 'identity',
} as const

/** The tensors of a file of scans, of N vertices and E expressions. */
export function scanColumns(vertexCount: number, expressionCount: number): Column[] {
  return [
    { name: TENSORS.vertices, row: [vertexCount, 3], required: true },
    { name: TENSORS.expressions, row: [expressionCount], required: false },
    { name: TENSORS.trueExpressions, row: [expressionCount], required: false },
  ]
}

/** The tensors of a file of synthetic people. */
export function truthColumns(vertexCount: number): Column[] {
  return [
    { name: TENSORS.neutrals, row: [vertexCount, 3], required: true },
    { name: TENSORS.identities, row: ['any'], required: true },
  ]
}

/** Rows as scans. */
export function asScans({ subjects, arrays }: Rows): ScanShard {
  const expressions = arrays.get(TENSORS.expressions)
  const trueExpressions = arrays.get(TENSORS.trueExpressions)
  return {
    vertices: arrays.get(TENSORS.vertices)!,
    subjects,
    ...(expressions && { expressions }),
    ...(trueExpressions && { trueExpressions }),
  }
}

/** Scans as rows. */
export function scanRows({ subjects, vertices, expressions, trueExpressions }: ScanShard): Rows {
  const arrays = new Map([[TENSORS.vertices as string, vertices]])
  if (expressions) arrays.set(TENSORS.expressions, expressions)
  if (trueExpressions) arrays.set(TENSORS.trueExpressions, trueExpressions)
  return { subjects, arrays }
}

/** Rows as people. */
export function asTruth({ subjects, arrays }: Rows): TruthShard {
  return { subjects, neutrals: arrays.get(TENSORS.neutrals)!, identities: arrays.get(TENSORS.identities)! }
}

/** People as rows. */
export function truthRows({ subjects, neutrals, identities }: TruthShard): Rows {
  return {
    subjects,
    arrays: new Map<string, Float32Array>([
      [TENSORS.neutrals, neutrals],
      [TENSORS.identities, identities],
    ]),
  }
}
