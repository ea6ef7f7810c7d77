import { describe, expect, it } from 'vitest'
import { Bootstrap } from '../../lib/evaluate/bootstrap.js'
import { pairCosines } from '../../lib/evaluate/pairDistances.js'
import { numberPeople } from '../../lib/evaluate/people.js'
import { RankedScores } from '../../lib/evaluate/RankedScores.js'
import { areaUnder, equalErrorRate, rocCurve, sensitivity, thresholdAt, trueAcceptAt } from '../../lib/evaluate/roc.js'
import { allPairs, isSame, scoreTrials, setTrials } from '../../lib/evaluate/trials.js'
import { verify } from '../../lib/evaluate/verification.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'
import { normals, normalVector, uniforms } from '../fixtures/random.js'

const curveOf = (scores: number[], same: number[], weights?: number[]) =>
  rocCurve(new RankedScores(scores, same).runs(weights))

describe('the ROC curve', () => {
  it('has a vertex for each distinct score', () => {
    const { falseAccept, trueAccept } = curveOf([0.9, 0.8, 0.8, 0.3, 0.1], [1, 1, 0, 1, 0])
    expect(trueAccept).toEqual(Float64Array.of(0, 1 / 3, 2 / 3, 1, 1))
    expect(falseAccept).toEqual(Float64Array.of(0, 0, 1 / 2, 1 / 2, 1))
  })

  it('has the area of the Mann-Whitney statistic, ties and all', () => {
    // 3 x 2 comparisons: .9 beats both, .8 ties one and beats one, .3 beats one.
    expect(areaUnder(curveOf([0.9, 0.8, 0.8, 0.3, 0.1], [1, 1, 0, 1, 0]))).toBeCloseTo(4.5 / 6, 15)
    expect(areaUnder(curveOf([1, 1, 1], [1, 0, 1]))).toBe(0.5)
    expect(areaUnder(curveOf([2, 1], [1, 0]))).toBe(1)
    expect(areaUnder(curveOf([Number.POSITIVE_INFINITY, 3, Number.NEGATIVE_INFINITY], [1, 1, 0]))).toBe(1)
    const uniform = uniforms(5)
    const scores = Array.from({ length: 200 }, () => Math.floor(12 * uniform()))
    const same = scores.map((score) => (score + 8 * uniform() > 10 ? 1 : 0))
    let [wins, pairs] = [0, 0]
    for (const [i, a] of scores.entries())
      for (const [j, b] of scores.entries())
        if (same[i] && !same[j]) {
          wins += a > b ? 1 : a === b ? 0.5 : 0
          pairs++
        }
    expect(areaUnder(curveOf(scores, same))).toBeCloseTo(wins / pairs, 13)
  })

  it('weighs a trial as if it were there as often', () => {
    const scores = [5, 4, 4, 3, 2, 1]
    const same = [1, 0, 1, 1, 0, 0]
    const weights = [2, 1, 3, 0, 4, 1]
    const repeat = (values: number[]) => values.flatMap((value, i) => Array<number>(weights[i] as number).fill(value))
    expect(curveOf(scores, same, weights)).toEqual(curveOf(repeat(scores), repeat(same)))
    expect(sensitivity(scores, same, weights)).toBeCloseTo(sensitivity(repeat(scores), repeat(same)), 13)
    expect(areaUnder(curveOf(scores, same, [1, 0, 1, 1, 0, 0]))).toBeNaN()
  })

  it('gives the equal error rate, between vertices as well', () => {
    expect(equalErrorRate(curveOf([4, 3, 2, 1], [1, 1, 0, 0]))).toBe(0)
    expect(equalErrorRate(curveOf([4, 3, 2, 1], [1, 0, 1, 0]))).toBe(0.5)
    expect(equalErrorRate(curveOf([4, 3, 2, 1], [0, 0, 1, 1]))).toBe(1)
    // Where the tie leads from (0, 1/3) to (1/2, 2/3): x = 1 - 1/3 - 2x/3, so x = 2/5.
    expect(equalErrorRate(curveOf([0.9, 0.8, 0.8, 0.3, 0.1], [1, 1, 0, 1, 0]))).toBeCloseTo(0.4, 15)
  })

  it('gives TAR at a FAR: the top of a vertical, or between two vertices', () => {
    const same = [...Array<number>(4).fill(1), ...Array<number>(4).fill(0)]
    // From the top: same 9, different 8, same 7, a tie of both at 6, same 5, different 4 and 3.
    const scores = [9, 7, 6, 5, 8, 6, 4, 3]
    const curve = curveOf(scores, same)
    expect(trueAcceptAt(curve, 0.25)).toBe(0.5)
    expect(trueAcceptAt(curve, 0.5)).toBe(1)
    expect(trueAcceptAt(curve, 0.375)).toBe(0.625)
    expect(trueAcceptAt(curve, 1)).toBe(1)
    expect(trueAcceptAt(curve, 0.24)).toBeNaN()
    expectSfmError(() => trueAcceptAt(curve, 0), 'INVALID_ARGUMENT', /^rate/)
  })

  it('needs a hundred trials of two people to see one in a hundred', () => {
    const trials = (different: number) => {
      const scores = [1000, ...Array.from({ length: different }, (_, i) => i)]
      return { scores, same: scores.map((score) => (score === 1000 ? 1 : 0)) }
    }
    const at = ({ scores, same }: { scores: number[]; same: number[] }, rate: number) =>
      trueAcceptAt(curveOf(scores, same), rate)
    expect(at(trials(99), 1e-2)).toBeNaN()
    expect(at(trials(100), 1e-2)).toBe(1)
    expect(at(trials(999), 1e-3)).toBeNaN()
    expect(at(trials(1000), 1e-3)).toBe(1)
  })

  it('gives the smallest threshold that accepts few enough', () => {
    const scores = [10, ...Array.from({ length: 100 }, (_, i) => i / 10)]
    const same = scores.map((score) => (score === 10 ? 1 : 0))
    for (const rate of [0.01, 0.05, 0.29, 0.57, 0.99]) {
      const threshold = thresholdAt(scores, same, rate)
      const accepted = (at: number) => scores.filter((score, i) => !same[i] && score > at).length
      expect(accepted(threshold)).toBe(Math.round(100 * rate))
      expect(accepted(threshold - 1e-9)).toBe(Math.round(100 * rate) + 1)
    }
    expect(thresholdAt(scores, same, 1)).toBe(Number.NEGATIVE_INFINITY)
    expect(thresholdAt(scores, same, 0.001)).toBeNaN()
    expect(thresholdAt([1, 1, 1], [0, 0, 1], 0.5)).toBe(1)
  })

  it('gives d-prime', () => {
    expect(sensitivity([3, 5, -1, 1], [1, 1, 0, 0])).toBe(4)
    // Variances 4 and 1.
    expect(sensitivity([2, 6, 1, 3], [1, 1, 0, 0])).toBeCloseTo(2 / Math.sqrt(2.5), 15)
  })

  it('refuses what makes none', () => {
    expectSfmError(() => curveOf([1, 2], [1, 1]), 'INVALID_ARGUMENT', /^same: expected trials of one person and/)
    expectSfmError(() => curveOf([], []), 'INVALID_ARGUMENT', /^same/)
    expectSfmError(() => curveOf([1, Number.NaN], [1, 0]), 'INVALID_ARGUMENT', /^scores\[1\]/)
    expectSfmError(() => curveOf([1, 2], [1]), 'INVALID_ARGUMENT', /^same: expected 2 values/)
    expectSfmError(() => curveOf([1, 2], [1, 0], [1]), 'INVALID_ARGUMENT', /^weights: expected 2 values/)
  })
})

