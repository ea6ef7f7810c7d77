import { describe, expect, it } from 'vitest'
import { boxAround, overlap, withoutDoubles } from '../../lib/photos/Box.js'
import { focalInPixels, parseExif } from '../../lib/photos/exif.js'
import { isPlain } from '../../lib/photos/isPlain.js'
import { halvedTo, Pyramid, TooCoarse } from '../../lib/photos/Pyramid.js'
import { pointOfSquare, squareAround } from '../../lib/photos/Square.js'
import { createPicture, type Picture } from '../../lib/render/Picture.js'

/** A picture with colours by a function of the pixels' centres. */
function paint(width: number, height: number, colour: (x: number, y: number) => [number, number, number]): Picture {
  const picture = createPicture(width, height)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) picture.data.set([...colour(x + 0.5, y + 0.5), 255], 4 * (y * width + x))
  return picture
}

describe('boxes', () => {
  it('are around points, and overlap by what they share', () => {
    expect(
      boxAround([
        [3, 8],
        [1, 9],
        [2, 4],
      ]),
    ).toEqual([1, 4, 2, 5])
    expect(overlap([0, 0, 2, 1], [1, 0, 2, 1])).toBeCloseTo(1 / 3, 12)
    expect(overlap([0, 0, 2, 2], [0, 0, 2, 2])).toBe(1)
    expect(overlap([0, 0, 4, 4], [1, 1, 2, 2])).toBe(0.25)
    expect(overlap([0, 0, 1, 1], [1, 0, 1, 1])).toBe(0)
    expect(overlap([0, 0, 1, 1], [5, 5, 1, 1])).toBe(0)
  })

  it('are kept once, the first of doubles', () => {
    const boxes = [
      [0, 0, 10, 10],
      [1, 0, 10, 10],
      [20, 0, 10, 10],
      [0, 2, 10, 10],
    ] as const
    expect(withoutDoubles(boxes, (box) => box, 0.5)).toEqual([boxes[0], boxes[2]])
    expect(withoutDoubles(boxes, (box) => box, 0.7)).toEqual([boxes[0], boxes[2], boxes[3]])
  })
})

describe('squares', () => {
  it('turn clockwise in the picture', () => {
    const square = { x: 100, y: 50, side: 20, angle: Math.PI / 2 }
    const [x, y] = pointOfSquare(square, 0.5, 0)
    expect([x, y]).toEqual([expect.closeTo(100, 12), expect.closeTo(60, 12)])
    expect(pointOfSquare({ ...square, angle: 0 }, -0.5, 0.5)).toEqual([90, 60])
  })

  it('are the smallest around points, as they are turned', () => {
    const angle = 0.3
    const turned = ([u, v]: readonly [number, number]) => pointOfSquare({ x: 7, y: -3, side: 1, angle }, u, v)
    const square = squareAround(
      (
        [
          [-2, -1],
          [2, 1],
          [0, 0.5],
        ] as const
      ).map(turned),
      angle,
      1.5,
    )
    expect(square).toEqual({ x: expect.closeTo(7, 9), y: expect.closeTo(-3, 9), side: expect.closeTo(6, 9), angle })
  })
})

