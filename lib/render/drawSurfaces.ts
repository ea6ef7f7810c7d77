import { byteOfLight, LIGHT_OF_BYTE } from './light.js'
import type { Picture } from './Picture.js'
import { bilinear } from './resample.js'
import { bounds } from './View.js'
import { VisibilityBuffer } from './VisibilityBuffer.js'

/** Of a surface's depth: within a pixel no slope falls off so far, an edge between two parts of it does. */
const STEP = 1 / 60

/** Something to be drawn, with its light on it. */
export interface Surface {
  /** [N,3] in the picture: x, y in pixels, and how near. */
  points: Float32Array
  /** [F,3] */
  triangles: ArrayLike<number>
  /** [N,3] linear light; with a texture, what that is multiplied by. */
  colours: Float32Array
  texture?: { picture: Picture /** [N,2] the origin at the bottom left. */; uv: Float32Array } | undefined
  /** [N,3] As `colours`, of the other side; without it only the outside is drawn. */
  inside?: Float32Array | undefined
}

/** Samples in memory at a time: more are drawn in bands, one after another. */
const MOST_SAMPLES = 2 ** 21

/**
 * Draws surfaces over a picture, in place. Of each pixel `samples` x `samples` points are looked at, and their light
 * averaged, so that edges are smooth.
 *
 * @param opacity 0..1
 */
export function drawSurfaces(
  picture: Picture,
  surfaces: readonly Surface[],
  { samples, opacity }: { samples: number; opacity: number },
): void {
  const window = windowOf(picture, surfaces)
  if (window === undefined) return
  const { left, top, right, bottom } = window
  const columns = right - left
  const rows = Math.max(1, Math.min(bottom - top, Math.floor(MOST_SAMPLES / (columns * samples * samples))))
  const buffer = new VisibilityBuffer(columns * samples, rows * samples)
  for (let band = top; band < bottom; band += rows) {
    if (band > top) buffer.clear()
    const scaled = surfaces.map((surface) => inSamples(surface.points, left, band, samples))
    let firstId = 0
    const painters = surfaces.map((surface, s) => {
      buffer.draw(scaled[s]!, surface.triangles, surface.inside ? 'both' : 'front', firstId)
      const painter = new Painter(surface, scaled[s]!, firstId)
      firstId += surface.triangles.length / 3
      return painter
    })
    const origin = { left, top: band, rows: Math.min(rows, bottom - band), columns }
    mix(picture, buffer, painters, origin, samples, opacity)
  }
}

/** Whole pixels that surfaces may touch. */
function windowOf({ width, height }: Picture, surfaces: readonly Surface[]) {
  let [left, top, right, bottom] = [width, height, 0, 0]
  for (const { points } of surfaces) {
    const [low, high] = bounds(points, 3)
    left = Math.min(left, Math.max(0, Math.floor(low[0]!)))
    top = Math.min(top, Math.max(0, Math.floor(low[1]!)))
    right = Math.max(right, Math.min(width, Math.ceil(high[0]!)))
    bottom = Math.max(bottom, Math.min(height, Math.ceil(high[1]!)))
  }
  return left < right && top < bottom ? { left, top, right, bottom } : undefined
}

function inSamples(points: Float32Array, left: number, top: number, samples: number): Float32Array {
  const scaled = new Float32Array(points.length)
  for (let i = 0; i < points.length; i += 3) {
    scaled[i] = (points[i]! - left) * samples
    scaled[i + 1] = (points[i + 1]! - top) * samples
    scaled[i + 2] = points[i + 2]!
  }
  return scaled
}

/** Tells the colour of a surface's triangles at a sample. */
class Painter {
  /** Ids of its triangles: from `first`, below `end`. */
  readonly first: number
  readonly end: number
  readonly #surface: Surface
  readonly #points: Float32Array
  readonly #texel = new Float64Array(4)
  readonly #step: number
  readonly #read: ((x: number, y: number) => void) | undefined

  constructor(surface: Surface, points: Float32Array, firstId: number) {
    this.#surface = surface
    this.#points = points
    this.first = firstId + 1
    this.end = firstId + 1 + surface.triangles.length / 3
    const [low, high] = bounds(points, 3)
    this.#step = surface.texture ? 0 : (high[2]! - low[2]!) * STEP
    this.#read = surface.texture && bilinear(surface.texture.picture, this.#texel)
  }

  /** Whether samples so far apart in nearness can lie side by side on the surface, and need not be told apart. */
  isSmooth(difference: number): boolean {
    return difference < this.#step
  }