describe('trials', () => {
  const label = (name: string) => ({ subject: name[1] as string, collection: name[0] as string })

  it('pair one person with themself, and people of one collection', () => {
    const people = numberPeople(['xa', 'xb', 'xa', 'ya', 'yb'].map(label))
    expect(people).toEqual({
      count: 4,
      person: Int32Array.of(0, 1, 0, 2, 3),
      collection: Int32Array.of(0, 0, 1, 1),
    })
    const pairs = allPairs(people)
    expect(Array.from(pairs.first, (a, i) => [a, pairs.second[i]])).toEqual([
      [0, 1],
      [0, 2],
      [1, 2],
      [3, 4],
    ])
    expect(isSame(pairs)).toEqual(Uint8Array.of(0, 1, 0, 0))
    expect(pairs.peopleCount).toBe(4)
  })

  it('take no collection for one of its own', () => {
    const people = numberPeople([{ subject: 'a' }, { subject: 'a', collection: 'x' }, { subject: 'a' }])
    expect(people.person).toEqual(Int32Array.of(0, 1, 0))
    expect(allPairs(people).first).toEqual(Int32Array.of(0))
    expectSfmError(() => numberPeople([{} as { subject: string }]), 'INVALID_ARGUMENT', /^labels\[0\]\.subject/)
    expectSfmError(() => numberPeople([]), 'INVALID_ARGUMENT', /^labels/)
  })

  it('hold disjoint sets of one person against each other', () => {
    const photos = [
      ...Array<string>(7).fill('xa'),
      ...Array<string>(6).fill('xb'),
      'xc',
      'xc',
      'xc',
      'xc',
      'yd',
      'yd',
      'yd',
    ]
    const people = numberPeople(photos.map(label))
    const options = { size: 3, samePerPerson: 10, differentPerPair: 2, seed: 7 }
    const trials = setTrials(people, options)
    expect(setTrials(people, options)).toEqual(trials)
    expect(setTrials(people, { ...options, seed: 8 })).not.toEqual(trials)
    // Of one person: a and b; of two: ab, ac, bc; nobody of the other collection.
    expect(isSame(trials).filter(Boolean)).toHaveLength(20)
    expect(trials.first).toHaveLength(26)
    const used = new Set<number>()
    for (const [i, first] of trials.first.entries()) {
      const second = trials.second[i] as Int32Array
      expect(new Set([...first, ...second]).size).toBe(6)
      for (const item of first) expect(people.person[item]).toBe(trials.firstPerson[i])
      for (const item of second) expect(people.person[item]).toBe(trials.secondPerson[i])
      for (const item of [...first, ...second]) used.add(item)
    }
    expect(used.size).toBe(17)
    expectSfmError(() => setTrials(people, { size: 0, seed: 1 }), 'INVALID_ARGUMENT', /^size/)
  })

  it('are scored by a function of the two sides', () => {
    const pairs = allPairs(numberPeople(['xa', 'xb', 'xa'].map(label)))
    expect(scoreTrials(pairs, (a: number, b: number) => 10 * a + b)).toEqual(Float64Array.of(1, 2, 12))
    expectSfmError(
      () => scoreTrials(pairs, () => Number.NaN),
      'INVALID_ARGUMENT',
      /^score\(\.\.\.\): expected a number/,
    )
  })
})

