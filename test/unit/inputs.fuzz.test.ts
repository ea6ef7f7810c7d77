import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SfmError } from '../../lib/errors.js'
import { parseEmbedding } from '../../lib/inputs/parseEmbedding.js'
import { parseLatents } from '../../lib/inputs/parseLatents.js'
import { parseObservation } from '../../lib/inputs/parseObservation.js'
import { parsePts } from '../../lib/inputs/parsePts.js'
import { readObservations } from '../../lib/inputs/readObservations.js'
import { safeFileName } from '../../lib/outputs/FileNames.js'

async function* pieces(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0
  for (let i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length]!
    yield bytes.subarray(at, at + size)
    at += size
  }
}

const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 })
const good = (id: string) => JSON.stringify({ id, scheme: 's', points: [[1, 2], null, [3, 4]] })

async function read(text: string | Uint8Array, sizes: readonly number[]) {
  const items = []
  for await (const item of readObservations(['-'], { stdin: pieces(Buffer.from(text), sizes) })) items.push(item)
  return items
}

describe('whatever the bytes', () => {
  it('reading ends, with observations and typed errors', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), cuts, async (bytes, sizes) => {
        for (const { error, observation } of await read(bytes, sizes)) {
          expect(error instanceof SfmError !== (observation !== undefined)).toBe(true)
        }
      }),
    )
  })

  it('a bad line spoils no other', async () => {
    const noise = fc
      .oneof(
        fc.string(),
        fc.json(),
        fc.constant(good('x')).chain((line) => fc.nat(line.length - 2).map((n) => line.slice(0, n))),
      )
      // A first line with a bracket says that the whole is one array; an empty one is no line.
      .map((line) => line.replace(/[\r\n\0]/g, ' ').replace(/^\s*\[/, '.'))
      .filter((line) => line.trim() !== '' && !/^\s*(version|n_points)\s*:/.test(line))
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(noise, fc.nat()), { maxLength: 8 }), cuts, async (parts, sizes) => {
        const lines = [...parts, 1].map((part) => (typeof part === 'number' ? good(`good${part}`) : part))
        const ids = lines.filter((line) => line.startsWith('{"id":"good')).map((line) => JSON.parse(line).id)
        const items = await read(lines.join('\n'), sizes)
        expect(items).toHaveLength(lines.length)
        expect(items.flatMap(({ observation }) => observation?.id ?? []).filter((id) => id.startsWith('good'))).toEqual(
          ids,
        )
      }),
    )
  })

  it('values are taken or refused with a typed error', () => {
    const fields = fc.record(
      {
        id: fc.anything(),
        image: fc.anything(),
        scheme: fc.oneof(fc.constant('s'), fc.anything()),
        points: fc.oneof(
          fc.array(fc.oneof(fc.constant(null), fc.array(fc.oneof(fc.double(), fc.anything()))), { minLength: 1 }),
          fc.anything(),
        ),
        confidence: fc.anything(),
        camera: fc.anything(),
        identity: fc.anything(),
        expression: fc.anything(),
        embedding: fc.anything(),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(fc.oneof(fields, fc.anything()), fc.string(), (value, text) => {
        for (const parse of [parseObservation, parseLatents, parseEmbedding, () => parsePts(text)]) {
          try {
            parse(value)
          } catch (error) {
            if (!(error instanceof SfmError) || error.code !== 'INVALID_INPUT') throw error
          }
        }
      }),
    )
  })

  it('a file name stays in its folder', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (id) => {
        const name = safeFileName(id)
        expect(name).toMatch(/^[^\\/:*?"<>|\0. ]([^\\/:*?"<>|\0]*[^\\/:*?"<>|\0. ])?$/)
        expect(Buffer.byteLength(name)).toBeLessThanOrEqual(201)
      }),
    )
  })
})
