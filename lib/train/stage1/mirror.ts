import { SfmError } from '../../errors.js'
import { Matrix } from '../../linear/index.js'
import type { ModelData } from '../../model/ModelData.js'

/** Mean distance, in mm, of a template from its own mirror image up to which the two are taken for the same. */
const MIRROR_TOLERANCE = 1

/**
 * The reflection x -> -x of displacements of a symmetric template: vertex v of the mirror image is that of its partner,
 * reflected. It is its own inverse and keeps lengths, so that displacements are the sums of a symmetric and an
 * antisymmetric part, orthogonal to each other.
 */
export class Mirror {
  /** [N] */
  readonly #partner: Int32Array

  private constructor(partner: Int32Array) {
    this.#partner = partner
  }

  /**
   * The mirror of a template, or why it has none.
   *
   * @example
   * const mirror = Mirror.of(template)
   * if (typeof mirror === 'string') throw new Error(mirror)
   */
  static of({ mirror: partner, mean, vertexCount }: ModelData): Mirror | string {
    if (partner === undefined) return 'the template has no tensor "mirror"'
    let distance = 0
    for (let v = 0; v < vertexCount; v++) {
      const w = partner[v]!
      if (partner[w] !== v) return `vertex ${v} of the template is not the mirror image of its mirror image`
      distance += Math.hypot(
        mean[3 * v]! + mean[3 * w]!,
        mean[3 * v + 1]! - mean[3 * w + 1]!,
        mean[3 * v + 2]! - mean[3 * w + 2]!,
      )
    }
    distance /= vertexCount
    if (distance <= MIRROR_TOLERANCE) return new Mirror(partner)
    return `the template differs from its mirror image by ${distance.toPrecision(2)} mm`
  }

  /**
   * As {@link of}, for those who insist.
   *
   * @throws SfmError INVALID_INPUT
   */
  static require(template: ModelData): Mirror {
    const mirror = Mirror.of(template)
    if (typeof mirror !== 'string') return mirror
    throw new SfmError('INVALID_INPUT', `symmetrise: expected a symmetric template, received one without: ${mirror}`)
  }

  /**
   * The symmetric (sign 1) or antisymmetric (-1) part of displacements.
   *
   * @param fields [3N,n] one a column.
   */
  part(fields: Matrix, sign: 1 | -1): Matrix {
    const { rows, columns } = fields
    const result = new Matrix(rows, columns)
    for (let v = 0; v < rows / 3; v++) {
      for (let axis = 0; axis < 3; axis++) {
        const own = fields.row(3 * v + axis)
        const other = fields.row(3 * this.#partner[v]! + axis)
        const out = result.row(3 * v + axis)
        const reflected = axis === 0 ? -sign : sign
        for (let j = 0; j < columns; j++) out[j] = (own[j]! + reflected * other[j]!) / 2
      }
    }
    return result
  }
}
