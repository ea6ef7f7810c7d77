/** Images of one person, and videos, by the embedded model. */

import { describe, expect, it } from 'vitest'
import { numberPeople } from '../../lib/evaluate/people.js'
import { RankedScores } from '../../lib/evaluate/RankedScores.js'
import { areaUnder, rocCurve } from '../../lib/evaluate/roc.js'
import { isSame, setTrials } from '../../lib/evaluate/trials.js'
import {
  compare,
  type FitResult,
  type LabelledObservation,
  type Observation,
  type TrackedFrame,
} from '../../lib/index.js'
import { defaultModel } from '../fixtures/models.js'
import { neutralError } from '../fixtures/neutralError.js'
import { drawFace } from '../fixtures/observe.js'
import { photograph } from '../fixtures/photograph.js'
import { normals, uniforms } from '../fixtures/random.js'
import { describeWithShared, readLines } from '../fixtures/sharedData.js'

const model = await defaultModel()
const { data } = model

/** The expression's prior: its mean, and with `spread` a draw around it. */
function expressionOf(seed: number, spread: number): Float64Array {
  const normal = normals(seed)
  return Float64Array.from({ length: data.expressionCount }, (_, e) => {
    const value = (data.expressionMean?.[e] ?? 0) + spread * data.expressionStddev[e]! * normal()
    return Math.min(data.expressionBounds[2 * e + 1]!, Math.max(data.expressionBounds[2 * e]!, value))
  })
}

/** Photos of a person: expressions of the prior, all sorts of views, 1 px of noise. */
function photos(person: number, count: number, scheme: string): Observation[] {
  const uniform = uniforms(7919 * person)
  const between = (limit: number) => (2 * uniform() - 1) * limit
  const { identity } = drawFace(data, person)
  const shots = Array.from({ length: count }, (_, shot) => ({
    identity,
    expression: expressionOf(1000 * person + shot, 1),
    yaw: between(40),
    pitch: between(15),
    roll: between(10),
    distance: 700 + between(100),
  }))
  return photograph(model, scheme, shots, 1, person)
}

