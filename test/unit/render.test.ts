// @ts-expect-error The package has no types.
import { PNG } from 'pngjs'
import { describe, expect, it } from 'vitest'
import { SphereFaceModel } from '../../lib/model/SphereFaceModel.js'
import { faceMesh } from '../../lib/outputs/faceMesh.js'
import type { Mesh } from '../../lib/outputs/Mesh.js'
import { borderLoops } from '../../lib/render/borderLoops.js'
import { eyes } from '../../lib/render/eyes.js'
import { byteOfLight, LIGHT_OF_BYTE } from '../../lib/render/light.js'
import { createPicture, type Picture } from '../../lib/render/Picture.js'
import { encodePng } from '../../lib/render/png.js'
import { type RenderOptions, render } from '../../lib/render/render.js'
import { resample } from '../../lib/render/resample.js'
import { framed, project, resolveFitView } from '../../lib/render/View.js'
import { VisibilityBuffer } from '../../lib/render/VisibilityBuffer.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'
import { uniforms } from '../fixtures/random.js'

/** Looks into the camera from 500 mm: a millimetre is a pixel. */
const view = {
  pose: { rotation: [1, 0, 0, 0, -1, 0, 0, 0, -1], translation: [0, 0, 500] },
  camera: { type: 'perspective' as const, focal: 500, principal: [50, 40] as [number, number] },
}

/** A square of 40 mm that faces the camera, at the height z. */
function square(z = 0, half = 20): Mesh {
  return {
    name: 'square',
    vertices: Float32Array.of(-half, -half, z, half, -half, z, half, half, z, -half, half, z),
    triangles: Int32Array.of(0, 1, 2, 0, 2, 3),
  }
}

function noise(width: number, height: number, alpha = 255): Picture {
  const random = uniforms(3)
  const picture = createPicture(width, height)
  for (let i = 0; i < picture.data.length; i++) picture.data[i] = i % 4 === 3 ? alpha : Math.floor(256 * random())
  return picture
}

const pixel = ({ width, data }: Picture, x: number, y: number) =>
  Array.from(data.subarray((y * width + x) * 4, (y * width + x) * 4 + 4))

/** Pixels that differ. */
function changed(a: Picture, b: Picture): Array<[x: number, y: number]> {
  const places: Array<[number, number]> = []
  for (let at = 0; at < a.data.length; at += 4)
    if ([0, 1, 2, 3].some((channel) => a.data[at + channel] !== b.data[at + channel]))
      places.push([(at / 4) % a.width, Math.floor(at / 4 / a.width)])
  return places
}

describe('VisibilityBuffer', () => {
  it('remembers the nearest triangle, and which side of it is seen', () => {
    const buffer = new VisibilityBuffer(4, 4)
    const points = Float32Array.of(0, 0, 1, 0, 4, 1, 4, 4, 1, 4, 0, 1, 0, 0, 2, 0, 2, 2, 2, 2, 2)
    // Counter-clockwise to the eye, with y down: from the top left downwards.
    buffer.draw(points, [0, 1, 2, 0, 2, 3], 'both')
    // Nearer, over the corner, clockwise.
    buffer.draw(points, [4, 6, 5], 'both', 10)
    expect(Array.from(buffer.ids)).toEqual([-11, 2, 2, 2, -11, -11, 2, 2, 1, 1, 1, 2, 1, 1, 1, 1])
    expect(buffer.nearness[0]).toBe(2)
    expect(buffer.nearness[15]).toBe(1)
  })

  it('draws fronts only where it is asked to, and nothing with a vertex behind the camera', () => {
    const buffer = new VisibilityBuffer(4, 4)
    buffer.draw(Float32Array.of(0, 0, 1, 4, 4, 1, 0, 4, 1), [0, 1, 2], 'front')
    buffer.draw(Float32Array.of(0, 0, 1, Number.NaN, 4, 1, 4, 4, 1), [0, 1, 2], 'both')
    expect(buffer.ids.every((id) => id === 0)).toBe(true)
    expect(() => buffer.draw(Float32Array.of(-1e9, 0, 1, 0, 1e9, 1, 1e9, 1e9, 1), [0, 1, 2], 'both')).not.toThrow()
  })

  it('leaves no hole in a surface, wherever its vertices lie', () => {
    const random = uniforms(7)
    for (let round = 0; round < 20; round++) {
      const buffer = new VisibilityBuffer(40, 40)
      // A fan around an inner point covers the whole raster.
      const hub = [40 * random(), 40 * random()]
      const rim = Array.from({ length: 13 }, (_, i) => {
        const angle = (2 * Math.PI * i) / 12
        return [20 + 40 * Math.cos(angle), 20 + 40 * Math.sin(angle)]
      })
      const points = Float32Array.from([hub, ...rim].flatMap((point) => [...point, random()]))
      const triangles = Array.from({ length: 12 }, (_, i) => [0, i + 1, i + 2]).flat()
      buffer.draw(points, triangles, 'both')
      expect(buffer.ids.includes(0)).toBe(false)
    }
  })
})

