import { describe, expect, it } from 'vitest'
import { findAllFaces, sizeOf } from '../../lib/photos/findAllFaces.js'
import { findFaces } from '../../lib/photos/findFaces.js'
import { locateLandmarks } from '../../lib/photos/locateLandmarks.js'
import { MESH_POINTS } from '../../lib/photos/Networks.js'
import { halvedTo, Pyramid, TooCoarse } from '../../lib/photos/Pyramid.js'
import { type DrawnFace, drawFaces, eyeOf, fakeNetworks, IRIS, meshPoint } from '../fixtures/fakeNetworks.js'

const networks = fakeNetworks()

/** The landmarks that the stand-in sees, in the picture. */
function landmarksOf(face: DrawnFace): Array<[number, number]> {
  const [right, left] = [eyeOf(face, 'right'), eyeOf(face, 'left')]
  const distance = Math.hypot(left[0] - right[0], left[1] - right[1])
  const tilt = face.tilt ?? 0
  return Array.from({ length: MESH_POINTS }, (_, i) => {
    const [u, v] = meshPoint(i)
    return [
      (left[0] + right[0]) / 2 + distance * (Math.cos(tilt) * u - Math.sin(tilt) * v),
      (left[1] + right[1]) / 2 + distance * (Math.sin(tilt) * u + Math.cos(tilt) * v),
    ]
  })
}

/** Points that the iris model leaves alone: not around the eyes. */
const ELSEWHERE = [0, 1, 10, 61, 152, 234, 291, 454]

function largestError(points: ReadonlyArray<readonly [number, number]>, face: DrawnFace): number {
  const truth = landmarksOf(face)
  return Math.max(...ELSEWHERE.map((i) => Math.hypot(points[i]![0] - truth[i]![0], points[i]![1] - truth[i]![1])))
}

describe('findFaces', () => {
  it('says where faces are and how they are tilted, the surest first', () => {
    const faces = [
      { x: 130, y: 150, radius: 60, tilt: 0.4 },
      { x: 420, y: 260, radius: 40, tilt: -0.3 },
    ]
    const picture = new Pyramid(drawFaces(512, 400, faces))
    const surer = fakeNetworks({ score: (samples) => (samples > 50 ? 0.7 : 0.9) })
    const found = findFaces(surer, picture, { x: 256, y: 200, side: 512, angle: 0 })
    expect(found.map(({ score }) => score)).toEqual([expect.closeTo(0.9, 5), expect.closeTo(0.7, 5)])
    for (const [i, { square }] of found.entries()) {
      const { x, y, radius, tilt } = faces[1 - i]!
      expect(Math.hypot(square.x - x, square.y - y)).toBeLessThan(0.05 * radius)
      expect(square.side / (2 * radius)).toBeCloseTo(1, 1)
      expect(square.angle).toBeCloseTo(tilt, 1)
    }
  })

  it('looks at a part of the picture as it is turned', () => {
    const face = { x: 300, y: 200, radius: 50, tilt: Math.PI / 2 }
    const picture = new Pyramid(drawFaces(600, 400, [face]))
    expect(findFaces(networks, picture, { x: 300, y: 200, side: 300, angle: 0 })).toEqual([])
    const [found] = findFaces(networks, picture, { x: 280, y: 210, side: 300, angle: Math.PI / 2 })
    expect(found?.square).toMatchObject({ x: expect.closeTo(300, -0.5), y: expect.closeTo(200, -0.5) })
    expect(found?.square.angle).toBeCloseTo(Math.PI / 2, 1)
  })
})

describe('locateLandmarks', () => {
  it('finds 478 landmarks from a rough square', () => {
    const face = { x: 210, y: 190, radius: 70, tilt: 0.25 }
    const picture = new Pyramid(drawFaces(400, 400, [face]))
    const located = locateLandmarks(networks, picture, { x: 200, y: 200, side: 160, angle: 0 })
    expect(located?.points).toHaveLength(478)
    expect(largestError(located!.points, face)).toBeLessThan(0.02 * 2 * face.radius)
  })

  it('gives both irises in one order: centre, right, top, left, bottom of the picture', () => {
    const face = { x: 200, y: 200, radius: 80 }
    const { points } = locateLandmarks(networks, new Pyramid(drawFaces(400, 400, [face])), {
      ...face,
      side: 160,
      angle: 0,
    })!
    for (const first of [468, 473]) {
      const centre = points[first]!
      const length = Math.hypot(points[first + 1]![0] - centre[0], points[first + 1]![1] - centre[1])
      expect(length).toBeGreaterThan(0.5)
      for (const [j, [u, v]] of IRIS.entries()) {
        expect(points[first + j]![0] - centre[0]).toBeCloseTo((u / 6) * length, 4)
        expect(points[first + j]![1] - centre[1]).toBeCloseTo((v / 6) * length, 4)
      }
    }
  })

  it('sees no face where the network sees none', () => {
    const face = { x: 200, y: 200, radius: 80 }
    const picture = new Pyramid(drawFaces(400, 400, [face]))
    const square = { ...face, side: 160, angle: 0 }
    expect(locateLandmarks(fakeNetworks({ presence: 0.49 }), picture, square)).toBeUndefined()
    expect(locateLandmarks(networks, new Pyramid(drawFaces(400, 400, [])), square)).toBeUndefined()
  })
})

