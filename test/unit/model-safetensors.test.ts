import { describe, expect, it } from 'vitest'
import { duplicateKey } from '../../lib/model/formats/duplicateKey.js'
import {
  asBytes,
  type Container,
  readContainer,
  type Tensor,
  writeContainer,
} from '../../lib/model/formats/safetensors.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'
import { rawSafetensors, splitSafetensors } from '../fixtures/rawSafetensors.js'

const f32 = (shape: number[], ...values: number[]): Tensor => ({
  dtype: 'F32',
  shape,
  bytes: asBytes(Float32Array.from(values)),
})
const u8 = (...values: number[]): Tensor => ({ dtype: 'U8', shape: [values.length], bytes: Uint8Array.from(values) })
const f16 = (...bits: number[]): Tensor => ({
  dtype: 'F16',
  shape: [bits.length],
  bytes: asBytes(Uint16Array.from(bits)),
})

const container: Container = {
  tensors: new Map([
    ['labels', u8(1, 2, 3)],
    ['halves', f16(1, 2, 3)],
    ['b', f32([1, 3], 4, 5, 6)],
    ['a', f32([2], 1, 2)],
    ['empty', f32([0, 7])],
    ['scalar', f32([], 42)],
  ]),
  metadata: new Map([
    ['zebra', 'striped'],
    ['ant', 'small: "é", \u2028'],
  ]),
}

const invalid = (file: Uint8Array, message: RegExp | string) =>
  expectSfmError(() => readContainer(file), 'INVALID_MODEL', message)

/** One F32 tensor of 2 x 3 in 24 bytes, with parts of its entry replaced. */
const oneTensor = (change: Record<string, unknown>, length = 24) =>
  rawSafetensors({ x: { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24], ...change } }, new Uint8Array(length))

describe('a container', () => {
  it('comes back as it was written', () => {
    const { tensors, metadata } = readContainer(writeContainer(container))
    expect(new Map(metadata)).toEqual(container.metadata)
    expect([...tensors.keys()].sort()).toEqual([...container.tensors.keys()].sort())
    for (const [name, { dtype, shape, bytes }] of container.tensors) {
      const tensor = tensors.get(name)!
      expect(tensor.dtype).toBe(dtype)
      expect(tensor.shape).toEqual(shape)
      expect([...tensor.bytes]).toEqual([...bytes])
    }
  })

  it('is written in one way, whatever the order of its parts', () => {
    const reversed = {
      tensors: new Map([...container.tensors].reverse()),
      metadata: new Map([...container.metadata].reverse()),
    }
    expect(writeContainer(reversed)).toEqual(writeContainer(container))
  })

  it('has sorted offsets without gaps, aligned tensors, and data from a multiple of 64 on', () => {
    const file = writeContainer(container)
    const { header, data } = splitSafetensors(file)
    expect((file.length - data.length) % 64).toBe(0)
    expect(header.__metadata__).toEqual(Object.fromEntries(container.metadata))
    const { __metadata__: _, ...entries } = header
    expect(Object.keys(entries)).toEqual(['a', 'b', 'empty', 'scalar', 'halves', 'labels'])
    let end = 0
    for (const { dtype, data_offsets } of Object.values(entries)) {
      expect(data_offsets[0]).toBe(end)
      expect(data_offsets[0] % { F32: 4, F16: 2, U8: 1 }[dtype as 'F32']!).toBe(0)
      end = data_offsets[1]
    }
    expect(end).toBe(data.length)
  })

  it('gives views, not copies', () => {
    const file = writeContainer(container)
    for (const { bytes } of readContainer(file).tensors.values()) expect(bytes.buffer).toBe(file.buffer)
  })

  it('may be a part of a larger buffer, a Buffer, or shared memory', () => {
    const file = writeContainer(container)
    const larger = new Uint8Array(file.length + 20)
    larger.set(file, 13)
    const shared = new Uint8Array(new SharedArrayBuffer(file.length))
    shared.set(file)
    for (const bytes of [larger.subarray(13, 13 + file.length), Buffer.from(file), shared]) {
      expect([...readContainer(bytes).tensors.get('b')!.bytes]).toEqual([...container.tensors.get('b')!.bytes])
    }
  })

  it('may have no tensors and no metadata', () => {
    const empty = writeContainer({ tensors: new Map(), metadata: new Map() })
    expect(readContainer(empty)).toEqual({ tensors: new Map(), metadata: new Map() })
    expect(readContainer(rawSafetensors('{}')).tensors.size).toBe(0)
  })

  it('may list its tensors in any order of their offsets', () => {
    const entry = (begin: number) => ({ dtype: 'U8', shape: [1], data_offsets: [begin, begin + 1] })
    const { tensors } = readContainer(rawSafetensors({ second: entry(1), first: entry(0) }, Uint8Array.of(7, 8)))
    expect(tensors.get('first')!.bytes[0]).toBe(7)
    expect(tensors.get('second')!.bytes[0]).toBe(8)
  })

  it('may hold the names that JavaScript treats in a special way', () => {
    const entry = '{"dtype":"U8","shape":[1],"data_offsets":[0,1]}'
    const { tensors, metadata } = readContainer(
      rawSafetensors(`{"__metadata__":{"__proto__":"a","constructor":"b"},"__proto__":${entry}}`, Uint8Array.of(1)),
    )
    expect(tensors.get('__proto__')!.bytes[0]).toBe(1)
    expect([...metadata]).toEqual([
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ])
    expect(({} as Record<string, unknown>).dtype).toBeUndefined()
    const again = readContainer(writeContainer({ tensors, metadata }))
    expect(again.tensors.has('__proto__')).toBe(true)
    expect(again.metadata.get('__proto__')).toBe('a')
  })
})

