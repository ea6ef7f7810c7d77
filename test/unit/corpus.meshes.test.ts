import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SfmError } from '../../lib/errors.js'
import { readMesh } from '../../lib/inputs/readMesh.js'
import { readObj } from '../../lib/inputs/readObj.js'
import { readPly } from '../../lib/inputs/readPly.js'
import { encodeObj } from '../../lib/outputs/obj.js'
import { encodePly } from '../../lib/outputs/ply.js'
import { expectSfmError, expectSfmRejection } from '../fixtures/expectSfmError.js'
import { uniforms } from '../fixtures/random.js'
import { largestDifference } from '../fixtures/reference.js'
import { describeWithShared, sharedPath } from '../fixtures/sharedData.js'
import { tinyGaussianModel } from '../fixtures/tinyModel.js'

const { mean, triangles, uv } = tinyGaussianModel()
const mesh = { name: 'face', vertices: mean, triangles, uv: uv!, attribution: 'made of formulas' }

const obj = (text: string, ...more: string[]) =>
  readObj(Readable.from([text, ...more].map((part) => Buffer.from(part, 'latin1'))))
const POINTS = [1, 2, 3, -4.5, 0.005, 6000]

describe('readObj', () => {
  it('reads what the package writes', async () => {
    const vertices = await readObj(Readable.from([encodeObj(mesh)]))
    expect(largestDifference(vertices, mean)).toBeLessThan(1e-4)
  })

  it.each([
    ['plain', 'v 1 2 3\nv -4.5 5e-3 6.0E+3\n'],
    ['no break at the end', 'v 1 2 3\nv -4.5 5e-3 6000'],
    ['the breaks of Windows', 'v 1 2 3\r\nv -4.5 .005 6000\r\n'],
    ['old breaks', 'v 1 2 3\rv -4.5 .005 6000\r'],
    ['tabs and blanks', '\tv\t1   2\t3  \n  v +1 2 3\n'.replace('+1 2 3', '-4.5 .005 6000.')],
    ['weights and colours', 'v 1 2 3 1\nv -4.5 5e-3 6000 0.1 0.2 0.3\n'],
    ['a continued line', 'v 1 \\\n2 3\nv -4.5 \\\r\n0.005 \\\r\n6000\n'],
    [
      'everything else',
      '# v 9 9 9\nmtllib v.mtl\no v\nvt 0 1\nvn 0 0 1\nv 1 2 3\nusemtl C:\\\nv -4.5 .005 6000\nf 1/1/1 2 1\nvp 1\n\n',
    ],
    ['a mark at the start', '# \u00ef\u00bb\u00bf\nv 1 2 3\nv -4.5 .005 6000'],
  ])('reads %s', async (_, text) => {
    expect([...(await obj(text))]).toEqual(POINTS)
    // However the bytes arrive.
    expect([...(await obj(...([...text] as [string])))]).toEqual(POINTS)
    const half = Math.floor(text.length / 2)
    expect([...(await obj(text.slice(0, half), text.slice(half)))]).toEqual(POINTS)
  })

  it.each([
    ['v 1 2\n', /^line 1: expected a finite number, received undefined/],
    ['v 1 2 3\n\nv 1 nan 3\n', /^line 3: .*received "nan"/],
    ['v 1 2 inf\n', /received "inf"/],
    ['v 1e999 2 3\n', /received "1e999"/],
    ['v 0x10 2 3\n', /received "0x10"/],
    ['v 1,5 2 3\n', /received "1,5"/],
    ['# nothing\n', /expected lines "v x y z", received "none"/],
    ['', /expected lines/],
    ['v 1 2 3\nv 1 2 \\', /^line 3: expected a finite number/],
    ['x'.repeat(1.5 * 2 ** 20), /line 1 is no text/],
  ])('refuses %j', async (text, message) => {
    await expectSfmRejection(obj(text), 'INVALID_INPUT', message)
  })

  it('reads more vertices than it has room for at first', async () => {
    const text = Array.from({ length: 5000 }, (_, i) => `v ${i} ${2 * i} ${-i}\n`).join('')
    const vertices = await obj(text.slice(0, 33_333), text.slice(33_333))
    expect(vertices.length).toBe(15_000)
    expect([...vertices.slice(-3)]).toEqual([4999, 9998, -4999])
  })
})