  /** Adds the light of a triangle at a point to `sum`. */
  add(id: number, x: number, y: number, sum: Float64Array): void {
    const { triangles, texture, inside } = this.#surface
    const colours = id < 0 && inside ? inside : this.#surface.colours
    const points = this.#points
    const t = (Math.abs(id) - this.first) * 3
    const a = triangles[t]! * 3
    const b = triangles[t + 1]! * 3
    const c = triangles[t + 2]! * 3
    const cx = points[c]!
    const cy = points[c + 1]!
    const abx = points[a]! - cx
    const aby = points[a + 1]! - cy
    const bcx = points[b]! - cx
    const bcy = points[b + 1]! - cy
    const area = abx * bcy - aby * bcx
    const u = ((x - cx) * bcy - (y - cy) * bcx) / area
    const v = ((y - cy) * abx - (x - cx) * aby) / area
    const w = 1 - u - v
    const red = u * colours[a]! + v * colours[b]! + w * colours[c]!
    const green = u * colours[a + 1]! + v * colours[b + 1]! + w * colours[c + 1]!
    const blue = u * colours[a + 2]! + v * colours[b + 2]! + w * colours[c + 2]!
    if (!texture || !this.#read) {
      sum[0]! += red
      sum[1]! += green
      sum[2]! += blue
      return
    }
    const { uv, picture } = texture
    const [p, q, r] = [(a / 3) * 2, (b / 3) * 2, (c / 3) * 2]
    this.#read(
      (u * uv[p]! + v * uv[q]! + w * uv[r]!) * picture.width,
      (1 - u * uv[p + 1]! - v * uv[q + 1]! - w * uv[r + 1]!) * picture.height,
    )
    sum[0]! += red * this.#texel[0]!
    sum[1]! += green * this.#texel[1]!
    sum[2]! += blue * this.#texel[2]!
  }
}

/** Averages the samples of each pixel, and mixes them with what is there. */
function mix(
  { width, data }: Picture,
  { ids, nearness, width: stride }: VisibilityBuffer,
  painters: readonly Painter[],
  origin: { left: number; top: number; rows: number; columns: number },
  samples: number,
  opacity: number,
): void {
  const sum = new Float64Array(3)
  let painter = painters[0]!
  for (let j = 0; j < origin.rows; j++)
    for (let i = 0; i < origin.columns; i++) {
      let hits = 0
      let light = 0
      let nearest = Number.NEGATIVE_INFINITY
      let farthest = Number.POSITIVE_INFINITY
      const corner = j * samples * stride + i * samples
      for (let y = 0, row = corner; y < samples; y++, row += stride)
        for (let sample = row; sample < row + samples; sample++) {
          if (ids[sample] === 0) continue
          hits++
          const near = nearness[sample]!
          if (near > nearest) nearest = near
          if (near < farthest) farthest = near
        }
      if (hits === 0) continue
      sum[0] = sum[1] = sum[2] = 0
      painter = painterOf(ids[corner]!, painter, painters)
      if (hits === samples * samples && painter.isSmooth(nearest - farthest)) {
        // Within a surface its light hardly changes: one sample tells the pixel's.
        painter.add(ids[corner]!, i * samples + 0.5, j * samples + 0.5, sum)
        light = 1
      } else {
        for (let y = 0; y < samples; y++)
          for (let x = 0; x < samples; x++) {
            const id = ids[corner + y * stride + x]!
            if (id === 0) continue
            painter = painterOf(id, painter, painters)
            painter.add(id, i * samples + x + 0.5, j * samples + y + 0.5, sum)
          }
        light = hits
      }
      const at = ((j + origin.top) * width + i + origin.left) * 4
      const cover = (opacity * hits) / (samples * samples)
      const under = (data[at + 3]! / 255) * (1 - cover)
      const alpha = cover + under
      for (let channel = 0; channel < 3; channel++)
        data[at + channel] = byteOfLight(
          (cover * shoulder(sum[channel]! / light) + under * LIGHT_OF_BYTE[data[at + channel]!]!) / alpha,
        )
      data[at + 3] = Math.round(255 * alpha)
    }
}

/** Whose triangle it is; neighbours are mostly of one surface. */
function painterOf(id: number, last: Painter, painters: readonly Painter[]): Painter {
  const number = Math.abs(id)
  if (number >= last.first && number < last.end) return last
  return painters.find(({ first, end }) => number >= first && number < end) ?? last
}

/** Light up to here is shown as it is; what is brighter comes ever closer to white. */
const KNEE = 0.7

function shoulder(light: number): number {
  return light <= KNEE ? light : 1 - (1 - KNEE) ** 2 / (1 - 2 * KNEE + light)
}
