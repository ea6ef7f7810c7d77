import { describe, expect, it } from 'vitest'
import { Bootstrap, itemWeights, pairedDifference, trialWeights } from '../../lib/evaluate/bootstrap.js'
import { numberPeople } from '../../lib/evaluate/people.js'
import { RankedScores } from '../../lib/evaluate/RankedScores.js'
import { areaUnder, rocCurve } from '../../lib/evaluate/roc.js'
import { mean } from '../../lib/evaluate/statistics.js'
import { allPairs, isSame } from '../../lib/evaluate/trials.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'
import { normals } from '../fixtures/random.js'

describe('Bootstrap', () => {
  it('draws as many people as there are, with replacement, the same for a seed', () => {
    const drawn: number[][] = []
    const keep = (multiplicity: Uint16Array) => {
      drawn.push(Array.from(multiplicity))
      return { nothing: 0 }
    }
    new Bootstrap(50, { resamples: 200, seed: 3 }).estimate(keep)
    expect(drawn).toHaveLength(201)
    expect(drawn[0]).toEqual(Array<number>(50).fill(1))
    const totals = Array<number>(50).fill(0)
    for (const multiplicity of drawn.slice(1)) {
      expect(multiplicity.reduce((sum, count) => sum + count, 0)).toBe(50)
      for (const [i, count] of multiplicity.entries()) totals[i]! += count
    }
    // 200 each, with a standard deviation of 14.
    for (const total of totals) expect(Math.abs(total - 200)).toBeLessThan(60)
    const again = drawn.splice(0)
    new Bootstrap(50, { resamples: 200, seed: 3 }).estimate(keep)
    expect(drawn).toEqual(again)
    drawn.length = 0
    new Bootstrap(50, { resamples: 200, seed: 4 }).estimate(keep)
    expect(drawn).not.toEqual(again)
  })

  it('gives a mean the interval that theory does', () => {
    const normal = normals(1)
    const values = Array.from({ length: 400 }, () => 5 + 2 * normal())
    const { average } = new Bootstrap(400, { resamples: 2000 }).estimate((multiplicity) => ({
      average: mean(values, multiplicity),
    }))
    expect(average.value).toBeCloseTo(mean(values), 14)
    // 1.96 x 2 / sqrt(400) on either side.
    expect(average.value - average.low).toBeCloseTo(0.196, 1)
    expect(average.high - average.value).toBeCloseTo(0.196, 1)
    expect((average.high - average.low) / 2).toBeGreaterThan(0.17)
    expect((average.high - average.low) / 2).toBeLessThan(0.22)
  })

  it('covers the truth about as often as it says', () => {
    const normal = normals(8)
    let covered = 0
    for (let run = 0; run < 120; run++) {
      // People differ, photos of one hardly do: the interval must be that of 40 people, not of 400 photos.
      const people = numberPeople(Array.from({ length: 400 }, (_, i) => ({ subject: `${i % 40}` })))
      const own = Array.from({ length: 40 }, () => normal())
      const values = Array.from(people.person, (who) => (own[who] as number) + 0.1 * normal())
      const { average } = new Bootstrap(40, { resamples: 120, seed: run }).estimate((multiplicity) => ({
        average: mean(values, itemWeights(people, multiplicity)),
      }))
      if (average.low <= 0 && average.high >= 0) covered++
    }
    expect(covered).toBeGreaterThan(102)
    expect(covered).toBeLessThan(120)
  })

  it('pairs the difference of two models', () => {
    const normal = normals(2)
    const hard = Array.from({ length: 100 }, () => 10 * normal())
    const better = hard.map((value) => value - 0.5 + 0.1 * normal())
    const bootstrap = new Bootstrap(100)
    const { a } = bootstrap.estimate((multiplicity) => ({ a: mean(better, multiplicity) }))
    const { b } = bootstrap.estimate((multiplicity) => ({ b: mean(hard, multiplicity) }))
    expect(a.high).toBeGreaterThan(b.low)
    const { value, low, high } = pairedDifference(a, b)
    expect(value).toBeCloseTo(a.value - b.value, 14)
    expect(low).toBeLessThan(value)
    expect(high).toBeLessThan(-0.4)
    const { c } = new Bootstrap(100, { resamples: 10 }).estimate(() => ({ c: 1 }))
    expectSfmError(() => pairedDifference(a, c), 'INVALID_ARGUMENT', /^b\.replicates: expected 1000/)
  })

  it('leaves out resamples that cannot tell, and gives no interval where the data cannot', () => {
    const bootstrap = new Bootstrap(3, { resamples: 100 })
    const { sometimes, never } = bootstrap.estimate((multiplicity) => ({
      sometimes: multiplicity[0] === 0 ? Number.NaN : (multiplicity[0] as number),
      never: Number.NaN,
    }))
    expect(sometimes.low).toBe(1)
    expect(sometimes.high).toBeGreaterThanOrEqual(2)
    expect(never.low).toBeNaN()
    expect(never.high).toBeNaN()
  })

  it('refuses options that make no sense', () => {
    expectSfmError(() => new Bootstrap(0), 'INVALID_ARGUMENT', /^people/)
    expectSfmError(() => new Bootstrap(3, { resamples: 0 }), 'INVALID_ARGUMENT', /^resamples/)
    expectSfmError(() => new Bootstrap(3, { level: 1 }), 'INVALID_ARGUMENT', /^level/)
    expectSfmError(() => new Bootstrap(3, { seed: -1 }), 'INVALID_ARGUMENT', /^seed/)
  })
})

