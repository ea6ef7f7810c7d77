import type { LandmarkScheme, ModelData } from './ModelData.js'

/** Element types that the tensors of a model may have. */
export type ModelDtype = 'F32' | 'F16' | 'I32' | 'U8'

/** The typed array of each {@link ModelDtype}; 16-bit floats go by their bit patterns. */
export type ModelArray = Float32Array | Uint16Array | Int32Array | Uint8Array

/** Constructors of the {@link ModelArray}s. */
export const ARRAY_TYPES = { F32: Float32Array, F16: Uint16Array, I32: Int32Array, U8: Uint8Array } as const

/**
 * The sizes that shapes are made of: N vertices, K identity latents, E expressions, F triangles, Q modes within one
 * identity, C of the albedo, L landmarks, q factors of their noise.
 */
export type Dimension = 'N' | 'K' | 'E' | 'F' | 'Q' | 'C' | 'L' | 'q'

/** The shape of a tensor, in named and in fixed sizes. */
export type Shape = readonly (Dimension | number)[]

/** What a tensor has to be. */
export interface TensorSpec {
  readonly name: string
  readonly dtypes: readonly ModelDtype[]
  readonly shape: Shape
  /** Which models have to have it. */
  readonly required: 'always' | 'never' | 'sphere' | 'expressions'
}

type ArraysOf<T> = { [Field in keyof T as NonNullable<T[Field]> extends ModelArray ? Field : never]: TensorSpec }

const FLOAT = ['F32'] as const
const BASIS = ['F32', 'F16'] as const
const INDEX = ['I32'] as const
const LABEL = ['U8'] as const

/**
 * The tensors of a model file by the fields of {@link ModelData}: reader, writer and validator go by this one table. A
 * dimension is settled by the first tensor that has it.
 */
export const MODEL_TENSORS: Required<ArraysOf<ModelData>> = {
  mean: spec('mean', FLOAT, ['N', 3], 'always'),
  identityBasis: spec('identity_basis', BASIS, ['K', 'N', 3], 'always'),
  expressionBasis: spec('expression_basis', BASIS, ['E', 'N', 3], 'expressions'),
  expressionBounds: spec('expression_bounds', FLOAT, ['E', 2], 'expressions'),
  expressionStddev: spec('expression_stddev', FLOAT, ['E'], 'expressions'),
  expressionMean: spec('expression_mean', FLOAT, ['E'], 'never'),
  identityPriorMean: spec('identity_prior_mean', FLOAT, ['K'], 'sphere'),
  identityPriorFactor: spec('identity_prior_factor', FLOAT, ['K', 'K'], 'sphere'),
  identityPersonShare: spec('identity_person_share', FLOAT, ['K'], 'never'),
  triangles: spec('triangles', INDEX, ['F', 3], 'always'),
  withinIdentityBasis: spec('within_identity_basis', BASIS, ['Q', 'N', 3], 'never'),
  uv: spec('uv', FLOAT, ['N', 2], 'never'),
  mirror: spec('mirror', INDEX, ['N'], 'never'),
  region: spec('region', LABEL, ['N'], 'never'),
  albedoMean: spec('albedo_mean', FLOAT, ['N', 3], 'never'),
  albedoBasis: spec('albedo_basis', BASIS, ['C', 'N', 3], 'never'),
}

/**
 * The tensors of one landmark scheme by the fields of {@link LandmarkScheme}; in the file `landmarks.<scheme>.`
 * precedes their names.
 */
export const SCHEME_TENSORS: Required<ArraysOf<LandmarkScheme>> = {
  indices: spec('indices', INDEX, ['L', 3], 'always'),
  weights: spec('weights', FLOAT, ['L', 3], 'always'),
  reliability: spec('reliability', FLOAT, ['L'], 'never'),
  offset: spec('offset', FLOAT, ['L', 3], 'never'),
  noiseFactor: spec('noise_factor', FLOAT, ['q', 'L', 3], 'never'),
}

/** A field of {@link ModelData} that is a tensor. */
export type ModelField = keyof typeof MODEL_TENSORS

/** A field of {@link LandmarkScheme} that is a tensor. */
export type SchemeField = keyof typeof SCHEME_TENSORS

/** A scheme's tensor under its full name. */
export function schemeTensor(scheme: string, field: SchemeField): TensorSpec {
  const tensor = SCHEME_TENSORS[field]
  return { ...tensor, name: `landmarks.${scheme}.${tensor.name}` }
}

/** The {@link ModelDtype} that a typed array is stored as; undefined for any other value. */
export function dtypeOf(array: unknown): ModelDtype | undefined {
  if (array instanceof Float32Array) return 'F32'
  if (array instanceof Uint16Array) return 'F16'
  if (array instanceof Int32Array) return 'I32'
  if (array instanceof Uint8Array) return 'U8'
  return undefined
}

function spec(name: string, dtypes: TensorSpec['dtypes'], shape: Shape, required: TensorSpec['required']): TensorSpec {
  return { name, dtypes, shape, required }
}
