import { describe, expect, it } from 'vitest'
import { transformed } from '../../lib/alignment.js'
import { alignPoints } from '../../lib/evaluate/alignment.js'
import { SurfaceTree } from '../../lib/evaluate/SurfaceTree.js'
import { cumulativeErrors, scanToMesh } from '../../lib/evaluate/scanDistance.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'
import { normals, normalVector, uniforms } from '../fixtures/random.js'

/** A rotation from a quaternion that need not be normalised. */
function rotationOf(q: ArrayLike<number>): Float64Array {
  const length = Math.hypot(q[0]!, q[1]!, q[2]!, q[3]!)
  const [w, x, y, z] = Array.from(q, (value) => value / length) as [number, number, number, number]
  return Float64Array.of(
    w * w + x * x - y * y - z * z,
    2 * (x * y - w * z),
    2 * (x * z + w * y),
    2 * (x * y + w * z),
    w * w - x * x + y * y - z * z,
    2 * (y * z - w * x),
    2 * (x * z - w * y),
    2 * (y * z + w * x),
    w * w - x * x - y * y + z * z,
  )
}

/** A grid over the sphere of radius 1, poles closed. */
function ball(rings: number, sectors: number): { vertices: Float64Array; triangles: Int32Array } {
  const vertices: number[] = []
  const triangles: number[] = []
  for (let r = 0; r <= rings; r++) {
    for (let s = 0; s < sectors; s++) {
      const [theta, phi] = [(Math.PI * r) / rings, (2 * Math.PI * s) / sectors]
      vertices.push(Math.sin(theta) * Math.cos(phi), Math.sin(theta) * Math.sin(phi), Math.cos(theta))
      if (r === rings) continue
      const [a, b] = [r * sectors + s, r * sectors + ((s + 1) % sectors)]
      triangles.push(a, a + sectors, b, b, a + sectors, b + sectors)
    }
  }
  return { vertices: Float64Array.from(vertices), triangles: Int32Array.from(triangles) }
}

describe('alignment', () => {
  const normal = normals(7)

  it('recovers motions, and sizes where they are free', () => {
    for (let trial = 0; trial < 50; trial++) {
      const points = normalVector(3 * (3 + trial), normal).map((value) => 40 * value)
      const motion = {
        scale: trial % 2 ? 1 : 0.5 + trial / 20,
        rotation: rotationOf(normalVector(4, normal)),
        translation: normalVector(3, normal).map((value) => 500 * value),
      }
      const found = alignPoints(points, transformed(points, motion), { scale: trial % 2 === 0 })
      expect(found.scale).toBeCloseTo(motion.scale, 12)
      for (let i = 0; i < 9; i++) expect(found.rotation[i]).toBeCloseTo(motion.rotation[i]!, 11)
      for (let i = 0; i < 3; i++) expect(found.translation[i]).toBeCloseTo(motion.translation[i]!, 9)
    }
  })

  it('never reflects, not even flat points', () => {
    const flat = [0, 0, 0, 1, 0, 0, 0, 2, 0, 1, 3, 0]
    const mirrored = flat.map((value, i) => (i % 3 === 0 ? -value : value))
    const { rotation: r } = alignPoints(flat, mirrored)
    const determinant =
      r[0]! * (r[4]! * r[8]! - r[5]! * r[7]!) -
      r[1]! * (r[3]! * r[8]! - r[5]! * r[6]!) +
      r[2]! * (r[3]! * r[7]! - r[4]! * r[6]!)
    expect(determinant).toBeCloseTo(1, 12)
    // Half a turn about the y axis does it.
    for (const [i, value] of [-1, 0, 0, 0, 1, 0, 0, 0, -1].entries()) expect(r[i]).toBeCloseTo(value, 12)
  })

  it('is the least squares solution: no motion near it is better', () => {
    const from = normalVector(21, normal)
    const to = from.map((value) => 1.3 * value + 0.2 * normal())
    const error = (motion: Parameters<typeof transformed>[1]) =>
      transformed(from, motion).reduce((sum, value, i) => sum + (value - to[i]!) ** 2, 0)
    for (const scale of [false, true]) {
      const found = alignPoints(from, to, { scale })
      const least = error(found)
      for (let trial = 0; trial < 40; trial++) {
        const turn = rotationOf([1, 1e-3 * normal(), 1e-3 * normal(), 1e-3 * normal()])
        const rotation = Float64Array.from({ length: 9 }, (_, i) =>
          [0, 1, 2].reduce((sum, k) => sum + turn[3 * Math.floor(i / 3) + k]! * found.rotation[3 * k + (i % 3)]!, 0),
        )
        const translation = found.translation.map((value) => value + 1e-3 * normal())
        expect(error({ ...found, rotation, translation })).toBeGreaterThan(least)
        if (scale) expect(error({ ...found, scale: found.scale + 1e-3 * normal() })).toBeGreaterThan(least)
      }
    }
  })

  it('refuses points that determine no rotation', () => {
    const line = [0, 0, 0, 1, 1, 1, 3, 3, 3]
    expectSfmError(() => alignPoints(line, line), 'INVALID_ARGUMENT', /^source and target: .* not all on a line/)
    expectSfmError(() => alignPoints([1, 2, 3], [1, 2, 3]), 'INVALID_ARGUMENT', /^source: expected three points/)
    expectSfmError(() => alignPoints(line, [1, 2, 3]), 'INVALID_ARGUMENT', /^target: expected 9 values/)
    const same = Array<number>(9).fill(2)
    expectSfmError(() => alignPoints(same, same), 'INVALID_ARGUMENT', /^source and target/)
  })
})

