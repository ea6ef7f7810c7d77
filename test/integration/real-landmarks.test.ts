import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { drift } from '../../lib/evaluate/index.js'
import type { FitResult } from '../../lib/fit/FitResult.js'
import type { Observation } from '../../lib/fit/Observation.js'
import { defaultModel } from '../fixtures/models.js'
import { landmarkRows, median, rootMeanSquare } from '../fixtures/reference.js'
import { describeWithShared, readLines } from '../fixtures/sharedData.js'

type Real = Observation & { points: number[][]; yaw_label?: number }

async function fitAll(observations: readonly Real[]): Promise<FitResult[]> {
  const model = await defaultModel()
  const fitter = await model.createFitter()
  return fitter.fit(observations)
}

const distance = (a: number[], b: number[]) => Math.hypot(a[0]! - b[0]!, a[1]! - b[1]!)

/** Over the distance of the eyes' outer corners. */
const byEyes =
  (right: number, left: number) =>
  (result: FitResult, { points }: Real) =>
    result.rmse! / distance(points[right]!, points[left]!)

/** Over the square root of the area of the points' bounding box: the eyes of a profile are in one place. */
function byArea(result: FitResult, { points }: Real): number {
  const extent = (axis: number) => {
    const values = points.map((point) => point[axis]!)
    return Math.max(...values) - Math.min(...values)
  }
  return result.rmse! / Math.sqrt(extent(0) * extent(1))
}

describeWithShared('photos of 83 people, 478 landmarks each', ['landmarks/photos-dev.jsonl'], () => {
  it('are fitted to 2.0% of the inter-ocular distance, in the median', async () => {
    const observations = readLines<Real>('landmarks/photos-dev.jsonl')
    const results = await fitAll(observations)
    expect(results).toHaveLength(observations.length)
    const errors = results.map((result, i) => byEyes(33, 263)(result, observations[i]!))
    expect(median(errors)).toBeLessThan(0.02)
    results.forEach((result, i) => {
      expect(result).toMatchObject({ status: 'converged', usable: true, id: observations[i]!.id })
    })
  })
})

describeWithShared('faces in large poses, 68 landmarks each', ['landmarks/aflw2000-68-dev.jsonl'], () => {
  const file = 'landmarks/aflw2000-68-dev.jsonl'

  it('are fitted no worse than by the variant that saw no photo, at all yaws, in the median', async () => {
    const observations = readLines<Real>(file)
    const results = await fitAll(observations)
    for (const [from, to, limit] of [
      [0, 30, 0.0165],
      [30, 60, 0.0232],
      [60, 180, 0.0259],
    ] as const) {
      const chosen = [...observations.keys()].filter((i) => {
        const yaw = Math.abs(observations[i]!.yaw_label!)
        return yaw >= from && yaw < to
      })
      expect(chosen.length).toBeGreaterThan(50)
      expect(median(chosen.map((i) => byArea(results[i]!, observations[i]!)))).toBeLessThan(limit)
    }
    expect(results.filter(({ usable }) => usable).length).toBeGreaterThanOrEqual(0.99 * observations.length)
  })

  it('have identities that do not follow the yaw', async () => {
    const observations = readLines<Real>(file)
    const results = await fitAll(observations)
    const { largest } = drift(
      observations.map(({ yaw_label }) => yaw_label!),
      results.map(({ embedding }) => embedding),
    )
    expect(largest).toBeLessThan(0.3)
  })

  it('have their yaw within 15 degrees of its label in 90% of all cases', async () => {
    const observations = readLines<Real>(file)
    const results = await fitAll(observations)
    const good = results.filter((result, i) => Math.abs(result.pose.yaw - observations[i]!.yaw_label!) < 15)
    expect(good.length).toBeGreaterThanOrEqual(0.9 * observations.length)
  })
})

describe('the astronaut of the examples', () => {
  const read = (scheme: string): Real =>
    JSON.parse(readFileSync(new URL(`../../examples/landmarks/astronaut.${scheme}.json`, import.meta.url), 'utf8'))

  it('is fitted in both schemes, to much the same face', async () => {
    const model = await defaultModel()
    const [sparse, dense] = [read('ibug68'), read('mediapipe478')]
    const [a, b] = (await fitAll([sparse, dense])) as [FitResult, FitResult]
    for (const result of [a, b]) {
      expect(result).toMatchObject({ status: 'converged', usable: true })
      expect(Math.abs(result.pose.yaw)).toBeLessThan(30)
      expect(Math.abs(result.pose.pitch)).toBeLessThan(25)
      expect(Math.abs(result.pose.roll)).toBeLessThan(25)
      expect(result.camera).toMatchObject({ type: 'perspective', principal: [256, 256] })
    }
    expect(byEyes(36, 45)(a, sparse)).toBeLessThan(0.045)
    expect(byEyes(33, 263)(b, dense)).toBeLessThan(0.02)
    for (const angle of ['yaw', 'pitch', 'roll'] as const)
      expect(Math.abs(a.pose[angle] - b.pose[angle])).toBeLessThan(8)
    // She smiles.
    for (const result of [a, b])
      expect(result.expression.mouthSmile_L! + result.expression.mouthSmile_R!).toBeGreaterThan(0.4)
    // Both faces' landmarks, neutral and in model space: a few mm apart, when people differ by some 7 mm. The habits of the
    // dense scheme's detector are known, the sparse one's are not.
    const { identity } = landmarkRows(model.data, model.data.schemes.get('mediapipe478')!)
    const width = 3 * 478
    const difference = Float64Array.from({ length: width }, (_, i) =>
      a.identity.reduce((sum, z, k) => sum + (z - b.identity[k]!) * identity[k * width + i]!, 0),
    )
    expect(Math.sqrt(3) * rootMeanSquare(difference)).toBeLessThan(8)
  })
})