/** A PLY file of two vertices, whose properties are written by these types. */
function ply(
  format: 'ascii' | 'binary_little_endian' | 'binary_big_endian',
  type = 'float',
  lineBreak = '\n',
): Uint8Array {
  const header = [
    'ply',
    `format ${format} 1.0`,
    'comment element vertex 9',
    'obj_info anything',
    'element tag 2',
    'property list uchar short names',
    'property uchar kind',
    'element vertex 2',
    'property uchar red',
    `property ${type} z`,
    `property ${type} x`,
    'property list uint8 int32 around',
    `property ${type} y`,
    'element face 1',
    'property list uchar int vertex_indices',
    'end_header',
    '',
  ].join(lineBreak)
  if (format === 'ascii')
    return Buffer.from(
      header + ['2 7 8 1', '0 1', '255 3 1 2 5 6 2', '', '0 6 -4 0 5', '3 0 1 0', ''].join(lineBreak),
      'latin1',
    )
  const little = format === 'binary_little_endian'
  const bytes: number[] = []
  const put = (kind: string, value: number) => {
    const view = new DataView(new ArrayBuffer(8))
    const size = { uchar: 1, short: 2, int: 4, float: 4, double: 8 }[kind]!
    if (kind === 'uchar') view.setUint8(0, value)
    else if (kind === 'short') view.setInt16(0, value, little)
    else if (kind === 'int') view.setInt32(0, value, little)
    else if (kind === 'float') view.setFloat32(0, value, little)
    else view.setFloat64(0, value, little)
    bytes.push(...new Uint8Array(view.buffer, 0, size))
  }
  const row = (types: string[], values: number[]) => {
    for (const [i, kind] of types.entries()) put(kind, values[i]!)
  }
  row(['uchar', 'short', 'short', 'uchar'], [2, 7, 8, 1])
  row(['uchar', 'uchar'], [0, 1])
  row(['uchar', type, type, 'uchar', 'int', 'int', type], [255, 3, 1, 2, 5, 6, 2])
  row(['uchar', type, type, 'uchar', type], [0, 6, -4, 0, 5])
  return Buffer.concat([Buffer.from(header, 'latin1'), Uint8Array.from(bytes)])
}