describe('Pyramid', () => {
  const sampling = { size: 16, range: [0, 255], outside: 'border' } as const

  it('samples what is at each place: a slope stays a slope, at any size and turn', () => {
    const picture = new Pyramid(paint(256, 256, (x, y) => [x / 2, y / 2, (x + y) / 4]))
    for (const angle of [0, 0.5, -2])
      for (const side of [10, 16, 40, 120]) {
        const square = { x: 130.3, y: 120.9, side, angle }
        const samples = picture.sample(square, sampling)
        for (const [row, column] of [
          [0, 0],
          [3, 12],
          [15, 15],
        ] as const) {
          const [x, y] = pointOfSquare(square, (column + 0.5) / 16 - 0.5, (row + 0.5) / 16 - 0.5)
          const colour = samples.subarray(3 * (16 * row + column))
          // The colours of the picture are whole numbers.
          expect(Math.abs(colour[0]! - x / 2)).toBeLessThan(0.75)
          expect(Math.abs(colour[1]! - y / 2)).toBeLessThan(0.75)
          expect(Math.abs(colour[2]! - (x + y) / 4)).toBeLessThan(0.75)
        }
      }
  })

  it('does not take fine stripes for coarse ones', () => {
    const stripes = new Pyramid(paint(512, 512, (x) => [255 * (Math.floor(x) % 2), 0, 0]))
    const samples = stripes.sample({ x: 250, y: 250, side: 301, angle: 0.1 }, sampling)
    for (let i = 0; i < samples.length; i += 3) expect(Math.abs(samples[i]! - 127.5)).toBeLessThan(2)
  })

  it('draws its border out, or is black outside; mirrors; scales colours', () => {
    const picture = new Pyramid(paint(64, 64, (x) => (x < 32 ? [255, 0, 51] : [0, 255, 51])))
    const square = { x: 0, y: 32, side: 64, angle: 0 }
    const at = (samples: Float32Array, row: number, column: number) => [
      ...samples.subarray(3 * (16 * row + column)).slice(0, 3),
    ]
    const border = picture.sample(square, sampling)
    expect(at(border, 8, 0)).toEqual([255, 0, 51])
    const black = picture.sample(square, { ...sampling, outside: 'black', range: [-1, 1] })
    expect(at(black, 8, 7)).toEqual([-1, -1, -1])
    expect(at(black, 8, 8)).toEqual([1, -1, expect.closeTo(-0.6, 6)])
    const whole = { ...square, x: 32 }
    expect(at(picture.sample(whole, sampling), 2, 1)).toEqual([255, 0, 51])
    expect(at(picture.sample(whole, { ...sampling, mirrored: true }), 2, 1)).toEqual([0, 255, 51])
  })

  it('samples the same from a smaller copy, or says that it is too coarse', () => {
    const picture = paint(403, 302, (x, y) => [(x * y) % 256, (x + 7 * y) % 256, (x ^ y) % 256])
    const copy = halvedTo(picture, 64)
    expect(copy).toMatchObject({ halvings: 2, width: 403, height: 302, pixels: { width: 100, height: 75 } })
    const [whole, small] = [new Pyramid(picture), new Pyramid(copy)]
    for (const side of [58, 90, 300]) {
      const square = { x: 190.5, y: 140.2, side, angle: 0.3 }
      expect(small.sample(square, sampling)).toEqual(whole.sample(square, sampling))
    }
    expect(() => small.sample({ x: 190, y: 140, side: 56, angle: 0 }, sampling)).toThrow(TooCoarse)
    expect(() => whole.sample({ x: 190, y: 140, side: 4, angle: 0 }, sampling)).not.toThrow()
    expect(halvedTo(picture, 300)).toMatchObject({ halvings: 0, pixels: picture })
  })

  it('takes pictures of a single pixel, row or column', () => {
    for (const [width, height] of [
      [1, 1],
      [1, 70],
      [70, 1],
    ] as const) {
      const picture = new Pyramid(paint(width, height, () => [10, 20, 30]))
      const samples = picture.sample({ x: 0.5, y: 0.5, side: 3, angle: 0.2 }, sampling)
      for (let i = 0; i < samples.length; i++) expect(samples[i]).toBeCloseTo([10, 20, 30][i % 3]!, 4)
    }
  })
})