describe('trialWeights', () => {
  const labels = ['a', 'a', 'b', 'b', 'c'].map((subject) => ({ subject }))
  const people = numberPeople(labels)
  const pairs = allPairs(people)

  it('makes of a person drawn m times m people who are never compared', () => {
    const multiplicity = [2, 1, 3]
    const weights = trialWeights(pairs, multiplicity)
    // The same resample spelt out: every copy a person of its own, its pairs with other copies left out.
    const copies = multiplicity.flatMap((count, person) => Array.from({ length: count }, () => person))
    const counts = new Map<string, number>()
    for (const [i, one] of copies.entries())
      for (const [j, other] of copies.entries())
        for (const [a, who] of people.person.entries())
          for (const [b, whom] of people.person.entries()) {
            if (a >= b || who !== one || whom !== other || (i !== j && one === other)) continue
            counts.set(`${a},${b}`, (counts.get(`${a},${b}`) ?? 0) + 1)
          }
    for (const [t, weight] of weights.entries()) expect(weight).toBe(counts.get(`${pairs.first[t]},${pairs.second[t]}`))
    expect(trialWeights(pairs, [0, 1, 1]).filter(Boolean)).toHaveLength(1 + 2)
  })

  it('is quick enough for a thousand resamples of a hundred thousand pairs', () => {
    const normal = normals(4)
    const many = numberPeople(Array.from({ length: 450 }, (_, i) => ({ subject: `${i % 60}` })))
    const trials = allPairs(many)
    expect(trials.first.length).toBeGreaterThan(100_000)
    const same = isSame(trials)
    const ranked = new RankedScores(
      Float64Array.from(same, (is) => 1.5 * is + normal()),
      same,
    )
    const weights = new Float64Array(same.length)
    const start = performance.now()
    const { auc } = new Bootstrap(many.count, { resamples: 200 }).estimate((multiplicity) => ({
      auc: areaUnder(rocCurve(ranked.runs(trialWeights(trials, multiplicity, weights)))),
    }))
    // Some 0.35 s of one core.
    expect(performance.now() - start).toBeLessThan(4000)
    // P(X > Y) of two normals 1.5 apart.
    expect(auc.value).toBeCloseTo(0.8556, 1)
  })
})