describe('project', () => {
  it('is the camera of docs/coordinates.md', () => {
    const vertices = Float32Array.of(10, 20, 30)
    const perspective = project(vertices, resolveFitView(view, 'view'))
    expect(Array.from(perspective.space)).toEqual([10, -20, 470])
    expect(Array.from(perspective.image)).toEqual(
      [(500 * 10) / 470 + 50, (500 * -20) / 470 + 40, 1 / 470].map((value) => expect.closeTo(value, 5)),
    )
    const weak = { ...view, camera: { type: 'weak' as const, scale: 2, principal: [50, 40] as [number, number] } }
    expect(Array.from(project(vertices, resolveFitView(weak, 'view')).image)).toEqual([70, 0, -470])
  })

  it('knows no place in the image for what is behind the camera', () => {
    const { image } = project(Float32Array.of(0, 0, 600), resolveFitView(view, 'view'))
    expect(image[0]).toBeNaN()
  })
})

describe('light', () => {
  it('becomes the byte that it came from', () => {
    for (let byte = 0; byte < 256; byte++) expect(byteOfLight(LIGHT_OF_BYTE[byte]!)).toBe(byte)
    expect([byteOfLight(-1), byteOfLight(2)]).toEqual([0, 255])
  })
})

describe('render', () => {
  const photo = noise(100, 80)

  it('draws a face where the camera saw it, and leaves the rest of the photo as it is', () => {
    const picture = render({ ...square(), view }, { photo, opacity: 1 })
    expect([picture.width, picture.height]).toEqual([100, 80])
    const places = changed(photo, picture)
    const [xs, ys] = [places.map(([x]) => x), places.map(([, y]) => y)]
    expect([Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)]).toEqual([30, 69, 20, 59])
    expect(places.length).toBeGreaterThan(1590)
    expect(photo).toEqual(noise(100, 80))
  })

  it('covers what is behind as much as it is asked to', () => {
    expect(render({ ...square(), view }, { photo, opacity: 0 })).toEqual(photo)
    const grey: Picture = { width: 100, height: 80, data: new Uint8Array(100 * 80 * 4).fill(255) }
    const light = (opacity: number) => {
      const [red] = pixel(render({ ...square(), view }, { photo: grey, opacity }), 50, 40)
      return LIGHT_OF_BYTE[red!]!
    }
    expect(light(0.25)).toBeCloseTo(0.75 + 0.25 * light(1), 2)
  })

  it('smooths edges by the share of a pixel that is covered', () => {
    // A quarter of a pixel more on each side.
    const picture = render({ ...square(0, 20.25), view }, { photo, background: [0, 0, 0, 0], samples: 8 })
    expect(changed(photo, picture)).toHaveLength(42 * 42)
    const alone = render(
      { ...square(0, 20.25), view },
      {
        region: { x: 0, y: 0, width: 100, height: 80 },
        width: 100,
        background: [0, 0, 0, 0],
        samples: 8,
      },
    )
    expect([pixel(alone, 29, 40)[3], pixel(alone, 50, 40)[3], pixel(alone, 28, 40)[3]]).toEqual([64, 255, 0])
  })

  it('shows what is nearer', () => {
    const red = { ...square(), view, colours: Float32Array.from({ length: 12 }, (_, i) => (i % 3 === 0 ? 1 : 0)) }
    const blue = {
      ...square(10, 10),
      view,
      colours: Float32Array.from({ length: 12 }, (_, i) => (i % 3 === 2 ? 1 : 0)),
    }
    for (const faces of [
      [red, blue],
      [blue, red],
    ]) {
      const picture = render(faces, { photo, opacity: 1 })
      const [middle, corner] = [pixel(picture, 50, 40), pixel(picture, 32, 22)]
      expect(middle[2]).toBeGreaterThan(middle[0]! + 50)
      expect(corner[0]).toBeGreaterThan(corner[2]! + 50)
    }
  })

  it('shows only the front of a surface over a photo', () => {
    const turned = { ...square(), triangles: Int32Array.of(0, 2, 1, 0, 3, 2), view }
    expect(render(turned, { photo })).toEqual(photo)
  })

  it('shows a texture the right way round', () => {
    const texture = createPicture(2, 2)
    texture.data.set([255, 0, 0, 255, 0, 255, 0, 255, 0, 0, 255, 255, 255, 255, 255, 255])
    const picture = render(
      { ...square(), view, texture, uv: Float32Array.of(0, 0, 1, 0, 1, 1, 0, 1) },
      { photo, opacity: 1 },
    )
    const strongest = (x: number, y: number) => {
      const [r, g, b] = pixel(picture, x, y) as [number, number, number]
      return ['red', 'green', 'blue'][[r, g, b].indexOf(Math.max(r, g, b))]
    }
    expect([strongest(34, 24), strongest(66, 24), strongest(34, 56)]).toEqual(['red', 'green', 'blue'])
  })

  it('draws landmarks in the image, and leaves out those that are missing', () => {
    const plain = render({ ...square(), view }, { photo, opacity: 0 })
    const picture = render({ ...square(), view }, { photo, opacity: 0, landmarks: [[10, 12], null, [Number.NaN, 3]] })
    const places = changed(plain, picture)
    expect(places.length).toBeGreaterThan(0)
    for (const [x, y] of places) expect(Math.hypot(x + 0.5 - 10, y + 0.5 - 12)).toBeLessThan(3)
    const half = render(
      { ...square(), view },
      {
        photo,
        opacity: 0,
        landmarks: [[10, 12]],
        region: { x: 0, y: 0, width: 20, height: 20 },
        width: 100,
      },
    )
    expect(pixel(half, 50, 60).slice(0, 3)).toEqual([36, 225, 110])
  })

  it('draws large pictures in bands that fit together', () => {
    const face = { ...square(), view }
    const whole = render(face, { region: { x: 0, y: 0, width: 100, height: 100 }, width: 1500, samples: 1 })
    const part = render(face, { region: { x: 20, y: 30, width: 60, height: 20 }, width: 900, samples: 1 })
    for (let y = 0; y < part.height; y += 7)
      for (let x = 0; x < part.width; x += 7) expect(pixel(whole, x + 300, y + 450)).toEqual(pixel(part, x, y))
  })

  it('shows faces that no camera saw from the front, in a grid, and turned', () => {
    const picture = render([square(), square(), square()], { width: 90, height: 60, background: [0, 0, 0, 0] })
    const covered = (x: number, y: number) => pixel(picture, x, y)[3] === 255
    expect([covered(15, 30), covered(45, 30), covered(75, 30), covered(30, 30)]).toEqual([true, true, true, false])
    const width = (yaw: number) => {
      const turned = render(square(), { width: 100, view: { yaw }, background: [0, 0, 0, 0] })
      return Array.from({ length: 100 }, (_, x) => pixel(turned, x, 50)[3]!).reduce((sum, a) => sum + a / 255, 0)
    }
    expect(width(60) / width(0)).toBeCloseTo(0.5, 1)
    // To the picture's left: the subject's left side, +X, comes to the fore and looks larger.
    const wide = { ...square(0, 20), vertices: Float32Array.of(-200, -20, 0, 200, -20, 0, 200, 20, 0, -200, 20, 0) }
    const side = render(wide, { width: 200, view: { yaw: 45 }, background: [0, 0, 0, 0] })
    const height = (x: number) => Array.from({ length: 200 }, (_, y) => pixel(side, x, y)[3]!).filter(Boolean).length
    expect(height(130)).not.toBe(height(70))
  })

  it('is the same, bit by bit, every time', () => {
    expect(render(square(), { width: 64 })).toEqual(render(square(), { width: 64 }))
  })

  it.each<[string, RenderOptions & { mesh?: Partial<Mesh> }, RegExp]>([
    ['width', { width: 0 }, /^width: expected a whole number of pixels in 1\.\.16384, received 0/],
    ['height', { height: 2.5 }, /^height/],
    ['samples', { samples: 9 }, /^samples: expected a whole number in 1\.\.8/],
    ['opacity', { opacity: -0.1 }, /^opacity: expected a number in 0\.\.1/],
    ['photo', { photo: { width: 2, height: 2, data: new Uint8Array(3) } }, /^photo\.data: expected 16 bytes, RGBA/],
    ['background', { background: [1, 2, 3] as never }, /^background/],
    ['region', { region: { x: 0, y: 0, width: 0, height: 1 } }, /^region/],
    ['view', { view: { yaw: Number.NaN } }, /^view\.yaw: expected an angle in degrees/],
    ['camera', { view: { ...view, camera: null } }, /^view\.camera: expected a camera/],
    [
      'pose',
      { view: { ...view, pose: { rotation: [1], translation: [0, 0, 1] } } },
      /^view\.pose\.rotation: expected 9/,
    ],
    ['landmarks', { landmarks: 3 as never }, /^landmarks/],
    ['texture', { mesh: { texture: noise(2, 2) } }, /^uv: expected texture coordinates/],
    ['mesh', { mesh: { triangles: Int32Array.of(0, 1, 9) } }, /^triangles/],
  ])('refuses a bad %s', (_, { mesh, ...options }, message) => {
    expectSfmError(() => render({ ...square(), ...mesh }, options), 'INVALID_ARGUMENT', message)
  })
})

