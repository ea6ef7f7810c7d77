import { invalidArgument, SfmError } from '../errors.js'
import type { LandmarkScheme, ModelData } from './ModelData.js'
import { validateModel } from './validate.js'

/** A point of the mesh: a vertex, or a place in a triangle. */
export type MeshPoint =
  | number
  | { vertices: readonly [number, number, number]; weights: readonly [number, number, number] }

/** A landmark scheme in words. */
export interface SchemeDefinition {
  name: string
  points: readonly MeshPoint[]
  /** One a landmark: 1 good (default), 0.5 fair, 0.1 bad. */
  reliability?: ArrayLike<number>
}

/**
 * Checks a scheme and puts it into the arrays of a model.
 *
 * @throws SfmError INVALID_ARGUMENT
 */
export function makeScheme({ name, points, reliability }: SchemeDefinition, data: ModelData): LandmarkScheme {
  if (typeof name !== 'string' || name === '') throw invalidArgument('scheme.name', 'a string that is not empty', name)
  if (!Array.isArray(points) || points.length === 0)
    throw invalidArgument('scheme.points', 'an array with one point a landmark', points)
  const indices = new Int32Array(points.length * 3)
  const weights = new Float32Array(points.length * 3)
  for (const [i, point] of (points as readonly MeshPoint[]).entries()) {
    const corners = typeof point === 'number' ? { vertices: [point, point, point], weights: [1, 0, 0] } : point
    if (corners?.vertices?.length !== 3 || corners.weights?.length !== 3)
      throw invalidArgument(`scheme.points[${i}]`, 'a vertex index, or three with their weights', point)
    for (const vertex of corners.vertices)
      if (!Number.isInteger(vertex) || vertex < 0 || vertex >= data.vertexCount)
        throw invalidArgument(`scheme.points[${i}]`, `vertex indices from 0 to ${data.vertexCount - 1}`, vertex)
    indices.set(corners.vertices, 3 * i)
    weights.set(corners.weights, 3 * i)
  }
  const scheme: LandmarkScheme = { name, count: points.length, indices, weights }
  if (reliability !== undefined) scheme.reliability = Float32Array.from(reliability)
  try {
    // The same rules as for the schemes of a file.
    validateModel({ ...data, schemes: new Map([[name, scheme]]) })
  } catch (cause) {
    throw new SfmError('INVALID_ARGUMENT', `scheme: ${(cause as Error).message}`, { cause })
  }
  return scheme
}
