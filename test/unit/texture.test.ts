import { describe, expect, it } from 'vitest'
import { headRotation } from '../../lib/corpus/synthetic/pose.js'
import { SphereFaceModel } from '../../lib/model/SphereFaceModel.js'
import { faceMesh } from '../../lib/outputs/faceMesh.js'
import type { Mesh } from '../../lib/outputs/Mesh.js'
import { byteOfLight } from '../../lib/render/light.js'
import { createPicture, type Picture } from '../../lib/render/Picture.js'
import { render } from '../../lib/render/render.js'
import { photoTexture } from '../../lib/texture/photoTexture.js'
import { halved, pushPull } from '../../lib/texture/pushPull.js'
import { TextureBlend } from '../../lib/texture/TextureBlend.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'

/** Looks at the origin from 500 mm: a millimetre is a pixel, the origin at (100, 100). */
const view = {
  pose: { rotation: [1, 0, 0, 0, -1, 0, 0, 0, -1], translation: [0, 0, 500] },
  camera: { type: 'perspective' as const, focal: 500, principal: [100, 100] as [number, number] },
}

/** A sheet of 160 mm that bulges towards the camera, its texture coordinates those of the plane. */
function sheet(bulge = 0, rows = 17): Mesh & { uv: Float32Array; mirror: Int32Array } {
  const grid = Array.from({ length: rows * rows }, (_, v) => [
    (v % rows) / (rows - 1),
    Math.floor(v / rows) / (rows - 1),
  ])
  const triangles: number[] = []
  for (let y = 0; y + 1 < rows; y++)
    for (let x = 0; x + 1 < rows; x++) {
      const v = y * rows + x
      triangles.push(v, v + 1, v + rows + 1, v, v + rows + 1, v + rows)
    }
  return {
    name: 'sheet',
    vertices: Float32Array.from(
      grid.flatMap(([s, t]) => [160 * (s! - 0.5), 160 * (t! - 0.5), bulge * (1 - (2 * s! - 1) ** 2)]),
    ),
    triangles: Int32Array.from(triangles),
    uv: Float32Array.from(grid.flat() as number[]),
    mirror: Int32Array.from(grid, (_, v) => v - (v % rows) + rows - 1 - (v % rows)),
  }
}

/** A square picture by a formula for red, green and blue. */
function painted(colour: (x: number, y: number) => readonly [number, number, number], size = 200): Picture {
  const picture = createPicture(size, size)
  for (let y = 0; y < size; y++)
    for (let x = 0; x < size; x++) picture.data.set([...colour(x + 0.5, y + 0.5), 255], (y * size + x) * 4)
  return picture
}

const RED = [250, 0, 0] as const
const BLUE = [0, 0, 250] as const

/** The colour of a texture at texture coordinates. */
function texel({ width, data }: Picture, s: number, t: number): number[] {
  const at = (Math.floor((1 - t) * width) * width + Math.floor(s * width)) * 4
  return Array.from(data.subarray(at, at + 3))
}

