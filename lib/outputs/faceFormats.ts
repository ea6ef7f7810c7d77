import { MESH_FORMATS } from './writeMesh.js'

/** What a face can be written as: a mesh, a picture, a page that shows it, weights of ARKit's blendshapes. */
export const FACE_FORMATS = [...MESH_FORMATS, 'png', 'html', 'arkit'] as const

/** One of {@link FACE_FORMATS}. */
export type FaceFormat = (typeof FACE_FORMATS)[number]

/** What files of a format end in. */
export function extensionOf(format: FaceFormat): string {
  return format === 'arkit' ? 'arkit.json' : format
}