describe('SurfaceTree', () => {
  it('measures to faces, edges and corners of a triangle', () => {
    const tree = new SurfaceTree([0, 0, 0, 4, 0, 0, 0, 4, 0], [0, 1, 2])
    const cases: [number[], number[]][] = [
      [
        [1, 1, 5],
        [1, 1, 0],
      ],
      [
        [1, 1, 0],
        [1, 1, 0],
      ],
      [
        [2, -3, 1],
        [2, 0, 0],
      ],
      [
        [-2, 3, -1],
        [0, 3, 0],
      ],
      [
        [4, 4, 2],
        [2, 2, 0],
      ],
      [
        [-1, -1, 1],
        [0, 0, 0],
      ],
      [
        [7, -1, 0],
        [4, 0, 0],
      ],
      [
        [-1, 9, 0],
        [0, 4, 0],
      ],
      [
        [5, 1, 0],
        [4, 0, 0],
      ],
    ]
    for (const [from, to] of cases) {
      const found = tree.nearest(from[0]!, from[1]!, from[2]!)
      expect([found.x, found.y, found.z]).toEqual(to)
      expect(found.distance).toBeCloseTo(Math.hypot(...from.map((value, i) => value - to[i]!)), 14)
      expect(found.triangle).toBe(0)
    }
  })

  it('takes degenerate triangles for the segments or points that they are', () => {
    const tree = new SurfaceTree([0, 0, 0, 2, 0, 0, 6, 0, 0, 9, 9, 9], [0, 1, 2, 3, 3, 3])
    expect(tree.nearest(4, 3, 0)).toEqual({ distance: 3, triangle: 0, x: 4, y: 0, z: 0 })
    expect(tree.nearest(9, 9, 11)).toEqual({ distance: 2, triangle: 1, x: 9, y: 9, z: 9 })
  })

  it('finds what looking at every triangle finds', () => {
    const normal = normals(12)
    const { vertices, triangles } = ball(12, 17)
    const bumpy = vertices.map((value) => value * (1 + 0.1 * normal()))
    const tree = new SurfaceTree(bumpy, triangles)
    const alone = Array.from(
      { length: triangles.length / 3 },
      (_, f) => new SurfaceTree(bumpy, triangles.slice(3 * f, 3 * f + 3)),
    )
    const points = normalVector(3 * 200, normal)
    const distances = tree.distances(points)
    for (let i = 0; i < 200; i++) {
      const [x, y, z] = [points[3 * i]!, points[3 * i + 1]!, points[3 * i + 2]!]
      const least = Math.min(...alone.map((triangle) => triangle.nearest(x, y, z).distance))
      expect(distances[i]).toBeCloseTo(least, 13)
      expect(tree.nearest(x, y, z).distance).toBe(distances[i])
    }
  })

  it('measures sixty thousand points to seventeen thousand triangles in a second', () => {
    const normal = normals(5)
    const { vertices, triangles } = ball(85, 100)
    expect(triangles.length / 3).toBe(17_000)
    const points = new Float64Array(3 * 60_000)
    for (let i = 0; i < points.length; i += 3) {
      const [x, y, z] = [normal(), normal(), normal()]
      const scale = (1 + 0.02 * normal()) / Math.hypot(x, y, z)
      points.set([x * scale, y * scale, z * scale], i)
    }
    const start = performance.now()
    const distances = new SurfaceTree(vertices, triangles).distances(points)
    // Some 0.3 s of one core, though neighbours do not follow each other here.
    expect(performance.now() - start).toBeLessThan(4000)
    for (let i = 0; i < 60_000; i += 601) {
      const radius = Math.hypot(points[3 * i]!, points[3 * i + 1]!, points[3 * i + 2]!)
      // The facets lie up to 0.0012 within the sphere.
      expect(Math.abs(distances[i]! - Math.abs(radius - 1))).toBeLessThan(0.0013)
    }
  })

  it('refuses what is no surface', () => {
    expectSfmError(() => new SurfaceTree([0, 0, 0], []), 'INVALID_ARGUMENT', /^triangles/)
    expectSfmError(
      () => new SurfaceTree([0, 0, 0], [0, 0, 1]),
      'INVALID_ARGUMENT',
      /^triangles\[2\]: expected an index/,
    )
    expectSfmError(() => new SurfaceTree([0, 0, Number.NaN], [0, 0, 0]), 'INVALID_ARGUMENT', /^vertices\[2\]/)
    expectSfmError(() => new SurfaceTree([0, 0, 0], [0, 0, 0]).distances([1]), 'INVALID_ARGUMENT', /^points/)
  })
})

