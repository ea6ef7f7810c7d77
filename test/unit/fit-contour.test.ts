import { describe, expect, it } from 'vitest'
import { outlineCurves } from '../../lib/fit/contour/outlineCurves.js'
import { Slide } from '../../lib/fit/contour/SlidingContour.js'
import { type FitResult, type Observation, SphereFaceModel } from '../../lib/index.js'
import { bits } from '../fixtures/bits.js'
import { expectSfmRejection } from '../fixtures/expectSfmError.js'
import { defaultModel, TINY_MODELS } from '../fixtures/models.js'
import { neutralError } from '../fixtures/neutralError.js'
import { drawFace } from '../fixtures/observe.js'
import { photograph } from '../fixtures/photograph.js'
import { median } from '../fixtures/reference.js'

const model = await defaultModel()
const scheme = model.data.schemes.get('ibug68')!
const [sliding, fixed] = await Promise.all([true, false].map((slideContour) => model.createFitter({ slideContour })))

const PEOPLE = [1, 2, 3, 4, 5, 6, 7, 8]

/** People of the model with a face at rest, each turned to both sides. */
const turned = (yaw: number, outline: boolean, people = PEOPLE): Observation[] =>
  people.flatMap((person) => {
    const { identity, expression } = drawFace(model.data, person)
    const shots = [yaw, -yaw].map((side) => ({ identity, expression, yaw: side, pitch: 5 - person }))
    return photograph(model, 'ibug68', shots, 1, person, outline)
  })

const errors = (results: readonly FitResult[]) =>
  results.map((result, i) => neutralError(model, result, PEOPLE[i >> 1]!))
const turnErrors = (results: readonly FitResult[], yaw: number) =>
  results.map(({ pose }) => Math.abs(Math.abs(pose.yaw) - yaw))

describe('curves of the outline', () => {
  const curves = outlineCurves(model.data, scheme)

  it('lead from the landmark over its own cheek to beside the nose, at one height', () => {
    expect(curves.map(({ landmark }) => landmark)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16])
    for (const { side, points } of curves) {
      const [start] = points
      expect(side).toBe(Math.sign(start!.at[0]!))
      for (const { at, weights } of points) {
        expect(at[1]).toBeCloseTo(start!.at[1]!, 3)
        expect(side * at[0]!).toBeGreaterThan(0)
        expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 5)
      }
    }
  })

  it('are alike on both sides', () => {
    for (const [i, { points }] of curves.slice(0, 8).entries()) {
      const other = curves.at(-1 - i)!.points
      const depths = (of: typeof points) => [Math.max(...of.map(({ at }) => at[2]!)), of[0]!.at[2]!]
      for (const [k, depth] of depths(points).entries()) expect(Math.abs(depth - depths(other)[k]!)).toBeLessThan(1)
    }
  })

  it('are those of the jaw alone', () => {
    expect(outlineCurves(model.data, model.data.schemes.get('mediapipe478')!)).toEqual([])
  })
})

