import { describe } from '../../errors.js'
import { Dimensions } from '../Dimensions.js'
import { invalidModel, tensorLabel } from '../invalidModel.js'
import type { LandmarkScheme, ModelData } from '../ModelData.js'
import { formatMetadata, parseMetadata } from '../metadata.js'
import {
  ARRAY_TYPES,
  dtypeOf,
  MODEL_TENSORS,
  type ModelArray,
  type ModelDtype,
  type ModelField,
  SCHEME_TENSORS,
  type SchemeField,
  schemeTensor,
  type TensorSpec,
} from '../schema.js'
import { missingTensor, validateModel } from '../validate.js'
import { asBytes, DTYPE_BYTES, readContainer, type Tensor, writeContainer } from './safetensors.js'

/**
 * Reads a model file (docs/model-format.md) and checks every value in it. Arrays are views of `bytes` wherever their
 * alignment allows, as it does in files from {@link writeModel}: leave `bytes` alone from then on. Tensors that a model
 * does not know are skipped.
 *
 * @throws SfmError INVALID_MODEL, naming the tensor or metadata entry, what was expected and what came.
 * @example
 * const data = readModel(await readFile('face.safetensors'))
 * data.mean.length / 3 === data.vertexCount   // true
 */
export function readModel(bytes: Uint8Array): ModelData {
  const { tensors, metadata: entries } = readContainer(bytes)
  const metadata = parseMetadata(entries)

  const dimensions = new Dimensions()
  const arrays: Partial<Record<ModelField, ModelArray>> = {}
  for (const field of Object.keys(MODEL_TENSORS) as ModelField[]) {
    const spec = MODEL_TENSORS[field]
    const tensor = tensors.get(spec.name)
    if (tensor) arrays[field] = arrayOf(tensor, spec, dimensions)
    else if (isRequired(spec, metadata.latent, dimensions)) throw missingTensor(spec)
    // The expressions' other tensors must agree that there are none.
    else if (field === 'expressionBasis') dimensions.set('E', 0)
  }

  const expressionless = {
    expressionBasis: new Float32Array(0),
    expressionBounds: new Float32Array(0),
    expressionStddev: new Float32Array(0),
  }
  const data = {
    vertexCount: dimensions.get('N'),
    identityCount: dimensions.get('K'),
    expressionCount: dimensions.get('E'),
    ...expressionless,
    ...arrays,
    schemes: readSchemes(tensors, dimensions),
    metadata,
    // Each array has the type that its field's spec lists, which the table's own type cannot say.
  } as ModelData
  validateModel(data)
  return data
}

/**
 * Writes a model file. The same model gives the same bytes; reading them gives the same model.
 *
 * @throws SfmError INVALID_MODEL when the model is not one: what was written can be read.
 * @example
 * await writeFile('face.safetensors', writeModel(data))
 */
export function writeModel(data: ModelData): Uint8Array {
  validateModel(data)
  const dimensions = new Dimensions([
    ['N', data.vertexCount],
    ['K', data.identityCount],
    ['E', data.expressionCount],
  ])
  const tensors = new Map<string, Tensor>()
  for (const field of Object.keys(MODEL_TENSORS) as ModelField[]) {
    const array = data[field]
    if (array && array.length > 0)
      tensors.set(MODEL_TENSORS[field].name, tensorOf(array, MODEL_TENSORS[field], dimensions))
  }
  for (const [name, scheme] of data.schemes) {
    const own = dimensions.fork()
    own.set('L', scheme.count)
    for (const field of Object.keys(SCHEME_TENSORS) as SchemeField[]) {
      const array = scheme[field]
      const spec = schemeTensor(name, field)
      if (array) tensors.set(spec.name, tensorOf(array, spec, own))
    }
  }
  return writeContainer({ tensors, metadata: formatMetadata(data.metadata) })
}

/** The schemes that the names of the tensors speak of; a scheme's own name may hold dots. */
function readSchemes(tensors: ReadonlyMap<string, Tensor>, dimensions: Dimensions): Map<string, LandmarkScheme> {
  const schemes = new Map<string, LandmarkScheme>()
  const fields = Object.keys(SCHEME_TENSORS) as SchemeField[]
  for (const tensorName of [...tensors.keys()].sort()) {
    const [, name, last] = /^landmarks\.(.+)\.([^.]+)$/s.exec(tensorName) ?? []
    const isKnown = fields.some((field) => SCHEME_TENSORS[field].name === last)
    if (name !== undefined && isKnown && !schemes.has(name))
      schemes.set(name, readScheme(name, tensors, dimensions.fork()))
  }
  return schemes
}

function readScheme(name: string, tensors: ReadonlyMap<string, Tensor>, dimensions: Dimensions): LandmarkScheme {
  const arrays: Partial<Record<SchemeField, ModelArray>> = {}
  for (const field of Object.keys(SCHEME_TENSORS) as SchemeField[]) {
    const spec = schemeTensor(name, field)
    const tensor = tensors.get(spec.name)
    if (tensor) arrays[field] = arrayOf(tensor, spec, dimensions)
    else if (spec.required === 'always') throw missingTensor(spec)
  }
  return { name, count: dimensions.get('L'), ...arrays } as LandmarkScheme
}

function isRequired({ required }: TensorSpec, latent: 'sphere' | 'gaussian', dimensions: Dimensions): boolean {
  if (required === 'expressions') return (dimensions.get('E') ?? 0) > 0
  return required === 'always' || required === latent
}

/** A tensor as a typed array, once its dtype and shape are as they have to be. */
function arrayOf({ dtype, shape, bytes }: Tensor, spec: TensorSpec, dimensions: Dimensions): ModelArray {
  const where = tensorLabel(spec.name)
  if (!isAllowed(dtype, spec)) throw invalidModel(where, `dtype ${spec.dtypes.join(' or ')}`, dtype)
  const expected = dimensions.describe(spec.shape)
  if (!dimensions.fits(spec.shape, shape)) {
    throw invalidModel(
      where,
      `shape ${expected}`,
      shape.length > 8 ? `${shape.length} dimensions` : `[${shape.join(', ')}]`,
    )
  }
  const aligned = bytes.byteOffset % DTYPE_BYTES[dtype] === 0 ? bytes : bytes.slice()
  return new ARRAY_TYPES[dtype](
    aligned.buffer as ArrayBuffer,
    aligned.byteOffset,
    aligned.byteLength / DTYPE_BYTES[dtype],
  )
}

function isAllowed(dtype: string, { dtypes }: TensorSpec): dtype is ModelDtype {
  return dtypes.some((allowed) => allowed === dtype)
}

function tensorOf(array: ModelArray, spec: TensorSpec, dimensions: Dimensions): Tensor {
  const dtype = dtypeOf(array)
  const shape = dimensions.sizesOf(spec.shape, array.length)
  // Validation has seen to both.
  if (!dtype || !shape) throw invalidModel(tensorLabel(spec.name), dimensions.describe(spec.shape), describe(array))
  return { dtype, shape, bytes: asBytes(array) }
}