describe('findAllFaces', () => {
  it.each<[string, number, number, DrawnFace[]]>([
    ['one', 640, 480, [{ x: 320, y: 240, radius: 90 }]],
    ['a tilted one', 640, 480, [{ x: 320, y: 240, radius: 90, tilt: -0.6 }]],
    ['one at the border', 480, 640, [{ x: 60, y: 100, radius: 80 }]],
    ['one on its side', 640, 480, [{ x: 300, y: 260, radius: 90, tilt: Math.PI / 2 }]],
    ['one on the other side', 640, 480, [{ x: 300, y: 260, radius: 90, tilt: -Math.PI / 2 }]],
    ['one on its head', 640, 480, [{ x: 300, y: 260, radius: 90, tilt: Math.PI }]],
    ['a small one in a large picture', 2048, 1024, [{ x: 1500, y: 700, radius: 30 }]],
    [
      'many, the largest first',
      1200,
      800,
      [
        { x: 250, y: 300, radius: 140 },
        { x: 600, y: 300, radius: 100, tilt: 0.2 },
        { x: 900, y: 500, radius: 60 },
        { x: 1100, y: 200, radius: 30 },
      ],
    ],
  ])('finds %s', (_, width, height, faces) => {
    const found = findAllFaces(networks, drawFaces(width, height, faces))
    expect(found).toHaveLength(faces.length)
    for (const [i, { points, score, box }] of found.entries()) {
      const face = faces[i]!
      expect(largestError(points, face)).toBeLessThan(0.04 * 2 * face.radius)
      expect(score).toBeCloseTo(0.95, 5)
      expect(box[0]).toBeCloseTo(Math.min(...points.map(([x]) => x)), 9)
      expect(box[1] + box[3]).toBeCloseTo(Math.max(...points.map(([, y]) => y)), 9)
    }
  })

  it('finds the same in a smaller copy, unless it is too coarse for a face', () => {
    const large = drawFaces(2048, 1536, [{ x: 900, y: 800, radius: 400, tilt: 0.2 }])
    expect(findAllFaces(networks, halvedTo(large, 768))).toEqual(findAllFaces(networks, large))
    const small = drawFaces(2048, 1536, [{ x: 900, y: 800, radius: 60 }])
    expect(() => findAllFaces(networks, halvedTo(small, 768))).toThrow(TooCoarse)
  })

  it('finds none where there is none, or where the mesh sees none', () => {
    expect(findAllFaces(networks, drawFaces(300, 200, []))).toEqual([])
    expect(findAllFaces(networks, drawFaces(1, 1, []))).toEqual([])
    const faces = drawFaces(400, 400, [{ x: 200, y: 200, radius: 80 }])
    expect(findAllFaces(fakeNetworks({ presence: 0.2 }), faces)).toEqual([])
  })

  it('leaves faces out that have too few pixels to tell anything', () => {
    const radius = (size: number) => size / 2 / 0.9
    const sizes = findAllFaces(networks, drawFaces(120, 120, [{ x: 60, y: 60, radius: radius(24) }])).map(({ box }) =>
      sizeOf(box),
    )
    expect(sizes).toHaveLength(1)
    expect(findAllFaces(networks, drawFaces(120, 120, [{ x: 60, y: 60, radius: radius(14) }]))).toEqual([])
  })

  it('looks at a doubtful face closely: it stays where it gains by that', () => {
    const picture = drawFaces(640, 480, [{ x: 320, y: 240, radius: 60 }])
    const closer = (close: number) => fakeNetworks({ score: (samples) => (samples < 60 ? 0.5 : close) })
    expect(findAllFaces(closer(0.9), picture).map(({ score }) => score)).toEqual([expect.closeTo(0.9, 5)])
    expect(findAllFaces(closer(0.45), picture)).toEqual([])
  })
})
