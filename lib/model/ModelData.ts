/**
 * Landmarks as barycentric points of the mesh; the field names follow the model file's tensors (docs/model-format.md).
 */
export interface LandmarkScheme {
  /** For example `ibug68` or `mediapipe478`. */
  name: string
  /** Number of landmarks, L. */
  count: number
  /** [L,3] vertex indices of the triangle each landmark lies in. */
  indices: Int32Array
  /** [L,3] barycentric weights; a row of zeros marks a landmark that the model does not have (an iris, say). */
  weights: Float32Array
  /** [L] how far the landmark is to be trusted: 1 good, 0.5 fair, 0.1 bad. */
  reliability?: Float32Array
  /** [L,3] mm, the learned bias of the detector in model space. */
  offset?: Float32Array
  /** [q,L,3] a factor of the landmarks' correlated noise. */
  noiseFactor?: Float32Array
}

/** A basis is stored as 32-bit floats, or as the bit patterns of 16-bit floats. */
export type BasisArray = Float32Array | Uint16Array

/** What the metadata of a model file says. */
export interface ModelMetadata {
  name: string
  version: string
  license: string
  attribution: string
  /** How the model was made: free text, often JSON. */
  provenance: string
  units: 'mm'
  latent: 'sphere' | 'gaussian'
  /** E names, in the order of the expression basis. */
  expressionNames: string[]
  /** Names that the values of `region` index. */
  regionNames: string[]
  /** Every other metadata entry, kept as it is. */
  other: Record<string, string>
}

/** The checked content of a model file. N vertices, K identity latents, E expressions. */
export interface ModelData {
  vertexCount: number
  identityCount: number
  expressionCount: number
  /** [N,3] mm. */
  mean: Float32Array
  /** [K,N,3] mm per unit of latent. */
  identityBasis: BasisArray
  /** [E,N,3] mm per unit of coefficient. */
  expressionBasis: BasisArray
  /** [E,2] lower and upper. */
  expressionBounds: Float32Array
  /** [E] of the prior. */
  expressionStddev: Float32Array
  /** [E] of the prior; zeros without it. */
  expressionMean?: Float32Array
  /** [K] unit vector; `sphere` models only. */
  identityPriorMean?: Float32Array
  /** [K,K] row-major L, L L^T = the covariance in the tangent space at the mean; `sphere` models only. */
  identityPriorFactor?: Float32Array
  /**
   * [K] 0..1: how much of each latent's variance is the person's own; the rest differs from one photo of a person to the
   * next. Of `sphere` models whose prior is diagonal, its mean the last axis.
   */
  identityPersonShare?: Float32Array
  /** [F,3] counter-clockwise seen from outside. */
  triangles: Int32Array
  /** [Q,N,3]. */
  withinIdentityBasis?: BasisArray
  /** [N,2]. */
  uv?: Float32Array
  /** [N] index of each vertex's mirror image. */
  mirror?: Int32Array
  /** [N] index into `metadata.regionNames`. */
  region?: Uint8Array
  /** [N,3] linear RGB. */
  albedoMean?: Float32Array
  /** [C,N,3] linear RGB. */
  albedoBasis?: BasisArray
  /** By name. */
  schemes: Map<string, LandmarkScheme>
  metadata: ModelMetadata
}