describe('resample', () => {
  it('copies, averages, and enlarges between pixels', () => {
    const picture = noise(8, 6)
    const all = { x: 0, y: 0, width: 8, height: 6 }
    expect(resample(picture, all, 8, 6)).toEqual(picture)
    const half = resample(picture, all, 4, 3)
    const mean = [0, 1, 8, 9].reduce((sum, at) => sum + LIGHT_OF_BYTE[picture.data[at * 4]!]!, 0) / 4
    expect(half.data[0]).toBe(byteOfLight(mean))
    const beyond = resample(picture, { x: -2, y: 0, width: 4, height: 2 }, 4, 2, [1, 2, 3, 4])
    expect(pixel(beyond, 1, 0)).toEqual([1, 2, 3, 4])
    expect(pixel(beyond, 2, 1)).toEqual(pixel(picture, 0, 1))
  })
})

describe('encodePng', () => {
  it.each([
    ['opaque', 255],
    ['transparent', 90],
  ])('writes %s pictures that come back as they were', async (_, alpha) => {
    const picture = noise(37, 21, alpha)
    const file = Buffer.from(await encodePng(picture))
    const decoded = PNG.sync.read(file)
    expect(decoded.data.equals(Buffer.from(picture.data))).toBe(true)
    // Without an alpha channel where it would say nothing.
    expect(file[25]).toBe(alpha === 255 ? 2 : 6)
  })

  it('refuses what is no picture', async () => {
    await expect(encodePng({ width: 2, height: 2, data: new Uint8Array(2) })).rejects.toThrow(/^picture\.data/)
    await expect(encodePng(undefined as never)).rejects.toThrow(/^picture: expected pixels/)
    expectSfmError(() => createPicture(20_000, 1), 'INVALID_ARGUMENT', /^width/)
    expectSfmError(() => createPicture(16_384, 16_384), 'INVALID_ARGUMENT', /pixels/)
  })
})

