import type { Latents } from '../decode/Latents.js'
import { asFloat32 } from '../model/half.js'
import type { ModelData } from '../model/ModelData.js'
import type { SphereFaceModel } from '../model/SphereFaceModel.js'
import type { Mesh, Morph } from './Mesh.js'

/** What a mesh is made with: a model, or for a test something like one. */
export type MeshModel = Pick<SphereFaceModel, 'data' | 'decode'>

/** [E] of [N,3] mm. Shared by all faces of a model: they are as large as the rest of it together. */
const displacements = new WeakMap<ModelData, Float32Array[]>()

/**
 * The mesh of a face, ready for {@link writeMesh}: its neutral shape, every expression of the model as a morph with the
 * face's own coefficient as weight, texture coordinates, and whom the model's licence wants named.
 *
 * @param latents A fit result, a sample, or anything with `identity` and `expression`. A pose is left out: the mesh is
 *   in model space.
 * @param name What the object is called in the file.
 * @throws SfmError as the model's decode.
 * @example
 * const [result] = await fitter.fit(observations)
 * await writeMesh('glb', 'face.glb', await faceMesh(model, result, 'a1'))
 */
export async function faceMesh(model: MeshModel, latents: Latents, name: string): Promise<Mesh> {
  const { data } = model
  const { metadata } = data
  return {
    name,
    vertices: await model.decode({ identity: latents.identity }),
    triangles: data.triangles,
    ...(data.uv && { uv: data.uv }),
    morphs: morphs(data, latents.expression ?? {}),
    attribution: metadata.attribution,
    license: metadata.license,
  }
}

function morphs(data: ModelData, expression: ArrayLike<number> | Record<string, number>): Morph[] {
  let all = displacements.get(data)
  if (all === undefined) {
    const basis = asFloat32(data.expressionBasis)
    const length = data.vertexCount * 3
    all = Array.from({ length: data.expressionCount }, (_, e) => basis.subarray(e * length, (e + 1) * length))
    displacements.set(data, all)
  }
  const values = isArrayLike(expression) ? expression : undefined
  return all.map((rows, e) => {
    const name = data.metadata.expressionNames[e] ?? `expression-${e}`
    const weight = values ? values[e] : (expression as Record<string, number>)[name]
    return { name, displacements: rows, weight: weight ?? 0 }
  })
}

function isArrayLike(value: ArrayLike<number> | Record<string, number>): value is ArrayLike<number> {
  return Array.isArray(value) || ArrayBuffer.isView(value)
}
