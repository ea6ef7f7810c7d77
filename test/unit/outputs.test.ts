import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { NodeIO } from '@gltf-transform/core'
// @ts-expect-error The package has no types.
import { validateBytes } from 'gltf-validator'
// @ts-expect-error The package has no types.
import { PNG } from 'pngjs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SphereFaceModel } from '../../lib/model/SphereFaceModel.js'
import { FileNames, safeFileName } from '../../lib/outputs/FileNames.js'
import { faceMesh } from '../../lib/outputs/faceMesh.js'
import { type Mesh, withMorphs } from '../../lib/outputs/Mesh.js'
import { vertexNormals } from '../../lib/outputs/normals.js'
import { encodeMesh, writeMesh } from '../../lib/outputs/writeMesh.js'
import { createPicture } from '../../lib/render/Picture.js'
import { writeFileAtomically } from '../../lib/writeFileAtomically.js'

/** A tetrahedron of 10 mm with a corner that an expression moves, and a vertex that belongs to no triangle. */
const mesh: Mesh = {
  name: 'a 1',
  vertices: Float32Array.of(0, 0, 0, 10, 0, 0, 0, 10, 0, 0, 0, 10, 5, 5, 5),
  triangles: Int32Array.of(0, 2, 1, 0, 1, 3, 0, 3, 2, 1, 2, 3),
  uv: Float32Array.of(0, 0, 1, 0, 0, 1, 0.25, 0.25, 0.5, 0.5),
  morphs: [
    { name: 'jawOpen', displacements: Float32Array.of(0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0), weight: 0.5 },
    { name: 'still', displacements: new Float32Array(15), weight: 0 },
  ],
  attribution: 'Made from something',
  license: 'MIT',
}

describe('glb', () => {
  it('comes back as it was, in metres, with the expressions as targets', async () => {
    const document = await new NodeIO().readBinary(await encodeMesh('glb', mesh))
    const root = document.getRoot()
    expect(root.getAsset()).toMatchObject({
      version: '2.0',
      copyright: 'Made from something',
      extras: { madeWith: 'sphere-face-model', attribution: 'Made from something', license: 'MIT' },
    })
    const [shape] = root.listMeshes()
    const [primitive] = shape!.listPrimitives()
    const array = (name: string) => Array.from(primitive!.getAttribute(name)!.getArray() as Float32Array)
    expect(root.getDefaultScene()!.listChildren()[0]!.getMesh()).toBe(shape)
    expect(array('POSITION').map((v) => Math.fround(v * 1000))).toEqual(Array.from(mesh.vertices))
    expect(array('TEXCOORD_0')).toEqual([0, 1, 1, 1, 0, 0, 0.25, 0.75, 0.5, 0.5])
    expect(array('NORMAL')).toEqual(Array.from(vertexNormals(mesh.vertices, mesh.triangles)))
    expect(Array.from(primitive!.getIndices()!.getArray()!)).toEqual(Array.from(mesh.triangles))
    expect(primitive!.getMaterial()!.getDoubleSided()).toBe(false)

    expect(shape!.getExtras()).toEqual({ targetNames: ['jawOpen', 'still'] })
    expect(shape!.getWeights()).toEqual([0.5, 0])
    const targets = primitive!
      .listTargets()
      .map((target) => Array.from(target.getAttribute('POSITION')!.getArray() as Float32Array))
    expect(targets[0]!.map((v) => Math.fround(v * 1000))).toEqual(Array.from(mesh.morphs![0]!.displacements))
    expect(targets[1]).toEqual(Array(15).fill(0))
  })

  it.each([
    ['with everything', mesh],
    ['with no more than a surface', { name: 'bare', vertices: mesh.vertices, triangles: mesh.triangles }],
    ['of 70,000 vertices', large()],
  ])('is valid glTF %s', async (_, each) => {
    const { issues, info } = await validateBytes(await encodeMesh('glb', each))
    // A vertex without a triangle is allowed; nothing else is to be remarked.
    expect(issues.messages.filter(({ code }: { code: string }) => code !== 'UNUSED_OBJECT')).toEqual([])
    expect(info.totalTriangleCount).toBe(each.triangles.length / 3)
  })
})