describe('borderLoops', () => {
  it('finds the rim of a surface and of its holes', () => {
    // A ring of eight triangles between an outer and an inner square.
    const triangles = Array.from({ length: 4 }, (_, i) => {
      const j = (i + 1) % 4
      return [i, j, 4 + i, j, 4 + j, 4 + i]
    }).flat()
    expect(borderLoops(triangles)).toEqual([
      [0, 1, 2, 3],
      [4, 7, 6, 5],
    ])
    expect(borderLoops([0, 1, 2, 0, 2, 3, 0, 3, 1, 1, 3, 2])).toEqual([])
  })
})

describe('eyes', () => {
  it('lie behind the lids, on the sphere through their rims, and look where they are told to', () => {
    const centre = [30, 35, 80]
    const rim = (side: number) =>
      Array.from({ length: 24 }, (_, i) => {
        const angle = (2 * Math.PI * i) / 24
        const [x, y] = [0.8 * Math.cos(angle), 0.45 * Math.sin(angle)]
        return [side * centre[0]! + 14 * x, centre[1]! + 14 * y, centre[2]! + 14 * Math.sqrt(1 - x * x - y * y)]
      })
    const vertices = Float32Array.from([...rim(1), ...rim(-1)].flat())
    const openings = {
      leftEye: Array.from({ length: 24 }, (_, i) => i),
      rightEye: Array.from({ length: 24 }, (_, i) => 24 + i),
    }
    const still = new Float32Array(vertices.length)
    const [ball] = eyes({ vertices, openings })
    const [aside] = eyes({ vertices, openings, morphs: [{ name: 'eyeLookOut_L', displacements: still, weight: 1 }] })
    const place = (surface: typeof ball, vertex: number) =>
      Array.from(surface!.vertices.subarray(3 * vertex, 3 * vertex + 3))
    const distance = Math.hypot(...place(ball, 200).map((value, axis) => value - centre[axis]!))
    expect(distance).toBeCloseTo(14 - 0.35, 2)
    // The pupil: straight ahead, and to the subject's left.
    expect(place(ball, 0).map((value, axis) => value - centre[axis]!)).toEqual(
      [0, 0, 13.65].map((value) => expect.closeTo(value, 1)),
    )
    expect(place(aside, 0)[0]! - centre[0]!).toBeCloseTo(13.65 * Math.sin((32 * Math.PI) / 180), 1)
  })
})