describe('readPly', () => {
  it('reads what the package writes', () => {
    expect(Float32Array.from(readPly(encodePly(mesh)))).toEqual(mean)
  })

  const formats = ['ascii', 'binary_little_endian', 'binary_big_endian'] as const
  it.each(
    formats.flatMap((format) =>
      ['float', 'double', 'short', 'int'].flatMap((type) =>
        ['\n', '\r\n', '\r'].map((lineBreak) => [format, type, lineBreak] as const),
      ),
    ),
  )('reads %s, %s, %j', (format, type, lineBreak) => {
    expect([...readPly(ply(format, type, lineBreak))]).toEqual([1, 2, 3, -4, 5, 6])
  })

  it.each(formats)('refuses %s cut anywhere within the vertices', (format) => {
    const whole = ply(format)
    const faces = format === 'ascii' ? 9 : 0
    for (let length = 0; length < whole.length - faces; length++) {
      const cut = whole.subarray(0, length)
      let error: unknown
      try {
        readPly(cut)
      } catch (thrown) {
        error = thrown
      }
      // The last digit may be gone without a trace.
      if (error === undefined && format === 'ascii' && length > whole.length - faces - 3) continue
      expect(error).toBeInstanceOf(SfmError)
      expect((error as SfmError).code).toBe('INVALID_INPUT')
    }
  })

  const vertexOf = (header: string, data = '1 2 3\n') =>
    Buffer.from(`ply\nformat ascii 1.0\n${header}\nend_header\n${data}`, 'latin1')
  const XYZ = 'property float x\nproperty float y\nproperty float z'

  it.each<[Uint8Array, RegExp]>([
    [Buffer.from('plyx'), /expected a PLY file/],
    [Buffer.from('ply\nformat ascii 1.0\n'), /header: expected "end_header"/],
    [Buffer.from('ply\nend_header\n'), /header: expected a line "format"/],
    [Buffer.from('ply\nformat binary 1.0\nend_header\n'), /header: expected the format ascii/],
    [Buffer.from('ply\nformat ascii 2.0\nend_header\n'), /header: expected version 1\.0/],
    [vertexOf('element face 1'), /expected an element "vertex", received "face"/],
    [vertexOf('property float x'), /expected an element before its properties/],
    [vertexOf('element vertex x'), /expected element NAME COUNT/],
    [vertexOf('element vertex -1'), /expected element NAME COUNT/],
    [vertexOf('element vertex 1\nproperty float x\nproperty float y'), /expected a property "z"/],
    [vertexOf('element vertex 1\nproperty list uchar float x\nproperty float y\nproperty float z'), /a property "x"/],
    [vertexOf('element vertex 1\nproperty quad x'), /expected a type out of char, int8/],
    [vertexOf(`something else\nelement vertex 1\n${XYZ}`), /expected format, element, property or comment/],
    [vertexOf(`element vertex 0\n${XYZ}`), /expected vertices, received 0/],
    [vertexOf(`element vertex 999999999999\n${XYZ}`), /expected vertices that fit into the 6 bytes of data/],
    [vertexOf(`element vertex 2\n${XYZ}`, '1 2 3\n           '), /expected more of it/],
    [vertexOf(`element tag 999999999999\nelement vertex 1\n${XYZ}`), /expected more of it/],
    [vertexOf(`element vertex 1\n${XYZ}`, '1 nan 3\n'), /vertex 0: expected a finite number, received "nan"/],
    [vertexOf(`element vertex 1\n${XYZ}`, '1 2    \n'), /vertex 0: expected a finite number, received undefined/],
  ])('refuses %#', (bytes, message) => {
    expectSfmError(() => readPly(bytes), 'INVALID_INPUT', message)
  })

  it('refuses NaN in binary data, and lists of a negative length', () => {
    const bytes = Uint8Array.from(encodePly(mesh))
    const at = Buffer.from(bytes).indexOf('end_header\n') + 11
    new DataView(bytes.buffer).setFloat32(at + 4, Number.NaN, true)
    expectSfmError(() => readPly(bytes), 'INVALID_INPUT', /^vertex 0: expected finite coordinates, received NaN/)
    const header = `ply\nformat binary_little_endian 1.0\nelement tag 1\nproperty list char char c\nelement vertex 1\n${XYZ}\nend_header\n`
    const file = Buffer.concat([Buffer.from(header), Uint8Array.of(0xff), new Uint8Array(40)])
    expectSfmError(() => readPly(file), 'INVALID_INPUT', /lists with a length of 0 or more, received -1/)
  })

  it('never fails but by its own error, whatever is damaged', () => {
    const uniform = uniforms(3)
    for (const format of formats) {
      for (let round = 0; round < 400; round++) {
        const bytes = Uint8Array.from(ply(format))
        for (let k = 0; k < 3; k++) bytes[Math.floor(uniform() * bytes.length)] = Math.floor(256 * uniform())
        try {
          readPly(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(SfmError)
        }
      }
    }
  })
})

describe('readMesh', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sfm-meshes-'))
  })
  afterAll(() => rm(folder, { recursive: true }))
  const file = async (name: string, content: string | Uint8Array) => {
    await writeFile(join(folder, name), content)
    return join(folder, name)
  }

  it('tells meshes by their content', async () => {
    expect(Float32Array.from(await readMesh(await file('a.obj', encodePly(mesh))))).toEqual(mean)
    expect(largestDifference(await readMesh(await file('b.obj', encodeObj(mesh))), mean)).toBeLessThan(1e-4)
    expect(Float32Array.from(await readMesh(await file('c.PLY', encodePly(mesh))))).toEqual(mean)
  })

  it.each<[string, string | Uint8Array, RegExp]>([
    ['x.obj', 'v 1 2 x\n', /x\.obj: line 1: expected a finite number/],
    ['x.ply', 'plx\n', /x\.ply: expected a PLY file/],
    ['x.ply', '', /x\.ply/],
    [
      'x.obj',
      Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10),
      /expected an OBJ or PLY mesh, received a PNG picture/,
    ],
    ['x.stl', 'solid face', /received an STL mesh/],
    ['x.obj', new Uint8Array(100), /received binary data/],
  ])('refuses %s with %j', async (name, content, message) => {
    await expectSfmRejection(readMesh(await file(name, content)), 'INVALID_INPUT', message)
  })

  it('names a file that is not there', async () => {
    await expectSfmRejection(readMesh(join(folder, 'nowhere.obj')), 'IO', /nowhere\.obj/)
    await expectSfmRejection(readMesh(folder), 'IO')
  })
})

describeWithShared('real meshes', ['scans/lee_perry_smith.ply', 'scans/facefuns_f26.ply'], () => {
  it('have as many vertices as their index says', async () => {
    expect((await readMesh(sharedPath('scans/lee_perry_smith.ply'))).length).toBe(3 * 8844)
    const face = await readMesh(sharedPath('scans/facefuns_f26.ply'))
    expect(face.length).toBe(3 * 30204)
    const x = face.filter((_, i) => i % 3 === 0)
    expect(x.reduce((a, b) => Math.max(a, b)) - x.reduce((a, b) => Math.min(a, b))).toBeCloseTo(169.4198, 3)
  })
})
