import type { Picture } from '../render/Picture.js'

/** Cells along a side, and pixels looked at along a side of each. */
const CELLS = 16
const SAMPLES = 8

/** Of 255: more than what noise and compression leave in the mean of a cell. */
const RANGE = 6

/**
 * Whether a picture is of nearly one colour all over, such as black: by the means of its cells, so that noise does not
 * count. It says why a photo has no face.
 */
export function isPlain({ width, height, data }: Picture): boolean {
  for (let channel = 0; channel < 3; channel++) {
    let least = 255
    let most = 0
    for (let cell = 0; cell < CELLS * CELLS; cell++) {
      let sum = 0
      for (let sample = 0; sample < SAMPLES * SAMPLES; sample++) {
        const column = (cell % CELLS) * SAMPLES + (sample % SAMPLES)
        const row = Math.floor(cell / CELLS) * SAMPLES + Math.floor(sample / SAMPLES)
        const x = Math.floor(((column + 0.5) / (CELLS * SAMPLES)) * width)
        const y = Math.floor(((row + 0.5) / (CELLS * SAMPLES)) * height)
        sum += data[4 * (y * width + x) + channel] as number
      }
      least = Math.min(least, sum / SAMPLES ** 2)
      most = Math.max(most, sum / SAMPLES ** 2)
    }
    if (most - least > RANGE) return false
  }
  return true
}