describe('a head of the embedded model', () => {
  it('has no dark spots where its surface is folded', async () => {
    using model = await SphereFaceModel.load()
    const faces = await Promise.all(model.sample({ count: 6, seed: 7 }).map((latents) => faceMesh(model, latents, 'a')))
    const [width, height] = [1500, 1000]
    const { data } = render(faces, { width, height, view: { yaw: 25 } })
    const spots: number[] = []
    for (let at = width + 1; at < width * (height - 1) - 1; at++) {
      const around = [-width - 1, -width, 1 - width, -1, 1, width - 1, width, width + 1]
      if (data[4 * at]! < 60 && around.every((step) => data[4 * (at + step)]! > 90)) spots.push(at)
    }
    expect(spots).toEqual([])
  })

  it('looks like one: symmetric, with eyes, mouth and ears where they belong', async () => {
    using model = await SphereFaceModel.load()
    const mesh = await faceMesh(model, { identity: model.data.identityPriorMean! }, 'mean')
    expect(Object.values(mesh.openings!).map((loop) => loop.length)).toEqual([35, 35, 58])
    expect(mesh.openings!.leftEye.every((vertex) => mesh.vertices[vertex * 3]! > 0)).toBe(true)
    const picture = render(mesh, { background: [0, 0, 0, 0] })
    const covered = Array.from({ length: 512 * 512 }, (_, i) => (picture.data[4 * i + 3] === 255 ? 1 : 0))
    const share = covered.reduce<number>((sum, value) => sum + value, 0) / covered.length
    expect(share).toBeGreaterThan(0.3)
    expect(share).toBeLessThan(0.5)
    const unlike = covered.filter((value, i) => value !== covered[i - (i % 512) + 511 - (i % 512)]).length
    expect(unlike / covered.length).toBeLessThan(0.005)
    // No hole in the middle of the face, with an open mouth neither.
    const jaw = mesh.morphs!.map((morph) => ({ ...morph, weight: morph.name === 'jawOpen' ? 0.8 : 0 }))
    for (const each of [picture, render({ ...mesh, morphs: jaw }, { background: [0, 0, 0, 0] })])
      for (let y = 120; y < 380; y++)
        for (let x = 200; x < 312; x++) if (pixel(each, x, y)[3] !== 255) expect.fail(`a hole at ${x}, ${y}`)
    // In an eye there is white beside black.
    const view = framed(mesh.vertices, {}, { x: 0, y: 0, width: 512, height: 512 })
    const { image } = project(mesh.vertices, view)
    const rim = mesh.openings!.leftEye.map((vertex) => [image[vertex * 3]!, image[vertex * 3 + 1]!])
    const row = Math.round(rim.reduce((sum, [, y]) => sum + y! / rim.length, 0))
    const [from, to] = [Math.min, Math.max].map((pick) => Math.round(pick(...rim.map(([x]) => x!)))) as [number, number]
    const reds = Array.from({ length: to - from }, (_, i) => pixel(picture, from + i, row)[0]!)
    expect(Math.max(...reds) - Math.min(...reds)).toBeGreaterThan(100)
  })
})
