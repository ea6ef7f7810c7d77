import { describe, expect, it } from 'vitest'
import { pairedDifference } from '../../lib/evaluate/bootstrap.js'
import { boxSize, eyeDistance } from '../../lib/evaluate/faceScale.js'
import { type PhotoFit, photoProtocol } from '../../lib/evaluate/photoProtocol.js'
import { parseScanProtocol, SCAN_LANDMARKS, SCAN_PROTOCOL_FORMAT } from '../../lib/evaluate/scanProtocol.js'
import {
  VERIFICATION_COLUMNS,
  verificationDifferences,
  verificationValues,
} from '../../lib/evaluate/verificationColumns.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'
import { normals, normalVector } from '../fixtures/random.js'

/** What one photo tells of a person in D dimensions of variance 1, seen with noise of variance v in each. */
interface Seen {
  information: number
  shift: Float64Array
}

/** As mathematics.md has it, for information S = s I. */
const evidence = ({ information, shift }: Seen) =>
  shift.reduce((sum, h) => sum + (h * h) / (1 + information), 0) / 2 - (shift.length * Math.log1p(information)) / 2
const fuse = (all: readonly Seen[]): Seen => ({
  information: all.reduce((sum, { information }) => sum + information, 0),
  shift: all.reduce((sum, { shift }) => sum.map((h, d) => h + shift[d]!), new Float64Array(all[0]!.shift.length)),
})
const logLikelihoodRatio = (a: Seen, b: Seen) => evidence(fuse([a, b])) - evidence(a) - evidence(b)

const DIMENSION = 12

/** Photos of 30 people, 8 each, some worse than others. */
function photos(noise = 1): PhotoFit<Seen>[] {
  const normal = normals(31)
  const people = Array.from({ length: 30 }, () => normalVector(DIMENSION, normal))
  return Array.from({ length: 240 }, (_, i) => {
    const variance = noise * (i % 3 === 0 ? 3 : 0.4)
    const seen = people[i % 30]!.map((value) => value + Math.sqrt(variance) * normal())
    const estimate = seen.map((value) => value / (1 + variance))
    const length = Math.hypot(...estimate)
    return {
      subject: `s${i % 30}`,
      collection: i % 30 < 18 ? 'a' : 'b',
      status: 'converged',
      embedding: estimate.map((value) => value / length),
      rmse: 1 + (i % 4),
      pose: { yaw: ((i * 7) % 180) - 89.5 },
      posterior: { information: 1 / variance, shift: seen.map((value) => value / variance) },
    }
  })
}

const options = { faceSizes: Array<number>(240).fill(100), bootstrap: { resamples: 60 }, logLikelihoodRatio, fuse }

