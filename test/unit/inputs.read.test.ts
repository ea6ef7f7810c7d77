import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readJson } from '../../lib/inputs/readJson.js'
import { readLines } from '../../lib/inputs/readLines.js'
import { type ObservationItem, readObservations } from '../../lib/inputs/readObservations.js'
import { sniff } from '../../lib/inputs/sniff.js'

/** A stream that hands its text over in pieces of a size, to cut it in every place. */
async function* inPieces(text: string | Uint8Array, size = 3): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text)
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size)
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

const face = (id?: string) => ({ ...(id && { id }), scheme: 's', points: [[1, 2], null] })

describe('readLines', () => {
  it.each([1, 2, 3, 7, 100])('splits at both kinds of breaks, pieces of %d bytes', async (size) => {
    const lines = await collect(readLines(inPieces('\uFEFFone\r\n\nthree ü\u2028\n four', size)))
    expect(lines.map(({ number, text }) => [number, text])).toEqual([
      [1, 'one'],
      [2, ''],
      [3, 'three ü\u2028'],
      [4, ' four'],
    ])
  })

  it('passes over a line beyond the limit and goes on', async () => {
    const lines = await collect(readLines(inPieces(`a\n${'x'.repeat(50)}\nb\n`, 4), 10))
    expect(lines).toEqual([
      { number: 1, text: 'a', tooLong: false },
      { number: 2, text: '', tooLong: true },
      { number: 3, text: 'b', tooLong: false },
    ])
  })
})

describe('readJson', () => {
  const read = async (text: string) =>
    (await collect(readJson(inPieces(text)))).map(({ place, value, error }) => [place, error?.message ?? value])

  it('tells a document, an array and JSON Lines apart', async () => {
    expect(await read('{"a":1}')).toEqual([['', { a: 1 }]])
    expect(await read('\n{\n  "a": [\n    1\n  ]\n}\n')).toEqual([['', { a: [1] }]])
    expect(await read('[{"a":1},\n{"a":2}\n]')).toEqual([
      ['[0]', { a: 1 }],
      ['[1]', { a: 2 }],
    ])
    expect(await read('{"a":1}\n\n{"a":2}\n')).toEqual([
      [':1', { a: 1 }],
      [':3', { a: 2 }],
    ])
  })

  it('keeps an indented document with one-line members whole', async () => {
    expect(await read('{\n "image":\n  {"width":1},\n "b": 2\n}')).toEqual([['', { image: { width: 1 }, b: 2 }]])
  })

  it('makes one entry of each bad line, the first as well', async () => {
    const entries = await read('{"a":1\nnonsense\n{"a":3}\n{"a":4\n{"a":5}')
    expect(entries.map(([place]) => place)).toEqual([':1', ':2', ':3', ':4', ':5'])
    expect(entries[0]![1]).toMatch(/^not valid JSON: /)
    expect(entries[1]![1]).toMatch(/^not valid JSON: /)
    expect(entries[2]![1]).toEqual({ a: 3 })
    expect(entries[4]![1]).toEqual({ a: 5 })
    expect((await read('{"a":1}\n{"a":'))[1]).toEqual([':2', 'not valid JSON: Unexpected end of JSON input'])
  })

  it('says what is wrong with a document', async () => {
    expect(await read('{\n"a":\n')).toEqual([['', 'not valid JSON: Unexpected end of JSON input']])
    expect(await read('[1,')).toEqual([['', 'not valid JSON: Unexpected end of JSON input']])
    expect(await read('')).toEqual([['', 'nothing in it']])
    expect(await read('[]')).toEqual([])
  })
})

describe('sniff', () => {
  it.each<[string, string, string]>([
    ['\x89PNG\r\n\x1a\n', 'a.json', 'a PNG picture'],
    ['\xff\xd8\xff\xe0', 'a', 'a JPEG picture'],
    ['ply\nformat ascii 1.0', 'a.json', 'a PLY mesh'],
    ['glTF\x02\0\0\0', 'a', 'a GLB mesh'],
    ['v 1 2 3\n', 'a.obj', 'an OBJ mesh'],
    ['{"asset":{}}', 'a.gltf', 'a glTF mesh'],
    ['\x10\x02\0\0\0\0\0\0{"mean":', 'a', 'a model file'],
    ['\x1f\x8b\x08', 'a.jsonl', 'gzip data'],
    ['\xff\xfe{\0', 'a.json', 'UTF-16 text'],
    ['\x01\0\x02', 'a.bin', 'binary data'],
    [' {"a"', 'a.txt', 'JSON'],
    ['\xef\xbb\xbf[1', '-', 'JSON'],
    ['{"a"', 'a.JSONL', 'JSON Lines'],
    ['version: 1', 'a', 'a .pts file'],
    [' \n', 'a', 'JSON'],
    ['', 'a.pts', 'a .pts file'],
    ['hello', 'a.txt', 'text of another kind'],
    ['hello', 'a.jsonl', 'JSON Lines'],
    ['hello', 'standard input', 'JSON'],
  ])('%j in %s is %s', (head, name, label) => {
    expect(sniff(Buffer.from(head, 'latin1'), name).label).toBe(label)
  })
})

