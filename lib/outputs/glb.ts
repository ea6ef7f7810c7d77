import { bounds } from '../render/View.js'
import { type EncodedPicture, encodeTexture } from './encodeTexture.js'
import { GlbBuffer, type SparseVectors } from './GlbBuffer.js'
import type { Mesh } from './Mesh.js'
import { vertexNormals } from './normals.js'
import { madeOf } from './sharedArrays.js'

/** glTF measures in metres. */
const METRES_PER_MM = 1e-3

/** Linear RGB of a light skin in neutral light: a colour to see a shape by, not a person's. */
const SKIN = [0.55, 0.34, 0.25, 1] as const
const WHITE = [1, 1, 1, 1] as const

/** mm: a morph leaves out what it moves by less, which is half of a model's vertices on average. */
const NEGLIGIBLE = 0.01

/** The specification's numbers for how a texture is read: smoothly, in sizes made beforehand, its border continued. */
const SAMPLER = { magFilter: 9729, minFilter: 9987, wrapS: 33071, wrapT: 33071 } as const

const MAGIC = 0x46546c67
const JSON_CHUNK = 0x4e4f534a
const BINARY_CHUNK = 0x004e4942

/**
 * A mesh as binary glTF, in metres; glTF's axes (+Y up, +Z front) are the model's.
 *
 * The base is the neutral face. Each morph is a target with its name in the mesh's `extras.targetNames`, where
 * viewers look for it, and its weight is the default, so that the face opens as it was fitted and can be animated.
 * All targets are kept, those at rest too, so that every file of a model has the same; what moves by less than 0.01 mm
 * rests. A texture is part of the file: JPEG where `sharp` is installed, else PNG.
 *
 * @returns The file's bytes, valid by the Khronos validator.
 * @example
 * await writeFile('face.glb', await encodeGlb(mesh))
 */
export async function encodeGlb(mesh: Mesh): Promise<Uint8Array> {
  const { vertices, triangles, uv, morphs = [], texture } = mesh
  const vertexCount = vertices.length / 3
  const buffer = new GlbBuffer()
  const image = texture && uv ? await encodeTexture(texture) : undefined
  const indices = madeOf(triangles, 'glb indices', () => indexArray(triangles, vertexCount))
  const positions = inMetres(vertices)
  const attributes = {
    POSITION: buffer.vectors(positions, 3, bounds(positions, 3)),
    NORMAL: buffer.vectors(vertexNormals(vertices, triangles), 3),
    ...(uv && { TEXCOORD_0: buffer.vectors(madeOf(uv, 'glb uv', fromTopLeft), 2) }),
  }
  const targets = morphs.map(({ displacements }) => ({
    POSITION: buffer.sparse(madeOf(displacements, 'glb target', sparseTarget), vertexCount),
  }))
  const primitive = {
    attributes,
    indices: buffer.indices(indices),
    material: 0,
    ...(targets.length > 0 && { targets }),
  }
  return assemble(describe(mesh, primitive, buffer, image), buffer)
}

/** The JSON of the file. */
function describe(
  { name, morphs = [], attribution, license }: Mesh,
  primitive: object,
  buffer: GlbBuffer,
  image: EncodedPicture | undefined,
): object {
  const picture = image && { bufferView: buffer.view(image.bytes), mimeType: image.mimeType }
  return {
    asset: {
      version: '2.0',
      generator: 'sphere-face-model',
      ...(attribution && { copyright: attribution }),
      extras: {
        madeWith: 'sphere-face-model',
        ...(attribution && { attribution }),
        ...(license && { license }),
      },
    },
    scene: 0,
    scenes: [{ name, nodes: [0] }],
    nodes: [{ name, mesh: 0 }],
    meshes: [
      {
        name,
        primitives: [primitive],
        ...(morphs.length > 0 && {
          weights: morphs.map(({ weight }) => weight),
          extras: { targetNames: morphs.map(({ name }) => name) },
        }),
      },
    ],
    materials: [
      {
        name: 'skin',
        pbrMetallicRoughness: {
          baseColorFactor: picture ? WHITE : SKIN,
          ...(picture && { baseColorTexture: { index: 0 } }),
          metallicFactor: 0,
          roughnessFactor: 0.6,
        },
      },
    ],
    ...(picture && { textures: [{ source: 0, sampler: 0 }], images: [picture], samplers: [SAMPLER] }),
    accessors: buffer.accessors,
    bufferViews: buffer.bufferViews,
    buffers: [{ byteLength: buffer.length }],
  }
}

/** The file: a header, the JSON, the buffer. */
function assemble(json: object, buffer: GlbBuffer): Uint8Array {
  const text = Buffer.from(JSON.stringify(json), 'utf8')
  const textLength = Math.ceil(text.length / 4) * 4
  const bytes = new Uint8Array(12 + 8 + textLength + 8 + buffer.length)
  const header = new DataView(bytes.buffer)
  const numbers = [MAGIC, 2, bytes.length, textLength, JSON_CHUNK]
  numbers.forEach((number, i) => {
    header.setUint32(4 * i, number, true)
  })
  bytes.set(text, 20)
  // JSON is filled with spaces, the buffer with zeros.
  bytes.fill(0x20, 20 + text.length, 20 + textLength)
  header.setUint32(20 + textLength, buffer.length, true)
  header.setUint32(24 + textLength, BINARY_CHUNK, true)
  buffer.copyTo(bytes, 28 + textLength)
  return bytes
}

function inMetres(mm: Float32Array): Float32Array {
  const metres = new Float32Array(mm.length)
  for (let i = 0; i < mm.length; i++) metres[i] = mm[i]! * METRES_PER_MM
  return metres
}

/** 16 bits where they do: half the size. The largest value of the type is not allowed as an index. */
function indexArray(triangles: Int32Array, vertexCount: number): Uint16Array | Uint32Array {
  return vertexCount < 0xffff ? Uint16Array.from(triangles) : Uint32Array.from(triangles)
}

/** glTF counts texture rows from the top. */
function fromTopLeft(uv: Float32Array): Float32Array {
  return uv.map((value, i) => (i % 2 === 1 ? 1 - value : value))
}

/** A morph's displacements in metres, without the vertices that rest. */
function sparseTarget(displacements: Float32Array): SparseVectors {
  const moving: number[] = []
  for (let v = 0; v < displacements.length / 3; v++) {
    const [x, y, z] = [displacements[v * 3]!, displacements[v * 3 + 1]!, displacements[v * 3 + 2]!]
    if (x * x + y * y + z * z >= NEGLIGIBLE ** 2) moving.push(v)
  }
  const values = new Float32Array(moving.length * 3)
  moving.forEach((v, i) => {
    for (let axis = 0; axis < 3; axis++) values[i * 3 + axis] = displacements[v * 3 + axis]! * METRES_PER_MM
  })
  const rests = moving.length < displacements.length / 3
  const [low, high] =
    moving.length > 0
      ? bounds(values, 3)
      : [
          [0, 0, 0],
          [0, 0, 0],
        ]
  return {
    indices: displacements.length / 3 <= 0x10000 ? Uint16Array.from(moving) : Uint32Array.from(moving),
    values,
    low: low.map((value) => (rests ? Math.min(0, value) : value)),
    high: high.map((value) => (rests ? Math.max(0, value) : value)),
  }
}
