import { describe } from '../errors.js'
import { Dimensions } from './Dimensions.js'
import { firstNonFinite } from './finite.js'
import { invalidModel, tensorLabel } from './invalidModel.js'
import type { LandmarkScheme, ModelData } from './ModelData.js'
import { validateMetadata } from './metadata.js'
import {
  dtypeOf,
  MODEL_TENSORS,
  type ModelArray,
  type ModelField,
  SCHEME_TENSORS,
  type SchemeField,
  schemeTensor,
  type TensorSpec,
} from './schema.js'
import { validatePrior } from './validatePrior.js'

/** How far landmark weights may be from a sum of 1, and outside of their triangle. */
const WEIGHT_TOLERANCE = 1e-3
/** Each costs a fit an unknown: no file may ask for minutes. */
const MAX_NUISANCES = 1024

/**
 * Checks all that code further on relies upon: every array's type, length and values, indices in range, the prior, the
 * landmark schemes, the metadata. What passes is a model that can be decoded and fitted. About 3 ms for the default
 * model.
 *
 * @throws SfmError INVALID_MODEL, naming the tensor or metadata entry as the model file does, what was expected and
 *   what came.
 * @example
 * validateModel({ ...data, mean: new Float32Array(3) })   // tensor "mean": expected [N = 8780, 3], received
 * Float32Array of 3
 */
export function validateModel(data: ModelData): void {
  if (typeof data !== 'object' || data === null) throw invalidModel('model', 'an object', describe(data))
  const dimensions = new Dimensions([
    ['N', requireCount('vertexCount', data.vertexCount, 3)],
    ['K', requireCount('identityCount', data.identityCount, data.metadata?.latent === 'sphere' ? 2 : 1)],
    ['E', requireCount('expressionCount', data.expressionCount, 0)],
  ])
  validateMetadata(data.metadata, data.expressionCount)

  for (const field of Object.keys(MODEL_TENSORS) as ModelField[]) {
    const spec = MODEL_TENSORS[field]
    const array = data[field]
    if (array === undefined) requireAbsence(spec, data)
    else validateArray(spec, array, dimensions)
  }
  validateTriangles(data.triangles)
  if (data.mirror) validateMirror(data.mirror)
  validateExpressions(data)
  validateRegions(data)
  validateAlbedo(data)
  requireFewNuisances(tensorLabel(MODEL_TENSORS.withinIdentityBasis.name), dimensions.get('Q'))
  validatePrior(data)
  validateSchemes(data, dimensions)
}

/** The error of a tensor that is not there but has to be. */
export function missingTensor(spec: TensorSpec) {
  return invalidModel(
    tensorLabel(spec.name),
    `${spec.dtypes.join(' or ')} [${spec.shape.join(', ')}]`,
    'no such tensor',
  )
}

function requireCount(name: string, count: unknown, least: number): number {
  if (typeof count === 'number' && Number.isSafeInteger(count) && count >= least) return count
  throw invalidModel(name, `an integer of at least ${least}`, describe(count))
}

function requireAbsence(spec: TensorSpec, { metadata }: ModelData): void {
  // Without expressions the model's arrays for them are empty, not absent: `ModelData` has them always.
  const needed = spec.required === 'sphere' ? metadata.latent === 'sphere' : spec.required !== 'never'
  if (needed) throw missingTensor(spec)
}

/** Type, length and every value, as far as a tensor's own type and shape tell. */
function validateArray(spec: TensorSpec, array: ModelArray, dimensions: Dimensions): void {
  const where = tensorLabel(spec.name)
  const dtype = dtypeOf(array)
  if (dtype === undefined || !spec.dtypes.includes(dtype)) {
    throw invalidModel(where, `an array of ${spec.dtypes.join(' or ')}`, describe(array))
  }
  const sizes = dimensions.sizesOf(spec.shape, array.length)
  if (sizes === undefined || !dimensions.fits(spec.shape, sizes)) {
    throw invalidModel(where, dimensions.describe(spec.shape), describe(array))
  }
  if (array instanceof Int32Array) requireVertexIndices(where, array, dimensions.get('N')!)
  else if (array instanceof Float32Array || array instanceof Uint16Array) requireFinite(where, array)
}

function requireFinite(where: string, array: Float32Array | Uint16Array): void {
  const at = firstNonFinite(array)
  if (at >= 0) throw invalidModel(where, 'finite values', `NaN or an infinity at index ${at}`)
}

/** Every integer tensor of a model holds vertex indices. */
function requireVertexIndices(where: string, indices: Int32Array, vertexCount: number): void {
  const { length } = indices
  for (let i = 0; i < length; i++) {
    const index = indices[i]!
    if (index < 0 || index >= vertexCount) {
      throw invalidModel(where, `vertex indices from 0 to ${vertexCount - 1}`, `${index} at index ${i}`)
    }
  }
}

