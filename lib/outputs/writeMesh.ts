import { invalidArgument } from '../errors.js'
import { writeFileAtomically } from '../writeFileAtomically.js'
import { checkMesh } from './checkMesh.js'
import { encodeGlb } from './glb.js'
import type { Mesh } from './Mesh.js'
import { encodeObj } from './obj.js'
import { encodePly } from './ply.js'

/** The forms a mesh can be written in; each is also the file's extension. */
export const MESH_FORMATS = ['glb', 'obj', 'ply'] as const

/** One of {@link MESH_FORMATS}. */
export type MeshFormat = (typeof MESH_FORMATS)[number]

const ENCODERS: Readonly<Record<MeshFormat, (mesh: Mesh) => Uint8Array | Promise<Uint8Array>>> = {
  glb: encodeGlb,
  obj: encodeObj,
  ply: encodePly,
}

/**
 * A mesh as the bytes of a file: glb in metres with expressions as morph targets; obj and ply in mm, the expression
 * baked in.
 *
 * @throws SfmError INVALID_ARGUMENT for an unknown format, or arrays that do not belong together.
 * @example
 * const bytes = await encodeMesh('glb', mesh)
 */
export async function encodeMesh(format: MeshFormat, mesh: Mesh): Promise<Uint8Array> {
  if (!MESH_FORMATS.includes(format)) throw invalidArgument('format', MESH_FORMATS.join(', '), format)
  checkMesh(mesh)
  return ENCODERS[format](mesh)
}

/**
 * Writes a mesh to a file, whole or not at all (see writeFileAtomically).
 *
 * @param path The file's name as it is to be; no extension is added.
 * @throws SfmError INVALID_ARGUMENT as encodeMesh; IO where the file cannot be written.
 * @example
 * await writeMesh('glb', 'faces/a1.glb', mesh)
 */
export async function writeMesh(format: MeshFormat, path: string, mesh: Mesh): Promise<void> {
  await writeFileAtomically(path, await encodeMesh(format, mesh))
}
