import type { FitResult } from '../fit/FitResult.js'
import type { ObservationItem } from '../inputs/readObservations.js'
import { faceMesh, type MeshModel } from '../outputs/faceMesh.js'
import type { Picture } from '../render/Picture.js'
import { scaledView } from '../render/scaledView.js'
import { TextureBlend } from '../texture/TextureBlend.js'

/** An image of a person, and the person's face as it was fitted to it. */
export interface ImageOfPerson {
  item: ObservationItem
  result: FitResult
}

/**
 * A person's colours from all of the person's photos: decoded one after the other, as an album may not fit into memory.
 *
 * @param model With texture coordinates.
 * @param unreadable Is told of a photo that cannot be read any more; the others do without it.
 * @returns Undefined where there are no photos.
 */
export async function personTexture(
  model: MeshModel,
  images: readonly ImageOfPerson[],
  unreadable: (item: ObservationItem, error: Error) => void,
  signal: AbortSignal,
): Promise<Picture | undefined> {
  if (!model.data.uv) return undefined
  const blend = new TextureBlend()
  let isEmpty = true
  for (const { item, result } of images) {
    signal.throwIfAborted()
    if (!item.photo || !result.camera) continue
    const photo = await item.photo().catch((error: Error) => unreadable(item, error))
    if (!photo) continue
    const scale = photo.width / (result.image?.width ?? photo.width)
    blend.add(await faceMesh(model, result, item.id), scaledView(result, scale), photo)
    isEmpty = false
  }
  return isEmpty ? undefined : blend.picture()
}