describe('verify', () => {
  const normal = normals(11)
  const labels = Array.from({ length: 240 }, (_, i) => ({ subject: `s${i % 40}`, collection: `c${i % 2}` }))
  const centres = Array.from({ length: 40 }, () => normalVector(12, normal))
  const embeddings = labels.map((_, i) => (centres[i % 40] as Float64Array).map((value) => value + 0.9 * normal()))
  const people = numberPeople(labels)
  const pairs = allPairs(people)

  it('gives each measure with an interval around it', () => {
    const scores = pairCosines(pairs, embeddings)
    const result = verify(pairs, scores, new Bootstrap(people.count, { resamples: 200 }))
    expect(result.same).toBe((40 * 6 * 5) / 2)
    expect(result.different).toBe(2 * ((20 * 19) / 2) * 36)
    for (const key of ['auc', 'equalErrorRate', 'tarAt1e2', 'tarAt1e3', 'sensitivity'] as const) {
      const { value, low, high } = result[key]
      expect(low).toBeLessThan(value)
      expect(high).toBeGreaterThan(value)
    }
    expect(result.auc.value).toBe(areaUnder(result.curve))
    expect(result.cost).toBeUndefined()
    const [first, second] = result.thresholds
    expect(first?.threshold).toBe(thresholdAt(scores, isSame(pairs), 1e-2))
    expect(second?.threshold).toBeGreaterThan(first?.threshold as number)
    for (const { rate, low, high } of result.band) {
      expect(low).toBeLessThanOrEqual(trueAcceptAt(result.curve, rate))
      expect(high).toBeGreaterThanOrEqual(trueAcceptAt(result.curve, rate))
    }
    expect(result.band.at(-1)?.rate).toBe(1)
    expect(result.band[0]?.rate).toBeGreaterThanOrEqual(1 / result.different)
  })

  it('judges the calibration of likelihood ratios', () => {
    const scores = pairCosines(pairs, embeddings).map((cosine) => 8 * cosine - 4)
    const { cost, leastCost } = verify(pairs, scores, new Bootstrap(people.count, { resamples: 20 }), {
      likelihoodRatios: true,
    })
    expect(leastCost?.value).toBeLessThan(cost?.value as number)
    expect(cost?.value).toBeLessThan(1)
    for (const [r, least] of leastCost?.replicates.entries() ?? [])
      expect(least).toBeLessThan(cost?.replicates[r] as number)
  })

  it('refuses another number of scores', () => {
    expectSfmError(() => verify(pairs, [1], new Bootstrap(people.count)), 'INVALID_ARGUMENT', /^scores: expected/)
  })
})