describe('scanToMesh', () => {
  const uniform = uniforms(2)
  // A dome of 100 mm, seen as a face: its top the nose tip.
  const { vertices, triangles } = ball(60, 60)
  const mesh = { vertices: vertices.map((value) => 100 * value), triangles }
  const landmarks = Array.from({ length: 7 }, (_, i) => 3 * (60 * (5 + (i % 3)) + 8 * i)).flatMap((at) =>
    Array.from(mesh.vertices.slice(at, at + 3)),
  )
  const cap = (radius: number) => {
    const points: number[] = []
    for (let i = 0; i < 4000; i++) {
      const [theta, phi] = [1.5 * uniform(), 2 * Math.PI * uniform()]
      points.push(
        radius * Math.sin(theta) * Math.cos(phi),
        radius * Math.sin(theta) * Math.sin(phi),
        radius * Math.cos(theta),
      )
    }
    return points
  }
  const motion = { scale: 1, rotation: rotationOf([1, 2, -1, 3]), translation: Float64Array.of(300, -20, 900) }
  const moved = (points: ArrayLike<number>, scale = 1) => transformed(points, { ...motion, scale })

  it('measures the scan to the moved reconstruction, in the face region only', () => {
    const points = cap(102)
    const scan = { points, landmarks: moved(landmarks), noseTip: moved([0, 0, 100]) }
    const result = scanToMesh({ ...scan, points: moved(points) }, { ...mesh, landmarks })
    // Facets lie up to 0.2 mm within.
    expect(result.median).toBeGreaterThan(1.99)
    expect(result.median).toBeLessThan(2.2)
    expect(result.largest).toBeLessThan(2.25)
    expect(result.standardDeviation).toBeLessThan(0.08)
    const near = points
      .filter((_, i) => i % 3 === 0)
      .filter((x, i) => {
        const [y, z] = [points[3 * i + 1]!, points[3 * i + 2]!]
        return Math.hypot(x, y, z - 100) <= 95
      })
    expect(result.count).toBe(near.length)
    expect(result.distances).toHaveLength(near.length)
  })

  it('forgives a wrong size only where it is told to', () => {
    const scan = { points: moved(cap(100), 1.1), landmarks: moved(landmarks, 1.1), noseTip: moved([0, 0, 100], 1.1) }
    const reconstruction = { ...mesh, landmarks }
    expect(scanToMesh(scan, reconstruction, { scale: true }).largest).toBeLessThan(0.25)
    expect(scanToMesh(scan, reconstruction).mean).toBeGreaterThan(1.5)
  })

  it('says where the face is not', () => {
    const scan = { points: moved(cap(100)), landmarks: moved(landmarks), noseTip: [0, 0, 0] }
    expectSfmError(
      () => scanToMesh(scan, { ...mesh, landmarks }),
      'INVALID_ARGUMENT',
      /^scan\.points: expected points within 95 mm/,
    )
  })
})

describe('cumulativeErrors', () => {
  it('counts what is within', () => {
    expect(cumulativeErrors([0, 1, 1.5, 9], { upTo: 2, steps: 2 })).toEqual([
      { error: 0, share: 0.25 },
      { error: 1, share: 0.5 },
      { error: 2, share: 0.75 },
    ])
    expectSfmError(() => cumulativeErrors([1], { upTo: 0 }), 'INVALID_ARGUMENT', /^upTo/)
    expectSfmError(() => cumulativeErrors([], { upTo: 1 }), 'INVALID_ARGUMENT', /^errors/)
  })
})
