import { describe, expect, it } from 'vitest'
import { FaceMotion } from '../../lib/track/FaceMotion.js'
import { MotionFilter } from '../../lib/track/MotionFilter.js'
import { rotationOf, times, type Vector, vectorOf } from '../../lib/track/rotations.js'
import { normals } from '../fixtures/random.js'
import { rootMeanSquare } from '../fixtures/reference.js'

/** What a filter makes of measurements, the first of which it takes as it is. */
function smooth(measured: ArrayLike<number>): number[] {
  const filter = new MotionFilter(1e-9)
  filter.rest()
  let position = measured[0]!
  const positions = [position]
  for (let t = 1; t < measured.length; t++) {
    const expected = position + filter.velocity
    position = expected + filter.update(measured[t]! - expected, measured[t]! - measured[t - 1]!)
    positions.push(position)
  }
  return positions
}

/** A path with noise of standard deviation 1. */
function noisy(path: (t: number) => number, count: number, seed = 1): Float64Array {
  const normal = normals(seed)
  return Float64Array.from({ length: count }, (_, t) => path(t) + normal())
}

const errors = (positions: readonly number[], path: (t: number) => number, from: number) =>
  positions.slice(from).map((position, i) => position - path(from + i))

describe('rotation vectors', () => {
  it.each<[string, Vector]>([
    ['none', [0, 0, 0]],
    ['a tiny one', [1e-9, -2e-9, 1e-9]],
    ['a small one', [1e-3, 2e-3, -1e-3]],
    ['a large one', [1.2, -0.7, 2]],
  ])('lead there and back: %s', (_, vector) => {
    const rotation = rotationOf(vector)
    expect(vectorOf(rotation)).toEqual(vector.map((value) => expect.closeTo(value, 9)))
    expect([...times(rotation, rotation, true)]).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 1].map((v) => expect.closeTo(v, 12)))
  })

  it('turn the right way', () => {
    const quarter = rotationOf([0, 0, Math.PI / 2])
    expect([...quarter]).toEqual([0, -1, 0, 1, 0, 0, 0, 0, 1].map((v) => expect.closeTo(v, 12)))
    expect(vectorOf(times(quarter, rotationOf([0, 0, 1])))[2]).toBeCloseTo(Math.PI / 2 + 1, 9)
  })
})

describe('a motion filter', () => {
  it('holds still what only noise moves', () => {
    for (const seed of [1, 2, 3]) {
      const still = () => 5
      const positions = smooth(noisy(still, 400, seed))
      expect(rootMeanSquare(errors(positions, still, 60))).toBeLessThan(0.4)
    }
  })

  it('is not behind a steady motion, however slow', () => {
    for (const speed of [0.05, 0.5, 3]) {
      const path = (t: number) => speed * t
      const behind = errors(smooth(noisy(path, 400)), path, 60)
      expect(Math.abs(behind.reduce((sum, each) => sum + each, 0) / behind.length)).toBeLessThan(0.1)
      expect(rootMeanSquare(behind)).toBeLessThan(0.45)
    }
  })

  it('never falls behind by more than a frame of the motion, but for what the noise hides', () => {
    const path = (t: number) => (t < 100 ? 0 : t < 130 ? 6 * (t - 100) : 180) + 20 * Math.sin(Math.max(0, t - 200) / 4)
    const measured = noisy(path, 300)
    const noiseBand = 5
    for (const [t, position] of smooth(measured).entries()) {
      const frame = t > 0 ? Math.abs(measured[t]! - measured[t - 1]!) : 0
      expect(Math.abs(position - measured[t]!)).toBeLessThanOrEqual(Math.max(frame, noiseBand))
    }
  })

  it('follows what has no noise', () => {
    const path = (t: number) => (t < 20 ? 1 : t < 30 ? 1 + t - 20 : 11)
    const measured = Float64Array.from({ length: 60 }, (_, t) => path(t))
    expect(rootMeanSquare(errors(smooth(measured), path, 0))).toBeLessThan(0.01)
  })

  it('learns the noise again after a rest', () => {
    const filter = new MotionFilter(0.5)
    expect(filter.noise).toBe(0.5)
    filter.rest()
    const normal = normals(4)
    let before = 0
    for (let t = 0; t < 500; t++) {
      const measured = 3 * normal()
      filter.update(measured, measured - before)
      before = measured
    }
    expect(filter.noise).toBeGreaterThan(2)
    expect(filter.noise).toBeLessThan(4)
    filter.rest()
    expect(filter.velocity).toBe(0)
    expect(filter.noise).toBeGreaterThan(2)
  })
})

describe('the motion of a face', () => {
  const camera = { type: 'perspective', focal: 1000, principal: [0, 0] } as const
  const face = (yaw: number, z: number, smile: number) => ({
    rotation: rotationOf([0, yaw, 0]),
    translation: Float64Array.of(10, -5, z),
    camera: { ...camera, principal: [0, 0] as [number, number] },
    expression: Float32Array.of(smile),
  })

  it('is that of the frames, with a quarter of the noise', () => {
    const normal = normals(7)
    const motion = new FaceMotion([0, 1])
    const measured = Array.from({ length: 200 }, () =>
      face(0.3 + 0.01 * normal(), 600 + 5 * normal(), 0.5 + 0.02 * normal()),
    )
    const smoothed = measured.map((each) => motion.smooth(each)).slice(60)
    const yaw = smoothed.map(({ rotation }) => vectorOf(rotation)[1] - 0.3)
    expect(rootMeanSquare(yaw)).toBeLessThan(0.004)
    expect(rootMeanSquare(smoothed.map(({ translation }) => translation[2]! - 600))).toBeLessThan(2)
    expect(rootMeanSquare(smoothed.map(({ expression }) => expression[0]! - 0.5))).toBeLessThan(0.008)
  })

  it('stays within the bounds of expressions, and starts anew when told to', () => {
    const motion = new FaceMotion([0, 1])
    for (let t = 0; t < 30; t++)
      expect(motion.smooth(face(0, 600, Math.min(1, t / 12))).expression[0]).toBeLessThanOrEqual(1)
    motion.restart()
    const other = face(1, 400, 0.1)
    const { rotation, translation, expression } = motion.smooth(other)
    expect([...rotation]).toEqual([...other.rotation])
    expect([...translation]).toEqual([...other.translation].map((value) => expect.closeTo(value, 9)))
    expect(expression[0]).toBeCloseTo(0.1, 6)
  })

  it('keeps the size in the image where the focal length is another', () => {
    const motion = new FaceMotion([0, 1])
    const { translation, camera: reported } = motion.smooth(face(0, 600, 0), 2000)
    expect(reported).toMatchObject({ focal: 2000 })
    expect([...translation]).toEqual([10, -5, 1200].map((value) => expect.closeTo(value, 9)))
  })

  it('of a weak camera is in its scale, of a scan in its translation', () => {
    const weak = { type: 'weak' as const, scale: 2, principal: [0, 0] as [number, number] }
    const { camera: reported, translation } = new FaceMotion([0, 1]).smooth({ ...face(0, 0, 0), camera: weak })
    expect(reported).toEqual({ ...weak, scale: expect.closeTo(2, 9) })
    expect([...translation]).toEqual([10, -5, 0].map((value) => expect.closeTo(value, 9)))
    const scan = new FaceMotion([0, 1]).smooth({ ...face(0, 30, 0), camera: null })
    expect(scan.camera).toBeNull()
    expect([...scan.translation]).toEqual([10, -5, 30])
  })
})
