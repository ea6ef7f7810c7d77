import type { ModelData } from '../../model/ModelData.js'
import { exponential } from '../../model/sphere.js'
import { Random } from '../../random.js'
import type { IdentityDistribution } from './SynthesisOptions.js'

/** Of {@link Random.stream}. */
const CENTRES = 0x1d

/**
 * Just within the near hemisphere of a sphere model: the far one repeats its shapes, and a heavy tail would go round.
 */
const LARGEST_ANGLE = 1.5

/** Draws latents of people, for Gaussian models and for those on the sphere. */
export class IdentitySampler {
  readonly #source: ModelData
  /** Whitened coordinates: one a mode. */
  readonly #coordinates: number
  readonly #distribution: IdentityDistribution
  /** [clusters][coordinates] */
  readonly #centres: Float64Array[]

  constructor(source: ModelData, modes: number, distribution: IdentityDistribution, seed: number) {
    this.#source = source
    // A factor of a sphere model may spread its K - 1 modes over all of its K columns.
    const { identityCount: K, identityPriorFactor: factor } = source
    this.#coordinates = factor && modes === K - 1 ? K : modes
    this.#distribution = distribution
    const clusters = distribution.type === 'clustered' ? distribution.clusters : 0
    const random = Random.stream(seed, CENTRES)
    this.#centres = Array.from({ length: clusters }, () => this.#normals(random))
  }

  /** Latents of one person: [K], a point of the unit sphere where the model has its identities there. */
  draw(random: Random): Float32Array {
    const whitened = this.#whitened(random)
    const { identityPriorMean: mean } = this.#source
    const direction = this.#direction(whitened)
    if (!mean) return Float32Array.from(direction)
    const angle = Math.sqrt(direction.reduce((sum, x) => sum + x * x, 0))
    const shrink = angle > LARGEST_ANGLE ? LARGEST_ANGLE / angle : 1
    return Float32Array.from(
      exponential(
        direction.map((x) => shrink * x),
        mean,
      ),
    )
  }

  /** A random change of latents to first order, [K]: the standard deviations of the modes are those of the people. */
  drawDirection(random: Random): Float64Array {
    return this.#direction(this.#normals(random))
  }

  /** Latents, or tangents at the mean of a sphere model, that span all changes of identity: one a coordinate, [K] each. */
  directions(): Float64Array[] {
    return Array.from({ length: this.#coordinates }, (_, j) => {
      const coordinate = new Float64Array(this.#coordinates)
      coordinate[j] = 1
      return this.#direction(coordinate)
    })
  }

  #normals(random: Random): Float64Array {
    return Float64Array.from({ length: this.#coordinates }, () => random.normal())
  }

  /** With mean 0 and variance 1 each. */
  #whitened(random: Random): Float64Array {
    const normal = this.#normals(random)
    const distribution = this.#distribution
    switch (distribution.type) {
      case 'gaussian':
        return normal
      case 'student-t': {
        // One divisor for all modes; a variance of dof / (dof - 2) made 1.
        const { dof } = distribution
        const chiSquared = 2 * random.gamma(dof / 2)
        const scale = Math.sqrt((dof - 2) / chiSquared)
        return normal.map((x) => scale * x)
      }
      case 'clustered': {
        const centre = this.#centres[random.below(this.#centres.length)]!
        const { spread } = distribution
        const between = Math.sqrt(1 - spread * spread)
        return normal.map((x, i) => spread * x + between * centre[i]!)
      }
    }
  }

  /** From whitened coordinates to latents, or to the tangent space at the mean of a sphere model. */
  #direction(whitened: Float64Array): Float64Array {
    const { identityCount: K, identityPriorFactor: factor } = this.#source
    const direction = new Float64Array(K)
    if (!factor) direction.set(whitened)
    else
      for (let i = 0; i < K; i++)
        for (let j = 0; j < whitened.length; j++) direction[i]! += factor[i * K + j]! * whitened[j]!
    return direction
  }
}
