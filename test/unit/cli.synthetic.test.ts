import { describe, expect, it } from 'vitest'
import { syntheticObservation, type View } from '../../lib/cli/syntheticObservation.js'
import type { LandmarkScheme } from '../../lib/model/ModelData.js'

/** The tip of a nose, the crown of a head, and an iris that the model does not have. */
const scheme: LandmarkScheme = {
  name: 'three',
  count: 3,
  indices: new Int32Array(9),
  weights: Float32Array.of(1, 0, 0, 0, 0.5, 0.5, 0, 0, 0),
}
const landmarks = Float32Array.of(0, 0, 100, 0, 100, 0, 0, 0, 0)

function seen(view: Partial<View>): { nose: number[]; crown: number[] } {
  const camera = { type: 'perspective' as const, focal: 1000, principal: [320, 240] as [number, number] }
  const observation = syntheticObservation(landmarks, scheme, {
    yaw: 0,
    pitch: 0,
    roll: 0,
    distance: 1000,
    camera,
    ...view,
  })
  const [nose, crown, iris] = observation.points as Array<number[] | null>
  expect(iris).toBeNull()
  expect(observation.image).toEqual({ width: 640, height: 480 })
  return { nose: nose!, crown: crown! }
}

describe('syntheticObservation', () => {
  it('sees a face from the front', () => {
    expect(seen({})).toEqual({ nose: [320, 240], crown: [320, 140] })
  })

  it('turns it as the angles of a pose say', () => {
    const left = seen({ yaw: 30 })
    expect(left.nose[0]).toBeCloseTo(320 - 50_000 / (1000 - 50 * Math.sqrt(3)), 6)
    expect(left.nose[1]).toBeCloseTo(240, 6)
    expect(seen({ pitch: 30 }).nose[1]).toBeLessThan(200)
    expect(seen({ roll: 90 }).crown).toEqual([expect.closeTo(420, 6), expect.closeTo(240, 6)])
  })

  it('sees landmarks where the scheme says that its detector puts them', () => {
    const camera = { type: 'weak' as const, scale: 2, principal: [50, 60] as [number, number] }
    const habits = { ...scheme, offset: Float32Array.of(1, 0, 0, 0, 2, 0, 0, 0, 0) }
    const view = { yaw: 0, pitch: 0, roll: 0, distance: 0, camera }
    expect(syntheticObservation(landmarks, habits, view).points).toEqual([[52, 60], [50, -144], null])
  })

  it('says what it knows of the camera', () => {
    const camera = { type: 'weak' as const, scale: 2, principal: [50, 60] as [number, number] }
    const view = { yaw: 0, pitch: 0, roll: 0, distance: 0, camera }
    expect(syntheticObservation(landmarks, scheme, view)).toEqual({
      image: { width: 100, height: 120 },
      scheme: 'three',
      points: [[50, 60], [50, -140], null],
      camera: { type: 'weak', principal: [50, 60] },
    })
    expect(
      syntheticObservation(landmarks, scheme, { ...view, camera: { type: 'perspective', focal: 9, principal: [0, 0] } })
        .camera,
    ).toEqual({
      type: 'perspective',
      principal: [0, 0],
      focal: 9,
    })
  })
})