describe('a file that is wrong', () => {
  it('is too short', () => {
    for (let length = 0; length < 8; length++)
      invalid(new Uint8Array(length), /^file: expected at least 8 bytes, received/)
  })

  it('has a header longer than itself, or than any header', () => {
    const file = rawSafetensors('{}')
    const view = new DataView(file.buffer)
    for (const length of [3n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n]) {
      view.setBigUint64(0, length, true)
      invalid(file, new RegExp(`^header length: expected at most 2 in a file of 10 bytes, received ${length}$`))
    }
  })

  it('has a header that is not a JSON object', () => {
    for (const header of ['', '{', '[]', 'null', '3', '"x"', '{"a":}', '{}x', "{'a': 1}", '\ufeff{}', '[[[[[[[[']) {
      invalid(rawSafetensors(header), /^header: expected a JSON object/)
    }
    invalid(
      rawSafetensors(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d)),
      /^header: expected a JSON object in UTF-8/,
    )
  })

  it('has a header nested beyond all measure', () => {
    invalid(rawSafetensors('['.repeat(1_000_000)), /^header/)
    invalid(rawSafetensors(`{"x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`), /^(tensor "x"|header)/)
  })

  it('has a key twice', () => {
    const entry = '{"dtype":"U8","shape":[1],"data_offsets":[0,1]}'
    invalid(
      rawSafetensors(`{"x":${entry},"\\u0078":${entry}}`, Uint8Array.of(1)),
      /^header: expected every key once, received "x" twice/,
    )
    invalid(rawSafetensors('{"__metadata__":{"a":"1","a":"2"}}'), /"a" twice/)
  })

  it('has metadata other than strings', () => {
    for (const value of [null, [], 'x', 1])
      invalid(rawSafetensors({ __metadata__: value }), /^__metadata__: expected an object of strings/)
    for (const value of [null, [], {}, 1, true]) {
      invalid(rawSafetensors({ __metadata__: { name: value } }), /^metadata "name": expected a string, received/)
    }
  })

  it('has entries that are none', () => {
    for (const value of [null, [], 'x', 1, true])
      invalid(rawSafetensors({ x: value }), /^tensor "x": expected an object/)
    invalid(oneTensor({ dtype: undefined }), /^tensor "x": expected a dtype out of .*, received undefined/)
    for (const dtype of ['F33', 'f32', '', 'constructor', 'toString', 4, null, {}])
      invalid(oneTensor({ dtype }), /^tensor "x": expected a dtype/)
    for (const shape of [undefined, null, 6, '6', {}, [2, -3], [2, 1.5], [2, '3'], [2, null], [2 ** 53], [[6]]]) {
      invalid(oneTensor({ shape }), /^tensor "x": expected a shape of non-negative integers/)
    }
    for (const data_offsets of [undefined, null, 24, [0], [0, 12, 24], [-4, 20], [0, 24.5], [0, '24'], [0, 2 ** 60]]) {
      invalid(oneTensor({ data_offsets }), /^tensor "x": expected data_offsets of two non-negative integers/)
    }
  })

  it('has a shape whose product overflows', () => {
    for (const shape of [[2 ** 52, 2], [2 ** 30, 2 ** 30, 2 ** 30], [2 ** 40, 2 ** 40, 0], Array(2000).fill(2)]) {
      invalid(oneTensor({ shape }), /^tensor "x": expected a shape whose size can be addressed, received/)
    }
  })

  it('has offsets that its shape does not fill', () => {
    invalid(
      oneTensor({ data_offsets: [0, 20] }),
      /^tensor "x": expected 24 bytes for F32 \[2, 3\], received data_offsets 0 to 20/,
    )
    invalid(oneTensor({ data_offsets: [24, 0] }), /expected 24 bytes/)
    invalid(oneTensor({ dtype: 'F16' }), /expected 12 bytes for F16/)
    invalid(oneTensor({ shape: [] }), /expected 4 bytes for F32 \[\]/)
  })

  it('has too little data, or too much', () => {
    invalid(oneTensor({}, 23), /^tensor "x": expected data_offsets within the 23 bytes of data, received an end at 24/)
    invalid(oneTensor({}, 25), /^file: expected 24 bytes of data, as its header says, received 25/)
    invalid(rawSafetensors('{}', Uint8Array.of(0)), /^file: expected 0 bytes of data/)
  })

  it('has tensors that overlap or leave a gap', () => {
    const entry = (begin: number, end: number) => ({ dtype: 'U8', shape: [end - begin], data_offsets: [begin, end] })
    const data = new Uint8Array(6)
    invalid(
      rawSafetensors({ a: entry(0, 4), b: entry(3, 6) }, data),
      /^tensor "b": expected data_offsets from 4 on, received 3, an overlap/,
    )
    invalid(rawSafetensors({ a: entry(0, 6), b: entry(2, 3) }, data), /^tensor "b": .* an overlap/)
    invalid(rawSafetensors({ a: entry(0, 6), b: entry(0, 6) }, data), /an overlap/)
    invalid(
      rawSafetensors({ a: entry(0, 2), b: entry(3, 6) }, data),
      /^tensor "b": expected data_offsets from 2 on, received 3, a gap/,
    )
    invalid(rawSafetensors({ a: entry(1, 6) }, data), /^tensor "a": .* a gap/)
  })

  it('has names of any length and kind, which errors shorten and quote', () => {
    const { message } = invalid(rawSafetensors({ [`\u001b[31m${'x'.repeat(10_000)}`]: 1 }), /^tensor "\\u001b/)
    expect(message.length).toBeLessThan(200)
  })

  it('is no array of bytes', () => {
    for (const value of [undefined, 'file', [1, 2], new ArrayBuffer(10)]) {
      expectSfmError(
        () => readContainer(value as unknown as Uint8Array),
        'INVALID_ARGUMENT',
        /^bytes: expected a Uint8Array/,
      )
    }
  })
})

