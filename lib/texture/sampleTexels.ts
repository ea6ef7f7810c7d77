import { LIGHT_OF_BYTE } from '../render/light.js'
import type { Picture } from '../render/Picture.js'
import { squareAround } from '../render/View.js'
import type { WeightedColours } from './pushPull.js'
import { reduced } from './reduced.js'
import { Shadow } from './Shadow.js'

/** Cosines between the surface and the way to the camera: seen not at all from the first, as well as can be from the second. */
const FACING = { from: 0.1, to: 0.4 } as const

/** Of barycentric coordinates along a row. */
const ROUNDING = 1e-9

/** A surface as a camera saw it, and how its texture is laid out. */
export interface SeenSurface {
  /** [N,2] the origin at the bottom left. */
  uv: Float32Array
  /** [F,3] */
  triangles: Int32Array
  /** [N,3] of `project`. */
  image: Float32Array
  /** [N] cosine of the angle between each normal and the way to the camera. */
  facing: Float32Array
}

/** What a photo tells of each texel. */
export interface SampledTexels extends WeightedColours {
  /** 0..1: pixels that the photo has for a texel, along a line. */
  detail: number
}

/**
 * What a photo tells of each texel: its colour, in light, times a weight. The weight is 1 where the surface faced the
 * camera, less where it turned away, and 0 where the camera did not see it. Of triangles that overlap in the texture the
 * one that was seen better has the texel.
 *
 * A triangle at a time: those that face away, half of a head, cost nothing.
 *
 * @param size Texels of a side.
 */
