import { asFloat32 } from '../../model/half.js'
import type { LandmarkScheme, ModelData } from '../../model/ModelData.js'
import { noiseFactors } from '../../model/noiseFactors.js'

/** The rows of a linear shape model at the landmarks of a scheme. */
export interface LandmarkRows {
  /** Landmarks that the model has. */
  present: number[]
  /** [L,3] mm, the scheme's offset not included. */
  mean: Float64Array
  /** [L,3,columns] mm per unit: the dictionary's shapes, then the expressions. */
  columns: Float64Array
  /** [L] multiples of the noise's standard deviation. */
  noiseFactors: Float32Array
}

/** Shapes that a face is a combination of, as displacements of all vertices. */
export interface ShapeDictionary {
  /** [N,3] mm */
  mean: Float32Array
  /** [size,N,3] mm per unit */
  shapes: Float32Array
  size: number
}

/**
 * The identity basis of a model as a dictionary: its columns along the sphere, scaled so that one unit is one standard
 * deviation of the prior. With `g = sinc(|v|) v` over the prior's spread, a face of the model is `mean + shapes g`.
 *
 * @param data A sphere model without slack whose prior is isotropic and stands at the last axis, as stage 1 makes them.
 */
export function dictionaryOf(data: ModelData): ShapeDictionary {
  const size = data.identityCount - 1
  const stride = 3 * data.vertexCount
  const shapes = asFloat32(data.identityBasis).slice(0, size * stride)
  const spread = data.identityPriorFactor![0]!
  for (let i = 0; i < shapes.length; i++) shapes[i]! *= spread
  return { mean: data.mean, shapes, size }
}

/** Gathers the rows of a dictionary and of the expressions at the landmarks of a scheme. */
export function landmarkRows(dictionary: ShapeDictionary, data: ModelData, scheme: LandmarkScheme): LandmarkRows {
  const stride = 3 * data.vertexCount
  const expressions = asFloat32(data.expressionBasis)
  const width = dictionary.size + data.expressionCount
  const mean = new Float64Array(3 * scheme.count)
  const columns = new Float64Array(3 * scheme.count * width)
  const present: number[] = []
  for (let l = 0; l < scheme.count; l++) {
    let any = false
    for (let corner = 0; corner < 3; corner++) {
      const weight = scheme.weights[3 * l + corner]!
      if (weight === 0) continue
      any = true
      for (let axis = 0; axis < 3; axis++) {
        const at = 3 * scheme.indices[3 * l + corner]! + axis
        mean[3 * l + axis]! += weight * dictionary.mean[at]!
        const row = columns.subarray((3 * l + axis) * width, (3 * l + axis + 1) * width)
        for (let c = 0; c < dictionary.size; c++) row[c]! += weight * dictionary.shapes[c * stride + at]!
        for (let e = 0; e < data.expressionCount; e++)
          row[dictionary.size + e]! += weight * expressions[e * stride + at]!
      }
    }
    if (any) present.push(l)
  }
  return { present, mean, columns, noiseFactors: noiseFactors(scheme) }
}
