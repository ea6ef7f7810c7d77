import { type MatrixLike, multiply, symmetricEigen } from '../../linear/index.js'
import { asFloat32 } from '../../model/half.js'
import type { ModelData } from '../../model/ModelData.js'

/**
 * Coordinates of neutral faces in which Euclidean distance is the RMS distance of the vertices in mm: distances of many
 * faces without decoding them. Rigid motion does not count, since all faces of a model share its space.
 *
 * @example
 * const place = neutralMetric(model.data)
 * const distances = pairDistances(pairs, results.map(({ identity }) => place(identity)))
 */
export function neutralMetric(data: ModelData): (identity: ArrayLike<number>) => Float64Array {
  const K = data.identityCount
  const basis: MatrixLike = { rows: K, columns: 3 * data.vertexCount, data: asFloat32(data.identityBasis) }
  const { values, vectors } = symmetricEigen(multiply(basis, basis, { transposeB: true }))
  const scales = values.map((value) => Math.sqrt(Math.max(0, value) / data.vertexCount))
  return (identity) =>
    scales.map((scale, k) => {
      let sum = 0
      for (let i = 0; i < K; i++) sum += vectors.at(i, k) * identity[i]
      return scale * sum
    })
}
