import { describe, expect, it } from 'vitest'
import { agreement, align, angleOf, misfit, similarityOf, transformed } from '../../lib/alignment.js'
import { axesMatrix, describeAxes, nearestAxes, parseAxes } from '../../lib/corpus/importing/axes.js'
import { detectUnit, gaugeOf, isPlausible, UNITS, type Unit } from '../../lib/corpus/importing/units.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'
import { normals } from '../fixtures/random.js'
import { largestDifference, rotationReference, transformReference } from '../fixtures/reference.js'
import { tinyGaussianModel } from '../fixtures/tinyModel.js'

const template = tinyGaussianModel()
const mean = Float64Array.from(template.mean)
const turned = (matrix: readonly number[], translation = [3, -20, 500], points = mean) =>
  transformReference(points, { rotation: [...matrix], translation })
const transposed = (m: readonly number[]) => [0, 3, 6, 1, 4, 7, 2, 5, 8].map((i) => m[i]!)
/** Of determinant 1: a head in the camera's axes is turned over. */
const rotations = [
  [0, 0, 0],
  [40, 10, -5],
  [-80, 0, 60],
  [0, 0, 180],
  [179, -30, 90],
].map(([yaw, pitch, roll]) => rotationReference(yaw!, pitch, roll))

describe('align', () => {
  it.each(rotations)('finds the rotation %#', (...rotation) => {
    const alignment = align(turned(rotation), mean)
    expect(largestDifference(alignment.proper.matrix, transposed(rotation))).toBeLessThan(1e-12)
    expect(misfit(alignment.proper, alignment)).toBeLessThan(1e-7)
    expect(misfit(alignment.improper, alignment)).toBeGreaterThan(0.2)
    const motion = similarityOf(alignment, alignment.proper.matrix)
    expect(largestDifference(transformed(turned(rotation), motion), mean)).toBeLessThan(1e-4)
    expect(alignment.isUnique).toBe(true)
    const trace = rotation[0]! + rotation[4]! + rotation[8]!
    expect(Math.cos(angleOf(alignment.proper.matrix))).toBeCloseTo((trace - 1) / 2, 10)
  })

  it.each(rotations)('finds the reflection in it %#', (...rotation) => {
    const mirror = rotation.map((x, i) => (i % 3 === 0 ? -x : x))
    const alignment = align(turned(mirror), mean)
    expect(largestDifference(alignment.improper.matrix, transposed(mirror))).toBeLessThan(1e-12)
    expect(misfit(alignment.improper, alignment)).toBeLessThan(1e-7)
  })

  it('is the best there is: no small turn fits better', () => {
    const normal = normals(4)
    const noisy = turned(rotations[1]!).map((x) => x + 15 * normal())
    const alignment = align(noisy, mean)
    const distance = (matrix: ArrayLike<number>) => {
      const placed = transformed(noisy, similarityOf(alignment, matrix))
      return mean.reduce((sum, x, i) => sum + (x - placed[i]!) ** 2, 0)
    }
    const best = distance(alignment.proper.matrix)
    // By the gain: |to|^2 + |from|^2 - 2 gain.
    expect(best).toBeCloseTo(alignment.toSpread + alignment.fromSpread - 2 * alignment.proper.gain, 0)
    const small = (x: number, y: number, z: number) => [1, -z, y, z, 1, -x, -y, x, 1]
    for (const [x, y, z] of [
      [1e-2, 0, 0],
      [0, 1e-2, 0],
      [0, 0, 1e-2],
      [-1e-2, 0, 0],
      [0, -1e-2, 0],
      [0, 0, -1e-2],
    ]) {
      const s = Math.sqrt(1 + 1e-4)
      const [turn, m] = [small(x!, y!, z!), alignment.proper.matrix]
      const product = Array.from(
        { length: 9 },
        (_, i) => [0, 1, 2].reduce((sum, k) => sum + turn[3 * Math.floor(i / 3) + k]! * m[3 * k + (i % 3)]!, 0) / s,
      )
      expect(distance(product)).toBeGreaterThan(best)
    }
  })

  it('does not mind scale, and finds nothing in points without relation', () => {
    const scaled = align(
      turned(rotations[2]!).map((x) => x / 1000),
      mean,
    )
    expect(misfit(scaled.proper, scaled)).toBeLessThan(1e-6)
    expect(agreement(scaled.proper, scaled)).toBeCloseTo(1, 12)
    expect(scaled.toSpread / scaled.fromSpread).toBeCloseTo(1e6, 0)
    const normal = normals(5)
    const others = align(
      mean.map(() => normal()),
      mean,
    )
    expect(Math.min(misfit(others.proper, others), misfit(others.improper, others))).toBeGreaterThan(0.8)
  })
})

