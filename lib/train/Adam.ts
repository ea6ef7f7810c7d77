import type { CheckpointTensor } from './Checkpoint.js'

/** How quickly Adam forgets the mean gradient and the mean squared one, and what keeps it from dividing by zero. */
const FIRST_DECAY = 0.9
const SECOND_DECAY = 0.999
const EPSILON = 1e-8

/** Numbers to be optimised, and how far one step moves each at most, about. */
export interface AdamParameter {
  name: string
  /** Changed in place. */
  values: Float64Array
  stepSize: number
}

/**
 * Adam (Kingma and Ba 2015): gradient descent whose steps are scaled by running means of gradient and squared gradient.
 *
 * @example
 * const optimiser = new Adam([{ name: 'metric', values: metric.data, stepSize: 3e-3 }])
 * for (let step = 0; step < steps; step++) optimiser.step([gradientAt(metric)], 1 - step / steps)
 */
export class Adam {
  readonly #parameters: readonly AdamParameter[]
  readonly #first: Float64Array[]
  readonly #second: Float64Array[]
  #count = 0

  constructor(parameters: readonly AdamParameter[]) {
    this.#parameters = parameters
    this.#first = parameters.map(({ values }) => new Float64Array(values.length))
    this.#second = parameters.map(({ values }) => new Float64Array(values.length))
  }

  /**
   * Moves the parameters against their gradients.
   *
   * @param gradients One for each parameter, in their order.
   * @param decay The step sizes' factor.
   */
  step(gradients: readonly Float64Array[], decay = 1): void {
    this.#count++
    const firstBias = 1 - FIRST_DECAY ** this.#count
    const secondBias = 1 - SECOND_DECAY ** this.#count
    for (const [p, { values, stepSize }] of this.#parameters.entries()) {
      const gradient = gradients[p]!
      const first = this.#first[p]!
      const second = this.#second[p]!
      for (let i = 0; i < values.length; i++) {
        first[i] = FIRST_DECAY * first[i]! + (1 - FIRST_DECAY) * gradient[i]!
        second[i] = SECOND_DECAY * second[i]! + (1 - SECOND_DECAY) * gradient[i]! ** 2
        const scale = Math.sqrt(second[i]! / secondBias) + EPSILON
        values[i]! -= (decay * stepSize * first[i]!) / firstBias / scale
      }
    }
  }

  /** Parameters and running means, to continue from by {@link restore}. */
  tensors(): Map<string, CheckpointTensor> {
    const tensors = new Map<string, CheckpointTensor>([['count', { shape: [1], data: Float64Array.of(this.#count) }]])
    for (const [name, data] of this.#arrays()) tensors.set(name, { shape: [data.length], data: data.slice() })
    return tensors
  }

  /** Puts parameters and running means back to what they were. */
  restore(tensors: ReadonlyMap<string, CheckpointTensor>): void {
    this.#count = tensors.get('count')!.data[0]!
    for (const [name, data] of this.#arrays()) data.set(tensors.get(name)!.data)
  }

  *#arrays(): Generator<[string, Float64Array]> {
    for (const [p, { name, values }] of this.#parameters.entries()) {
      yield [name, values]
      yield [`${name}.first`, this.#first[p]!]
      yield [`${name}.second`, this.#second[p]!]
    }
  }
}