export function sampleTexels(
  { uv, triangles, image, facing }: SeenSurface,
  photo: Picture,
  size: number,
): SampledTexels {
  const colours = new Float32Array(size * size * 3)
  const weights = new Float32Array(size * size)
  const head = squareAround([image], 0.02)
  const shadow = new Shadow(image, triangles, head)
  // A photo of more pixels than there are texels is made smaller first, or details would turn into noise.
  const isLarge = head.width > 1.5 * size
  const copy = isLarge ? reduced(photo, head, Math.round(head.width / size)) : undefined
  const sampled = { width: size, height: size, colours, weights, detail: Math.min(1, head.width / size) }
  if (isLarge && copy === undefined) return sampled
  const { picture: source, left, top, factor } = copy ?? { picture: photo, left: 0, top: 0, factor: 1 }
  const { width, height, data } = source
  const [lastColumn, lastRow] = [width - 1, height - 1]

  for (let t = 0; t < triangles.length; t += 3) {
    const [a, b, c] = [triangles[t]!, triangles[t + 1]!, triangles[t + 2]!]
    const [facingA, facingB, facingC] = [facing[a]!, facing[b]!, facing[c]!]
    if (facingA <= FACING.from && facingB <= FACING.from && facingC <= FACING.from) continue
    const ax = uv[a * 2]! * size
    const ay = (1 - uv[a * 2 + 1]!) * size
    const bx = uv[b * 2]! * size
    const by = (1 - uv[b * 2 + 1]!) * size
    const cx = uv[c * 2]! * size
    const cy = (1 - uv[c * 2 + 1]!) * size
    const area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    if (area === 0) continue
    const first = Math.max(0, Math.ceil(Math.min(ax, bx, cx) - 0.5))
    const last = Math.min(size - 1, Math.floor(Math.max(ax, bx, cx) - 0.5))
    const upper = Math.max(0, Math.ceil(Math.min(ay, by, cy) - 0.5))
    const lower = Math.min(size - 1, Math.floor(Math.max(ay, by, cy) - 0.5))

    // Barycentric coordinates u of a and v of b are linear over the texture; so is, with them, all else.
    const ux = (by - cy) / area
    const uy = (cx - bx) / area
    const vx = (cy - ay) / area
    const vy = (ax - cx) / area
    const [imageX, imageY, imageNear] = [image[c * 3]!, image[c * 3 + 1]!, image[c * 3 + 2]!]
    const [xu, yu, nearU] = [image[a * 3]! - imageX, image[a * 3 + 1]! - imageY, image[a * 3 + 2]! - imageNear]
    const [xv, yv, nearV] = [image[b * 3]! - imageX, image[b * 3 + 1]! - imageY, image[b * 3 + 2]! - imageNear]
    const facingU = facingA - facingC
    const facingV = facingB - facingC

    for (let row = upper; row <= lower; row++) {
      let u = (first + 0.5 - cx) * ux + (row + 0.5 - cy) * uy
      let v = (first + 0.5 - cx) * vx + (row + 0.5 - cy) * vy
      let isInside = false
      for (let at = row * size + first, end = row * size + last; at <= end; at++, u += ux, v += vx) {
        if (u < -ROUNDING || v < -ROUNDING || u + v > 1 + ROUNDING) {
          if (isInside) break
          continue
        }
        isInside = true
        const cosine = facingC + u * facingU + v * facingV
        if (cosine <= FACING.from) continue
        const turned = cosine < FACING.to ? smooth((cosine - FACING.from) / (FACING.to - FACING.from)) : 1
        if (turned <= weights[at]!) continue
        const x = imageX + u * xu + v * xv
        const y = imageY + u * yu + v * yv
        if (!(x > 0 && y > 0 && x < photo.width && y < photo.height)) continue
        if (!shadow.sees(x, y, imageNear + u * nearU + v * nearV, cosine)) continue

        // Between four pixels, the border continued outwards.
        const column = Math.min(Math.max((x - left) / factor - 0.5, 0), lastColumn)
        const line = Math.min(Math.max((y - top) / factor - 0.5, 0), lastRow)
        const x0 = column | 0
        const y0 = line | 0
        const fx = column - x0
        const fy = line - y0
        const p00 = (y0 * width + x0) * 4
        const p01 = x0 < lastColumn ? p00 + 4 : p00
        const below = y0 < lastRow ? width * 4 : 0
        const p10 = p00 + below
        const p11 = p01 + below
        // What is transparent has no colour to mix in, and tells less.
        const w00 = (1 - fx) * (1 - fy) * ALPHA[data[p00 + 3]!]!
        const w01 = fx * (1 - fy) * ALPHA[data[p01 + 3]!]!
        const w10 = (1 - fx) * fy * ALPHA[data[p10 + 3]!]!
        const w11 = fx * fy * ALPHA[data[p11 + 3]!]!
        const weight = turned * (w00 + w01 + w10 + w11)
        if (weight <= weights[at]!) continue
        weights[at] = weight
        const to = at * 3
        colours[to] =
          turned *
          (w00 * LIGHT_OF_BYTE[data[p00]!]! +
            w01 * LIGHT_OF_BYTE[data[p01]!]! +
            w10 * LIGHT_OF_BYTE[data[p10]!]! +
            w11 * LIGHT_OF_BYTE[data[p11]!]!)
        colours[to + 1] =
          turned *
          (w00 * LIGHT_OF_BYTE[data[p00 + 1]!]! +
            w01 * LIGHT_OF_BYTE[data[p01 + 1]!]! +
            w10 * LIGHT_OF_BYTE[data[p10 + 1]!]! +
            w11 * LIGHT_OF_BYTE[data[p11 + 1]!]!)
        colours[to + 2] =
          turned *
          (w00 * LIGHT_OF_BYTE[data[p00 + 2]!]! +
            w01 * LIGHT_OF_BYTE[data[p01 + 2]!]! +
            w10 * LIGHT_OF_BYTE[data[p10 + 2]!]! +
            w11 * LIGHT_OF_BYTE[data[p11 + 2]!]!)
      }
    }
  }
  return sampled
}

/** The share of each alpha. */
const ALPHA = Float32Array.from({ length: 256 }, (_, byte) => byte / 255)

/** 0 to 1 with level ends. */
function smooth(share: number): number {
  return share * share * (3 - 2 * share)
}