describe('axes', () => {
  it.each([
    ['x,y,z', [1, 0, 0, 0, 1, 0, 0, 0, 1], ''],
    ['x,z,-y', [1, 0, 0, 0, 0, 1, 0, -1, 0], 'y and z are swapped'],
    ['y,x,z', [0, 1, 0, 1, 0, 0, 0, 0, 1], 'x and y are swapped'],
    ['-x,y,z', [-1, 0, 0, 0, 1, 0, 0, 0, 1], 'x is flipped'],
    ['x,-y,-z', [1, 0, 0, 0, -1, 0, 0, 0, -1], 'y and z are flipped'],
    ['y,z,x', [0, 1, 0, 0, 0, 1, 1, 0, 0], 'x, y and z are swapped'],
    ['-y,-x,-z', [0, -1, 0, -1, 0, 0, 0, 0, -1], 'x and y are swapped, z is flipped'],
  ])('%s are a matrix and words', (text, matrix, words) => {
    const axes = parseAxes(text)
    expect(axesMatrix(axes)).toEqual(matrix)
    expect(describeAxes(axes)).toBe(words)
    expect(nearestAxes(matrix)).toEqual({ axes, cosine: 1 })
  })

  it('are those that a turn is nearest to', () => {
    const tilted = rotationReference(20, 0, 0).map((x, i) => (i < 3 ? x : -x))
    const { axes, cosine } = nearestAxes(tilted)
    expect(axes).toEqual(['x', 'y', 'z'])
    expect(cosine).toBeCloseTo(Math.cos((20 * Math.PI) / 180), 10)
    expect(nearestAxes(rotationReference(70, 0, 0).map((x, i) => (i < 3 ? x : -x))).axes).toEqual(['-z', 'y', 'x'])
  })

  it.each(['', 'x,y', 'x,y,y', 'x,y,w', 'x y z', 'x,y,--z', 'x,y,z,x'])('%j are none', (text) => {
    expectSfmError(() => parseAxes(text), 'INVALID_ARGUMENT', /^axes: expected each of x, y and z once/)
  })

  it('may have a plus', () => {
    expect(parseAxes(' +x, -z,y ')).toEqual(['x', '-z', 'y'])
  })
})

describe('units', () => {
  const gauge = gaugeOf(template, mean)

  it('go by the distance between the outer corners of the eyes', () => {
    expect(gauge.name).toBe('distance between the outer corners of the eyes')
    expect(gauge.measure(turned(rotations[3]!))).toBeCloseTo(gauge.expected, 3)
    const other = { ...template, schemes: new Map() }
    const size = gaugeOf(other, mean)
    expect(size.name).toBe('size')
    expect(size.measure(mean.map((x) => x + 5))).toBeCloseTo(size.expected, 6)
  })

  it.each(Object.entries(UNITS) as Array<[Unit, number]>)('%s are told by it, of small faces and large', (unit, mm) => {
    for (const factor of [0.75, 1, 1.3]) expect(detectUnit((factor * gauge.expected) / mm, gauge)).toBe(unit)
  })

  it('are unknown where none makes a face', () => {
    for (const length of [0, 5e-6, 20, 1e9, Number.NaN].map((mm) => mm * gauge.expected))
      expect(detectUnit(length, gauge)).toBeUndefined()
    expect(isPlausible(90, 90)).toBe(true)
    expect(isPlausible(200, 90)).toBe(false)
  })
})
