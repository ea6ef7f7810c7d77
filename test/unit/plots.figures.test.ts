import { describe, expect, it } from 'vitest'
import { Bootstrap } from '../../lib/evaluate/bootstrap.js'
import { angularMap, principalDirections, principalMap } from '../../lib/evaluate/latentMap.js'
import { pairCosines } from '../../lib/evaluate/pairDistances.js'
import { numberPeople } from '../../lib/evaluate/people.js'
import { allPairs, isSame } from '../../lib/evaluate/trials.js'
import { verify } from '../../lib/evaluate/verification.js'
import {
  cumulativeErrorFigure,
  latentMapFigure,
  latentSphereFigure,
  modesFigure,
  rocFigure,
  similarityFigure,
} from '../../lib/plots/figures.js'
import { heatMap } from '../../lib/plots/heatMap.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'
import { normals, normalVector } from '../fixtures/random.js'
import { attributesOf, checkMarkup } from '../fixtures/svg.js'

const normal = normals(17)

describe('maps of latents', () => {
  it('are the principal components, by covariance or Gram matrix', () => {
    // A plane in ten dimensions.
    const [a, b] = [normalVector(10, normal), normalVector(10, normal)]
    const vectors = Array.from({ length: 40 }, () => {
      const [s, t] = [3 * normal(), normal()]
      return a.map((value, d) => 5 + s * value + t * b[d]!)
    })
    for (const some of [vectors, vectors.slice(0, 8)]) {
      const { coordinates, shares } = principalMap(some, 3)
      expect(shares[0]! + shares[1]!).toBeCloseTo(1, 10)
      expect(shares[0]).toBeGreaterThan(shares[1]!)
      for (const [i, one] of coordinates.entries()) {
        expect(one).toHaveLength(3)
        for (const [j, other] of coordinates.entries())
          expect(Math.hypot(...one.map((value, k) => value - other[k]!))).toBeCloseTo(
            Math.hypot(...some[i]!.map((value, d) => value - some[j]![d]!)),
            6,
          )
      }
    }
  })

  it('keep angles along a great circle', () => {
    const angles = [0, 0.2, 0.5, 1.1, 1.4]
    const { coordinates, shares } = angularMap(angles.map((angle) => [2 * Math.cos(angle), 2 * Math.sin(angle), 0]))
    expect(shares[0]).toBeCloseTo(1, 10)
    for (const [i, angle] of angles.entries())
      expect(Math.abs(coordinates[i]![0]! - coordinates[0]![0]!)).toBeCloseTo(angle, 8)
  })

  it('see all directions in three dimensions where there are no more', () => {
    const directions = Array.from({ length: 6 }, () => normalVector(3, normal))
    const seen = principalDirections(directions)
    const cosine = (u: ArrayLike<number>, v: ArrayLike<number>) =>
      (u[0]! * v[0]! + u[1]! * v[1]! + u[2]! * v[2]!) /
      Math.hypot(u[0]!, u[1]!, u[2]!) /
      Math.hypot(v[0]!, v[1]!, v[2]!)
    for (const [i, one] of seen.entries())
      for (const [j, other] of seen.entries())
        expect(cosine(one, other)).toBeCloseTo(cosine(directions[i]!, directions[j]!), 10)
    // What they have in common is the first direction, and positive.
    for (const sign of [-1, 1]) {
      const shifted = directions.map((direction) => direction.map((value) => sign * (6 + value)))
      for (const [first] of principalDirections(shifted)) expect(first).toBeGreaterThan(0.7)
    }
    expect(
      principalDirections([
        [1, 0],
        [0, 1],
      ]),
    ).toHaveLength(2)
  })
})

describe('figures', () => {
  const labels = Array.from({ length: 200 }, (_, i) => ({ subject: `s${i % 25}` }))
  const centres = Array.from({ length: 25 }, () => normalVector(10, normal))
  const people = numberPeople(labels)
  const embeddings = labels.map((_, i) => centres[i % 25]!.map((value) => value + 0.8 * normal()))
  const pairs = allPairs(people)
  const scores = pairCosines(pairs, embeddings)
  const verification = verify(pairs, scores, new Bootstrap(people.count, { resamples: 50 }))

  it('draw ROC curves small enough to load', () => {
    const models = [
      { name: 'sphere', verification },
      { name: 'PCA', verification },
    ]
    const svg = rocFigure({ title: 'ROC', models })
    checkMarkup(svg)
    expect(svg.length).toBeLessThan(40_000)
    expect(rocFigure({ title: 'ROC', models })).toBe(svg)
    for (const name of ['sphere', 'PCA', 'chance']) expect(svg).toContain(`>${name}</text>`)
  })

  it('draw similarities with their thresholds', () => {
    const { thresholds } = verification
    const svg = similarityFigure({ title: 's', label: 'cosine', scores, same: isSame(pairs), thresholds })
    checkMarkup(svg)
    expect(svg).toContain('>FAR 1%</text>')
    expect(svg).toContain('>FAR 0.1%</text>')
  })

  it('draw errors over modes, and how many are how large', () => {
    const points = [16, 32, 64].map((modes) => ({ modes, value: 4 / modes, low: 3 / modes, high: 5 / modes }))
    checkMarkup(modesFigure({ title: 'm', label: 'mm', models: [{ name: 'a', points }] }))
    checkMarkup(modesFigure({ title: 'm', label: 'mm', models: [] }))
    checkMarkup(cumulativeErrorFigure({ title: 'c', label: 'mm', upTo: 5, models: [{ name: 'a', errors: [1, 2, 3] }] }))
  })

  it('draw the latents of those who have most photos', () => {
    const options = { title: 'l', embeddings, people, most: 6 }
    for (const svg of [latentMapFigure(options), latentMapFigure({ ...options, method: 'principal' })]) {
      checkMarkup(svg)
      expect(attributesOf(svg, 'circle')).toHaveLength(48)
    }
    const sphere = latentSphereFigure(options)
    checkMarkup(sphere)
    expect(attributesOf(sphere, 'circle')).toHaveLength(49)
  })
})

