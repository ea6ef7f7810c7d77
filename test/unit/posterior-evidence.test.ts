import { describe, expect, it } from 'vitest'
import { compare } from '../../lib/compare.js'
import { bothPosteriors, logEvidence, posteriorMean } from '../../lib/fit/evidence.js'
import { checkPosterior, fusePosteriors, type Posterior } from '../../lib/fit/Posterior.js'
import { posteriorFromJson, posteriorToJson } from '../../lib/fit/posteriorJson.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'
import { normals, normalVector } from '../fixtures/random.js'

/** y = X x + noise of unit variance, x ~ N(0, I): what it says of x. */
function observe(X: number[][], y: number[]): Posterior {
  const D = X[0]!.length
  const information: number[] = []
  for (let i = 0; i < D; i++)
    for (let j = 0; j <= i; j++) information.push(X.reduce((sum, row) => sum + row[i]! * row[j]!, 0))
  const shift = Array.from({ length: D }, (_, i) => X.reduce((sum, row, r) => sum + row[i]! * y[r]!, 0))
  return { information: Float32Array.from(information), shift: Float32Array.from(shift) }
}

/** An observation of `rows` numbers, in steps that 32 bits hold exactly. */
function drawObservation(rows: number, D: number, seed: number) {
  const normal = normals(seed)
  const coarse = (value: number) => Math.round(16 * value) / 16
  const X = Array.from({ length: rows }, () => Array.from(normalVector(D, normal), coarse))
  const y = Array.from(normalVector(rows, normal), (value) => coarse(2 * value))
  return { X, y, posterior: observe(X, y) }
}

/** log N(y; 0, C), by Gaussian elimination. */
function logNormal(y: number[], covariance: number[][]): number {
  const C = covariance.map((row) => [...row])
  const b = [...y]
  const n = b.length
  let sum = n * Math.log(2 * Math.PI)
  for (let k = 0; k < n; k++) {
    sum += Math.log(C[k]![k]!) + b[k]! ** 2 / C[k]![k]!
    for (let i = k + 1; i < n; i++) {
      const factor = C[i]![k]! / C[k]![k]!
      for (let j = k; j < n; j++) C[i]![j]! -= factor * C[k]![j]!
      b[i]! -= factor * b[k]!
    }
  }
  return -sum / 2
}

/** X Y^T, and on its diagonal blocks the noise. */
function covariance(X: number[][]): number[][] {
  return X.map((a, i) => X.map((b, j) => a.reduce((sum, value, k) => sum + value * b[k]!, i === j ? 1 : 0)))
}

/** The same without what two observations share. */
function separate(first: number, C: number[][]): number[][] {
  return C.map((row, i) => row.map((value, j) => (i < first === j < first ? value : 0)))
}

const of = (posterior: Posterior) => ({ embedding: [...posterior.shift], posterior })
const checked = (posterior: Posterior) => checkPosterior(posterior, 'posterior')

describe('the evidence', () => {
  it('is the integral of the likelihood over the prior, in one dimension by quadrature', () => {
    for (const [S, h] of [
      [0, 0],
      [3, 1.5],
      [0.25, -4],
      [12, 7],
    ] as const) {
      let integral = 0
      const step = 1e-3
      for (let x = -15; x < 15; x += step)
        integral += (step / Math.sqrt(2 * Math.PI)) * Math.exp(h * x - (S * x * x) / 2 - (x * x) / 2)
      const posterior = checked({ information: Float32Array.of(S), shift: Float32Array.of(h) })
      expect(logEvidence(posterior, 'a')).toBeCloseTo(Math.log(integral), 8)
    }
  })

  it('is what an observation says more than noise would, by the densities of normal distributions', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { X, y, posterior } = drawObservation(3 + (seed % 9), 1 + (seed % 6), seed)
      const noise = y.map((_, i) => y.map((_, j) => (i === j ? 1 : 0)))
      const expected = logNormal(y, covariance(X)) - logNormal(y, noise)
      expect(logEvidence(checked(posterior), 'a')).toBeCloseTo(expected, 8)
    }
  })

  it('has its mean where the information leads', () => {
    const { posterior } = drawObservation(12, 5, 3)
    const { information, shift } = checked(posterior)
    const mean = posteriorMean({ information, shift }, 'a')
    for (let i = 0; i < 5; i++) {
      let product = mean[i]!
      for (let j = 0; j < 5; j++) {
        const [row, column] = [Math.max(i, j), Math.min(i, j)]
        product += information[(row * (row + 1)) / 2 + column]! * mean[j]!
      }
      expect(product).toBeCloseTo(shift[i]!, 10)
    }
  })

  it('refuses what is no information', () => {
    const posterior = checked({ information: Float32Array.of(1, 5, 1), shift: Float32Array.of(1, 2) })
    expectSfmError(() => logEvidence(posterior, 'x'), 'INVALID_ARGUMENT', /^x\.information: expected a positive semi/)
  })
})