describe('glb of a model', () => {
  it('is valid without a warning, with every expression, and with a texture', async () => {
    using model = await SphereFaceModel.load()
    const [latents] = model.sample({ count: 1, seed: 2 })
    const face = await faceMesh(model, latents!, 'a 1')
    const texture = createPicture(64, 64)
    texture.data.fill(255)
    for (const each of [face, { ...face, texture }]) {
      const bytes = await encodeMesh('glb', each)
      const { issues, info } = await validateBytes(bytes)
      expect([issues.numErrors, issues.numWarnings]).toEqual([0, 0])
      expect(info).toMatchObject({ totalVertexCount: model.vertexCount, hasMorphTargets: true })
      expect(info.hasTextures).toBe('texture' in each)
      expect(bytes.length).toBeLessThan(4e6)
    }
    // What a viewer makes of the targets is the face, to the hundredth of a millimetre that they leave out.
    const document = await new NodeIO().readBinary(await encodeMesh('glb', face))
    const [primitive] = document.getRoot().listMeshes()[0]!.listPrimitives()
    const blended = Float32Array.from(primitive!.getAttribute('POSITION')!.getArray()!)
    const expression = model.expressionNames.map((_, e) => (e % 3) / 3)
    primitive!.listTargets().forEach((target, e) => {
      const moved = target.getAttribute('POSITION')!.getArray()!
      for (let i = 0; i < blended.length; i++) blended[i]! += expression[e]! * moved[i]!
    })
    const decoded = await model.decode({ identity: latents!.identity, expression })
    const worst = decoded.reduce((most, value, i) => Math.max(most, Math.abs(value - 1000 * blended[i]!)), 0)
    expect(worst).toBeLessThan(0.2)
  })

  it('carries a texture as it was given', async () => {
    const texture = createPicture(4, 4)
    for (let i = 0; i < 64; i++) texture.data[i] = i % 4 === 3 ? 128 : 4 * i
    const document = await new NodeIO().readBinary(await encodeMesh('glb', { ...mesh, texture }))
    const [image] = document.getRoot().listTextures()
    expect(image!.getMimeType()).toBe('image/png')
    expect(PNG.sync.read(Buffer.from(image!.getImage()!)).data.equals(Buffer.from(texture.data))).toBe(true)
    const [material] = document.getRoot().listMaterials()
    expect(material!.getBaseColorTexture()).toBe(image)
    expect(material!.getBaseColorFactor()).toEqual([1, 1, 1, 1])
  })

  it('keeps nothing of arrays that a caller may write to', async () => {
    const own = { ...mesh, vertices: Float32Array.from(mesh.vertices), morphs: [{ ...mesh.morphs![0]! }] }
    own.morphs[0]!.displacements = Float32Array.from(own.morphs[0]!.displacements)
    const first = await encodeMesh('glb', own)
    own.morphs[0]!.displacements[7] = 9
    own.vertices[0] = 1
    expect(Buffer.from(first).equals(Buffer.from(await encodeMesh('glb', own)))).toBe(false)
  })
})

/** A strip with so many vertices that 16 bits do not count them. */
function large(): Mesh {
  const count = 70_000
  const vertices = Float32Array.from(
    { length: count * 3 },
    (_, i) => [Math.floor(i / 6), Math.floor(i / 3) % 2, 0][i % 3]!,
  )
  const triangles = Int32Array.from({ length: (count - 2) * 3 }, (_, i) => {
    const first = Math.floor(i / 3)
    return first + (first % 2 === 0 ? [0, 2, 1] : [0, 1, 2])[i % 3]!
  })
  return { name: 'strip', vertices, triangles }
}

describe('obj', () => {
  it('has the expression in its vertices, and an index for each attribute', async () => {
    const lines = Buffer.from(await encodeMesh('obj', mesh))
      .toString()
      .trimEnd()
      .split('\n')
    expect(lines.slice(0, 4)).toEqual([
      '# millimetres; +X to the left of the face, +Y up, +Z out of it',
      '# Made from something',
      '# Licence: MIT',
      'o a_1',
    ])
    const rows = (keyword: string) => lines.filter((line) => line.startsWith(`${keyword} `))
    expect(rows('v')).toEqual([
      'v 0.0000 0.0000 0.0000',
      'v 10.0000 0.0000 0.0000',
      'v 0.0000 12.0000 0.0000',
      'v 0.0000 0.0000 10.0000',
      'v 5.0000 5.0000 5.0000',
    ])
    expect(rows('vt')[2]).toBe('vt 0.00000 1.00000')
    expect(rows('vn')).toHaveLength(5)
    expect(rows('f')).toEqual([
      'f 1/1/1 3/3/3 2/2/2',
      'f 1/1/1 2/2/2 4/4/4',
      'f 1/1/1 4/4/4 3/3/3',
      'f 2/2/2 3/3/3 4/4/4',
    ])
  })

  it('leaves texture coordinates out where there are none', async () => {
    const { uv: _, ...bare } = mesh
    expect(Buffer.from(await encodeMesh('obj', bare)).toString()).toContain('f 1//1 3//3 2//2')
  })
})

describe('ply', () => {
  it('comes back as it was, with the expression in its vertices', async () => {
    const bytes = Buffer.from(await encodeMesh('ply', mesh))
    const end = bytes.indexOf('end_header\n') + 'end_header\n'.length
    const header = bytes.subarray(0, end).toString().split('\n')
    expect(header).toEqual(
      expect.arrayContaining(['format binary_little_endian 1.0', 'element vertex 5', 'element face 4']),
    )
    expect(header.filter((line) => line.startsWith('property float')).map((line) => line.split(' ')[2])).toEqual([
      ...['x', 'y', 'z', 'nx', 'ny', 'nz', 's', 't'],
    ])
    expect(header).toContain('comment Made from something')
    const vertices: number[] = []
    for (let v = 0; v < 5; v++)
      for (let axis = 0; axis < 3; axis++) vertices.push(bytes.readFloatLE(end + v * 32 + axis * 4))
    expect(vertices).toEqual(Array.from(withMorphs(mesh)))
    const faces = end + 5 * 32
    expect(bytes.length).toBe(faces + 4 * 13)
    expect(bytes.readUInt8(faces + 13)).toBe(3)
    expect([1, 5, 9].map((at) => bytes.readInt32LE(faces + 13 + at))).toEqual([0, 1, 3])
  })
})