function requireEach(where: string, values: Float32Array, accepts: (value: number) => boolean, expected: string): void {
  for (let i = 0; i < values.length; i++) {
    if (!accepts(values[i]!)) throw invalidModel(where, expected, `${values[i]} at index ${i}`)
  }
}

function validateTriangles(triangles: Int32Array): void {
  const { length } = triangles
  for (let i = 0; i < length; i += 3) {
    const a = triangles[i]!
    const b = triangles[i + 1]!
    const c = triangles[i + 2]!
    if (a === b || b === c || c === a) {
      throw invalidModel(
        tensorLabel(MODEL_TENSORS.triangles.name),
        'three different vertices',
        `[${a}, ${b}, ${c}] in row ${i / 3}`,
      )
    }
  }
}

/** Of indices that are known to be in range. */
function validateMirror(mirror: Int32Array): void {
  const at = mirror.findIndex((image, i) => mirror[image] !== i)
  if (at < 0) return
  throw invalidModel(
    tensorLabel(MODEL_TENSORS.mirror.name),
    "pairs of vertices, each the other's mirror image, or vertices that are their own",
    `${mirror[at]} at index ${at}, and ${mirror[mirror[at]!]} at index ${mirror[at]}`,
  )
}

function validateExpressions({ expressionBounds: bounds, expressionStddev: stddev, expressionCount }: ModelData): void {
  for (let e = 0; e < expressionCount; e++) {
    const [lower, upper] = [bounds[2 * e]!, bounds[2 * e + 1]!]
    if (lower > upper) {
      throw invalidModel(
        tensorLabel(MODEL_TENSORS.expressionBounds.name),
        'lower <= upper',
        `[${lower}, ${upper}] in row ${e}`,
      )
    }
  }
  requireEach(tensorLabel(MODEL_TENSORS.expressionStddev.name), stddev, (sd) => sd > 0, 'positive values')
}

function validateRegions({ region, metadata }: ModelData): void {
  if (!region) return
  const count = metadata.regionNames.length
  for (let i = 0; i < region.length; i++) {
    if (region[i]! >= count) {
      throw invalidModel(
        tensorLabel(MODEL_TENSORS.region.name),
        `indices of ${count} region_names`,
        `${region[i]} at index ${i}`,
      )
    }
  }
}

function validateAlbedo({ albedoMean, albedoBasis }: ModelData): void {
  if (albedoBasis && !albedoMean) throw missingTensor(MODEL_TENSORS.albedoMean)
}

function requireFewNuisances(where: string, count = 0): void {
  if (count > MAX_NUISANCES) throw invalidModel(where, `at most ${MAX_NUISANCES} rows`, `${count}`)
}

function validateSchemes({ schemes }: ModelData, dimensions: Dimensions): void {
  if (!(schemes instanceof Map)) throw invalidModel('schemes', 'a Map', describe(schemes))
  for (const [name, scheme] of schemes) validateScheme(name, scheme, dimensions.fork())
}

function validateScheme(name: string, scheme: LandmarkScheme, dimensions: Dimensions): void {
  const where = `landmark scheme ${describe(name)}`
  if (typeof name !== 'string' || name === '') throw invalidModel(where, 'a name', describe(name))
  if (scheme?.name !== name) throw invalidModel(where, 'the name it goes by', describe(scheme?.name))
  dimensions.set('L', requireCount(`${where}, count`, scheme.count, 1))
  for (const field of Object.keys(SCHEME_TENSORS) as SchemeField[]) {
    const spec = schemeTensor(name, field)
    const array = scheme[field]
    if (array !== undefined) validateArray(spec, array, dimensions)
    else if (spec.required === 'always') throw missingTensor(spec)
  }
  validateWeights(tensorLabel(schemeTensor(name, 'weights').name), scheme.weights)
  requireFewNuisances(tensorLabel(schemeTensor(name, 'noiseFactor').name), dimensions.get('q'))
  if (scheme.reliability) {
    const isReliability = (value: number) => value >= 0 && value <= 1
    requireEach(
      tensorLabel(schemeTensor(name, 'reliability').name),
      scheme.reliability,
      isReliability,
      'values from 0 to 1',
    )
  }
}

/** A row is a point of its triangle, or all zero for a landmark that the model does not have. */
function validateWeights(where: string, weights: Float32Array): void {
  for (let i = 0; i < weights.length; i += 3) {
    const a = weights[i]!
    const b = weights[i + 1]!
    const c = weights[i + 2]!
    const isPoint = Math.abs(a + b + c - 1) <= WEIGHT_TOLERANCE && Math.min(a, b, c) >= -WEIGHT_TOLERANCE
    const isAbsent = a === 0 && b === 0 && c === 0
    if (!isPoint && !isAbsent) {
      throw invalidModel(
        where,
        'rows of zeros, or of weights from 0 to 1 with a sum of 1',
        `[${a}, ${b}, ${c}] in row ${i / 3}`,
      )
    }
  }
}
