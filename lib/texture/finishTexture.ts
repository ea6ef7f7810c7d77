import { byteOfLight } from '../render/light.js'
import { createPicture, type Picture } from '../render/Picture.js'
import type { MirroredSurface } from './counterparts.js'
import { OtherHalf } from './OtherHalf.js'
import { boundWeights, Enlarged, emptyColours, pushPull, type WeightedColours } from './pushPull.js'

/** How many times coarser what nothing is known of is filled: such colours are smooth anyway. */
const COARSER = 4

/**
 * The texture: what is known, else what the other half of the face has, else what is around. All texels are filled, those
 * that belong to no triangle too: viewers read a little beyond the borders.
 *
 * @param own Square; weights of 0 to 1.
 * @param surface Where the other half is to be used.
 */
export function finishTexture(own: WeightedColours, surface?: MirroredSurface): Picture {
  const { width, height, colours, weights } = own
  const otherHalf = surface && new OtherHalf(own, surface)
  const others = otherHalf?.texels
  const picture = createPicture(width, height)
  const { data } = picture
  const coarse = emptyColours(Math.ceil(width / COARSER), Math.ceil(height / COARSER))
  const { colours: coarseColours, weights: coarseWeights } = coarse

  // What is known is written at once, and all of it summed into a smaller image.
  for (let y = 0, at = 0; y < height; y++) {
    const first = Math.floor(y / COARSER) * coarse.width
    otherHalf?.goTo(y)
    for (let x = 0; x < width; x++, at++) {
      let weight = weights[at]!
      const other = weight < 1 && others !== undefined ? others[at]! : -1
      const isFound = other >= 0 && weights[other]! > 0
      if (weight === 0 && !isFound) continue
      let red = colours[at * 3]!
      let green = colours[at * 3 + 1]!
      let blue = colours[at * 3 + 2]!
      if (isFound) {
        otherHalf!.read(at, x)
        const { found } = otherHalf!
        red = found[0]!
        green = found[1]!
        blue = found[2]!
        weight = found[3]!
      }
      if (weight >= 1) {
        const to = at * 4
        data[to] = byteOfLight(red)
        data[to + 1] = byteOfLight(green)
        data[to + 2] = byteOfLight(blue)
        data[to + 3] = 255
      }
      const to = first + Math.floor(x / COARSER)
      coarseWeights[to]! += weight
      coarseColours[to * 3]! += red
      coarseColours[to * 3 + 1]! += green
      coarseColours[to * 3 + 2]! += blue
    }
  }
  boundWeights(coarse)

  const around = new Enlarged(pushPull(coarse), coarse.width, coarse.height, COARSER, width)
  for (let y = 0, at = 0; y < height; y++) {
    around.goTo(y)
    otherHalf?.goTo(y)
    for (let x = 0; x < width; x++, at++) {
      const to = at * 4
      if (data[to + 3] === 255) continue
      let weight = weights[at]!
      let red = around.value(x * 3)
      let green = around.value(x * 3 + 1)
      let blue = around.value(x * 3 + 2)
      const other = others === undefined ? -1 : others[at]!
      if (other >= 0 && weights[other]! > 0) {
        otherHalf!.read(at, x)
        const { found } = otherHalf!
        weight = found[3]!
        red = found[0]! + (1 - weight) * red
        green = found[1]! + (1 - weight) * green
        blue = found[2]! + (1 - weight) * blue
      } else if (weight > 0) {
        red = colours[at * 3]! + (1 - weight) * red
        green = colours[at * 3 + 1]! + (1 - weight) * green
        blue = colours[at * 3 + 2]! + (1 - weight) * blue
      }
      data[to] = byteOfLight(red)
      data[to + 1] = byteOfLight(green)
      data[to + 2] = byteOfLight(blue)
      data[to + 3] = 255
    }
  }
  return picture
}
