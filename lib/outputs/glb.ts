import { Document, NodeIO, Primitive, VertexLayout } from '@gltf-transform/core'
import type { Mesh } from './Mesh.js'
import { vertexNormals } from './normals.js'

/** glTF measures in metres. */
const METRES_PER_MM = 1e-3

/** Linear RGB of a light skin in neutral light: a colour to see a shape by, not a person's. */
const SKIN = [0.55, 0.34, 0.25, 1] as const

/**
 * A mesh as binary glTF, in metres; glTF's axes (+Y up, +Z front) are the model's.
 *
 * The base is the neutral face. Each morph is a target with its name in the mesh's `extras.targetNames`, where
 * viewers look for it, and its weight is the default, so that the face opens as it was fitted and can be animated.
 * All targets are kept, those at rest too, so that every file of a model has the same.
 *
 * @returns The file's bytes, valid by the Khronos validator.
 * @example
 * await writeFile('face.glb', await encodeGlb(mesh))
 */
export async function encodeGlb(mesh: Mesh): Promise<Uint8Array> {
  const document = new Document()
  const buffer = document.createBuffer()
  const accessor = (type: 'VEC2' | 'VEC3' | 'SCALAR', array: Float32Array | Uint16Array | Uint32Array) =>
    // The library's types want arrays of their own memory, which all of these are.
    document
      .createAccessor()
      .setType(type)
      .setArray(array as Float32Array<ArrayBuffer>)
      .setBuffer(buffer)

  const primitive = document
    .createPrimitive()
    .setMode(Primitive.Mode.TRIANGLES)
    .setIndices(accessor('SCALAR', indices(mesh)))
    .setAttribute('POSITION', accessor('VEC3', inMetres(mesh.vertices)))
    .setAttribute('NORMAL', accessor('VEC3', vertexNormals(mesh.vertices, mesh.triangles)))
    .setMaterial(
      document
        .createMaterial('skin')
        .setBaseColorFactor([...SKIN])
        .setMetallicFactor(0)
        .setRoughnessFactor(0.6)
        .setDoubleSided(false),
    )
  if (mesh.uv) primitive.setAttribute('TEXCOORD_0', accessor('VEC2', fromTopLeft(mesh.uv)))

  const shape = document.createMesh(mesh.name).addPrimitive(primitive)
  const morphs = mesh.morphs ?? []
  if (morphs.length > 0) {
    for (const { name, displacements } of morphs) {
      const target = document.createPrimitiveTarget(name)
      primitive.addTarget(target.setAttribute('POSITION', accessor('VEC3', inMetres(displacements))))
    }
    shape.setWeights(morphs.map(({ weight }) => weight)).setExtras({ targetNames: morphs.map(({ name }) => name) })
  }

  const scene = document.createScene(mesh.name).addChild(document.createNode(mesh.name).setMesh(shape))
  document.getRoot().setDefaultScene(scene)
  const asset = document.getRoot().getAsset()
  if (mesh.attribution) asset.copyright = mesh.attribution
  // The library names itself as the generator.
  asset.extras = {
    madeWith: 'sphere-face-model',
    ...(mesh.attribution && { attribution: mesh.attribution }),
    ...(mesh.license && { license: mesh.license }),
  }
  // Interleaved, the attributes and fifty targets of a vertex would be far apart, and glTF allows 252 bytes.
  return new NodeIO().setVertexLayout(VertexLayout.SEPARATE).writeBinary(document)
}

function inMetres(mm: Float32Array): Float32Array {
  const metres = new Float32Array(mm.length)
  for (let i = 0; i < mm.length; i++) metres[i] = mm[i]! * METRES_PER_MM
  return metres
}

/** 16 bits where they do: half the size. The largest value of the type is not allowed as an index. */
function indices({ vertices, triangles }: Mesh): Uint16Array | Uint32Array {
  return vertices.length / 3 < 0xffff ? Uint16Array.from(triangles) : Uint32Array.from(triangles)
}

/** glTF counts texture rows from the top. */
function fromTopLeft(uv: Float32Array): Float32Array {
  return uv.map((value, i) => (i % 2 === 1 ? 1 - value : value))
}