describe('photoTexture', () => {
  it('takes what the camera saw from the photo', () => {
    const photo = painted((x, y) => [x, y, 40])
    const texture = photoTexture(sheet(), view, photo, { size: 256 })
    expect([texture.width, texture.height]).toEqual([256, 256])
    for (const [s, t] of [
      [0.5, 0.5],
      [0.25, 0.75],
      [0.8, 0.3],
    ] as const) {
      const [red, green, blue] = texel(texture, s, t) as [number, number, number]
      expect(red).toBeCloseTo(100 + 160 * (s - 0.5), -0.5)
      expect(green).toBeCloseTo(100 - 160 * (t - 0.5), -0.5)
      expect(blue).toBe(40)
    }
    for (let at = 3; at < texture.data.length; at += 4) expect(texture.data[at]).toBe(255)
  })

  it('fills one half from the other, in the light of this one', () => {
    // The photo ends before the subject's left half: only the rim of the nose, so to speak, is there of it.
    const stripes = (x: number) => (Math.floor(Math.abs(x - 100) / 16) % 2 === 0 ? 60 : 200)
    const whole = painted((x) => [stripes(x), stripes(x), stripes(x)])
    const part: Picture = { width: 130, height: 200, data: new Uint8Array(130 * 200 * 4) }
    for (let y = 0; y < 200; y++) part.data.set(whole.data.subarray(y * 800, y * 800 + 130 * 4), y * 130 * 4)
    const mesh = sheet()
    const texture = photoTexture(mesh, view, part, { size: 256 })
    const { mirror: _, ...without } = mesh
    const blurred = photoTexture(without, view, part, { size: 256 })
    // 24 and 40 and 56 mm to the left, of stripes 16 mm wide; the photo ends at 30.
    const at = (picture: Picture, mm: number) => texel(picture, 0.5 + mm / 160, 0.5)[0]!
    for (const [mm, value] of [
      [40, 60],
      [56, 200],
      [72, 60],
    ] as const) {
      expect(Math.abs(at(texture, mm) - value)).toBeLessThan(25)
      expect(Math.abs(at(texture, -mm) - value)).toBeLessThan(25)
    }
    expect(Math.abs(at(blurred, 56) - at(blurred, 72))).toBeLessThan(20)
  })

  it('carries the difference in light over to what it fills', () => {
    // The right half of the photo is twice as bright, in light.
    const photo = painted((x) => {
      const value = byteOfLight(x < 100 ? 0.2 : 0.4)
      return [value, value, value]
    })
    const cut: Picture = { width: 150, height: 200, data: new Uint8Array(150 * 200 * 4) }
    for (let y = 0; y < 200; y++) cut.data.set(photo.data.subarray(y * 800, y * 800 + 600), y * 600)
    const texture = photoTexture(sheet(), view, cut, { size: 512 })
    expect(texel(texture, 0.95, 0.5)[0]! / byteOfLight(0.4)).toBeCloseTo(1, 1)
    expect(texel(texture, 0.05, 0.5)[0]! / byteOfLight(0.2)).toBeCloseTo(1, 1)
  })

  it('does not paint what is hidden with what hides it', () => {
    // A small sheet of its own in the texture's corner, before the middle of a large one.
    const back = sheet()
    const front = sheet()
    const count = back.vertices.length / 3
    const both: Mesh = {
      name: 'two',
      vertices: Float32Array.from([
        ...back.vertices,
        ...front.vertices.map((value, i) => (i % 3 === 2 ? 40 : 0.3 * value)),
      ]),
      triangles: Int32Array.from([...back.triangles, ...front.triangles.map((index) => index + count)]),
      uv: Float32Array.from([...back.uv.map((value) => value * 0.7), ...front.uv.map((value) => 0.75 + value * 0.2)]),
    }
    const isFront = (x: number, y: number) => Math.max(Math.abs(x - 100), Math.abs(y - 100)) < 26
    const photo = painted((x, y) => (isFront(x, y) ? [250, 0, 0] : [0, 0, 250]))
    const texture = photoTexture(both, view, photo, { size: 512 })
    expect(texel(texture, 0.35, 0.35)[0]).toBeLessThan(25)
    expect(texel(texture, 0.35, 0.35)[2]).toBeGreaterThan(240)
    expect(texel(texture, 0.85, 0.85)).toEqual([250, 0, 0].map((value) => expect.closeTo(value, -1)))
  })

  it('does not paint the rim of an opening with what lies in it, where the fit is a little off', () => {
    const whole = sheet()
    // 20 mm to each side of the middle: 100 pixels. What is seen in it reaches two farther than it should.
    const isIn = (vertex: number) => [0, 1].every((axis) => Math.abs(whole.vertices[vertex * 3 + axis]!) <= 20)
    const triangles = whole.triangles.filter((_, i) => {
      const first = i - (i % 3)
      return ![0, 1, 2].every((corner) => isIn(whole.triangles[first + corner]!))
    })
    const photo = painted((x, y) => (Math.max(Math.abs(x - 500), Math.abs(y - 500)) < 102 ? RED : BLUE), 1000)
    const close = { ...view, camera: { ...view.camera, focal: 2500, principal: [500, 500] as [number, number] } }
    const texture = photoTexture({ ...whole, triangles }, close, photo, { size: 512 })
    expect(texel(texture, 0.5 + 20.3 / 160, 0.5)).toEqual(BLUE)
  })

  it('leaves out what faces away, and fills everything', () => {
    // Seen from in front a steep ridge shows little of its sides; the photo is green where those are.
    const photo = painted(() => [10, 200, 30])
    const texture = photoTexture(sheet(300), view, photo, { size: 128 })
    for (let at = 0; at < texture.data.length; at += 4)
      expect(Array.from(texture.data.subarray(at, at + 3))).toEqual(
        [10, 200, 30].map((value) => expect.closeTo(value, -0.5)),
      )
  })

  it('reads large photos without noise', () => {
    // A chessboard of single pixels is grey from afar.
    const photo: Picture = { width: 1000, height: 1000, data: new Uint8Array(4e6).fill(255) }
    for (let i = 0; i < 1e6; i++) if ((i + Math.floor(i / 1000)) % 2 === 0) photo.data.fill(0, 4 * i, 4 * i + 3)
    const close = { ...view, camera: { ...view.camera, focal: 2500, principal: [500, 500] as [number, number] } }
    const texture = photoTexture(sheet(), close, photo, { size: 64 })
    const values = Array.from({ length: 20 }, (_, i) => texel(texture, 0.2 + 0.03 * i, 0.5)[0]!)
    expect(Math.max(...values) - Math.min(...values)).toBeLessThan(20)
    expect(values[0]).toBeCloseTo(byteOfLight(0.5), -1)
  })

  it('is black where the face is nowhere in the photo', () => {
    const aside = { ...view, camera: { ...view.camera, principal: [5000, 100] as [number, number] } }
    const texture = photoTexture(
      sheet(),
      aside,
      painted(() => [200, 0, 0]),
      { size: 32 },
    )
    expect(texture.data.filter((_, i) => i % 4 !== 3).every((value) => value === 0)).toBe(true)
  })

  it.each<[string, () => unknown, RegExp]>([
    ['size', () => photoTexture(sheet(), view, createPicture(2, 2), { size: 3 }), /^size: expected a whole number/],
    ['photo', () => photoTexture(sheet(), view, {} as Picture), /^photo\.width/],
    ['view', () => photoTexture(sheet(), { ...view, camera: null }, createPicture(2, 2)), /^view\.camera/],
    ['uv', () => photoTexture({ ...sheet(), uv: undefined } as never, view, createPicture(2, 2)), /^mesh\.uv/],
  ])('refuses a bad %s', (_, run, message) => {
    expectSfmError(run, 'INVALID_ARGUMENT', message)
  })
})

