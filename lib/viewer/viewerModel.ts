import { Matrix, multiply, symmetricEigen } from '../linear/index.js'
import { symmetrised } from '../linear/symmetrised.js'
import { asFloat32 } from '../model/half.js'
import type { ModelData } from '../model/ModelData.js'
import { coloursOf, openingsOf } from '../outputs/faceMesh.js'
import { byteOfLight } from '../render/light.js'
import { inSteps, packArrays } from './packArrays.js'
import type { ViewerModel } from './ViewerData.js'

/** Directions that can be walked along: with the embedded model they hold four fifths of what people differ by. */
const DIRECTIONS = 10

/** By model: the same for all its pages, and megabytes of it. */
const made = new WeakMap<ModelData, Promise<ViewerModel>>()

/** What a viewer's page holds of a model. */
export function viewerModel(data: ModelData): Promise<ViewerModel> {
  let model = made.get(data)
  if (model === undefined) {
    model = make(data)
    made.set(data, model)
  }
  return model
}

async function make(data: ModelData): Promise<ViewerModel> {
  const { metadata, vertexCount, identityCount, triangles, uv, expressionBounds } = data
  const openings = openingsOf(data)
  const directions = principalDirections(data)
  const pole = columnOf(data, data.identityPriorMean ?? new Float32Array(identityCount))
  const expressions = asFloat32(data.expressionBasis)
  const size = vertexCount * 3
  const expressionNames = metadata.expressionNames.slice(0, data.expressionCount)
  return {
    name: `${metadata.name} ${metadata.version}`,
    attribution: metadata.attribution,
    license: metadata.license,
    latent: metadata.latent,
    ...(openings && { openings }),
    expressions: expressionNames.map((name, e) => ({
      name,
      least: expressionBounds[2 * e]!,
      most: expressionBounds[2 * e + 1]!,
    })),
    directions: directions.map((direction) => Array.from(direction, (value) => Number(value.toPrecision(7)))),
    hasUv: uv !== undefined,
    arrays: await packArrays([
      vertexCount <= 0x10000 ? Uint16Array.from(triangles) : Uint32Array.from(triangles),
      ...(uv ? [Uint16Array.from(uv, (value) => Math.round(65_535 * Math.min(1, Math.max(0, value))))] : []),
      Uint8Array.from(coloursOf(data), byteOfLight),
      inSteps(data.mean.map((value, i) => value + pole[i]!)),
      inSteps(pole),
      ...directions.map((direction) => inSteps(columnOf(data, direction))),
      ...expressionNames.map((_, e) => inSteps(expressions.subarray(e * size, (e + 1) * size))),
    ]),
  }
}

/** [N,3] mm: the identity basis times latents. */
export function columnOf(data: ModelData, latents: ArrayLike<number>): Float32Array {
  const { identityCount, vertexCount } = data
  const basis = { rows: identityCount, columns: vertexCount * 3, data: basisOf(data) }
  const row = new Matrix(1, identityCount, Float64Array.from(latents))
  return Float32Array.from(multiply(row, basis).data)
}

/**
 * Tangent vectors at the mean in which the faces of the prior differ the most, in millimetres over all vertices: with
 * the prior's covariance L L^T and the basis B, the principal components of B L x for x ~ N(0, I).
 */
function principalDirections(data: ModelData): Float64Array[] {
  const { identityCount: k, vertexCount } = data
  const basis = { rows: k, columns: vertexCount * 3, data: basisOf(data) }
  const factor = data.identityPriorFactor
    ? new Matrix(k, k, Float64Array.from(data.identityPriorFactor))
    : Matrix.identity(k)
  const squares = multiply(basis, basis, { transposeB: true })
  const { vectors } = symmetricEigen(symmetrised(multiply(factor, multiply(squares, factor), { transposeA: true })))
  const directions = multiply(factor, vectors).transpose()
  const count = Math.min(DIRECTIONS, data.metadata.latent === 'sphere' ? k - 1 : k)
  return Array.from({ length: count }, (_, d) => directions.row(d).slice())
}

/** The identity basis in 32 bits, by model; half of it again as long as it is needed. */
const bases = new WeakMap<ModelData, Float32Array>()

function basisOf(data: ModelData): Float32Array {
  let basis = bases.get(data)
  if (basis === undefined) {
    basis = asFloat32(data.identityBasis)
    bases.set(data, basis)
  }
  return basis
}
