import { describe, expect, it } from 'vitest'
import { kMeans } from '../../lib/evaluate/kMeans.js'
import { pairAngles, pairCosines, pairDistances, spread } from '../../lib/evaluate/pairDistances.js'
import { adjustedRandIndex, normalisedMutualInformation } from '../../lib/evaluate/partitions.js'
import { numberPeople } from '../../lib/evaluate/people.js'
import { silhouettes } from '../../lib/evaluate/silhouette.js'
import { mean } from '../../lib/evaluate/statistics.js'
import { allPairs } from '../../lib/evaluate/trials.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'
import { normals, normalVector } from '../fixtures/random.js'

const peopleOf = (names: string) => numberPeople([...names].map((subject) => ({ subject })))

describe('distances within and between people', () => {
  it('are those of all pairs', () => {
    const pairs = allPairs(peopleOf('aab'))
    const vectors = [
      [0, 0],
      [3, 4],
      [0, 8],
    ]
    expect(pairDistances(pairs, vectors)).toEqual(Float64Array.of(5, 8, 5))
    expect(spread(pairs, pairDistances(pairs, vectors))).toEqual({ within: 5, between: 6.5, ratio: 5 / 6.5 })
    expect(spread(pairs, [5, 8, 5], [1, 3, 1]).between).toBe(29 / 4)
  })

  it('know angles, of vectors of any length', () => {
    const pairs = allPairs(peopleOf('aab'))
    const angles = pairAngles(pairs, [
      [2, 0],
      [0, 5],
      [-1, 0],
    ])
    for (const [i, angle] of [Math.PI / 2, Math.PI, Math.PI / 2].entries()) expect(angles[i]).toBeCloseTo(angle, 15)
    expect(
      pairCosines(pairs, [
        [2, 0],
        [0, 0],
        [-1, 0],
      ]),
    ).toEqual(Float64Array.of(0, -1, 0))
  })

  it('refuse vectors of two lengths, or too few', () => {
    const pairs = allPairs(peopleOf('ab'))
    expectSfmError(() => pairDistances(pairs, [[1], [1, 2]]), 'INVALID_ARGUMENT', /^vectors\[1\]: expected 1 values/)
    expectSfmError(() => pairDistances(pairs, [[1]]), 'INVALID_ARGUMENT', /^vectors: expected one for each item/)
    expectSfmError(() => pairAngles(pairs, [[1], [Number.NaN]]), 'INVALID_ARGUMENT', /^vectors\[1\]\[0\]/)
    expectSfmError(() => spread(pairs, [1, 2]), 'INVALID_ARGUMENT', /^distances/)
  })
})

describe('silhouettes', () => {
  it('agree with values computed by hand', () => {
    // On a line: 0 and 1 against 4 and 6, and one alone at 20.
    const result = silhouettes([[0], [1], [4], [6], [20]], [0, 0, 1, 1, 2], { distance: 'euclidean' })
    const expected = [4 / 5, 3 / 4, (3.5 - 2) / 3.5, (5.5 - 2) / 5.5, 0]
    for (const [i, value] of expected.entries()) expect(result[i]).toBeCloseTo(value, 15)
  })

  it('measure directions by cosine', () => {
    const at = (degrees: number) => [3 * Math.cos((degrees * Math.PI) / 180), 3 * Math.sin((degrees * Math.PI) / 180)]
    const result = silhouettes([at(0), at(60), at(90), at(90)], [0, 0, 1, 1])
    const between = (degrees: number) => 1 - Math.cos((degrees * Math.PI) / 180)
    expect(result[0]).toBeCloseTo((1 - between(60)) / 1, 14)
    expect(result[1]).toBeCloseTo((between(30) - between(60)) / between(60), 14)
    expect(result[2]).toBeCloseTo(1, 14)
  })

  it('refuse a single cluster', () => {
    expectSfmError(() => silhouettes([[1], [2]], [0, 0]), 'INVALID_ARGUMENT', /^clusters: expected at least two/)
    expectSfmError(() => silhouettes([[1], [2]], [0, -1]), 'INVALID_ARGUMENT', /^clusters\[1\]/)
  })
})

