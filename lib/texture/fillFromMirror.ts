import { Enlarged, halved, pushPull, type WeightedColours } from './pushPull.js'
import { Texels } from './Texels.js'

/** Halvings before the light of the halves is compared: it changes slowly over a face, and a mole is no light. */
const COARSER = 4

/** How much brighter or darker than the other half a half may be made. */
const GAIN = { least: 0.4, most: 2.5 }

/** Light that is too little to tell a gain by. */
const DARK = 0.01

/** A surface with what its texture is laid out by. */
export interface MirroredSurface {
  /** [N,2] */
  uv: Float32Array
  /** [F,3] */
  triangles: Int32Array
  /** [N] each vertex's counterpart. */
  mirror: Int32Array
}

/**
 * What is not known of one half of a face, from the other half, in the light of this one: the other's colours times a
 * gain, which is that of the two halves where both are known, carried on smoothly to where one is not.
 *
 * @param own What is known; is added to, in place.
 * @param texels Of its size.
 */
export function fillFromMirror(own: WeightedColours, texels: Texels, surface: MirroredSurface): void {
  const { width, height, colours, weights } = own
  const gains = gainsOver(halved(own, COARSER), surface)
  const enlarged = new Enlarged(
    gains,
    Math.ceil(width / 2 ** COARSER),
    Math.ceil(height / 2 ** COARSER),
    2 ** COARSER,
    width,
  )
  // As it was: what is filled must not be taken for known by its counterpart.
  const known = { colours: Float32Array.from(colours), weights: Float32Array.from(weights) }
  let row = -1
  let gain = enlarged.row(0)
  const isMissing = (at: number) => known.weights[at]! < 1
  eachWithCounterpart(texels, surface, isMissing, (at, from) => {
    if (known.weights[from] === 0) return
    const missing = 1 - known.weights[at]!
    if (row !== Math.floor(at / width)) {
      row = Math.floor(at / width)
      gain = enlarged.row(row)
    }
    const column = at - row * width
    weights[at]! += missing * known.weights[from]!
    for (let channel = 0; channel < 3; channel++)
      colours[at * 3 + channel]! += missing * gain[column * 3 + channel]! * known.colours[from * 3 + channel]!
  })
}

/** Visits texels with the texel that shows the same place of the other half. */
function eachWithCounterpart(
  texels: Texels,
  { uv, mirror }: MirroredSurface,
  wanted: (texel: number) => boolean,
  visit: (texel: number, counterpart: number) => void,
): void {
  const { size } = texels
  texels.each((at, a, b, c, u, v) => {
    const w = 1 - u - v
    const p = mirror[a]! * 2
    const q = mirror[b]! * 2
    const r = mirror[c]! * 2
    const x = Math.floor((u * uv[p]! + v * uv[q]! + w * uv[r]!) * size)
    const y = Math.floor((1 - u * uv[p + 1]! - v * uv[q + 1]! - w * uv[r + 1]!) * size)
    if (x >= 0 && y >= 0 && x < size && y < size) visit(at, y * size + x)
  }, wanted)
}

/** [height,width,3] by how much each place of a small image is brighter than its counterpart. */
function gainsOver({ width, height, colours, weights }: WeightedColours, surface: MirroredSurface): Float32Array {
  const rank = new Float32Array(surface.mirror.length)
  const texels = new Texels(surface.uv, surface.triangles, rank, Math.max(width, height))
  const known = { width, height, colours: new Float32Array(colours.length), weights: new Float32Array(weights.length) }
  let isEmpty = true
  const isKnown = (at: number) => weights[at]! > 0
  eachWithCounterpart(texels, surface, isKnown, (at, from) => {
    const weight = weights[at]! * weights[from]!
    if (weight < 1e-3) return
    isEmpty = false
    known.weights[at] = weight
    for (let channel = 0; channel < 3; channel++) {
      const mine = colours[at * 3 + channel]! / weights[at]!
      const its = colours[from * 3 + channel]! / weights[from]!
      const gain = Math.min(GAIN.most, Math.max(GAIN.least, (mine + DARK) / (its + DARK)))
      known.colours[at * 3 + channel] = weight * gain
    }
  })
  // Halves that have nothing in common cannot be compared.
  return isEmpty ? known.colours.fill(1) : pushPull(known)
}
