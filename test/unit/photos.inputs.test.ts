import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
// @ts-expect-error The package has no types.
import { PNG } from 'pngjs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { run } from '../../lib/cli/program.js'
import { SfmError } from '../../lib/errors.js'
import {
  type ObservationItem,
  type ReadObservationsOptions,
  readObservations,
} from '../../lib/inputs/readObservations.js'
import { type FakeBehaviour, fakeModel } from '../fixtures/fakeModel.js'
import { FakeDetector, type FakePhoto, fakeReadPhoto, photoFile } from '../fixtures/fakePhotos.js'

let folder: string
let detector: FakeDetector
const at = (...names: string[]) => join(folder, ...names)

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sfm-photos-'))
  detector = new FakeDetector()
})
afterEach(() => rm(folder, { recursive: true }))

const save = (name: string, photo: FakePhoto) => writeFile(at(name), photoFile(photo))
const ONE: FakePhoto = { faces: [[200, 100, 120, 150]] }
const THREE: FakePhoto = {
  faces: [
    [10, 10, 100, 120],
    [200, 10, 60, 70],
    [400, 10, 20, 31],
  ],
}

async function read(inputs: string[], options: ReadObservationsOptions = {}): Promise<ObservationItem[]> {
  const items: ObservationItem[] = []
  for await (const item of readObservations(inputs, { detector, decode: fakeReadPhoto, ...options })) items.push(item)
  return items
}

const brief = ({ id, source, note, error }: ObservationItem) => [
  id,
  source.replace(`${folder}/`, ''),
  note ?? error?.message.replace(`${folder}/`, ''),
]

describe('photos among inputs', () => {
  it('give an observation for each face, called after the file', async () => {
    await save('one.jpg', ONE)
    await save('three.jpeg', THREE)
    const items = await read([at('one.jpg'), at('three.jpeg')])
    expect(items.map(brief)).toEqual([
      ['one', 'one.jpg', undefined],
      ['three#0', 'three.jpeg#0', undefined],
      ['three#1', 'three.jpeg#1', undefined],
    ])
    expect(items[2]!.observation).toMatchObject({
      id: 'three#1',
      scheme: 'mediapipe478',
      image: { width: 640, height: 480, file: at('three.jpeg') },
      face: { box: [200, 10, 60, 70], score: 0.9 },
    })
    expect(items.map(({ index }) => index)).toEqual([0, 1, 2])
    const [pixels, same] = await Promise.all([items[1]!.photo!(), items[2]!.photo!()])
    expect(pixels).toMatchObject({ width: 640, height: 480 })
    expect(same).toBe(pixels)
  })

  it('are limited to the largest faces, and to those that are large enough', async () => {
    await save('three.jpg', THREE)
    expect((await read([at('three.jpg')], { maxFaces: 1 })).map(brief)).toEqual([['three', 'three.jpg', undefined]])
    expect(await read([at('three.jpg')], { minFace: 31 })).toHaveLength(3)
    expect(await read([at('three.jpg')], { minFace: 100 })).toHaveLength(1)
  })

  it.each<[string, FakePhoto, string]>([
    ['without a face', {}, 'no face was found in the picture'],
    ['of nothing', { plain: true }, 'no face was found: the picture is of one colour all over'],
    [
      'of a tiny face',
      { faces: [[0, 0, 20, 21]] },
      'the face is 21 pixels large, and less than 32 are left out (--min-face)',
    ],
    [
      'of tiny faces',
      {
        faces: [
          [0, 0, 20, 21],
          [40, 0, 9, 18],
        ],
      },
      'the largest of 2 faces is 21 pixels large, and less than 32 are left out (--min-face)',
    ],
    [
      'that is damaged',
      { damage: 'the photo is damaged or cut off: premature end' },
      'the photo is damaged or cut off: premature end',
    ],
  ])('%s are an item with a reason, and what follows is read', async (_, photo, reason) => {
    await save('a.jpg', photo)
    await save('b.jpg', ONE)
    const items = await read([at('a.jpg'), at('b.jpg')])
    expect(items.map(brief)).toEqual([
      ['a', 'a.jpg', `a.jpg: ${reason}`],
      ['b', 'b.jpg', undefined],
    ])
    expect(items[0]!.error?.code).toBe('INVALID_INPUT')
  })

  it('of several pictures say that one is used, once', async () => {
    await save('film.gif', { ...THREE, frames: 24 })
    const items = await read([at('film.gif')])
    expect(items.map(({ note }) => note)).toEqual(['the first of its 24 pictures is used', undefined])
  })

  it('have the focal length that the camera noted, unless it is not wanted', async () => {
    await save('a.jpg', { ...ONE, focal: 812 })
    expect((await read([at('a.jpg')]))[0]!.observation?.camera).toEqual({ focal: 812 })
    expect((await read([at('a.jpg')], { cameraFocal: false }))[0]!.observation?.camera).toBeUndefined()
  })

  it('leave memory when there are many, and are decoded anew for whoever asks for their pixels', async () => {
    setFlagsFromString('--expose-gc')
    const collectGarbage: () => void = runInNewContext('gc')
    for (let i = 0; i < 10; i++) await save(`${i}.jpg`, { ...ONE, width: 64 + i })
    let decoded = 0
    const decode: typeof fakeReadPhoto = (...args) => {
      decoded++
      return fakeReadPhoto(...args)
    }
    const items = await read([at('*.jpg')], { decode })
    await new Promise((resolve) => setTimeout(resolve, 10))
    collectGarbage()
    expect(await items.at(-1)!.photo!()).toMatchObject({ width: 73 })
    expect(decoded).toBe(10)
    const first = await items[0]!.photo!()
    expect([first.width, decoded]).toEqual([64, 11])
    expect(await items[0]!.photo!()).toBe(first)
    expect(decoded).toBe(11)
  })

  it('in a directory give way to landmarks of the same name', async () => {
    await mkdir(at('set'))
    await save('set/a.jpg', ONE)
    await save('set/b.PNG', ONE)
    await save('set/c.txt', ONE)
    await writeFile(at('set', 'a.json'), JSON.stringify({ scheme: 's', points: [[1, 2]] }))
    expect((await read([at('set')])).map(brief)).toEqual([
      ['a', 'set/a.json', undefined],
      ['b', 'set/b.PNG', undefined],
    ])
    expect((await read([at('set')], { as: 'photos' })).map(brief)).toEqual([
      ['a', 'set/a.jpg', undefined],
      ['b', 'set/b.PNG', undefined],
    ])
    expect((await read([at('set')], { as: 'landmarks' })).map(brief)).toEqual([['a', 'set/a.json', undefined]])
  })

  it('come by standard input as well, and without a file', async () => {
    const [item] = await read(['-'], { stdin: Readable.from([photoFile(ONE)]) })
    expect(item).toMatchObject({ id: 'stdin', source: 'standard input' })
    expect(item!.observation?.image).toEqual({ width: 640, height: 480 })
  })

  it('are refused without a detector', async () => {
    await save('a.jpg', ONE)
    const [item] = await read([at('a.jpg')], { detector: undefined })
    expect(item!.error?.message).toMatch(/a\.jpg: expected landmarks as JSON, .* received a JPEG picture/)
  })

  it('end the stream where the peers are missing, which is better said once', async () => {
    await save('a.jpg', ONE)
    const decode = () => Promise.reject(new SfmError('MISSING_PEER', 'npm install sharp'))
    await expect(read([at('a.jpg')], { decode })).rejects.toMatchObject({ code: 'MISSING_PEER' })
  })
})

