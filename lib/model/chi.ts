/**
 * The chi distribution, that of |g| for g ~ N(0, I) in R^d: its distribution function and quantiles, through the
 * regularised incomplete gamma function. Formulas are quoted from the NIST Digital Library of Mathematical Functions
 * (DLMF, dlmf.nist.gov) by their numbers.
 */

import { invalidArgument } from '../errors.js'

/**
 * P(|g| <= x).
 *
 * @param x At least 0.
 * @param degrees Dimension d of g, a positive integer.
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * chiCdf(Math.sqrt(2 * Math.LN2), 2)   // 0.5
 */
export function chiCdf(x: number, degrees: number): number {
  if (!(x >= 0)) throw invalidArgument('x', 'a number of at least 0', x)
  requireDegrees(degrees)
  return lowerGammaOfHalf(degrees, (x * x) / 2)
}

/**
 * The x with P(|g| <= x) = p, to the last bits that {@link chiCdf} can tell.
 *
 * @param p Strictly between 0 and 1.
 * @param degrees Dimension d of g, a positive integer.
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * chiQuantile(0.999, 100)   // 12.2249...
 */
export function chiQuantile(p: number, degrees: number): number {
  if (!(p > 0 && p < 1)) throw invalidArgument('p', 'a number strictly between 0 and 1', p)
  requireDegrees(degrees)
  let low = 0
  let high = Math.sqrt(degrees) + 1
  while (chiCdf(high, degrees) < p) high *= 2
  for (let middle = (low + high) / 2; middle > low && middle < high; middle = (low + high) / 2) {
    if (chiCdf(middle, degrees) < p) low = middle
    else high = middle
  }
  return high
}

function requireDegrees(degrees: number): void {
  if (!Number.isSafeInteger(degrees) || degrees < 1) throw invalidArgument('degrees', 'a positive integer', degrees)
}

/**
 * Regularised lower incomplete gamma function P(a, x) with a = d / 2, as the series DLMF 8.7.1: the sum of x^(a+n) e^-x
 * / Gamma(a+n+1). Its terms are positive and sum to at most 1, so that nothing cancels or overflows; they grow until a
 * + n = x, then fall faster than geometrically.
 */
function lowerGammaOfHalf(d: number, x: number): number {
  const a = d / 2
  let term = Math.exp(a * Math.log(x) - x - logGammaOfHalf(d + 2))
  // Where x > a the upper tail 1 - P is at most a times the first term, so it has underflowed as well (an infinite x
  // makes the term NaN).
  if (!(term > 0)) return x > a ? 1 : 0
  let sum = 0
  for (let n = 1; term > sum * Number.EPSILON || a + n < x; n++) {
    sum += term
    term *= x / (a + n)
  }
  return Math.min(sum, 1)
}

/** log Gamma(d / 2), from Gamma(1/2) = sqrt(pi) or Gamma(1) = 1 by Gamma(x + 1) = x Gamma(x). */
function logGammaOfHalf(d: number): number {
  const odd = d % 2 === 1
  let sum = odd ? Math.log(Math.PI) / 2 : 0
  for (let x = odd ? 0.5 : 1; x < d / 2; x++) sum += Math.log(x)
  return sum
}