describe('encodeMesh', () => {
  it.each<[string, Partial<Mesh>, RegExp]>([
    ['vertices', { vertices: new Float32Array(4) }, /^vertices: expected three numbers a vertex/],
    ['triangles', { triangles: Int32Array.of(0, 1) }, /^triangles: expected three indices a triangle/],
    ['indices', { triangles: Int32Array.of(0, 1, 5) }, /^triangles: expected indices in 0\.\.4, received 5/],
    ['uv', { uv: new Float32Array(3) }, /^uv: expected 10 numbers/],
    [
      'morphs',
      { morphs: [{ name: 'm', displacements: new Float32Array(3), weight: 1 }] },
      /^displacements of m: expected 15/,
    ],
  ])('refuses %s that do not fit', async (_, part, message) => {
    await expect(encodeMesh('obj', { ...mesh, ...part })).rejects.toThrow(message)
  })

  it('refuses a format it does not know', async () => {
    await expect(encodeMesh('png' as 'glb', mesh)).rejects.toThrow('format: expected glb, obj, ply, received "png"')
  })
})

describe('vertexNormals', () => {
  it('points outwards, with unit length', () => {
    const normals = vertexNormals(mesh.vertices, mesh.triangles)
    const r = -1 / Math.sqrt(3)
    expect(Array.from(normals.subarray(0, 3))).toEqual([r, r, r].map((v) => expect.closeTo(v, 6)))
    for (let v = 0; v < 5; v++) expect(Math.hypot(...normals.subarray(v * 3, v * 3 + 3))).toBeCloseTo(1, 6)
  })
})

describe('files', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sfm-outputs-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('are there whole, and nothing else is', async () => {
    await writeMesh('ply', join(folder, 'a.ply'), mesh)
    await writeFileAtomically(join(folder, 'b.json'), 'old')
    await writeFileAtomically(join(folder, 'b.json'), 'new')
    expect(await readdir(folder)).toEqual(['a.ply', 'b.json'])
    expect(await readFile(join(folder, 'b.json'), 'utf8')).toBe('new')
  })

  it('that cannot be written are an IO error', async () => {
    const failure = writeFileAtomically(join(folder, 'nowhere', 'c.json'), '')
    await expect(failure).rejects.toMatchObject({ code: 'IO', cause: { code: 'ENOENT' } })
    await expect(writeFileAtomically(folder, '')).rejects.toMatchObject({ code: 'IO' })
    expect(await readdir(folder)).toEqual(['a.ply', 'b.json'])
  })
})

describe('safeFileName', () => {
  it.each([
    ['a1', 'a1'],
    ['photo 12.final-b_c', 'photo 12.final-b_c'],
    ['Zoë 李', 'Zoë 李'],
    ['Zoe\u0308', 'Zoë'],
    ['../../etc/passwd', '_.._etc_passwd'],
    ['C:\\faces\\a', 'C__faces_a'],
    ['..', 'face'],
    ['', 'face'],
    [' . ', 'face'],
    ['.hidden', 'hidden'],
    ['a.', 'a'],
    ['a\0b\nc', 'a_b_c'],
    ['con', '_con'],
    ['NUL.json', '_NUL.json'],
    ['console', 'console'],
    ['a.arkit', 'a_arkit'],
    ['a<b>?*|"', 'a_b_____'],
    ['🙂', '_'],
  ])('%j becomes %j', (id, name) => {
    expect(safeFileName(id)).toBe(name)
  })

  it('is never longer than 200 bytes, and cuts no letter in two', () => {
    expect(safeFileName('x'.repeat(500))).toHaveLength(200)
    const name = safeFileName('李'.repeat(500))
    expect(Buffer.byteLength(name)).toBe(198)
    expect(name).toBe('李'.repeat(66))
  })
})

describe('FileNames', () => {
  it('gives a name once, in upper or lower case', () => {
    const names = new FileNames()
    expect(['a', 'a', 'A', 'a-2', 'a/b', 'a:b'].map((id) => names.take(id))).toEqual([
      'a',
      'a-2',
      'A-3',
      'a-2-2',
      'a_b',
      'a_b-2',
    ])
  })

  it('is quick for many of one name', () => {
    const names = new FileNames()
    let last = ''
    for (let i = 0; i < 20_000; i++) last = names.take('x')
    expect(last).toBe('x-20000')
  })
})
