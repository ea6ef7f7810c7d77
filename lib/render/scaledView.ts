import type { FitView } from './View.js'

/**
 * A fit's view in pixels of a copy of its image in another size: a copy of half the size has half the focal length.
 *
 * @param scale The copy's width over the image's.
 * @example
 * const { pixels, width } = await readPhoto('photo.jpg', { longestSide: 2048 })
 * const texture = photoTexture(mesh, scaledView(result, pixels.width / width), pixels)
 */
export function scaledView<View extends FitView>(view: View, scale: number): View {
  const { camera } = view
  if (scale === 1 || !camera) return view
  const principal: [number, number] = [scale * camera.principal[0], scale * camera.principal[1]]
  return {
    ...view,
    camera:
      camera.type === 'weak'
        ? { ...camera, scale: scale * camera.scale, principal }
        : { ...camera, focal: scale * camera.focal, principal },
  }
}