describe('k-means', () => {
  const normal = normals(21)
  const centres = Array.from({ length: 12 }, () => normalVector(8, normal))
  const truth = Array.from({ length: 240 }, (_, i) => i % 12)
  const points = truth.map((c) => (centres[c] as Float64Array).map((value) => value + 0.15 * normal()))

  it('finds clusters that are there, the same for a seed', () => {
    for (const geometry of ['spherical', 'euclidean'] as const) {
      const result = kMeans(points, { clusters: 12, geometry })
      expect(adjustedRandIndex(result.assignment, truth)).toBe(1)
      expect(kMeans(points, { clusters: 12, geometry })).toEqual(result)
    }
  })

  it('does not mind lengths on the sphere, and has unit centres there', () => {
    const stretched = points.map((point, i) => point.map((value) => value * (1 + (i % 5))))
    const result = kMeans(stretched, { clusters: 12 })
    expect(adjustedRandIndex(result.assignment, truth)).toBe(1)
    for (const centre of result.centres) expect(Math.hypot(...centre)).toBeCloseTo(1, 12)
  })

  it('finds the best two means of four points on a line', () => {
    const { assignment, centres, inertia } = kMeans([[0], [1], [5], [9]], { clusters: 2, geometry: 'euclidean' })
    expect(normalisedMutualInformation(assignment, [0, 0, 1, 1])).toBe(1)
    expect(centres.map(([x]) => x).sort()).toEqual([0.5, 7])
    expect(inertia).toBe(0.5 + 8)
  })

  it('leaves no cluster empty while there are points for it', () => {
    const { assignment, inertia } = kMeans([[1], [1], [1], [2], [3]], { clusters: 3, geometry: 'euclidean' })
    expect(new Set(assignment).size).toBe(3)
    expect(inertia).toBe(0)
    expect(kMeans([[1], [1], [1]], { clusters: 3, geometry: 'euclidean' }).inertia).toBe(0)
  })

  it('refuses more clusters than points', () => {
    expectSfmError(() => kMeans([[1]], { clusters: 2 }), 'INVALID_ARGUMENT', /^clusters: expected at most 1/)
  })
})

describe('agreement of partitions', () => {
  it('is 1 for the same under other names, 0 for independent ones', () => {
    expect(normalisedMutualInformation([0, 0, 1, 1], [5, 5, 3, 3])).toBeCloseTo(1, 15)
    expect(adjustedRandIndex([0, 0, 1, 1], [5, 5, 3, 3])).toBe(1)
    expect(normalisedMutualInformation([0, 0, 1, 1], [0, 1, 0, 1])).toBe(0)
    expect(adjustedRandIndex([0, 0, 1, 1], [0, 1, 0, 1])).toBeCloseTo(-0.5, 15)
    expect(normalisedMutualInformation([2, 2], [7, 7])).toBe(1)
    expect(normalisedMutualInformation([0, 1], [0, 0])).toBe(0)
    expect(adjustedRandIndex([2, 2], [7, 7])).toBe(1)
  })

  it('agrees with values computed by hand', () => {
    // Cells of 2 1 and 1 2, each expected at 1.5: entropies are log 2.
    const [a, b] = [
      [0, 0, 0, 1, 1, 1],
      [0, 0, 1, 0, 1, 1],
    ]
    const information = (2 / 3) * Math.log(4 / 3) + (1 / 3) * Math.log(2 / 3)
    expect(normalisedMutualInformation(a!, b!)).toBeCloseTo(information / Math.LN2, 14)
    // Pairs together: 2 in both, 6 in each, of 15: (2 - 2.4) / (6 - 2.4).
    expect(adjustedRandIndex(a!, b!)).toBeCloseTo(-0.4 / 3.6, 14)
  })

  it('is near 0 by chance', () => {
    const normal = normals(2)
    const random = () => Array.from({ length: 4000 }, () => Math.floor(Math.abs(3 * normal())))
    expect(Math.abs(adjustedRandIndex(random(), random()))).toBeLessThan(0.02)
    expect(mean([normalisedMutualInformation(random(), random())])).toBeLessThan(0.02)
  })

  it('refuses lists of two lengths', () => {
    expectSfmError(() => adjustedRandIndex([1], [1, 2]), 'INVALID_ARGUMENT', /^b: expected 1 values/)
  })
})
