import type { ModelData } from '../../model/ModelData.js'
import type { Random } from '../../random.js'
import { gramMatrix } from '../fields.js'

/** Tries to make up for coefficients that have come to their bounds. */
const ROUNDS = 4

/** Draws expressions: a few blendshapes at a time, as strong as asked for on average, within their bounds. */
export class ExpressionSampler {
  readonly #bounds: Float32Array
  readonly #count: number
  readonly #vertexCount: number
  /** [E,E] of the displacements, by which the size of an expression is known without its shape. */
  readonly #gram: Float64Array
  /** Blendshapes that move something. */
  readonly #usable: number[]

  /** @param basis [E,N,3], as 32-bit floats. */
  constructor({ expressionCount, expressionBounds, vertexCount }: ModelData, basis: Float32Array) {
    this.#bounds = expressionBounds
    this.#count = expressionCount
    this.#vertexCount = vertexCount
    this.#gram = gramMatrix(basis, expressionCount)
    this.#usable = Array.from({ length: expressionCount }, (_, e) => e).filter(
      (e) => this.#gram[e * (expressionCount + 1)]! > 0 && expressionBounds[2 * e]! < expressionBounds[2 * e + 1]!,
    )
  }

  /**
   * One expression.
   *
   * @param amplitude mm RMS over vertices and expressions; a single one is anything from none to 1.7 times as strong.
   * @param active Blendshapes at most.
   * @returns [E]
   */
  draw(random: Random, amplitude: number, active: number): Float32Array {
    const coefficients = new Float32Array(this.#count)
    if (this.#usable.length === 0 || amplitude === 0) return coefficients
    // Evenly from none to sqrt(3): the mean square is 1.
    const target = amplitude * Math.sqrt(3) * random.uniform()
    const count = 1 + random.below(Math.min(active, this.#usable.length))
    const chosen = random.shuffle([...this.#usable]).slice(0, count)
    const raw = new Float64Array(this.#count)
    for (const e of chosen) {
      const [lower, upper] = [this.#bounds[2 * e]!, this.#bounds[2 * e + 1]!]
      // Down as likely as up, where both are possible.
      const towards = lower < 0 && (upper <= 0 || random.uniform() < 0.5) ? lower : upper
      raw[e] = towards * (1 - random.uniform())
    }
    let scale = 1
    for (let round = 0; round < ROUNDS; round++) {
      for (const e of chosen) coefficients[e] = this.#clamp(e, scale * raw[e]!)
      const size = this.rms(coefficients)
      if (size === 0) break
      scale *= target / size
    }
    return coefficients
  }

  /** mm RMS over the vertices that coefficients move. */
  rms(coefficients: ArrayLike<number>): number {
    const E = this.#count
    let sum = 0
    for (let a = 0; a < E; a++) {
      const x = coefficients[a]!
      if (x === 0) continue
      for (let b = 0; b < E; b++) sum += x * coefficients[b]! * this.#gram[a * E + b]!
    }
    return Math.sqrt(Math.max(0, sum) / this.#vertexCount)
  }

  #clamp(e: number, value: number): number {
    return Math.min(this.#bounds[2 * e + 1]!, Math.max(this.#bounds[2 * e]!, value))
  }
}
