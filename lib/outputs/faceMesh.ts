import type { Latents } from '../decode/Latents.js'
import { asFloat32 } from '../model/half.js'
import type { ModelData } from '../model/ModelData.js'
import type { SphereFaceModel } from '../model/SphereFaceModel.js'
import { borderLoops } from '../render/borderLoops.js'
import type { Openings } from '../render/openings.js'
import { skinColours } from '../render/skinColours.js'
import type { Mesh, Morph } from './Mesh.js'
import { share } from './sharedArrays.js'

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
  const openings = openingsOf(data)
  const colours = coloursOf(data)
  return {
    name,
    vertices: await model.decode({ identity: latents.identity }),
    triangles: share(data.triangles),
    ...(data.uv && { uv: share(data.uv) }),
    colours,
    ...(data.mirror && { mirror: data.mirror }),
    ...(openings && { openings }),
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
    all = Array.from({ length: data.expressionCount }, (_, e) => share(basis.subarray(e * length, (e + 1) * length)))
    displacements.set(data, all)
  }
  const values = isArrayLike(expression) ? expression : undefined
  return all.map((rows, e) => {
    const name = data.metadata.expressionNames[e] ?? `expression-${e}`
    const weight = values ? values[e] : (expression as Record<string, number>)[name]
    return { name, displacements: rows, weight: weight ?? 0 }
  })
}

/** By model: the search takes longer than a face to decode. */
const openings = new WeakMap<ModelData, Openings | null>()

/** The holes of a model's surface by the regions around them; undefined where there are no two eyes. */
export function openingsOf(data: ModelData): Openings | undefined {
  let found = openings.get(data)
  if (found === undefined) {
    const { region, metadata, triangles, mean } = data
    const within = (loop: readonly number[], ...names: string[]) =>
      region !== undefined && loop.every((vertex) => names.includes(metadata.regionNames[region[vertex]!] ?? ''))
    const loops = region ? borderLoops(triangles) : []
    const eyes = loops.filter((loop) => within(loop, 'eyes'))
    const side = (loop: readonly number[]) => loop.reduce((sum, vertex) => sum + mean[vertex * 3]!, 0)
    const leftEye = eyes.find((loop) => side(loop) > 0)
    const rightEye = eyes.find((loop) => side(loop) < 0)
    const mouths = loops.filter((loop) => within(loop, 'lips', 'face') && !within(loop, 'face'))
    const isClear = eyes.length === 2 && leftEye && rightEye
    found = isClear ? { leftEye, rightEye, ...(mouths.length === 1 && { mouth: mouths[0]! }) } : null
    openings.set(data, found)
  }
  return found ?? undefined
}

/** By model. */
const colours = new WeakMap<ModelData, Float32Array>()

/** [N,3] linear RGB: what a model says of its colours, or skin. */
export function coloursOf(data: ModelData): Float32Array {
  let found = colours.get(data)
  if (found === undefined) {
    found = data.albedoMean ?? skinColours(data)
    colours.set(data, found)
  }
  return found
}

function isArrayLike(value: ArrayLike<number> | Record<string, number>): value is ArrayLike<number> {
  return Array.isArray(value) || ArrayBuffer.isView(value)
}
