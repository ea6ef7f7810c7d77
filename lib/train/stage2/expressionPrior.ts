import { type Matrix, symmetrised } from '../../linear/index.js'
import { addScaled, apply, diagonal, positiveInverse } from '../matrices.js'
import { type Evidence, eliminate, rotated, withPrior } from './Evidence.js'

/** How expressions are spread over photos: e ~ N(mean, diag stddev^2). */
export interface ExpressionPrior {
  /** [E] */
  mean: Float64Array
  /** [E] */
  stddev: Float64Array
}

/** How many photos the model's own spread of the expressions counts for. */
const PRIOR_PHOTOS = 30

/** How far the bounds go below rest, in standard deviations, and at most. */
const BELOW_REST = 2.5
const FARTHEST_BELOW = 0.5

/**
 * One step of expectation-maximisation for mean and spread of the expressions.
 *
 * @param photos Evidence on (shape, expressions).
 * @param shape The prior of the shapes that photos show: its precision [k,k] and mean [k].
 * @param start [E] the model's standard deviations, to which the spread is shrunk.
 */
export function nextExpressionPrior(
  photos: readonly Evidence[],
  shape: { precision: Matrix; mean: Float64Array },
  { mean, stddev }: ExpressionPrior,
  start: ArrayLike<number>,
): ExpressionPrior {
  const count = mean.length
  const prior = diagonal(stddev.map((value) => 1 / value ** 2))
  const pull = apply(prior, mean)
  const sum = new Float64Array(count)
  const squares = new Float64Array(count)
  for (const photo of photos) {
    const { information, shift } = eliminate(withPrior(photo, 0, shape.precision, shape.mean), shape.mean.length)
    const covariance = positiveInverse(addScaled(symmetrised(information), 1, prior))
    const expected = apply(
      covariance,
      shift.map((value, e) => value + pull[e]!),
    )
    for (let e = 0; e < count; e++) {
      sum[e]! += expected[e]!
      squares[e]! += covariance.at(e, e) + expected[e]! ** 2
    }
  }
  const next = sum.map((value) => value / photos.length)
  return {
    mean: next,
    stddev: Float64Array.from({ length: count }, (_, e) =>
      Math.sqrt(
        (squares[e]! - photos.length * next[e]! ** 2 + PRIOR_PHOTOS * start[e]! ** 2) / (photos.length + PRIOR_PHOTOS),
      ),
    ),
  }
}

/** The evidence on shapes that is left when expressions are integrated out with their prior. */
export function withoutExpressions(evidence: Evidence, { mean, stddev }: ExpressionPrior): Evidence {
  const precision = stddev.map((value) => 1 / value ** 2)
  const shapes = evidence.shift.length - mean.length
  return eliminate(withPrior(rotated(evidence, shapes), 0, precision, mean), mean.length)
}

/**
 * Bounds that let an expression go a little below rest, where people's faces at rest differ from the model's: a bound at
 * rest would turn half of every small error into identity. At most half of a full expression, and not more than photos
 * show; the model's own bounds where they are wider.
 *
 * @param bounds [E,2]
 * @param stddev [E]
 */
export function relaxedBounds(bounds: Float32Array, stddev: ArrayLike<number>): Float32Array {
  return bounds.map((value, i) =>
    i % 2 === 0 ? Math.min(value, -Math.min(FARTHEST_BELOW, BELOW_REST * stddev[i / 2]!)) : value,
  )
}