describe('writeContainer', () => {
  it('refuses tensors that are none', () => {
    const write = (name: string, tensor: Tensor) => () =>
      writeContainer({ tensors: new Map([[name, tensor]]), metadata: new Map() })
    expectSfmError(
      write('x', { ...f32([2], 1, 2), shape: [3] }),
      'INVALID_ARGUMENT',
      /^tensor "x": expected 12 bytes for F32 \[3\]/,
    )
    expectSfmError(write('__metadata__', u8(1)), 'INVALID_ARGUMENT', /__metadata__/)
  })
})

describe('duplicateKey', () => {
  it('finds a key that is twice in one object', () => {
    expect(duplicateKey('{"a":1,"a":2}')).toBe('a')
    expect(duplicateKey('{"o":{"x":1,"y":2, "x" : 3}}')).toBe('x')
    expect(duplicateKey('[{"a":1},{"b":{"a":1},"b":1}]')).toBe('b')
    expect(duplicateKey('{"\\u0061":1,"a":1}')).toBe('a')
    expect(duplicateKey('{"__proto__":1,"__proto__":1}')).toBe('__proto__')
    expect(duplicateKey('{"":1,"":1}')).toBe('')
  })

  it('is not misled by values, nesting or escapes', () => {
    expect(duplicateKey('{"a":"a","b":"a","c":["a","a"],"d":{"a":{"a":1}}}')).toBeUndefined()
    expect(duplicateKey('{"a":"\\"a\\":1","b":"{\\"b\\":","c":"\\\\","d":"}"}')).toBeUndefined()
    expect(duplicateKey('{"a":{},"b":{"c":1},"c":1}')).toBeUndefined()
    expect(duplicateKey('"a"')).toBeUndefined()
  })
})
