import type { Picture } from '../render/Picture.js'

/** As many as a stream has under way at a time, between where they are read and where they are written. */
const COUNT = 4

/**
 * Holds the pixels of the last few photos. Those of earlier ones may go when memory is needed, and are decoded anew if
 * they are asked for: whoever collects an album holds its faces, not its pixels.
 *
 * @example
 * const pixels = recent.keep(photo.pixels, async () => (await readPhoto('a.jpg')).pixels)
 * const picture = await pixels()
 */
export class RecentPictures {
  readonly #recent: Picture[] = []

  /**
   * @param again Decodes it once more.
   * @returns Gives the picture.
   */
  keep(picture: Picture, again: () => Promise<Picture>): () => Promise<Picture> {
    let held = this.#hold(picture)
    return async () => {
      const present = held.deref()
      if (present !== undefined) return present
      const anew = await again()
      held = this.#hold(anew)
      return anew
    }
  }

  #hold(picture: Picture): WeakRef<Picture> {
    this.#recent.push(picture)
    if (this.#recent.length > COUNT) this.#recent.shift()
    return new WeakRef(picture)
  }
}
