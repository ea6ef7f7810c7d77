import { cholesky, gram, Matrix, multiply, solveCholesky, symmetrised } from '../../linear/index.js'
import { addOuter, addScaled, apply, dot, positiveInverse } from '../matrices.js'
import type { Evidence } from './Evidence.js'

/**
 * How latents are spread over a population and over the photos of one person: a photo shows x + d, with x ~ N(mean,
 * between) the person's and d ~ N(0, within) the photo's own (habits of the detector, drift, what the model cannot say).
 */
export interface TwoCovariance {
  /** [k] */
  mean: Float64Array
  /** [k,k] */
  between: Matrix
  /** [k,k] */
  within: Matrix
}

export interface TwoCovarianceOptions {
  /** Rounds of expectation and maximisation. */
  rounds: number
  /** How many people the prior `between` counts for. */
  betweenWeight: number
  /** How many photos the prior `within` counts for. */
  withinWeight: number
  /** [k,k] The map that mirrors a face, left to right: faces are as likely as their mirror images. */
  mirror?: Matrix
}

/**
 * The evidence on the person, the photo's own deviation d ~ N(0, within) integrated out: (S^-1 + W)^-1 = S - S (S +
 * W^-1)^-1 S.
 */
export function evidenceOnPerson({ information, shift, energy }: Evidence, withinInverse: Matrix): Evidence {
  const factor = cholesky(addScaled(information.copy(), 1, withinInverse))
  const gained = solveCholesky(factor, information)
  const explained = multiply(information, gained)
  const reduced = symmetrised(addScaled(information.copy(), -1, explained))
  const own = solveCholesky(factor, new Matrix(shift.length, 1, Float64Array.from(shift))).data
  const lost = apply(information, own)
  return {
    information: reduced,
    shift: shift.map((value, i) => value - lost[i]!),
    energy: energy - dot(shift, own),
  }
}

/**
 * The two covariances by expectation-maximisation from photos of known people (the model of Prince and Elder 2007,
 * "probabilistic linear discriminant analysis", for observations that are evidence instead of points; docs/training.md
 * derives the steps). Inverse-Wishart priors hold both near where they start, for there are fewer people than latents.
 *
 * @param photos For each person the evidence of each photo on the latents it shows.
 * @param start Where the estimate starts.
 * @param prior What the covariances are expected to be before any photo.
 */
export function twoCovariance(
  photos: readonly (readonly Evidence[])[],
  start: TwoCovariance,
  prior: TwoCovariance,
  options: TwoCovarianceOptions,
): TwoCovariance {
  let estimate = start
  for (let round = 0; round < options.rounds; round++) estimate = nextEstimate(photos, estimate, prior, options)
  return estimate
}

function nextEstimate(
  photos: readonly (readonly Evidence[])[],
  { mean, between, within }: TwoCovariance,
  prior: TwoCovariance,
  { betweenWeight, withinWeight, mirror }: TwoCovarianceOptions,
): TwoCovariance {
  const k = mean.length
  const betweenInverse = positiveInverse(between)
  const withinInverse = positiveInverse(within)
  const expected = apply(betweenInverse, mean)
  const people: Float64Array[] = []
  const betweenSum = new Matrix(k, k)
  const withinSum = new Matrix(k, k)
  const deviations: Float64Array[] = []

  for (const ofPerson of photos) {
    const precision = betweenInverse.copy()
    const shift = Float64Array.from(expected)
    for (const photo of ofPerson) {
      const { information, shift: own } = evidenceOnPerson(photo, withinInverse)
      addScaled(precision, 1, information)
      for (let i = 0; i < k; i++) shift[i]! += own[i]!
    }
    const covariance = positiveInverse(precision)
    const person = apply(covariance, shift)
    people.push(person)
    addScaled(betweenSum, 1, covariance)
    const spread = cholesky(covariance)
    for (const { information, shift: h } of ofPerson) {
      // d given the person: covariance (S + W^-1)^-1, mean that times h - S x.
      const conditional = positiveInverse(addScaled(information.copy(), 1, withinInverse))
      const rest = apply(information, person)
      deviations.push(
        apply(
          conditional,
          h.map((value, i) => value - rest[i]!),
        ),
      )
      addScaled(withinSum, 1, conditional)
      const along = multiply(conditional, multiply(information, spread))
      addScaled(withinSum, 1, gram(along.transpose()))
    }
  }

  const centre = centreOf(people, k)
  for (const person of people)
    addOuter(
      betweenSum,
      1,
      person.map((value, i) => value - centre[i]!),
    )
  const drift = centreOf(deviations, k)
  for (const deviation of deviations)
    addOuter(
      withinSum,
      1,
      deviation.map((value, i) => value - drift[i]!),
    )
  // What all photos have in common belongs to the population's mean: the habits of a camera are not told apart from it.
  const next = {
    mean: centre.map((value, i) => value + drift[i]!),
    between: shrunk(betweenSum, people.length, prior.between, betweenWeight),
    within: shrunk(withinSum, deviations.length, prior.within, withinWeight),
  }
  return mirror ? mirrored(next, mirror) : next
}

/** (sum + weight * prior) / (count + weight) */
function shrunk(sum: Matrix, count: number, prior: Matrix, weight: number): Matrix {
  const mean = addScaled(sum, weight, prior)
  for (let i = 0; i < mean.data.length; i++) mean.data[i]! /= count + weight
  return symmetrised(mean)
}

function centreOf(vectors: readonly Float64Array[], k: number): Float64Array {
  const sum = new Float64Array(k)
  for (const vector of vectors) for (let i = 0; i < k; i++) sum[i]! += vector[i]!
  return sum.map((value) => value / vectors.length)
}

/** The estimate from everybody and their mirror images. */
function mirrored({ mean, between, within }: TwoCovariance, mirror: Matrix): TwoCovariance {
  const half = (a: Matrix) => {
    const image = multiply(multiply(mirror, a), mirror, { transposeB: true })
    return symmetrised(
      new Matrix(
        a.rows,
        a.columns,
        a.data.map((value, i) => (value + image.data[i]!) / 2),
      ),
    )
  }
  const image = apply(mirror, mean)
  return { mean: mean.map((value, i) => (value + image[i]!) / 2), between: half(between), within: half(within) }
}