describe('a jaw on the outline', () => {
  it.each([30, 40, 50])('turned by %s degrees, gives a better face than as points of the skin', async (yaw) => {
    const observations = turned(yaw, true)
    const [slid, skin] = await Promise.all([sliding!.fit(observations), fixed!.fit(observations)])
    expect(median(errors(slid))).toBeLessThan(0.85 * median(errors(skin)))
    expect(median(turnErrors(slid, yaw))).toBeLessThan(0.7 * median(turnErrors(skin, yaw)))
  })

  it.each([60, 75])('turned by %s degrees, gives a face that can be used', async (yaw) => {
    const observations = turned(yaw, true)
    const [slid, skin] = await Promise.all([sliding!.fit(observations), fixed!.fit(observations)])
    expect(slid.every(({ usable }) => usable)).toBe(true)
    expect(skin.every(({ usable }) => usable)).toBe(false)
    expect(median(errors(slid))).toBeLessThan(median(errors(skin)))
  })

  it('gives the same bits in any company', async () => {
    const observations = [...turned(40, true), ...turned(40, false)]
    const together = await sliding!.fit(observations)
    const alone = await Promise.all(observations.map((observation) => sliding!.fit(observation)))
    expect(together.map(bits)).toEqual(alone.map(bits))
  })

  it('is found where points are missing, and with a weak camera', async () => {
    const whole = turned(40, true)
    const gaps = whole.map((each) => ({
      ...each,
      points: (each.points as number[][]).map((p, l) => (l % 5 === 1 ? null : p)),
    }))
    const weak = whole.map((each) => ({
      ...each,
      camera: { type: 'weak' as const, principal: [640, 360] as [number, number] },
    }))
    for (const observations of [gaps, weak]) {
      const [slid, skin] = await Promise.all([sliding!.fit(observations), fixed!.fit(observations)])
      expect(median(errors(slid))).toBeLessThan(median(errors(skin)))
      expect(slid.filter(({ cost }, i) => cost!.final < skin[i]!.cost!.final).length).toBeGreaterThan(12)
    }
  })

  it('keeps the model’s native side until it is done', async () => {
    const own = await SphereFaceModel.load()
    const fitter = await own.createFitter()
    const observations = turned(40, true)
    const under = fitter.fit(observations)
    own.dispose()
    await expectSfmRejection(fitter.fit(observations), 'DISPOSED')
    expect((await under).map(bits)).toEqual((await sliding!.fit(observations)).map(bits))
  })

  it('of one person’s images gives a better face of them together', async () => {
    const [slid, skin]: [number[], number[]] = [[], []]
    for (const person of PEOPLE) {
      const observations = [35, 45, 55].flatMap((yaw) => turned(yaw, true, [person]))
      slid.push(neutralError(model, await sliding!.fitJoint(observations), person))
      skin.push(neutralError(model, await fixed!.fitJoint(observations), person))
    }
    expect(median(slid)).toBeLessThan(0.8 * median(skin))
  })

  it('in a video is found after some frames, and gives a better face', async () => {
    const [slid, skin]: [number[], number[]] = [[], []]
    for (const person of PEOPLE.slice(0, 4)) {
      const face = drawFace(model.data, person)
      const shots = Array.from({ length: 40 }, (_, t) => ({ ...face, yaw: 50 * Math.sin(t / 6) }))
      const frames = photograph(model, 'ibug68', shots, 1, person, true)
      for (const [fitter, of] of [
        [sliding, slid],
        [fixed, skin],
      ] as const) {
        const tracker = fitter!.createTracker()
        for (const frame of frames) expect(await tracker.track(frame)).toMatchObject({ status: 'converged', person: 0 })
        of.push(neutralError(model, tracker.person()!, person))
      }
    }
    expect(median(slid)).toBeLessThan(median(skin))
  })
})

describe('a jaw of the skin', () => {
  it.each([20, 40, 60, 75])('turned by %s degrees, stays there: the same bits', async (yaw) => {
    const observations = turned(yaw, false)
    const [slid, skin] = await Promise.all([sliding!.fit(observations), fixed!.fit(observations)])
    const moved = slid.filter((result, i) => bits(result) !== bits(skin[i]!))
    // At small angles outline and skin are within the noise of each other.
    expect(moved.length).toBeLessThanOrEqual(yaw < 30 ? 2 : 0)
  })

  it('is that of a scan in any case', async () => {
    const { identity, expression } = drawFace(model.data, 3)
    const landmarks = model.decodeSync({ identity, expression }, { scheme: 'ibug68' })
    const points = Array.from({ length: 68 }, (_, l) => [...landmarks.subarray(3 * l, 3 * l + 3)])
    const [slid, skin] = await Promise.all([sliding, fixed].map((fitter) => fitter!.fit({ scheme: 'ibug68', points })))
    expect(bits(slid!)).toBe(bits(skin!))
  })
})

describe('slideContour', () => {
  it('is true or false', async () => {
    await expectSfmRejection(model.createFitter({ slideContour: 1 as never }), 'INVALID_ARGUMENT', /slideContour/)
  })

  it.each(Object.entries(TINY_MODELS))('does no harm to the model "%s"', async (_, make) => {
    using tiny = SphereFaceModel.fromData(make())
    if (!tiny.data.schemes.has('ibug68')) return
    const { identity, expression } = drawFace(tiny.data, 1)
    const shots = [-60, 0, 60].map((yaw) => ({ identity, expression, yaw }))
    const results = await (await tiny.createFitter()).fit(photograph(tiny, 'ibug68', shots, 1, 1))
    for (const { status } of results) expect(status).not.toBe('failed')
  })
})

describe('a slide', () => {
  it('reaches the outline when it has gone enough of the way, and that is long enough', () => {
    const slide = new Slide()
    expect(slide.reachesOutline()).toBe(false)
    slide.add(Object.assign(new Slide(), { along: 14, way: 100 }))
    expect(slide.reachesOutline()).toBe(false)
    slide.add(Object.assign(new Slide(), { along: 20, way: 100 }))
    expect(slide.reachesOutline()).toBe(true)
    expect(slide.reachesOutline(20)).toBe(false)
  })
})
