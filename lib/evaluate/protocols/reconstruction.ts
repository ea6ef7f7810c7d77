/** How far neutral faces reconstructed from landmarks are from the truth. */

import { setImmediate } from 'node:timers/promises'
import { throwIfAborted } from '../../aborts.js'
import { transformed } from '../../alignment.js'
import type { FitResult } from '../../fit/FitResult.js'
import type { SphereFaceModel } from '../../model/SphereFaceModel.js'
import { sphereToTangent, tangentToSphere } from '../../model/sphere.js'
import { alignPoints } from '../alignment.js'
import { type Bootstrap, type Estimate, itemWeights } from '../bootstrap.js'
import type { People } from '../people.js'
import { mean } from '../statistics.js'
import type { ProtocolOptions } from './ProtocolOptions.js'

/** Errors of reconstructions from as many images each. */
export interface Reconstructions {
  /** m */
  count: number
  /** mm, mean over the reconstructions of the RMS distance of the vertices, after rigid alignment. */
  error: Estimate
  /** [m] mm */
  errors: Float64Array
  /** [N] mm, mean distance of each vertex. */
  perVertex: Float64Array
}

/** Images of one person that are reconstructed together. */
export type ImageSet = readonly number[]

/**
 * How several images become one face: `fused` by their posteriors; `averaged` in normal coordinates (or Gaussian latents),
 * which knows nothing of what each image saw.
 */
export type Combination = 'fused' | 'averaged'

/**
 * Sets of images of one person, each image in one of them, in order; what is left of a person is left out.
 *
 * @param items By person, the images of each: {@link itemsOf}.
 */
export function imageSets(items: readonly (readonly number[])[], size: number): ImageSet[] {
  return items.flatMap((own) =>
    Array.from({ length: Math.floor(own.length / size) }, (_, i) => own.slice(i * size, (i + 1) * size)),
  )
}

/**
 * The errors of neutral faces reconstructed from images. Images that could not be fitted add nothing, and a person without
 * any is taken for the mean face.
 *
 * @param results [n] of fits with `posterior: true`.
 * @param sets Of images, m of them.
 * @param truth [3N] mm, of each person by number.
 * @throws SfmError INVALID_ARGUMENT; ABORTED.
 */
export async function reconstructions(
  model: SphereFaceModel,
  results: readonly FitResult[],
  sets: readonly ImageSet[],
  people: People,
  truth: readonly Float32Array[],
  bootstrap: Bootstrap,
  { signal, combination = 'fused' }: ProtocolOptions & { combination?: Combination },
): Promise<Reconstructions> {
  const errors = new Float64Array(sets.length)
  const perVertex = new Float64Array(model.vertexCount)
  for (const [i, set] of sets.entries()) {
    if (i % 16 === 0) await setImmediate()
    throwIfAborted(signal)
    const identity = identityOf(model, results, set, combination)
    const real = truth[people.person[set[0]]]
    const vertices = model.decodeSync({ identity })
    const aligned = transformed(vertices, alignPoints(vertices, real))
    let square = 0
    for (let v = 0; v < perVertex.length; v++) {
      const [dx, dy, dz] = [0, 1, 2].map((a) => aligned[3 * v + a] - real[3 * v + a])
      const distance = dx * dx + dy * dy + dz * dz
      square += distance
      perVertex[v] += Math.sqrt(distance) / sets.length
    }
    errors[i] = Math.sqrt(square / perVertex.length)
  }
  const owners = { person: Int32Array.from(sets, ([first]) => people.person[first]) }
  const { error } = bootstrap.estimate((multiplicity) => ({ error: mean(errors, itemWeights(owners, multiplicity)) }))
  return { count: sets.length, error, errors, perVertex }
}

function identityOf(
  model: SphereFaceModel,
  results: readonly FitResult[],
  set: ImageSet,
  combination: Combination,
): ArrayLike<number> {
  const all = set.map((item) => results[item])
  const fitted = all.filter(({ posterior }) => posterior !== undefined)
  if (fitted.length < 2) return (fitted[0] ?? all[0]).identity
  return combination === 'fused' ? model.fuse(fitted).identity : averageIdentity(model, fitted)
}

function averageIdentity(
  { data: { identityPriorMean: mean } }: SphereFaceModel,
  results: readonly FitResult[],
): Float64Array {
  const points = results.map(({ identity }) => (mean ? sphereToTangent(identity, mean) : Float64Array.from(identity)))
  const average = points[0].map((_, d) => points.reduce((sum, point) => sum + point[d], 0) / points.length)
  return mean ? tangentToSphere(average, mean) : average
}