describe('readObservations', () => {
  let folder: string
  const at = (...names: string[]) => join(folder, ...names)
  const brief = ({ id, source, index, error }: ObservationItem) => [
    id,
    source.replace(`${folder}/`, ''),
    index,
    error?.code,
  ]
  const read = (inputs: string[], text = '') =>
    collect(readObservations(inputs, { stdin: Readable.from([Buffer.from(text)]) }))

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sfm-inputs-'))
    await mkdir(at('set', 'deeper'), { recursive: true })
    await mkdir(at('empty'))
    const points = Array.from({ length: 68 }, (_, i) => `${i} ${i}`).join('\n')
    await writeFile(at('set', 'b.json'), JSON.stringify(face()))
    await writeFile(at('set', 'B.json'), JSON.stringify([face('first'), face()], null, 2))
    await writeFile(
      at('set', 'a.jsonl'),
      `${JSON.stringify(face())}\n{"points":\n\n${JSON.stringify({ id: 'x', points: [] })}\n`,
    )
    await writeFile(at('set', 'c.pts'), `version: 1\n{\n${points}\n}`)
    await writeFile(at('set', 'c.png'), Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'))
    await writeFile(at('set', '.hidden.json'), JSON.stringify(face()))
    await writeFile(at('set', 'deeper', 'd.ndjson'), JSON.stringify(face()))
    await writeFile(at('[odd].json'), JSON.stringify(face()))
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('reads a directory in the order of names, not its folders', async () => {
    const items = await read([at('set')])
    expect(items.map(brief)).toEqual([
      ['first', 'set/B.json[0]', 0, undefined],
      ['B-2', 'set/B.json[1]', 1, undefined],
      ['a-1', 'set/a.jsonl:1', 2, undefined],
      ['a-2', 'set/a.jsonl:2', 3, 'INVALID_INPUT'],
      ['x', 'set/a.jsonl:4', 4, 'INVALID_INPUT'],
      ['b', 'set/b.json', 5, undefined],
      ['c', 'set/c.pts', 6, undefined],
    ])
    expect(items[0]!.observation).toEqual(face('first'))
    expect(items[4]!.error!.message).toMatch(/a\.jsonl:4: scheme: expected the name of a landmark scheme/)
  })

  it('expands patterns, and takes a file whose name looks like one', async () => {
    expect((await read([at('set', '**', '*.{json,ndjson}')])).map(({ id }) => id)).toEqual(['first', 'B-2', 'b', 'd-1'])
    expect((await read([at('[odd].json')])).map(({ id }) => id)).toEqual(['[odd]'])
  })

  it('reads standard input of each kind, once', async () => {
    const lines = `${JSON.stringify(face('a'))}\n${JSON.stringify(face())}\n`
    expect((await read(['-'], lines)).map(brief)).toEqual([
      ['a', 'standard input:1', 0, undefined],
      ['stdin-2', 'standard input:2', 1, undefined],
    ])
    expect((await read(['-'], JSON.stringify([face()]))).map(brief)).toEqual([
      ['stdin-1', 'standard input[0]', 0, undefined],
    ])
    const twice = await read(['-', '-'], JSON.stringify(face()))
    expect(twice.map(brief)).toEqual([
      ['stdin-1', 'standard input:1', 0, undefined],
      ['-', '-', 1, 'INVALID_INPUT'],
    ])
  })

  it('answers the first line of standard input before the second has come', async () => {
    const stdin = new Readable({ read() {} })
    const items = readObservations(['-'], { stdin })
    stdin.push(`${JSON.stringify(face('a'))}\n`)
    expect((await items.next()).value.id).toBe('a')
    stdin.push(`${JSON.stringify(face('b'))}\n`)
    expect((await items.next()).value.id).toBe('b')
    stdin.push(null)
    expect((await items.next()).done).toBe(true)
  })

  it('makes an item of everything that cannot be read, and goes on', async () => {
    const inputs = ['nowhere.json', 'nothing/*.json', at('empty'), at('set', 'c.png'), at('set', 'b.json')]
    const items = await read(inputs)
    expect(items.map(({ error }) => error?.message.replace(`${folder}/`, ''))).toEqual([
      'nowhere.json: no such file or directory',
      'nothing/*.json: no file matches this pattern',
      'empty: no .json, .jsonl, .ndjson, .pts file in this directory',
      'set/c.png: expected landmarks as JSON, JSON Lines or .pts, received a PNG picture; sfm fit finds the faces in photos',
      undefined,
    ])
    expect(items.map(({ error }) => error?.code)).toEqual(['IO', 'IO', 'IO', 'INVALID_INPUT', undefined])
  })

  it('makes an item of a stream that breaks', async () => {
    const stdin = Readable.from(
      (async function* () {
        yield Buffer.from(`${JSON.stringify(face())}\n${JSON.stringify(face())}\n`)
        throw new Error('the cable was pulled')
      })(),
    )
    const items = await collect(readObservations(['-'], { stdin }))
    expect(items.map(({ error }) => error?.message)).toEqual([
      undefined,
      undefined,
      'standard input: the cable was pulled',
    ])
  })

  it('ends with ABORTED when the signal fires, also while it waits for input', async () => {
    const controller = new AbortController()
    const stdin = new Readable({ read() {} })
    const items = readObservations(['-'], { stdin, signal: controller.signal })
    setTimeout(() => controller.abort(), 20)
    await expect(items.next()).rejects.toMatchObject({ code: 'ABORTED' })
    await expect(collect(readObservations([at('set')], { signal: AbortSignal.abort() }))).rejects.toMatchObject({
      code: 'ABORTED',
    })
  })

  it('holds a line at a time of a stream without end', async () => {
    const line = Buffer.from(`${JSON.stringify(face())}\n`)
    let read = 0
    async function* endless() {
      for (;;) {
        read += line.length
        yield line
      }
    }
    const items = readObservations(['-'], { stdin: endless() })
    for (let i = 0; i < 5000; i++) expect((await items.next()).value.observation.scheme).toBe('s')
    await items.return(undefined)
    expect(read).toBeLessThan(5200 * line.length)
  })
})
