import { byteOfLight, LIGHT_OF_BYTE } from './light.js'
import type { Picture } from './Picture.js'

/**
 * Draws discs over a picture, in place, their edges smooth.
 *
 * @param points [x, y] in pixels; null and NaN are left out.
 * @param radius Pixels.
 * @param colour RGB, 0..255.
 */
export function drawPoints(
  picture: Picture,
  points: Iterable<readonly number[] | null>,
  radius: number,
  colour: readonly [number, number, number],
): void {
  const { width, height, data } = picture
  for (const point of points) {
    const [x, y] = point ?? []
    if (x === undefined || y === undefined || !Number.isFinite(x) || !Number.isFinite(y)) continue
    const reach = radius + 1
    for (let row = Math.max(0, Math.floor(y - reach)); row <= Math.min(height - 1, y + reach); row++)
      for (let column = Math.max(0, Math.floor(x - reach)); column <= Math.min(width - 1, x + reach); column++) {
        const distance = Math.hypot(column + 0.5 - x, row + 0.5 - y)
        const cover = Math.min(1, Math.max(0, radius + 0.5 - distance))
        if (cover === 0) continue
        const at = (row * width + column) * 4
        const under = (data[at + 3]! / 255) * (1 - cover)
        for (let channel = 0; channel < 3; channel++)
          data[at + channel] = byteOfLight(
            (cover * LIGHT_OF_BYTE[colour[channel]!]! + under * LIGHT_OF_BYTE[data[at + channel]!]!) / (cover + under),
          )
        data[at + 3] = Math.round(255 * (cover + under))
      }
  }
}
