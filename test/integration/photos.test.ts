import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { crc32 } from 'node:zlib'
import { NodeIO } from '@gltf-transform/core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { eyeDistance } from '../../lib/evaluate/faceScale.js'
import type { DetectedFace, FaceDetector, Fitter, SphereFaceModel } from '../../lib/index.js'
import { readPhoto } from '../../lib/photos/readPhoto.js'
import { createPicture } from '../../lib/render/Picture.js'
import { runProgram, runToTheEnd } from '../fixtures/child.js'
import { expectSfmRejection } from '../fixtures/expectSfmError.js'
import { describeWithPeers, sharpOf, testSharp } from '../fixtures/photoPeers.js'
import { median } from '../fixtures/reference.js'
import { renderedFaces } from '../fixtures/renderedFaces.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
const portrait = join(root, 'examples/photos/astronaut.png')

/** An animal's face, drawn: ears, slit eyes, whiskers. */
const CAT = Buffer.from(
  `<svg xmlns="http://www.w3.org/2000/svg" width="512" height="512">
  <rect width="512" height="512" fill="#6a8a5a"/>
  <path d="M110 230 L120 60 L230 140 Z M402 230 L392 60 L282 140 Z" fill="#a8743a"/>
  <path d="M130 180 L136 100 L196 142 Z M382 180 L376 100 L316 142 Z" fill="#d9a08a"/>
  <ellipse cx="256" cy="280" rx="160" ry="140" fill="#b8823f"/>
  <path d="M200 150 L210 200 M256 140 L256 195 M312 150 L302 200" stroke="#5a3a18" stroke-width="14"/>
  <ellipse cx="190" cy="255" rx="36" ry="30" fill="#c8d048"/><ellipse cx="190" cy="255" rx="8" ry="28"/>
  <ellipse cx="322" cy="255" rx="36" ry="30" fill="#c8d048"/><ellipse cx="322" cy="255" rx="8" ry="28"/>
  <ellipse cx="222" cy="345" rx="46" ry="36" fill="#ecd9b8"/><ellipse cx="290" cy="345" rx="46" ry="36" fill="#ecd9b8"/>
  <path d="M236 305 L276 305 L256 330 Z" fill="#3a2220"/>
  <path d="M200 340 L40 310 M200 350 L40 360 M312 340 L472 310 M312 350 L472 360" stroke="#fff" stroke-width="4"/>
  </svg>`,
)

/** As it is built: the detector starts a worker from a file of its own. */
type Library = typeof import('../../lib/index.js')

/** What the front end found in the portrait once. */
async function recorded(): Promise<number[][]> {
  return JSON.parse(await readFile(join(root, 'examples/landmarks/astronaut.mediapipe478.json'), 'utf8')).points
}

/** The median distance of landmarks, in distances of the eyes. */
function apart({ points }: Pick<DetectedFace, 'points'>, others: ReadonlyArray<readonly number[]>): number {
  const scale = eyeDistance({ scheme: 'mediapipe478', points: others as number[][] })
  return median(others.map(([x, y], i) => Math.hypot(points[i]![0] - x!, points[i]![1] - y!))) / scale
}