describe('photoProtocol', () => {
  const result = photoProtocol(photos(), options)

  it('compares photos within collections, and sets better than photos', () => {
    const { single, sets } = result
    expect(result).toMatchObject({ photos: 240, failed: 0 })
    expect(single?.cosine.same).toBe(30 * 28)
    expect(single?.cosine.different).toBe((64 * (18 * 17 + 12 * 11)) / 2)
    expect(sets?.size).toBe(3)
    expect(sets?.cosine.same).toBe(30 * 20)
    expect(sets?.cosine.different).toBe((18 * 17 + 12 * 11) / 2)
    expect(single?.cosine.scores).toHaveLength(single?.cosine.isSame.length as number)
    expect(single!.cosine.auc.value).toBeGreaterThan(0.75)
    expect(sets!.cosine.auc.value).toBeGreaterThan(single!.cosine.auc.value + 0.05)
  })

  it('finds the likelihood ratio better than the cosine, and calibrated', () => {
    const { single, sets } = result
    expect(single!.likelihoodRatio!.auc.value).toBeGreaterThan(single!.cosine.auc.value + 0.01)
    expect(sets!.likelihoodRatio!.auc.value).toBeGreaterThan(sets!.cosine.auc.value)
    for (const { cost, leastCost } of [single!.likelihoodRatio!, sets!.likelihoodRatio!]) {
      expect(leastCost!.value).toBeLessThan(cost!.value)
      expect(cost!.value).toBeLessThan(leastCost!.value + 0.08)
    }
    expect(single!.cosine.cost).toBeUndefined()
    const gain = pairedDifference(single!.likelihoodRatio!.auc, single!.cosine.auc)
    expect(gain.low).toBeGreaterThan(0)
  })

  it('gives errors over the size of the face, by yaw', () => {
    const { all, byYaw } = result.error
    expect(all.error?.count).toBe(240)
    expect(all.error?.mean).toBeCloseTo(0.025, 12)
    expect(all.median?.value).toBeCloseTo(0.025, 12)
    expect(byYaw.map(({ from, to }) => [from, to])).toEqual([
      [0, 30],
      [30, 60],
      [60, 90],
    ])
    expect(byYaw.reduce((sum, { error }) => sum + (error?.count ?? 0), 0)).toBe(240)
    expect(result.drift?.largest).toBeLessThan(0.3)
    const yaws = Array.from({ length: 240 }, (_, i) => (i < 200 ? -120 : 30))
    const turned = photoProtocol(photos(), { ...options, yaws }).error.byYaw
    expect(turned.map(({ error }) => error?.count)).toEqual([undefined, 40, 200])
    expect(turned[0]).toEqual({ from: 0, to: 30, error: null, median: null })
  })

  it('lets failed fits tell nothing, on the same trials', () => {
    const fits = photos().map(
      (fit, i): PhotoFit<Seen> =>
        i % 10 === 0 ? { ...fit, status: 'failed', rmse: null, pose: { yaw: Number.NaN }, posterior: undefined } : fit,
    )
    const worse = photoProtocol(fits, options)
    expect(worse.failed).toBe(24)
    expect(worse.single?.cosine.same).toBe(result.single?.cosine.same)
    expect(worse.single!.cosine.auc.value).toBeLessThan(result.single!.cosine.auc.value)
    expect(worse.single!.likelihoodRatio!.scores.filter((score) => score === 0).length).toBeGreaterThan(1000)
    expect(worse.error.all.error?.count).toBe(216)
    const difference = pairedDifference(result.single!.cosine.auc, worse.single!.cosine.auc)
    expect(difference.low).toBeGreaterThan(0)
  })

  it('measures photos without names for their errors alone', () => {
    const nameless = photos().map(({ subject: _, ...fit }) => fit)
    const { single, sets, error, people } = photoProtocol(nameless, options)
    expect([single, sets]).toEqual([null, null])
    expect(people.count).toBe(240)
    expect(error.all.median?.low).toBeLessThanOrEqual(0.025)
    const few = photoProtocol(photos().slice(0, 60), { ...options, faceSizes: options.faceSizes.slice(0, 60) })
    expect(few.single?.cosine.same).toBe(30)
    expect(few.sets).toBeNull()
  })

  it('works without posteriors', () => {
    const plain = photos().map(({ posterior: _, ...fit }) => fit)
    const { single, sets } = photoProtocol(plain, { faceSizes: options.faceSizes, bootstrap: { resamples: 10 } })
    expect(single?.likelihoodRatio).toBeUndefined()
    expect(sets?.likelihoodRatio).toBeUndefined()
    expect(single?.cosine.auc.value).toBe(result.single?.cosine.auc.value)
  })

  it('fills the rows of a report', () => {
    const worse = photoProtocol(photos(4), options)
    const values = verificationValues(result.single!.likelihoodRatio!)
    expect(Object.keys(values)).toEqual(VERIFICATION_COLUMNS.map(({ key }) => key))
    expect(values.auc?.low).toBeLessThan(values.auc?.value as number)
    expect(Object.keys(verificationValues(result.single!.cosine))).not.toContain('cost')
    const differences = verificationDifferences(result.single!.cosine, worse.single!.cosine, {
      model: 'a',
      against: 'b',
    })
    expect(differences).toHaveLength(5)
    expect(differences[0]).toMatchObject({ model: 'a', against: 'b', column: 'auc' })
    expect(differences[0]!.low).toBeGreaterThan(0)
  })

  it('refuses sizes that are not one a photo', () => {
    const of = (faceSizes: number[]) => () => photoProtocol(photos(), { ...options, faceSizes })
    expectSfmError(of([1]), 'INVALID_ARGUMENT', /^faceSizes: expected 240 values/)
    expectSfmError(() => photoProtocol([], { faceSizes: [] }), 'INVALID_ARGUMENT', /^fits/)
  })
})