/** Frames of a video of a person: one expression, the head turned as told. */
function video(person: number, count: number, yaw: (t: number) => number): Observation[] {
  const { identity } = drawFace(data, person)
  const expression = expressionOf(0, 0)
  const shots = Array.from({ length: count }, (_, t) => ({ identity, expression, yaw: yaw(t) }))
  return photograph(model, 'mediapipe478', shots, 1, person)
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

describe('images of one synthetic person', () => {
  it.each(['ibug68', 'mediapipe478'])('five leave at most three fifths of the error of one: %s', async (scheme) => {
    const fitter = await model.createFitter()
    const [joint, single]: [number[], number[]] = [[], []]
    for (let person = 1; person <= 8; person++) {
      const observations = photos(person, 5, scheme)
      joint.push(neutralError(model, await fitter.fitJoint(observations), person, false))
      for (const result of await fitter.fit(observations)) single.push(neutralError(model, result, person, false))
    }
    expect(mean(joint)).toBeLessThan(0.6 * mean(single))
  })

  it('are told from 20 of others among 100', async () => {
    const fitter = await model.createFitter()
    const observations = photos(30, 100, 'ibug68').map((own, i) =>
      i % 5 === 2 ? photos(100 + i, 1, 'ibug68')[0]! : own,
    )
    const { outlier_images: outliers, ...result } = await fitter.fitJoint(observations)
    expect(outliers.filter((i) => i % 5 !== 2).length).toBeLessThanOrEqual(2)
    expect(outliers.filter((i) => i % 5 === 2).length).toBeGreaterThanOrEqual(19)
    const clean = await fitter.fitJoint(observations.filter((_, i) => i % 5 !== 2))
    expect(neutralError(model, result, 30, false)).toBeLessThan(neutralError(model, clean, 30, false) + 0.3)
  })

  it('are soon told from others who are hard to tell', async () => {
    const fitter = await model.createFitter()
    const observations = photos(31, 60, 'ibug68').map((own, i) => {
      const { noise, ...unsaid } = i % 5 === 2 ? photos(200 + i, 1, 'ibug68')[0]! : own
      expect(noise).toBe(1)
      return unsaid
    })
    const { status, iterations, outlier_images: outliers } = await fitter.fitJoint(observations)
    expect(status).toBe('converged')
    expect(iterations).toBeLessThan(15)
    expect(outliers.filter((i) => i % 5 !== 2)).toEqual([])
    // What the ratios are worth is learned along: all of them are of one mind about the person's own.
    expect(outliers.length).toBeGreaterThanOrEqual(11)
  })

  // From 24 images on they start from a guess of who it is.
  it('leave as much uncertainty, many or few', async () => {
    const fitter = await model.createFitter()
    const ratios: number[] = []
    for (let person = 1; person <= 5; person++) {
      const observations = photos(person, 24, 'ibug68')
      const [few, many] = await Promise.all([23, 24].map((count) => fitter.fitJoint(observations.slice(0, count))))
      ratios.push(many!.identity_uncertainty! / few!.identity_uncertainty!)
    }
    // The median: where images leave the size open, it may come out otherwise.
    const median = ratios.sort((a, b) => a - b)[2]!
    expect(median).toBeGreaterThan(0.96)
    expect(median).toBeLessThan(1)
  })
})

describeWithShared(
  'three photos against three of strangers and of the same people',
  ['landmarks/photos-dev.jsonl'],
  () => {
    it('are told apart as well as by fused single fits or better, and with an AUC above 0.95', async () => {
      const observations = readLines<LabelledObservation>('landmarks/photos-dev.jsonl')
      const fitter = await model.createFitter({ posterior: true })
      const trials = setTrials(numberPeople(observations), { size: 3, seed: 1 })
      const same = isSame(trials)
      const some = [true, false].flatMap((kind) => {
        const all = [...same.keys()].filter((i) => Boolean(same[i]) === kind)
        return all.filter((_, k) => k % Math.ceil(all.length / 40) === 0)
      })
      const scores = { joint: [] as number[], fused: [] as number[] }
      for (const i of some) {
        const [a, b] = [trials.first[i]!, trials.second[i]!].map((set) => Array.from(set))
        const [ja, jb] = await Promise.all([a!, b!].map((set) => fitter.fitJoint(set.map((k) => observations[k]!))))
        const alone = await Promise.all([a!, b!].map((set) => fitter.fit(set.map((k) => observations[k]!))))
        const [fa, fb] = alone.map((results) => model.fuse(results))
        scores.joint.push(compare(ja!, jb!).logLikelihoodRatio!)
        scores.fused.push(compare(fa!, fb!).logLikelihoodRatio!)
      }
      const labels = some.map((i) => Boolean(same[i]))
      const area = (values: number[]) => areaUnder(rocCurve(new RankedScores(values, labels).runs()))
      expect(area(scores.joint)).toBeGreaterThan(0.95)
      // Of a sample of 80: as good, to its uncertainty.
      expect(area(scores.joint)).toBeGreaterThan(area(scores.fused) - 0.01)
    }, 120_000)
  },
)

describe('a video', () => {
  const still = video(7, 120, () => 8)

  const track = async (frames: readonly Observation[], options = {}): Promise<TrackedFrame[]> => {
    const fitter = await model.createFitter()
    const tracker = fitter.createTracker(options)
    return Promise.all(frames.map((frame) => tracker.track(frame)))
  }

  /** Standard deviation of the vertices over the frames, root mean square, mm. */
  async function jitter(results: readonly FitResult[], posed: boolean): Promise<number> {
    const vertices = await model.decode(results, { posed })
    const size = vertices.length / results.length
    let variance = 0
    for (let k = 0; k < size; k++) {
      const values = results.map((_, t) => vertices[t * size + k]!)
      const centre = mean(values)
      variance += mean(values.map((value) => (value - centre) ** 2)) / size
    }
    return Math.sqrt(3 * variance)
  }

  it('of a still face: surer with every frame, still, and nearer than single fits', async () => {
    const tracked = await track(still)
    for (const [t, { identity_uncertainty, person, restart }] of tracked.entries()) {
      expect({ person, restart }).toEqual({ person: 0, restart: undefined })
      if (t > 0) expect(identity_uncertainty).toBeLessThan(tracked[t - 1]!.identity_uncertainty!)
    }
    const alone = await (await model.createFitter()).fit(still)
    for (const posed of [false, true])
      expect(await jitter(tracked.slice(60), posed)).toBeLessThan(0.2 * (await jitter(alone.slice(60), posed)))
    const single = mean(alone.map((each) => neutralError(model, each, 7, false)))
    expect(neutralError(model, tracked.at(-1)!, 7, false)).toBeLessThan(0.6 * single)
  })

  it.each<[string, (t: number) => number]>([
    ['a slow turn', (t) => 25 * Math.sin(t / 10)],
    ['a quick shake', (t) => 10 * Math.sin(t / 3)],
    ['a start and a stop', (t) => Math.min(15, Math.max(-20, t - 50))],
  ])('of %s: less than one frame behind', async (_, path) => {
    const yaw = (await track(video(8, 100, path))).map(({ pose }) => pose.yaw)
    /** How well the yaw is that of the path so many frames ago, but for a bias. */
    const misfit = (lag: number) => {
      const differences = yaw.slice(20).map((value, i) => value - path(20 + i - lag))
      return mean(differences.map((value) => (value - mean(differences)) ** 2))
    }
    const lags = Array.from({ length: 41 }, (_, i) => (i - 10) / 10)
    const best = lags.reduce((a, b) => (misfit(a) <= misfit(b) ? a : b))
    expect(Math.abs(best)).toBeLessThan(0.5)
    expect(Math.sqrt(misfit(0))).toBeLessThan(1)
  })

  it('that cuts to somebody else: flagged at once, followed after five frames', async () => {
    const frames = [...still.slice(0, 20), ...video(9, 15, () => 8)]
    const tracked = await track(frames)
    expect(tracked.map(({ same_person }) => same_person! < 0.5)).toEqual(frames.map((_, t) => t >= 20 && t < 24))
    expect(tracked.flatMap(({ restart }, t) => (restart ? [t] : []))).toEqual([24])
    expect(tracked.at(-1)!.person).toBe(1)
    expect(neutralError(model, tracked.at(-1)!, 9)).toBeLessThan(neutralError(model, tracked.at(-1)!, 7))
  })
})