describe('the likelihood ratio', () => {
  it('is that of one person against two, by the densities of normal distributions', () => {
    for (let seed = 1; seed <= 30; seed++) {
      const D = 1 + (seed % 6)
      const a = drawObservation(2 + (seed % 7), D, seed)
      const b = drawObservation(1 + (seed % 11), D, seed + 100)
      const together = covariance([...a.X, ...b.X])
      const y = [...a.y, ...b.y]
      const expected = logNormal(y, together) - logNormal(y, separate(a.y.length, together))
      const { logLikelihoodRatio } = compare(of(a.posterior), of(b.posterior))
      expect(logLikelihoodRatio).toBeCloseTo(expected, 7)
      expect(compare(of(b.posterior), of(a.posterior)).logLikelihoodRatio).toBeCloseTo(expected, 7)
    }
  })

  it('is the same for fused observations as for all of them at once', () => {
    const parts = [1, 2, 3].map((seed) => drawObservation(4, 5, seed))
    const whole = observe(
      parts.flatMap(({ X }) => X),
      parts.flatMap(({ y }) => y),
    )
    const fused = fusePosteriors(parts)
    expect(fused).toEqual(whole)
    const other = drawObservation(7, 5, 9).posterior
    const ratio = compare(of(fused), of(other)).logLikelihoodRatio
    expect(ratio).toBeCloseTo(compare(of(whole), of(other)).logLikelihoodRatio!, 12)
    expect(bothPosteriors(checked(whole), checked(other)).shift[0]).toBe(whole.shift[0]! + other.shift[0]!)
  })

  it('is nothing where nothing was seen, whatever the other saw', () => {
    const blank = { information: new Float32Array(15), shift: new Float32Array(5) }
    const { posterior } = drawObservation(9, 5, 2)
    expect(compare(of(blank), of(posterior)).logLikelihoodRatio).toBeCloseTo(0, 12)
  })

  it('is positive for one person and negative for two, on average', () => {
    const D = 8
    const normal = normals(5)
    const view = (x: Float64Array) => {
      const X = Array.from({ length: 12 }, () => Array.from(normalVector(D, normal)))
      return observe(
        X,
        X.map((row) => row.reduce((sum, value, k) => sum + value * x[k]!, normal())),
      )
    }
    let [same, other] = [0, 0]
    for (let i = 0; i < 200; i++) {
      const [p, q] = [normalVector(D, normal), normalVector(D, normal)]
      same += compare(of(view(p)), of(view(p))).logLikelihoodRatio!
      other += compare(of(view(p)), of(view(q))).logLikelihoodRatio!
    }
    expect(same / 200).toBeGreaterThan(1)
    expect(other / 200).toBeLessThan(-1)
  })

  it('is left out unless both have a posterior', () => {
    const { posterior } = drawObservation(9, 5, 2)
    const { embedding } = of(posterior)
    for (const [a, b] of [
      [of(posterior), { embedding }],
      [{ embedding }, of(posterior)],
      [{ embedding }, { embedding, posterior: undefined }],
    ])
      expect('logLikelihoodRatio' in compare(a!, b!)).toBe(false)
  })

  it('refuses posteriors that are none', () => {
    const { posterior } = drawObservation(9, 5, 2)
    const good = of(posterior)
    const bad = (change: object) => () => compare(good, { ...good, posterior: { ...posterior, ...change } } as never)
    expectSfmError(bad({ shift: [1, 2] }), 'INVALID_ARGUMENT', /^b\.posterior\.shift: expected 5 numbers/)
    expectSfmError(bad({ information: [1] }), 'INVALID_ARGUMENT', /^b\.posterior\.information: expected 15 numbers/)
    expectSfmError(bad({ information: undefined }), 'INVALID_ARGUMENT', /^b\.posterior\.information/)
    const holed = Float32Array.from(posterior.shift).fill(Number.NaN, 3, 4)
    expectSfmError(bad({ shift: holed }), 'INVALID_ARGUMENT', /^b\.posterior\.shift\[3\]: expected a finite number/)
    expectSfmError(() => compare(good, { ...good, posterior: 7 as never }), 'INVALID_ARGUMENT', /^b\.posterior: expect/)
  })
})

describe('fusePosteriors', () => {
  it('refuses what has no posterior, and what does not belong together', () => {
    const a = drawObservation(3, 2, 1)
    for (const none of [undefined, [], {}, 'x'])
      expectSfmError(() => fusePosteriors(none as never), 'INVALID_ARGUMENT', /^observations: expected an array/)
    expectSfmError(
      () => fusePosteriors([a, {}]),
      'INVALID_ARGUMENT',
      /^observations\[1\]\.posterior: expected the post/,
    )
    const other = drawObservation(3, 3, 1)
    expectSfmError(() => fusePosteriors([a, other]), 'INVALID_ARGUMENT', /^observations\[1\]\.posterior\.information/)
  })
})

describe('the JSON of a posterior', () => {
  it('is base64 of little-endian floats, and comes back to the same bits', () => {
    expect(posteriorToJson({ information: Float32Array.of(1), shift: Float32Array.of(-2.5) })).toEqual({
      information: 'AACAPw==',
      shift: 'AAAgwA==',
    })
    const { posterior } = drawObservation(9, 5, 2)
    expect(posteriorFromJson(JSON.parse(JSON.stringify(posteriorToJson(posterior))))).toEqual(posterior)
  })

  it('may be plain arrays', () => {
    expect(posteriorFromJson({ information: [1, 0, 1], shift: [0.5, 2] })).toEqual({
      information: [1, 0, 1],
      shift: [0.5, 2],
    })
  })

  it.each([
    ['nothing', null, /^posterior: expected an object/],
    ['an array', [], /^posterior: expected an object/],
    ['no shift', { information: 'AACAPw==' }, /^posterior\.shift: expected base64/],
    ['no base64', { information: 'AACA?w==', shift: 'AACAPw==' }, /^posterior\.information: expected base64/],
    ['half a number', { information: 'AACA', shift: 'AACAPw==' }, /^posterior\.information: expected base64/],
    ['an empty text', { information: '', shift: 'AACAPw==' }, /^posterior\.information: expected base64/],
    ['no number', { information: [1, 'x'], shift: 'AACAPw==' }, /^posterior\.information\[1\]: expected a finite/],
  ])('is refused: %s', (_, value, message) => {
    expectSfmError(() => posteriorFromJson(value), 'INVALID_INPUT', message)
  })
})