describe('sfm fit with photos', () => {
  const behaviour: FakeBehaviour = { batches: [], options: [], open: 0 }
  let loads: number

  async function sfm(args: string[], loadDetector?: () => Promise<FakeDetector>) {
    const written = { out: '', err: '' }
    const sink = (name: 'out' | 'err') =>
      new Writable({
        write(chunk, _, done) {
          written[name] += chunk
          done()
        },
      })
    loads = 0
    const status = await run(['fit', ...args], {
      stdin: Readable.from([]),
      stdout: sink('out'),
      stderr: sink('err'),
      controller: new AbortController(),
      engine: {
        loadModel: async () => fakeModel(behaviour),
        setThreads: async () => undefined,
        loadDetector:
          loadDetector ??
          (async () => {
            loads++
            return detector
          }),
        readPhoto: fakeReadPhoto,
      },
    })
    const lines = written.out
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
    return { status, ...written, lines }
  }

  it('fits all faces, with one detector for all photos, and says what cannot be used', async () => {
    await save('a.jpg', THREE)
    await save('b.jpg', {})
    await save('c.gif', { ...ONE, frames: 3 })
    const { status, err, lines } = await sfm([at('a.jpg'), at('b.jpg'), at('c.gif')])
    expect(status).toBe(1)
    expect(lines.map(({ id, usable }) => [id, usable])).toEqual([
      ['a#0', true],
      ['a#1', true],
      ['b', false],
      ['c', true],
    ])
    expect(lines[1]).toMatchObject({ face: { box: [200, 10, 60, 70], score: 0.9 }, image: { file: at('a.jpg') } })
    expect(lines[2]).toMatchObject({ status: 'failed', message: expect.stringMatching(/no face was found/) })
    expect(err.replaceAll(`${folder}/`, '')).toBe(
      'sfm: b.jpg: no face was found in the picture\nsfm: c.gif: the first of its 3 pictures is used\n',
    )
    expect({ loads, disposed: detector.disposed }).toEqual({ loads: 1, disposed: 1 })
  })

  it('loads no detector for landmarks', async () => {
    await writeFile(at('a.json'), JSON.stringify({ scheme: 's', points: [[1, 2]] }))
    expect((await sfm([at('a.json')])).status).toBe(0)
    expect({ loads, disposed: detector.disposed }).toEqual({ loads: 0, disposed: 0 })
  })

  it('draws the face over the photo, at full size or from a smaller copy of it', async () => {
    await save('a.jpg', { ...ONE, width: 600, height: 100 })
    await save('b.jpg', { ...ONE, width: 600, height: 100, reduction: 0.5 })
    const args = [at('a.jpg'), at('b.jpg'), '--out', at('out'), '--format', 'json,png,glb']
    const { status, err } = await sfm(args)
    expect({ status, err: err.replace(folder, '') }).toEqual({
      status: 0,
      err: expect.stringMatching(/^sfm: 2 faces, .* in \/out\n$/),
    })
    const [a, b] = await Promise.all(['a', 'b'].map((name) => readFile(at('out', `${name}.png`))))
    expect(a!.length).toBeGreaterThan(200)
    // The photo is black above and white below; the copy shows the same part of it.
    const [first, second] = [PNG.sync.read(a!), PNG.sync.read(b!)]
    expect([second.width, second.height]).toEqual([first.width, first.height])
    let different = 0
    for (let i = 0; i < first.data.length; i += 4) if (Math.abs(first.data[i]! - second.data[i]!) > 40) different++
    expect(different / (first.data.length / 4)).toBeLessThan(0.02)
    expect(JSON.parse(await readFile(at('out', 'b.json'), 'utf8')).files).toEqual({ png: 'b.png', glb: 'b.glb' })
  })

  it('shows the photo that landmarks name, seen from their own folder, or says why it does not', async () => {
    await mkdir(at('shots'))
    await save('shots/a.jpg', { width: 600, height: 100 })
    await save('wide.jpg', { width: 601, height: 50 })
    await save('broken.jpg', { damage: 'the photo is damaged or cut off: all of it' })
    const landmarks = (id: string, file: string) =>
      JSON.stringify({ id, scheme: 's', points: [[1, 2]], image: { width: 600, height: 100, file } })
    const lines = [
      landmarks('there', '../shots/a.jpg'),
      landmarks('absolute', at('shots/a.jpg')),
      landmarks('gone', 'gone.jpg'),
      landmarks('other', '../wide.jpg'),
      landmarks('broken', '../broken.jpg'),
    ]
    await mkdir(at('notes'))
    await writeFile(at('notes', 'faces.jsonl'), lines.join('\n'))
    const { status, err } = await sfm([at('notes/faces.jsonl'), '--out', at('out'), '--format', 'png,json'])
    expect(status).toBe(0)
    expect(err.replaceAll(`${folder}/`, '').split('\n').slice(0, 3)).toEqual([
      expect.stringMatching(/^sfm: notes\/faces.jsonl:3: shown without its photo: ENOENT.*notes\/gone.jpg/),
      "sfm: notes/faces.jsonl:4: shown without its photo: image.file: wide.jpg has 601 x 50 pixels, the landmarks' image 600 x 100",
      'sfm: notes/faces.jsonl:5: shown without its photo: the photo is damaged or cut off: all of it',
    ])
    const picture = (name: string) => readFile(at('out', `${name}.png`))
    expect(await picture('there')).toEqual(await picture('absolute'))
    const { data } = PNG.sync.read(await picture('there'))
    const without = PNG.sync.read(await picture('gone')).data
    expect(data.length).toBeGreaterThan(0)
    expect(Buffer.compare(data, without)).not.toBe(0)

    // Who does not ask for pictures does not hear of photos.
    const plain = await sfm([at('notes/faces.jsonl'), '--out', at('out2'), '--format', 'json,obj'])
    expect(plain.err).not.toMatch(/its photo/)
  })

  it('does not take a noted focal length where one is given', async () => {
    await save('a.jpg', { ...ONE, focal: 812 })
    behaviour.observations = []
    await sfm([at('a.jpg')])
    await sfm([at('a.jpg'), '--focal', '900'])
    expect(behaviour.observations.map(({ camera }) => camera)).toEqual([{ focal: 812 }, undefined])
    expect(behaviour.options.at(-1)).toMatchObject({ focal: 900 })
  })

  it('says once what to install where the peers are missing, and fits what came before', async () => {
    await writeFile(at('a.json'), JSON.stringify({ scheme: 's', points: [[1, 2]] }))
    await save('b.jpg', ONE)
    await save('c.jpg', ONE)
    const { status, err, lines } = await sfm([at('a.json'), at('b.jpg'), at('c.jpg')], () =>
      Promise.reject(new SfmError('MISSING_PEER', 'photos need packages: npm install sharp')),
    )
    expect(status).toBe(1)
    expect(lines).toMatchObject([{ id: 'a', usable: true }])
    expect(err).toBe('sfm: photos need packages: npm install sharp\n')
  })

  it.each<[string[], RegExp]>([
    [['--max-faces', '0'], /--max-faces/],
    [['--max-faces', 'two'], /--max-faces/],
    [['--min-face', '-3'], /--min-face/],
    [['--as', 'films'], /--as/],
  ])('refuses %j', async (options, message) => {
    const { status, err } = await sfm(['a.jpg', ...options])
    expect(status).toBe(2)
    expect(err).toMatch(message)
  })
})
