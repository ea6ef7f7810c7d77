import { invalidArgument } from '../errors.js'
import { Random } from '../random.js'
import type { ModelData } from './ModelData.js'
import { exponential } from './sphere.js'

/** How faces are drawn. */
export interface SampleOptions {
  count: number
  /** The same seed draws the same faces on every machine (default 1). */
  seed?: number
  /** How far from rest the expressions are, in standard deviations of the prior (default 0: neutral). */
  expressionScale?: number
}

/** Latents drawn from a prior. */
export interface DrawnLatents {
  /** [K] */
  identity: Float32Array
  /** [E] */
  expression: Float32Array
}

/**
 * Draws faces from a model's prior, one at a time: identities from the covariance in the tangent space at the mean,
 * carried to the sphere by the exponential map; expressions normal, clipped to their bounds.
 *
 * @throws SfmError INVALID_ARGUMENT, with the first face.
 * @example
 * for (const latents of drawLatents(model.data, { count: 1e6, seed: 1 })) await write(latents)
 */
export function* drawLatents(
  data: ModelData,
  { count, seed = 1, expressionScale = 0 }: SampleOptions,
): Generator<DrawnLatents> {
  if (!Number.isSafeInteger(seed) || seed < 0) throw invalidArgument('seed', 'an integer of 0 or more', seed)
  if (!Number.isFinite(expressionScale) || expressionScale < 0)
    throw invalidArgument('expressionScale', 'a number of 0 or more', expressionScale)
  const random = new Random(seed)
  for (let i = 0; i < count; i++) {
    const identity = drawIdentity(data, random)
    yield { identity, expression: drawExpression(data, random, expressionScale) }
  }
}

function drawIdentity(data: ModelData, random: Random): Float32Array {
  const { identityCount: k, identityPriorMean: mean, identityPriorFactor: factor } = data
  const normal = Float64Array.from({ length: k }, () => random.normal())
  if (!mean || !factor) return Float32Array.from(normal)
  const tangent = new Float64Array(k)
  for (let i = 0; i < k; i++)
    for (let j = 0; j < k; j++) tangent[i]! += (factor[i * k + j] as number) * (normal[j] as number)
  return Float32Array.from(exponential(tangent, mean))
}

function drawExpression(data: ModelData, random: Random, scale: number): Float32Array {
  const { expressionCount: e, expressionStddev: stddev, expressionBounds: bounds } = data
  return Float32Array.from({ length: e }, (_, i) => {
    const value = random.normal() * scale * (stddev[i] as number)
    return Math.min(bounds[2 * i + 1] as number, Math.max(bounds[2 * i] as number, value))
  })
}