describe('sizes of faces', () => {
  it('are between the outer corners of the eyes', () => {
    const points = Array.from({ length: 68 }, (_, i): [number, number] | null => (i === 3 ? null : [i, 2 * i]))
    expect(eyeDistance({ scheme: 'ibug68', points })).toBeCloseTo(9 * Math.sqrt(5), 12)
    expect(
      eyeDistance({ scheme: 'ibug68', points: Float64Array.from(points.flatMap((p) => p ?? [NaN, NaN])) }),
    ).toBeCloseTo(9 * Math.sqrt(5), 12)
    points[36] = null
    expect(eyeDistance({ scheme: 'ibug68', points })).toBeNaN()
    const mesh = Array.from({ length: 468 }, (_, i) => [i, 0])
    expect(eyeDistance({ scheme: 'mediapipe478', points: mesh })).toBe(230)
    expectSfmError(() => eyeDistance({ scheme: 'own', points }), 'INVALID_ARGUMENT', /^scheme: expected one of ibug68/)
  })

  it('are the root of the box around the landmarks', () => {
    expect(boxSize({ points: [[0, 0], null, [4, 1], [2, 9]] })).toBe(6)
    expect(boxSize({ points: Float32Array.of(0, 0, Number.NaN, Number.NaN, 4, 9) })).toBe(6)
    expect(boxSize({ points: [null] })).toBeNaN()
  })
})

describe('parseScanProtocol', () => {
  const entry = (id: string) => ({
    id,
    subject: 's1',
    scan: `scans/${id}.ply`,
    landmarks: SCAN_LANDMARKS.map((_, i) => [i, 0, 1]),
    noseTip: [0, 0, 9],
    images: [`images/${id}.json`],
  })
  const protocol = { format: SCAN_PROTOCOL_FORMAT, name: 'mine', unit: 1000, scans: [entry('a'), entry('b')] }

  it('reads what docs/evaluation.md says', () => {
    expect(parseScanProtocol(protocol)).toEqual(protocol)
    const { unit: _, ...rest } = protocol
    expect(parseScanProtocol({ ...rest, note: 'of my own' })).toEqual({ ...protocol, unit: 1 })
    expect(parseScanProtocol({ ...rest, scans: [{ ...entry('a'), condition: 'selfie' }] }).scans[0]?.condition).toBe(
      'selfie',
    )
  })

  it('names what is wrong, and where', () => {
    const scan = (change: object) => ({ ...protocol, scans: [entry('a'), { ...entry('b'), ...change }] })
    const cases: [unknown, RegExp][] = [
      [null, /^expected an object/],
      [{ ...protocol, format: 'x' }, /^format: expected "sphere-face-model-scans\/1"/],
      [{ ...protocol, unit: 0 }, /^unit/],
      [{ ...protocol, scans: [] }, /^scans: expected an array/],
      [scan({ id: 'a' }), /^scans\[1\]\.id: expected an id of its own/],
      [scan({ subject: 7 }), /^scans\[1\]\.subject/],
      [scan({ landmarks: [[0, 0, 0]] }), /^scans\[1\]\.landmarks: expected 7 points/],
      [scan({ noseTip: [0, 0] }), /^scans\[1\]\.noseTip: expected \[x, y, z\]/],
      [scan({ scan: '../elsewhere.ply' }), /^scans\[1\]\.scan: expected a path within/],
      [scan({ images: ['/etc/passwd'] }), /^scans\[1\]\.images\[0\]: expected a path within/],
      [scan({ images: [] }), /^scans\[1\]\.images/],
    ]
    for (const [value, message] of cases) expectSfmError(() => parseScanProtocol(value), 'INVALID_INPUT', message)
  })
})
