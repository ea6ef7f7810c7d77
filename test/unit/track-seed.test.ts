import { describe, expect, it } from 'vitest'
import { rotationOf, type Vector } from '../../lib/track/rotations.js'
import { SeedMotion } from '../../lib/track/SeedMotion.js'

const BOUNDS = [0, 1, -0.5, 1]

/** A seed as native/core/FitSeed.h lays it out, with three latents and two expressions. */
function seed(turn: Vector, place: number, expressions: readonly number[]): Float64Array {
  const [noise, drift, latents] = [2, 0.1, [7, 8, 9]]
  const scan = [place, 2 * place, 3 * place]
  const camera = [place, -place, 0.01 * place, 6]
  return Float64Array.of(...rotationOf(turn), ...scan, ...camera, noise, drift, ...latents, ...expressions)
}

const close = (values: Float64Array) => Array.from(values, (value) => expect.closeTo(value, 9))

describe('SeedMotion', () => {
  it('goes on as a face moves steadily: where it is, how it is turned, how its mouth opens', () => {
    const motion = new SeedMotion(BOUNDS)
    const at = (t: number) => seed([0, 0.02 * t, 0], 3 + 4 * t, [0.1 + 0.005 * t, 0.2])
    for (let t = 0; t < 60; t++) motion.saw(at(t))
    expect(Array.from(motion.ahead()!)).toEqual(close(at(60)))
  })

  it('stays where a face rests, and knows nothing before the first frame', () => {
    const motion = new SeedMotion(BOUNDS)
    expect(motion.ahead()).toBeUndefined()
    const still = seed([0.3, 0, 0.1], 5, [0, 0.4])
    for (let t = 0; t < 3; t++) motion.saw(still)
    expect(Array.from(motion.ahead()!)).toEqual(close(still))
    expect(motion.ahead()).not.toBe(still)
  })

  it('keeps expressions within their bounds', () => {
    const motion = new SeedMotion(BOUNDS)
    for (let t = 0; t < 9; t++) motion.saw(seed([0, 0, 0], 0, [0.12 * t, 0.4 - 0.11 * t]))
    expect(Array.from(motion.ahead()!.subarray(-2))).toEqual([1, -0.5])
  })

  it('forgets how the face moved when it is lost', () => {
    const motion = new SeedMotion(BOUNDS)
    for (let t = 0; t < 5; t++) motion.saw(seed([0.1 * t, 0, 0], t, [0, 0]))
    motion.restart()
    expect(motion.ahead()).toBeUndefined()
    const elsewhere = seed([0, 1, 0], 100, [0.5, 0.5])
    motion.saw(elsewhere)
    expect(Array.from(motion.ahead()!)).toEqual(close(elsewhere))
  })
})
