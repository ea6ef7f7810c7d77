/**
 * Whatever the bytes, the reader answers with a valid model or with INVALID_MODEL, within a second, and allocates in
 * proportion to the file alone. SFM_FUZZ_RUNS sets the number of files a test; the default suits a test run, 100000 an
 * evening.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SfmError } from '../../lib/errors.js'
import { readModel, writeModel } from '../../lib/model/formats/sphereFaceModel.js'
import { withBasisPrecision } from '../../lib/model/half.js'
import { validateModel } from '../../lib/model/validate.js'
import { rawSafetensors, splitSafetensors } from '../fixtures/rawSafetensors.js'
import { tinyFullModel, tinyGaussianModel } from '../fixtures/tinyModel.js'

const numRuns = Number(process.env.SFM_FUZZ_RUNS ?? 400)
const timeout = 60_000 + 20 * numRuns

const FILES = [tinyFullModel(), withBasisPrecision(tinyFullModel(), 'f16'), tinyGaussianModel()].map(writeModel)
const anyFile = fc.constantFrom(...FILES)

/** Runs the reader and holds it to its promise; tells what came. */
function outcomeOf(file: Uint8Array): 'model' | 'error' {
  const memory = process.memoryUsage().arrayBuffers
  const start = performance.now()
  try {
    const data = readModel(file)
    validateModel(data)
    const again = writeModel(data)
    // Byte by byte in native code: the matcher would take most of the time.
    expect(Buffer.compare(writeModel(readModel(again)), again)).toBe(0)
    return 'model'
  } catch (error) {
    if (!(error instanceof SfmError)) throw error
    expect(error.code).toBe('INVALID_MODEL')
    expect(error.message.length).toBeLessThan(400)
    return 'error'
  } finally {
    expect(performance.now() - start).toBeLessThan(1000)
    expect(process.memoryUsage().arrayBuffers - memory).toBeLessThan(8 * file.length + 1e6)
  }
}

function fuzz(files: fc.Arbitrary<Uint8Array>): void {
  fc.assert(
    fc.property(files, (file) => {
      outcomeOf(file)
    }),
    { numRuns },
  )
}

/** Values that a header has no business holding, and some that it may. */
const hostileValue = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    -1,
    0,
    1,
    0.5,
    2 ** 31,
    2 ** 32,
    2 ** 53,
    1e308,
    '',
    'F32',
    'F16',
    'I32',
    'U8',
    'F64',
    [],
    {},
    [0],
    [0, 0],
    [-4, 0],
    [2 ** 40, 2 ** 40],
    [0, 2 ** 53],
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  ),
  fc.integer({ min: 0, max: 40_000 }),
  fc.array(fc.integer({ min: -2, max: 200 }), { maxLength: 4 }),
  fc.jsonValue({ maxDepth: 3 }),
)

/** Every place of a JSON value, as the keys on the way there. */
function placesOf(value: unknown, path: string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [path]
  return [path, ...Object.entries(value).flatMap(([key, child]) => placesOf(child, [...path, key]))]
}

/** A value with the part at a place replaced, or removed. */
function replaced(value: unknown, [key, ...rest]: string[], part: unknown): unknown {
  if (key === undefined) return part
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string, unknown>
  if (rest.length === 0 && part === undefined) delete copy[key]
  else copy[key] = replaced(copy[key], rest, part)
  return copy
}

const PARTS = FILES.map((file) => {
  const { header, data } = splitSafetensors(file)
  return { header, data, places: placesOf(header) }
})

