import { asFloat32 } from '../model/half.js'
import type { ModelData } from '../model/ModelData.js'

/** How far two expressions may be from each other's mirror image, of their own size, to be meant as that. */
const MOST_DIFFERENCE = 0.1

/**
 * The model with expressions that are each other's mirror image, or their own, to the last bit where they are nearly so: an
 * eye's blink and the other eye's, a smile. Blendshapes are made symmetric and lose some of that as they are resampled and
 * rounded, for nothing; where it is whole, both sides of a face decode at once (native/core/MirroredBasis.h).
 *
 * Each becomes the mean of itself and its partner's mirror image. Expressions without a partner stay as they are, and so does
 * a model without a `mirror` map.
 */
export function symmetricExpressions(data: ModelData): ModelData {
  const { mirror, expressionCount } = data
  if (!mirror || expressionCount === 0) return data
  const basis = asFloat32(data.expressionBasis)
  const size = 3 * mirror.length
  const columns = Array.from({ length: expressionCount }, (_, e) => basis.subarray(e * size, (e + 1) * size))
  const images = columns.map((column) => mirrorImage(column, mirror))
  const partners = images.map((image) => {
    const distances = columns.map((column) => distance(column, image))
    const nearest = distances.indexOf(Math.min(...distances))
    return distances[nearest]! <= MOST_DIFFERENCE * norm(image) ? nearest : -1
  })
  const result = basis.slice()
  for (const [e, partner] of partners.entries()) {
    // Of two the first is made, and the second is its image: the mean of both would round either way.
    if (partner < e || partners[partner] !== e) continue
    const mean = columns[e]!.map((value, i) => (value + images[partner]![i]!) / 2)
    result.set(mean, e * size)
    if (partner > e) result.set(mirrorImage(mean, mirror), partner * size)
  }
  return { ...data, expressionBasis: result }
}

/** The displacements [N,3] of the mirror image in the plane x = 0. */
export function mirrorImage(column: Float32Array, mirror: Int32Array): Float32Array {
  return column.map((_, i) => (i % 3 === 0 ? -1 : 1) * column[3 * mirror[Math.floor(i / 3)]! + (i % 3)]!)
}

function distance(a: Float32Array, b: Float32Array): number {
  return Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0))
}

function norm(a: Float32Array): number {
  return Math.sqrt(a.reduce((sum, value) => sum + value ** 2, 0))
}
