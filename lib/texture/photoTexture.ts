import { invalidArgument } from '../errors.js'
import { checkMesh } from '../outputs/checkMesh.js'
import { type Mesh, withMorphs } from '../outputs/Mesh.js'
import { vertexNormals } from '../outputs/normals.js'
import { checkPicture, type Picture } from '../render/Picture.js'
import { type FitView, type Projection, project, resolveFitView, turn } from '../render/View.js'
import { finishTexture } from './finishTexture.js'
import { sampleTexels } from './sampleTexels.js'

/** Texels of a side. */
const SIZE = 1024

/**
 * The colours of a face from its photo, laid out by the model's texture coordinates.
 *
 * A texel is taken from the photo where the camera saw it (a z-buffer tells), and the more the surface faced the camera.
 * What it did not see is taken from the other half of the face, in the light of this one, and what is missing then is
 * filled smoothly from around. The light of the photo stays in the colours.
 *
 * @param mesh Of {@link faceMesh}: with texture coordinates, and mirror pairs where the other half is to be used.
 * @param view The fit to the photo: a result.
 * @param photo The pixels that the landmarks were found in, upright.
 * @param options.size Texels of a side, 16 to 8192; 1024 by default.
 * @returns A square picture; made on this thread, in a tenth of a second or less.
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * const mesh = await faceMesh(model, result, 'a1')
 * await writeMesh('glb', 'a1.glb', { ...mesh, texture: photoTexture(mesh, result, photo) })
 */
export function photoTexture(
  mesh: Mesh,
  view: FitView,
  photo: Picture,
  { size = SIZE }: { size?: number } = {},
): Picture {
  checkMesh(mesh)
  const { uv, triangles, mirror } = mesh
  if (!uv) throw invalidArgument('mesh.uv', 'texture coordinates', uv)
  checkPicture(photo, 'photo')
  if (!Number.isInteger(size) || size < 16 || size > 8192)
    throw invalidArgument('size', 'a whole number of texels in 16..8192', size)
  const resolved = resolveFitView(view, 'view')
  const vertices = withMorphs(mesh)
  const projection = project(vertices, resolved)
  const facing = cosines(projection, turn(vertexNormals(vertices, triangles), resolved.rotation), resolved.camera.type)

  const own = sampleTexels({ uv, triangles, image: projection.image, facing }, photo, size)
  return finishTexture(own, mirror && { uv, triangles, mirror })
}

/** [N] cosine of the angle between each normal and the way to the camera. */
function cosines({ space }: Projection, normals: Float32Array, camera: 'perspective' | 'weak'): Float32Array {
  const result = new Float32Array(normals.length / 3)
  for (let v = 0, i = 0; v < result.length; v++, i += 3) {
    const x = camera === 'weak' ? 0 : space[i]!
    const y = camera === 'weak' ? 0 : space[i + 1]!
    const z = camera === 'weak' ? 1 : space[i + 2]!
    const along = normals[i]! * x + normals[i + 1]! * y + normals[i + 2]! * z
    result[v] = -along / (Math.sqrt(x * x + y * y + z * z) || 1)
  }
  return result
}
