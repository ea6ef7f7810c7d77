import { Matrix } from '../../linear/index.js'
import { COMPARISON_ENTRY } from '../../model/comparison.js'
import { withBasisPrecision } from '../../model/half.js'
import type { ModelData, ModelMetadata } from '../../model/ModelData.js'
import type { FaceSpace } from './FaceSpace.js'
import type { Span } from './Span.js'

/**
 * A face space as a model: what the template has in common with all faces (triangles, expressions, schemes, regions), and
 * the mean, the identity basis and W that were learned. Bases in 16-bit floats.
 *
 * @param metadata In place of the template's.
 * @returns A `sphere` model of D + 1 latents, pole and Fréchet mean its last axis, or a `gaussian` one of D.
 */
export function assembleModel(
  space: FaceSpace,
  span: Span,
  template: ModelData,
  metadata: Partial<ModelMetadata>,
): ModelData {
  const { mean, basis, radius, within } = space
  const length = template.mean.length
  const learned = new Float32Array(span.fields(new Matrix(1, mean.length, mean)).data)
  const neutral = template.mean.map((value, i) => value + learned[i]!)
  const {
    identityPriorMean: _mean,
    identityPriorFactor: _factor,
    identityPersonShare: _share,
    withinIdentityBasis: _within,
    metadata: known,
    ...shared
  } = template
  const latent = radius === undefined ? 'gaussian' : 'sphere'
  const data: ModelData = {
    ...shared,
    mean: neutral,
    identityCount: basis.columns,
    identityBasis: new Float32Array(span.fields(basis.transpose()).data),
    ...(within &&
      within.columns > 0 && { withinIdentityBasis: new Float32Array(span.fields(within.transpose()).data) }),
    metadata: { ...known, ...metadata, latent, other: withoutComparison(known.other) },
  }
  return withBasisPrecision(radius === undefined ? data : onSphere(data, radius, length), 'f16')
}

/** Thresholds are those of the template's own latents. */
function withoutComparison({ [COMPARISON_ENTRY]: _, ...other }: Record<string, string>): Record<string, string> {
  return other
}

/** The latents on the unit sphere: the basis grows by r, the prior's spread shrinks by it, the pole moves nothing. */
function onSphere(data: ModelData, radius: number, length: number): ModelData {
  const dimensions = data.identityCount
  const K = dimensions + 1
  const identityBasis = new Float32Array(K * length)
  for (const [i, value] of (data.identityBasis as Float32Array).entries()) identityBasis[i] = radius * value
  const identityPriorMean = new Float32Array(K)
  identityPriorMean[dimensions] = 1
  const identityPriorFactor = new Float32Array(K * K)
  for (let k = 0; k < dimensions; k++) identityPriorFactor[k * K + k] = 1 / radius
  return { ...data, identityCount: K, identityBasis, identityPriorMean, identityPriorFactor }
}
