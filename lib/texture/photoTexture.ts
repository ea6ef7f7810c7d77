import type { Mesh } from '../outputs/Mesh.js'
import type { Picture } from '../render/Picture.js'
import type { FitView } from '../render/View.js'
import { TextureBlend } from './TextureBlend.js'

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
export function photoTexture(mesh: Mesh, view: FitView, photo: Picture, options: { size?: number } = {}): Picture {
  return new TextureBlend(options).add(mesh, view, photo).picture()
}
