import { type Mesh, withMorphs } from './Mesh.js'
import { vertexNormals } from './normals.js'

/**
 * A mesh as binary PLY (little-endian): vertices in mm with the expression in them, normals, texture coordinates `s`,
 * `t` if there are any, triangles as lists of `vertex_indices`.
 *
 * @example
 * await writeFile('face.ply', encodePly(mesh))
 */
export function encodePly(mesh: Mesh): Uint8Array {
  const { triangles, uv } = mesh
  const vertices = withMorphs(mesh)
  const normals = vertexNormals(vertices, triangles)
  const vertexCount = vertices.length / 3
  const faceCount = triangles.length / 3
  const names = ['x', 'y', 'z', 'nx', 'ny', 'nz', ...(uv ? ['s', 't'] : [])]
  const header = Buffer.from(
    [
      'ply',
      'format binary_little_endian 1.0',
      'comment millimetres; +X to the left of the face, +Y up, +Z out of it',
      ...[mesh.attribution, mesh.license && `Licence: ${mesh.license}`].flatMap(comments),
      `element vertex ${vertexCount}`,
      ...names.map((name) => `property float ${name}`),
      `element face ${faceCount}`,
      'property list uchar int vertex_indices',
      'end_header\n',
    ].join('\n'),
    'utf8',
  )
  const stride = names.length * 4
  const bytes = new Uint8Array(header.length + vertexCount * stride + faceCount * 13)
  bytes.set(header)
  const view = new DataView(bytes.buffer)
  let at = header.length
  const float = (value: number) => {
    view.setFloat32(at, value, true)
    at += 4
  }
  for (let v = 0; v < vertexCount; v++) {
    for (let axis = 0; axis < 3; axis++) float(vertices[v * 3 + axis]!)
    for (let axis = 0; axis < 3; axis++) float(normals[v * 3 + axis]!)
    if (uv) for (let axis = 0; axis < 2; axis++) float(uv[v * 2 + axis]!)
  }
  for (let f = 0; f < triangles.length; f += 3) {
    view.setUint8(at++, 3)
    for (let i = 0; i < 3; i++, at += 4) view.setInt32(at, triangles[f + i]!, true)
  }
  return bytes
}

function comments(text: string | undefined): string[] {
  return text ? text.split(/\r?\n/).map((line) => `comment ${line}`) : []
}
