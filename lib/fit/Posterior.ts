import { invalidArgument } from '../errors.js'

/**
 * What one observation's landmarks say of the identity (docs/fitting.md): in whitened coordinates x of the tangent
 * space, N(0, I) by the prior, the likelihood is exp(shift^T x - 1/2 x^T information x) up to a factor, once pose,
 * camera, expression and nuisances have been integrated out.
 */
export interface Posterior {
  /** [D(D+1)/2] the lower triangle of S, row by row; without the prior. */
  information: Float32Array
  /** [D] h = (I + S) x at the optimum. */
  shift: Float32Array
}

/** A posterior as callers may have it: a result's, or one read from its JSON. */
export interface PosteriorLike {
  information: ArrayLike<number>
  shift: ArrayLike<number>
}

/** A posterior in double precision, its sizes and numbers checked. */
export interface CheckedPosterior {
  /** [D(D+1)/2] */
  information: Float64Array
  /** [D] */
  shift: Float64Array
}

/** No model has as many latents: what claims to is no posterior. */
const LARGEST = 4096

/** The entries of a symmetric matrix's triangle. */
export const triangle = (size: number) => (size * (size + 1)) / 2

/**
 * Checks a posterior and copies it.
 *
 * @param name What it is called in messages.
 * @param size D, where it is known.
 * @throws SfmError INVALID_ARGUMENT
 */
export function checkPosterior(posterior: PosteriorLike, name: string, size?: number): CheckedPosterior {
  if (typeof posterior !== 'object' || posterior === null)
    throw invalidArgument(name, 'the posterior of a fit with { posterior: true }', posterior)
  const D = size ?? posterior.shift?.length
  if (!(D > 0 && D <= LARGEST)) throw invalidArgument(`${name}.shift`, 'an array of numbers', posterior.shift)
  return {
    information: numbers(posterior.information, triangle(D), `${name}.information`),
    shift: numbers(posterior.shift, D, `${name}.shift`),
  }
}

/**
 * Fuses what several observations of one person say: informations and shifts add up.
 *
 * @param observations Results of fits with `posterior: true`, or anything with a `posterior`; all of one model.
 * @returns The posterior of all of them together. `model.fuse` makes a face of it.
 * @throws SfmError INVALID_ARGUMENT naming the observation.
 * @example
 * const posterior = fusePosteriors(await fitter.fit(photosOfOnePerson))
 */
export function fusePosteriors(observations: ReadonlyArray<{ posterior?: PosteriorLike | undefined }>): Posterior {
  if (!Array.isArray(observations) || observations.length === 0)
    throw invalidArgument('observations', 'an array of one or more', observations)
  let sum: CheckedPosterior | undefined
  // Not forEach, which leaves holes out.
  for (let i = 0; i < observations.length; i++) {
    const name = `observations[${i}].posterior`
    const next = checkPosterior(observations[i]?.posterior as PosteriorLike, name, sum?.shift.length)
    sum = sum ? { information: add(sum.information, next.information), shift: add(sum.shift, next.shift) } : next
  }
  const { information, shift } = sum as CheckedPosterior
  return { information: Float32Array.from(information), shift: Float32Array.from(shift) }
}

/** @returns a + b, in a. */
function add(a: Float64Array, b: Float64Array): Float64Array {
  for (let i = 0; i < a.length; i++) a[i]! += b[i]!
  return a
}

function numbers(from: ArrayLike<number>, count: number, name: string): Float64Array {
  if (typeof from !== 'object' || from === null || from.length !== count)
    throw invalidArgument(name, `${count} numbers`, from)
  const to = new Float64Array(count)
  for (let i = 0; i < count; i++) {
    const value = from[i]
    if (!Number.isFinite(value)) throw invalidArgument(`${name}[${i}]`, 'a finite number', value)
    to[i] = value as number
  }
  return to
}