describe('the model reader', () => {
  it('knows the files that the others are made from', () => {
    for (const file of FILES) expect(outcomeOf(file)).toBe('model')
  })

  it('withstands flipped bytes', { timeout }, () => {
    const flip = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 }))
    const flipped = fc
      .tuple(anyFile, fc.array(flip, { minLength: 1, maxLength: 20 }), fc.boolean())
      .map(([file, flips, inHeader]) => {
        const copy = file.slice()
        for (const [at, mask] of flips) copy[at % (inHeader ? 4000 : copy.length)]! ^= mask
        return copy
      })
    fuzz(flipped)
  })

  it('withstands truncation and surplus', { timeout }, () => {
    const cut = fc.tuple(anyFile, fc.nat()).map(([file, length]) => file.slice(0, length % file.length))
    const longer = fc
      .tuple(anyFile, fc.uint8Array({ minLength: 1, maxLength: 100 }))
      .map(([file, tail]) => Uint8Array.of(...file, ...tail))
    fc.assert(
      fc.property(fc.oneof({ weight: 4, arbitrary: cut }, longer), (file) => {
        expect(outcomeOf(file)).toBe('error')
      }),
      { numRuns },
    )
  })

  it('withstands any value at any place of the header', { timeout }, () => {
    const mutated = fc
      .tuple(
        fc.constantFrom(...PARTS),
        fc.array(fc.tuple(fc.nat(), fc.oneof(hostileValue, fc.constant(undefined))), { minLength: 1, maxLength: 2 }),
      )
      .map(([{ header, data }, changes]) => {
        const changed = changes.reduce<unknown>((value, [at, part]) => {
          const place = placesOf(value)
          return replaced(value, place[at % place.length]!, part)
        }, header)
        return rawSafetensors(changed ?? null, data)
      })
    fuzz(mutated)
  })

  it('refuses each field of the header when it is another value', { timeout }, () => {
    for (const { header, data, places } of PARTS) {
      for (const place of places) {
        for (const part of [undefined, null, -1, 1e300, 'nonsense', [], {}]) {
          const outcome = outcomeOf(rawSafetensors(replaced(header, place, part) ?? null, data))
          // A text may be missing or say anything.
          const isText = place[0] === '__metadata__' && (part === undefined || typeof part === 'string')
          if (!isText) expect([place, part, outcome]).toEqual([place, part, 'error'])
        }
      }
    }
  })

  it('withstands text spliced into the header', { timeout }, () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '{',
        '}',
        '[',
        ']',
        '"',
        ',',
        ':',
        '\\',
        '\\u0000',
        '"__proto__":',
        '"mean":{},',
        'null',
        '-',
        '1e999',
        '\ud800',
        '\u0000',
      ),
      fc.string({ maxLength: 8 }),
    )
    const spliced = fc
      .tuple(fc.constantFrom(...PARTS), fc.nat(), fc.nat({ max: 30 }), piece)
      .map(([{ header, data }, at, count, text]) => {
        const json = JSON.stringify(header)
        const start = at % json.length
        return rawSafetensors(json.slice(0, start) + text + json.slice(start + count), data)
      })
    fuzz(spliced)
  })

  it('withstands hostile values in the tensors', { timeout }, () => {
    const hostileWord = fc.constantFrom(
      0x7f800000,
      0xff800000,
      0x7fc00000,
      0x7f7fffff,
      0xffffffff,
      0x80000000,
      0x7c007c00,
      0xfc01,
      63,
      62,
      0,
      1,
    )
    const spoiled = fc
      .tuple(fc.constantFrom(...PARTS), fc.array(fc.tuple(fc.nat(), hostileWord), { minLength: 1, maxLength: 4 }))
      .map(([{ header, data }, words]) => {
        const copy = data.slice()
        const view = new DataView(copy.buffer)
        for (const [at, word] of words) view.setUint32((at % (copy.length - 3)) & ~3, word, true)
        return rawSafetensors(header, copy)
      })
    fuzz(spoiled)
  })

  it('withstands shapes of the right size in wrong orders', { timeout }, () => {
    const reshaped = fc
      .tuple(
        fc.constantFrom(...PARTS),
        fc.nat(),
        fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }),
        fc.constantFrom(1, 3, 7),
      )
      .map(([{ header, data }, which, order, factor]) => {
        const names = Object.keys(header).filter((name) => name !== '__metadata__')
        const name = names[which % names.length]!
        const entry = header[name]
        const shape = [...entry.shape, 1].map((size: number) => (size % factor === 0 ? size / factor : size))
        const permuted = order.map((i) => shape[i]).filter((size) => size !== undefined)
        return rawSafetensors({ ...header, [name]: { ...entry, shape: permuted } }, data)
      })
    fuzz(reshaped)
  })

  it('withstands any JSON for a header, and any bytes for a file', { timeout }, () => {
    const json = fc
      .tuple(fc.json(), fc.uint8Array({ maxLength: 50 }))
      .map(([header, data]) => rawSafetensors(header, data))
    const bytes = fc.uint8Array({ maxLength: 200 })
    fuzz(fc.oneof(json, bytes))
  })
})

describe('the model reader at scale', () => {
  const entry = (begin: number, end: number) => ({ dtype: 'U8', shape: [end - begin], data_offsets: [begin, end] })
  const metadata = splitSafetensors(FILES[2]!).header.__metadata__

  it('takes twenty thousand tensors', () => {
    const header: Record<string, unknown> = { __metadata__: metadata }
    for (let i = 0; i < 20_000; i++) header[`landmarks.${i}.colour`] = entry(i, i + 1)
    expect(outcomeOf(rawSafetensors(header, new Uint8Array(20_000)))).toBe('error')
  })

  it('takes tensors that claim more than the file has', () => {
    for (const size of [2 ** 31, 2 ** 40, 2 ** 52]) {
      expect(outcomeOf(rawSafetensors({ __metadata__: metadata, mean: entry(0, size) }))).toBe('error')
      const empty = { dtype: 'F32', shape: [0, size], data_offsets: [0, 0] }
      expect(outcomeOf(rawSafetensors({ __metadata__: metadata, mean: empty, identity_basis: empty }))).toBe('error')
    }
  })

  it('takes a great many expressions of one name', () => {
    const { data } = splitSafetensors(FILES[2]!)
    const names = JSON.stringify(Array(200_000).fill('a'))
    const { header } = splitSafetensors(FILES[2]!)
    expect(outcomeOf(rawSafetensors({ ...header, __metadata__: { ...metadata, expression_names: names } }, data))).toBe(
      'error',
    )
  })
})