describeWithPeers('photos', () => {
  /** A rejection with the error of the built library. */
  async function refusal(promise: Promise<unknown>, code: string, message: RegExp | string = ''): Promise<void> {
    const error = await promise.then(
      () => undefined,
      (reason: unknown) => reason,
    )
    expect(error).toBeInstanceOf(library.SfmError)
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) })
  }

  let library: Library
  let model: SphereFaceModel
  let fitter: Fitter
  let detector: FaceDetector
  let png: Buffer
  let folder: string
  const at = (...names: string[]) => join(folder, ...names)

  beforeAll(async () => {
    if (!existsSync(join(root, 'dist/index.js'))) throw new Error('dist/ is not there: npm run build makes it')
    library = await import(pathToFileURL(join(root, 'dist/index.js')).href)
    model = await library.SphereFaceModel.load()
    fitter = await model.createFitter()
    detector = await library.FaceDetector.load()
    png = await readFile(portrait)
    folder = await mkdtemp(join(tmpdir(), 'sfm-photos-'))
  })
  afterAll(async () => {
    await detector?.dispose()
    fitter?.dispose()
    model?.dispose()
    await rm(folder, { recursive: true, force: true })
  })

  it('show a face, with the landmarks on record, which the model fits to 2.5% of the eyes’ distance', async () => {
    for (const source of [portrait, pathToFileURL(portrait), png, new Uint8Array(png).buffer]) {
      const faces = await detector.detect(source)
      expect(faces).toHaveLength(1)
      const [face] = faces as [DetectedFace]
      expect(face).toMatchObject({ scheme: 'mediapipe478', image: { width: 512, height: 512 } })
      expect(face.points).toHaveLength(478)
      expect(apart(face, await recorded())).toBeLessThan(0.03)
      expect(face.face.score).toBeGreaterThan(0.6)
      const result = await fitter.fit(face)
      expect(result).toMatchObject({ status: 'converged', usable: true, face: face.face, image: face.image })
      expect(result.rmse! / eyeDistance(face)).toBeLessThan(0.025)
    }
  })

  it('of people in known poses up to 60 degrees are found, fitted and usable', async () => {
    const yaws = [-60, -30, 0, 30, 60]
    const people = await renderedFaces(model, { count: 3, seed: 4, yaws })
    const found = await Promise.all(people.map(({ picture }) => detector.detect(picture)))
    expect(found.map(({ length }) => length)).toEqual(people.map(() => 1))
    const results = await fitter.fit(found.flat())
    const errors = results.map((result, i) => {
      const { yaw } = people[i]!
      expect(result.usable).toBe(true)
      expect(Math.sign(Math.round(result.pose!.yaw / 15))).toBe(Math.sign(yaw))
      // The eyes' distance as it were without the turn.
      return (result.rmse! / eyeDistance(found[i]![0]!)) * Math.cos((yaw * Math.PI) / 180)
    })
    expect(median(errors)).toBeLessThan(0.025)
    const frontal = results.filter((_, i) => people[i]!.yaw === 0)
    for (const { pose } of frontal) expect(Math.abs(pose!.yaw)).toBeLessThan(5)
  })

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('stand upright by EXIF orientation %d', async (orientation) => {
    // As a camera writes it: turned clockwise by so much, then mirrored.
    const angle = { 1: 0, 2: 0, 3: 180, 4: 180, 5: 90, 6: 270, 7: 270, 8: 90 }[orientation]!
    const turned = testSharp(await testSharp(png).rotate(angle).png().toBuffer())
    const isMirrored = [2, 4, 5, 7].includes(orientation)
    const written = isMirrored ? turned.flop() : turned
    const photo = await library.readPhoto(await written.withMetadata({ orientation }).jpeg({ quality: 95 }).toBuffer())
    const [face] = await detector.detect(photo)
    expect(apart(face!, await recorded())).toBeLessThan(0.03)
  })

  it('have the size that they are seen in', async () => {
    const lying = testSharp(png).resize(400, 200).withMetadata({ orientation: 6 }).jpeg()
    const photo = await library.readPhoto(await lying.toBuffer())
    expect(photo).toMatchObject({ width: 200, height: 400, format: 'jpeg', frames: 1 })
    expect(photo.pixels).toMatchObject({ width: 200, height: 400, data: expect.any(Uint8Array) })
    expect(photo.pixels.data).toHaveLength(200 * 400 * 4)
  })

  it.each<[string, (image: ReturnType<typeof testSharp>) => ReturnType<typeof testSharp>]>([
    ['in CMYK', (image) => image.toColourspace('cmyk').jpeg({ quality: 95 })],
    ['of 16 bits', (image) => image.toColourspace('rgb16').png()],
    ['in grey', (image) => image.toColourspace('b-w').jpeg({ quality: 95 })],
    ['as WebP', (image) => image.webp()],
    ['as TIFF', (image) => image.tiff()],
    ['as AVIF', (image) => image.avif({ effort: 0 })],
    ['as GIF', (image) => image.gif({ effort: 1 })],
  ])('%s are read as any other', async (_, encode) => {
    const photo = await library.readPhoto(await encode(testSharp(png)).toBuffer())
    expect(photo).toMatchObject({ width: 512, height: 512, frames: 1 })
    const [face] = await detector.detect(photo)
    expect(apart(face!, await recorded())).toBeLessThan(0.04)
  })

  it('that are animated are read at their first picture', async () => {
    const second = await testSharp(png).rotate(180).png().toBuffer()
    const animation = await testSharp([png, second], { join: { animated: true } })
      .gif()
      .toBuffer()
    const photo = await library.readPhoto(animation)
    expect(photo).toMatchObject({ width: 512, height: 512, frames: 2, format: 'gif' })
    expect(apart((await detector.detect(photo))[0]!, await recorded())).toBeLessThan(0.04)
  })

  it('may be reduced: their landmarks stay in their own pixels', async () => {
    const large = await testSharp(png).resize(1536).png().toBuffer()
    const photo = await library.readPhoto(large, { longestSide: 600 })
    expect(photo).toMatchObject({ width: 1536, height: 1536, pixels: { width: 600, height: 600 } })
    const [face] = await detector.detect(photo)
    expect(face!.image).toEqual({ width: 1536, height: 1536 })
    const enlarged = (await recorded()).map((point) => point.map((coordinate) => 3 * coordinate))
    expect(apart(face!, enlarged)).toBeLessThan(0.03)
  })

  it('of any shape can be searched', async () => {
    const strip = { create: { width: 20_000, height: 40, channels: 3, background: '#765' } }
    const photo = await library.readPhoto(await testSharp(strip).png().toBuffer())
    expect(photo).toMatchObject({ width: 20_000, height: 40, pixels: { width: 16_384, height: 33 } })
    expect(await detector.detect(photo)).toEqual([])
    const line = { create: { width: 1, height: 5000, channels: 3, background: '#765' } }
    expect(await detector.detect(await testSharp(line).png().toBuffer())).toEqual([])
  })

  it('tell the focal length where the camera has noted it', async () => {
    const noted = testSharp(png)
      .withExif({ IFD2: { FocalLengthIn35mmFilm: '35' } })
      .jpeg()
    const photo = await library.readPhoto(await noted.toBuffer())
    expect(photo.focal).toBeCloseTo((35 * Math.hypot(512, 512)) / Math.hypot(36, 24), 3)
    const [face] = await detector.detect(photo)
    expect((await fitter.fit(face!)).camera).toMatchObject({
      type: 'perspective',
      focal: expect.closeTo(photo.focal!, 2),
    })
  })

  it('that are turned in the picture, or hold two faces, or small ones, are all found', async () => {
    const grey = { create: { width: 1400, height: 800, channels: 3, background: '#567' } }
    const layers = [
      { input: await testSharp(png).resize(700).png().toBuffer(), left: 20, top: 50 },
      { input: await testSharp(png).resize(300).flop().png().toBuffer(), left: 1000, top: 300 },
    ]
    const two = await testSharp(grey).composite(layers).jpeg().toBuffer()
    const faces = await detector.detect(two)
    expect(faces).toHaveLength(2)
    const placed = (scale: number, left: number, top: number) => async () =>
      (await recorded()).map(([x, y]) => [left + scale * x!, top + scale * y!])
    expect(apart(faces[0]!, await placed(700 / 512, 20, 50)())).toBeLessThan(0.03)
    expect(faces[1]!.face.box[0]).toBeGreaterThan(1000)
    expect(await detector.detect(two, { maxFaces: 1 })).toEqual([faces[0]])
    expect(await detector.detect(two, { minFace: 100 })).toEqual([faces[0]])
    // Where all are just as small as the first look may still see, it does not see all of them.
    const tile = await testSharp(png).resize(300).png().toBuffer()
    const nine = Array.from({ length: 9 }, (_, i) => ({
      input: tile,
      left: (i % 3) * 333,
      top: Math.floor(i / 3) * 333,
    }))
    const square = { create: { width: 1000, height: 1000, channels: 3, background: '#888' } }
    expect(await detector.detect(await testSharp(square).composite(nine).jpeg().toBuffer())).toHaveLength(9)
    for (const angle of [90, 180, 270]) {
      const [face] = await detector.detect(await testSharp(png).rotate(angle).png().toBuffer())
      const { pose, usable } = await fitter.fit(face!)
      expect(usable).toBe(true)
      expect(Math.cos(((pose!.roll - angle) * Math.PI) / 180)).toBeGreaterThan(0.97)
    }
  })

  it('without a face have none', async () => {
    const black = createPicture(320, 240)
    expect(await detector.detect(black)).toEqual([])
    const noise = createPicture(400, 300)
    for (let i = 0; i < noise.data.length; i++) noise.data[i] = (i * 2654435761) >>> 24
    expect(await detector.detect(noise)).toEqual([])
    expect(await detector.detect(createPicture(1, 1))).toEqual([])
    const below = await testSharp(png).resize(60).png().toBuffer()
    expect(await detector.detect(below)).toEqual([])
  })

  it('that are none, or damaged, or too large, are errors that say so', async () => {
    const jpeg = await testSharp(png).jpeg().toBuffer()
    const cut = (bytes: Buffer, length: number) => bytes.subarray(0, length)
    for (const bytes of [cut(jpeg, jpeg.length >> 1), cut(png, png.length >> 1), cut(jpeg, 30)])
      await expectSfmRejection(readPhoto(bytes), 'INVALID_INPUT', /damaged or cut off|another format/)
    const bomb = Buffer.from(png)
    bomb.writeUInt32BE(60_000, 16)
    bomb.writeUInt32BE(60_000, 20)
    bomb.writeUInt32BE(crc32(bomb.subarray(12, 29)), 29)
    await expectSfmRejection(readPhoto(bomb), 'INVALID_INPUT', /60000 x 60000 pixels are more than the 128 million/)
    // More than its decoder counts to: what that says of it ends in a colon, and no more.
    bomb.writeUInt32BE(2 ** 31 - 1, 16)
    bomb.writeUInt32BE(crc32(bomb.subarray(12, 29)), 29)
    await expectSfmRejection(readPhoto(bomb), 'INVALID_INPUT', /damaged or cut off: .*[^:]$/)
    await expectSfmRejection(
      readPhoto(png, { maxPixels: 1e5 }),
      'INVALID_INPUT',
      /512 x 512 pixels are more than the 0.1/,
    )
    const drawing = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>')
    await expectSfmRejection(readPhoto(drawing), 'INVALID_INPUT', /expected a photo as JPEG, PNG, .*, received svg/)
    await expectSfmRejection(readPhoto(Buffer.from('hello')), 'INVALID_INPUT', /received another format/)
    await expectSfmRejection(readPhoto(Buffer.alloc(0)), 'INVALID_INPUT', /nothing in it/)
    await expectSfmRejection(readPhoto('nowhere.jpg'), 'IO', /nowhere\.jpg/)
    await expectSfmRejection(readPhoto(7 as never), 'INVALID_ARGUMENT', /source: expected a path/)
    await expectSfmRejection(readPhoto(png, { longestSide: 0 }), 'INVALID_ARGUMENT', /longestSide/)
    await expectSfmRejection(readPhoto(png, { longestSide: 20_000 }), 'INVALID_ARGUMENT', /at most 16384/)
    await refusal(
      detector.detect({ width: 2, height: 2, data: new Uint8Array(3) }),
      'INVALID_ARGUMENT',
      /photo\.data: expected 16 bytes/,
    )
    const pixels = createPicture(20, 10)
    await refusal(detector.detect({ width: 10, height: 10, pixels }), 'INVALID_ARGUMENT', /photo\.width/)
    await refusal(detector.detect(pixels, { maxFaces: 0 }), 'INVALID_ARGUMENT', /maxFaces/)
    await refusal(detector.detect(pixels, { minFace: -1 }), 'INVALID_ARGUMENT', /minFace/)
  })

  it('leave the thread and the photo alone while their faces are found', async () => {
    const photo = await library.readPhoto(png)
    const before = Buffer.from(photo.pixels.data)
    let turns = 0
    const timer = setInterval(() => turns++, 2)
    const [first, second] = await Promise.all([detector.detect(photo), detector.detect(photo)])
    clearInterval(timer)
    expect(turns).toBeGreaterThan(3)
    expect(before.equals(Buffer.from(photo.pixels.data))).toBe(true)
    expect(second).toEqual(first)
  })

  it('may be given up, and so may the detector', async () => {
    const own = await library.FaceDetector.load()
    const controller = new AbortController()
    const given = own.detect(png, { signal: controller.signal })
    setTimeout(() => controller.abort(new Error('enough')), 5)
    await refusal(given, 'ABORTED')
    await refusal(own.detect(png, { signal: AbortSignal.abort() }), 'ABORTED')
    // Those that came before do not keep those that come after.
    expect(await own.detect(png)).toHaveLength(1)
    const under = own.detect(png)
    const refused = refusal(under, 'DISPOSED', /the face detector has been disposed/)
    await own.dispose()
    await refused
    await refusal(own.detect(png), 'DISPOSED')
    await own.dispose()
    await refusal(library.FaceDetector.load({ signal: AbortSignal.abort() }), 'ABORTED')
  })

  it('do not keep a process alive whose detector was forgotten', async () => {
    expect(await runToTheEnd('photos-forgotten.mjs', [portrait])).toBe('1 found\n')
  })

  it('become files in one command', async () => {
    await writeFile(at('face.jpg'), await testSharp(png).jpeg({ quality: 95 }).toBuffer())
    await writeFile(at('blank.png'), await sharpOf(createPicture(64, 64)).png().toBuffer())
    const command = ['fit', at('face.jpg'), at('blank.png'), '--out', at('faces'), '--format', 'json,glb,png']
    const { end, err } = await runProgram('../../../dist/cli/main.js', command)
    expect(end).toBe(1)
    expect(err).toMatch(
      /blank\.png: no face was found: the picture is of one colour all over\n.*2 faces, .*1 not usable/,
    )
    expect(await readdir(at('faces'))).toEqual(['blank.json', 'face.glb', 'face.json', 'face.png'])
    const result = JSON.parse(await readFile(at('faces', 'face.json'), 'utf8'))
    expect(result).toMatchObject({
      usable: true,
      image: { width: 512, height: 512, file: at('face.jpg') },
      files: { glb: 'face.glb', png: 'face.png' },
    })
    // The skin of the texture has the colours of the photo.
    const document = await new NodeIO().read(at('faces', 'face.glb'))
    const [texture] = document.getRoot().listTextures()
    const photo = await library.readPhoto(Buffer.from(texture!.getImage()!))
    const means = [0, 1, 2].map((channel) => {
      let sum = 0
      for (let i = channel; i < photo.pixels.data.length; i += 4) sum += photo.pixels.data[i]!
      return (4 * sum) / photo.pixels.data.length
    }) as [number, number, number]
    expect(means[0]).toBeGreaterThan(means[1])
    expect(means[1]).toBeGreaterThan(means[2])
    expect(means[0]).toBeGreaterThan(120)
    const { status } = JSON.parse(await readFile(at('faces', 'blank.json'), 'utf8'))
    expect(status).toBe('failed')
  })

  it('that are bad are each said to be so, and the others are fitted', async () => {
    await mkdir(at('bad'))
    const jpeg = await testSharp(png).jpeg({ quality: 92 }).toBuffer()
    const face = (size: number) => testSharp(png).resize(size).png().toBuffer()
    const grey = (width: number, height: number) => ({ create: { width, height, channels: 3, background: '#567' } })
    const group = [
      { input: await face(420), left: 20, top: 20 },
      { input: await face(300), left: 500, top: 40 },
      { input: await face(260), left: 860, top: 80 },
      { input: await face(220), left: 520, top: 380 },
    ]
    const bomb = Buffer.from(png)
    bomb.writeUInt32BE(60_000, 16)
    bomb.writeUInt32BE(60_000, 20)
    bomb.writeUInt32BE(crc32(bomb.subarray(12, 29)), 29)
    const turned = await testSharp(png).rotate(180).png().toBuffer()
    const files: Record<string, Buffer> = {
      'animated.gif': await testSharp([png, turned], { join: { animated: true } })
        .gif()
        .toBuffer(),
      'black.jpg': await testSharp({ ...grey(320, 240), create: { ...grey(320, 240).create, background: '#000' } })
        .jpeg()
        .toBuffer(),
      'bomb.png': bomb,
      'cat.png': await testSharp(CAT).png().toBuffer(),
      'cmyk.jpg': await testSharp(png).toColourspace('cmyk').jpeg({ quality: 95 }).toBuffer(),
      'cut.jpg': jpeg.subarray(0, jpeg.length >> 1),
      'deep.png': await testSharp(png).toColourspace('rgb16').png().toBuffer(),
      'group.jpg': await testSharp(grey(1200, 640)).composite(group).jpeg({ quality: 95 }).toBuffer(),
      'tiny.jpg': await testSharp(grey(640, 480))
        .composite([{ input: await face(100), left: 300, top: 200 }])
        .jpeg({ quality: 95 })
        .toBuffer(),
    }
    for (const [name, bytes] of Object.entries(files)) await writeFile(at('bad', name), bytes)
    const { end, out } = await runProgram('../../../dist/cli/main.js', ['fit', at('bad')])
    expect(end).toBe(1)
    const results = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { id: string; usable: boolean; message: string })
    const reason = Object.fromEntries(results.map(({ id, usable, message }) => [id, usable ? 'usable' : message]))
    expect(reason).toEqual({
      animated: 'usable',
      black: expect.stringMatching(/no face was found: the picture is of one colour all over/),
      bomb: expect.stringMatching(/60000 x 60000 pixels are more than the 128 million/),
      cat: expect.stringMatching(/no face was found in the picture/),
      cmyk: 'usable',
      cut: expect.stringMatching(/the photo is damaged or cut off/),
      deep: 'usable',
      'group#0': 'usable',
      'group#1': 'usable',
      'group#2': 'usable',
      'group#3': 'usable',
      tiny: expect.stringMatching(/the face is \d+ pixels large, and less than 32 are left out/),
    })
  })

  it('of one person become one face, with the colours of all of them', async () => {
    await mkdir(at('album'))
    for (const [name, width] of [
      ['a', 512],
      ['b', 400],
      ['c', 640],
    ] as const)
      await writeFile(at('album', `${name}.jpg`), await testSharp(png).resize(width).jpeg({ quality: 92 }).toBuffer())
    const command = ['fit', at('album'), '--joint', '--out', at('person'), '--format', 'json,glb']
    const { end, err } = await runProgram('../../../dist/cli/main.js', command)
    expect({ end, err: err.trimEnd() }).toEqual({ end: 0, err: 'sfm: 1 person from 3 images, 0 not used' })
    expect(await readdir(at('person'))).toEqual(['person.glb', 'person.json'])
    const document = await new NodeIO().read(at('person', 'person.glb'))
    const [texture] = document.getRoot().listTextures()
    const { pixels } = await library.readPhoto(Buffer.from(texture!.getImage()!))
    expect(pixels.width).toBe(1024)
    // The three are one picture, so their texture is that of one of them.
    const [face] = await detector.detect(portrait)
    const result = await fitter.fit(face!)
    const mesh = await library.faceMesh(model, result, 'alone')
    const alone = library.photoTexture(mesh, result, (await library.readPhoto(portrait)).pixels)
    const differences = alone.data.map((value, i) => Math.abs(value - pixels.data[i]!))
    expect(median([...differences.filter((_, i) => i % 4 !== 3)])).toBeLessThan(6)
  })
})
