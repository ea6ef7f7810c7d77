import { SfmError } from '../../errors.js'
import type { SphereFaceModel } from '../../model/SphereFaceModel.js'
import { requireSome } from '../checks.js'

/** A model under evaluation, and what reports call it. */
export interface EvaluatedModel {
  /** Such as `sfm`, `pca`, `linear`. */
  key: string
  /** What readers see. */
  name: string
  description?: string
  model: SphereFaceModel
}

/**
 * Refuses models whose faces cannot be compared vertex by vertex.
 *
 * @param vertexCount That of the data; by default the first model's.
 * @throws SfmError INVALID_ARGUMENT naming the models.
 */
export function requireOneTopology(models: readonly EvaluatedModel[], vertexCount?: number): void {
  requireSome('models', models)
  const [first] = models as [EvaluatedModel]
  const expected = vertexCount ?? first.model.vertexCount
  const whose = vertexCount === undefined ? first.key : 'the data'
  for (const { key, model } of models) {
    if (model.vertexCount !== expected)
      throw new SfmError(
        'INVALID_ARGUMENT',
        `models: expected ${expected} vertices in ${key}, as ${whose} has, received ${model.vertexCount}`,
      )
    if (!sameNumbers(model.data.triangles, first.model.data.triangles))
      throw new SfmError('INVALID_ARGUMENT', `models: expected ${key} to have the triangles of ${first.key}`)
  }
}

function sameNumbers(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i])
}
