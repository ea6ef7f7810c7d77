import type { Picture } from '../render/Picture.js'

/** A decoded photo, upright. Lengths and coordinates everywhere are in pixels of this size. */
export interface Photo {
  width: number
  height: number
  /** The photo itself; a smaller copy of it if it is larger than `readPhoto` was asked for. Nothing is transparent. */
  pixels: Picture
  /** Focal length in pixels, where the camera has noted it. */
  focal?: number
  /** As sharp names it: `jpeg`, `png`, `webp`, `gif`, `tiff` or `heif`. */
  format: string
  /** How many pictures the file holds, of which this is the first: 1, or more for an animation or a multi-page TIFF. */
  frames: number
}
