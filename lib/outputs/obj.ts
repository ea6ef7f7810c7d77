import { type Mesh, withMorphs } from './Mesh.js'
import { vertexNormals } from './normals.js'

/** A tenth of a micrometre: below the precision of any scan, and short. */
const DECIMALS_MM = 4
/** Finer than a texel of any texture. */
const DECIMALS_UNIT = 5

/**
 * A mesh as Wavefront OBJ: vertices in mm with the expression in them, normals, texture coordinates if there are any.
 *
 * @returns ASCII text; names and attribution as comments.
 * @example
 * await writeFile('face.obj', encodeObj(mesh))
 */
export function encodeObj(mesh: Mesh): Uint8Array {
  const vertices = withMorphs(mesh)
  const normals = vertexNormals(vertices, mesh.triangles)
  const lines = ['# millimetres; +X to the left of the face, +Y up, +Z out of it']
  if (mesh.attribution) lines.push(...comments(mesh.attribution))
  if (mesh.license) lines.push(...comments(`Licence: ${mesh.license}`))
  lines.push(`o ${mesh.name.replace(/\s+/g, '_')}`)
  rows(lines, 'v', vertices, 3, DECIMALS_MM)
  if (mesh.uv) rows(lines, 'vt', mesh.uv, 2, DECIMALS_UNIT)
  rows(lines, 'vn', normals, 3, DECIMALS_UNIT)
  const corner = (index: number) => (mesh.uv ? `${index}/${index}/${index}` : `${index}//${index}`)
  for (let f = 0; f < mesh.triangles.length; f += 3) {
    const [a, b, c] = [0, 1, 2].map((i) => corner(mesh.triangles[f + i]! + 1))
    lines.push(`f ${a} ${b} ${c}`)
  }
  return Buffer.from(`${lines.join('\n')}\n`, 'utf8')
}

function comments(text: string): string[] {
  return text.split(/\r?\n/).map((line) => `# ${line}`)
}

function rows(lines: string[], keyword: string, values: Float32Array, width: number, decimals: number): void {
  for (let i = 0; i < values.length; i += width) {
    let line = keyword
    for (let axis = 0; axis < width; axis++) line += ` ${values[i + axis]!.toFixed(decimals)}`
    lines.push(line)
  }
}