describe('heatMap', () => {
  /** A ball with a tip, F triangles. */
  function head(rings: number, sectors: number) {
    const vertices: number[] = []
    const triangles: number[] = []
    for (let r = 0; r <= rings; r++) {
      for (let s = 0; s < sectors; s++) {
        const [theta, phi] = [(Math.PI * r) / rings, (2 * Math.PI * s) / sectors]
        vertices.push(
          80 * Math.sin(theta) * Math.cos(phi),
          110 * Math.cos(theta),
          -90 * Math.sin(theta) * Math.sin(phi),
        )
        if (r === rings) continue
        const [a, b] = [r * sectors + s, r * sectors + ((s + 1) % sectors)]
        triangles.push(a, a + sectors, b, b, a + sectors, b + sectors)
      }
    }
    return { vertices: Float32Array.from(vertices), triangles: Int32Array.from(triangles) }
  }

  const trianglesIn = (svg: string) => svg.match(/M\d+,\d+l/g)?.length ?? 0

  it('stays below two megabytes for seventeen thousand triangles', () => {
    const mesh = head(85, 100)
    expect(mesh.triangles.length / 3).toBe(17_000)
    const values = Float64Array.from({ length: mesh.vertices.length / 3 }, () => Math.abs(normal()))
    const svg = heatMap({ title: 'h', ...mesh, values, label: 'mm' })
    checkMarkup(svg)
    expect(svg.length).toBeLessThan(1_200_000)
    // Half of them are on the far side, in either view.
    expect(trianglesIn(svg)).toBeGreaterThan(16_000)
    expect(trianglesIn(svg)).toBeLessThan(17_500)
  })

  it('paints what is near over what is far, and no backs', () => {
    const square = (z: number) => [-1, -1, z, 1, -1, z, 1, 1, z, -1, 1, z]
    const svg = heatMap({
      title: 'h',
      vertices: [...square(0), ...square(30)],
      // The near one first in the file; then a back.
      triangles: [4, 5, 6, 0, 1, 2, 0, 2, 1],
      values: [0, 0, 0, 0, 1, 1, 1, 1],
      maximum: 1,
      label: 'mm',
      views: [0],
    })
    checkMarkup(svg)
    const colours = attributesOf(svg, 'path').flatMap(({ color }) => (color ? [color] : []))
    expect(trianglesIn(svg)).toBe(2)
    expect(colours).toHaveLength(2)
    const green = (hex: string) => Number.parseInt(hex.slice(3, 5), 16)
    expect(green(colours[1]!)).toBeGreaterThan(green(colours[0]!) + 100)
  })

  it('turns the head: a positive angle shows the right cheek', () => {
    // One triangle on the right side of the head, which is at -X.
    const cheek = { vertices: [-50, 0, 0, -50, 0, 20, -50, 20, 0], triangles: [0, 1, 2] }
    const at = (yaw: number) =>
      trianglesIn(heatMap({ title: 'h', ...cheek, values: [1, 1, 1], label: 'mm', views: [yaw] }))
    expect([at(-60), at(0), at(60)]).toEqual([0, 0, 1])
  })

  it('shows grey where there is no number, and bad input by name', () => {
    const one = { title: 'h', vertices: [0, 0, 0, 1, 0, 0, 0, 1, 0], triangles: [0, 1, 2], label: 'mm' }
    expect(heatMap({ ...one, values: [1, Number.NaN, 1], views: [0] })).toContain('color="#999999"')
    checkMarkup(heatMap({ ...one, values: [0, 0, 0] }))
    expectSfmError(() => heatMap({ ...one, values: [1] }), 'INVALID_ARGUMENT', /^values: expected 3 numbers/)
    expectSfmError(
      () => heatMap({ ...one, triangles: [0, 1, 3], values: [1, 1, 1] }),
      'INVALID_ARGUMENT',
      /^triangles\[2\]/,
    )
    expectSfmError(() => heatMap({ ...one, values: [1, 1, 1], maximum: 0 }), 'INVALID_ARGUMENT', /^maximum/)
    expectSfmError(() => heatMap({ ...one, values: [1, 1, 1], views: [] }), 'INVALID_ARGUMENT', /^views/)
    expectSfmError(() => heatMap({ ...one, vertices: [1], values: [1, 1, 1] }), 'INVALID_ARGUMENT', /^vertices/)
  })
})