describe('TextureBlend', () => {
  const GREY = [120, 120, 120] as const
  /** A photo that ends beyond a column, transparent there. */
  const only = (isThere: (x: number) => boolean, picture: Picture): Picture => {
    for (let i = 0; i < picture.width * picture.height; i++)
      if (!isThere(i % picture.width)) picture.data.fill(0, 4 * i, 4 * i + 4)
    return picture
  }

  it('of one photo is that photo’s texture', () => {
    const photo = painted((x, y) => [x, y, 40])
    const blend = new TextureBlend({ size: 64 }).add(sheet(), view, photo)
    expect(blend.picture()).toEqual(photoTexture(sheet(), view, photo, { size: 64 }))
  })

  it('takes each part from the photo that shows it', () => {
    const { mirror: _, ...mesh } = sheet()
    const left = only(
      (x) => x < 110,
      painted(() => RED),
    )
    const right = only(
      (x) => x > 90,
      painted(() => RED),
    )
    for (let y = 0; y < 200; y++) right.data.set([...BLUE, 255], (y * 200 + 160) * 4)
    const texture = new TextureBlend({ size: 256 }).add(mesh, view, left).add(mesh, view, right).picture()
    expect(texel(texture, 0.1, 0.5)).toEqual(RED)
    // A line that the second photo alone shows, 60.5 mm to the side.
    expect(texel(texture, 0.5 + 60.5 / 160, 0.5)[2]).toBeGreaterThan(150)
    expect(texel(new TextureBlend({ size: 256 }).add(mesh, view, left).picture(), 0.5 + 60.5 / 160, 0.5)).toEqual(RED)
  })

  it('shows all photos in the light of the first', () => {
    const { mirror: _, ...mesh } = sheet()
    const dark = byteOfLight(0.2)
    const bright = byteOfLight(0.5)
    const left = only(
      (x) => x < 120,
      painted(() => [dark, dark, dark]),
    )
    const right = only(
      (x) => x > 60,
      painted(() => [bright, bright, bright]),
    )
    const texture = new TextureBlend({ size: 128 }).add(mesh, view, left).add(mesh, view, right).picture()
    for (const s of [0.05, 0.5, 0.95])
      for (const value of texel(texture, s, 0.5)) expect(Math.abs(value - dark)).toBeLessThanOrEqual(1)
  })

  it('prefers a photo in which the face is large', () => {
    const stripes = (x: number, width: number) => (Math.floor(x / width) % 2 === 0 ? 60 : 200)
    const large = painted((x) => [stripes(x, 8), 100, 100])
    // The same face a tenth as large, its stripes lost.
    const small = painted(() => GREY, 20)
    const afar = { ...view, camera: { ...view.camera, focal: 50, principal: [10, 10] as [number, number] } }
    const mesh = sheet()
    const texture = new TextureBlend({ size: 256 }).add(mesh, afar, small).add(mesh, view, large).picture()
    const values = Array.from({ length: 100 }, (_, i) => texel(texture, 0.2 + 0.006 * i, 0.5)[0]!)
    expect(Math.max(...values) / Math.min(...values)).toBeGreaterThan(2)
  })

  it('of no photo is black', () => {
    const { width, data } = new TextureBlend({ size: 16 }).picture()
    expect(width).toBe(16)
    expect(data.every((value, i) => value === (i % 4 === 3 ? 255 : 0))).toBe(true)
    expectSfmError(() => new TextureBlend({ size: 3 }), 'INVALID_ARGUMENT', /^size/)
  })
})