describe('isPlain', () => {
  const noise = (x: number, y: number) => (Math.floor(x) * 7919 + Math.floor(y) * 104729) % 9
  it('is of one colour, noise or not; not of a picture with something in it', () => {
    expect(isPlain(paint(200, 100, () => [0, 0, 0]))).toBe(true)
    expect(isPlain(paint(1, 1, () => [9, 9, 9]))).toBe(true)
    expect(isPlain(paint(200, 100, (x, y) => [noise(x, y), 40, 90 + noise(y, x)]))).toBe(true)
    expect(isPlain(paint(200, 100, (x) => [100, 100 + x / 10, 100]))).toBe(false)
    expect(isPlain(paint(200, 100, (x, y) => (Math.hypot(x - 100, y - 50) < 12 ? [60, 40, 30] : [30, 30, 30])))).toBe(
      false,
    )
  })
})

/** An EXIF block with fields of the Exif IFD: tag, type (3 SHORT, 4 LONG), value. */
function exifBlock(fields: ReadonlyArray<readonly [number, number, number]>, littleEndian: boolean): Buffer {
  const block = Buffer.alloc(8 + 2 + 12 + 4 + 2 + 12 * fields.length)
  const view = new DataView(block.buffer, block.byteOffset, block.length)
  const entry = (at: number, [tag, type, value]: readonly [number, number, number]) => {
    view.setUint16(at, tag, littleEndian)
    view.setUint16(at + 2, type, littleEndian)
    view.setUint32(at + 4, 1, littleEndian)
    if (type === 3) view.setUint16(at + 8, value, littleEndian)
    else view.setUint32(at + 8, value, littleEndian)
  }
  view.setUint16(0, littleEndian ? 0x4949 : 0x4d4d)
  view.setUint16(2, 42, littleEndian)
  view.setUint32(4, 8, littleEndian)
  view.setUint16(8, 1, littleEndian)
  entry(10, [0x8769, 4, 26])
  view.setUint16(26, fields.length, littleEndian)
  for (const [i, field] of fields.entries()) entry(28 + 12 * i, field)
  return block
}

describe('EXIF', () => {
  const fields = [
    [0xa002, 4, 4032],
    [0xa003, 3, 3024],
    [0xa405, 3, 26],
  ] as const

  it.each([true, false])('tells the focal length and the size, little-endian: %s', (littleEndian) => {
    const block = exifBlock(fields, littleEndian)
    const expected = { focalLengthIn35mmFilm: 26, width: 4032, height: 3024 }
    expect(parseExif(block)).toEqual(expected)
    expect(parseExif(Buffer.concat([Buffer.from('Exif\0\0'), block]))).toEqual(expected)
  })

  it('counts as absent where it is not as it should be', () => {
    const block = exifBlock(fields, true)
    for (let length = 0; length <= block.length; length++) {
      const exif = parseExif(block.subarray(0, length))
      if (length < 28) expect(exif).toEqual({})
      for (const value of Object.values(exif)) expect([26, 4032, 3024]).toContain(value)
    }
    expect(parseExif(Buffer.from('something else entirely'))).toEqual({})
    const wild = Buffer.from(block)
    wild.writeUInt32LE(0xfffffff0, 4)
    expect(parseExif(wild)).toEqual({})
    expect(parseExif(exifBlock([[0xa405, 3, 0]], true))).toEqual({})
  })

  it('gives the focal length in pixels, unless the picture has been cut', () => {
    const exif = { focalLengthIn35mmFilm: 26, width: 4032, height: 3024 }
    // A frame of 36 x 24 mm has a diagonal of 43.27 mm, 4032 x 3024 one of 5040 pixels.
    expect(focalInPixels(exif, { width: 4032, height: 3024 })).toBeCloseTo((26 * 5040) / Math.hypot(36, 24), 6)
    expect(focalInPixels(exif, { width: 756, height: 1008 })).toBeCloseTo((26 * 1260) / Math.hypot(36, 24), 6)
    expect(focalInPixels(exif, { width: 3024, height: 3024 })).toBeUndefined()
    expect(focalInPixels({ width: 4032, height: 3024 }, { width: 4032, height: 3024 })).toBeUndefined()
  })
})