describe('the texture of a head', () => {
  it('is of skin all over, from the front and half from the side, before a green wall', async () => {
    using model = await SphereFaceModel.load()
    const [latents] = model.sample({ count: 1, seed: 5 })
    const mesh = await faceMesh(model, latents!, 'a')
    for (const [yaw, width] of [
      [0, 512],
      [50, 512],
      [25, 64],
    ] as const) {
      const camera = {
        type: 'perspective' as const,
        focal: 3 * width,
        principal: [width / 2, width / 2] as [number, number],
      }
      const seen = { pose: { rotation: headRotation(yaw, 5, 10), translation: [0, 0, 900] }, camera }
      const frame = { region: { x: 0, y: 0, width, height: width }, width }
      const photo = render(mesh, { view: seen, ...frame, background: [20, 220, 60, 255] })
      const { data } = photoTexture(mesh, seen, photo, { size: 256 })
      for (let at = 0; at < data.length; at += 4) if (data[at + 1]! > data[at]!) expect.fail(`green at ${at / 4}`)
    }
  })
})

describe('pushPull', () => {
  const image = (width: number, height: number, known: Array<[at: number, colour: number]>) => {
    const colours = new Float32Array(width * height * 3)
    const weights = new Float32Array(width * height)
    for (const [at, colour] of known) {
      colours.fill(colour, at * 3, at * 3 + 3)
      weights[at] = 1
    }
    return { width, height, colours, weights }
  }

  it('keeps what is known, and fills all else with values in between', () => {
    const filled = pushPull(
      image(13, 7, [
        [0, 1],
        [90, 3],
      ]),
    )
    expect(filled[0]).toBe(1)
    expect(filled[270]).toBe(3)
    for (const value of filled) {
      expect(value).toBeGreaterThanOrEqual(1)
      expect(value).toBeLessThanOrEqual(3)
    }
    // Nearer to the first, nearer its colour.
    expect(filled[3]!).toBeLessThan(filled[267]!)
  })

  it('fills from a single colour with that colour, and from none with black', () => {
    expect(pushPull(image(5, 9, [[22, 0.25]])).every((value) => Math.abs(value - 0.25) < 1e-6)).toBe(true)
    expect(pushPull(image(3, 3, [])).every((value) => value === 0)).toBe(true)
  })

  it('halves with the mean of what is known', () => {
    const half = halved(
      image(4, 2, [
        [0, 1],
        [5, 3],
      ]),
    )
    expect([half.width, half.height]).toEqual([2, 1])
    expect(Array.from(half.weights)).toEqual([1, 0])
    expect(half.colours[0]).toBe(2)
  })
})
