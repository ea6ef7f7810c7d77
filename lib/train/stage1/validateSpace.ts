import { silhouettes } from '../../evaluate/silhouette.js'
import type { Matrix } from '../../linear/index.js'
import { scaleColumns } from '../matrices.js'
import { DenseFit } from './DenseFit.js'
import type { FaceSpace } from './FaceSpace.js'
import type { ScanCoordinates } from './ScanCoordinates.js'
import type { Span } from './Span.js'

/** What a model achieves on scans of people it has not seen. */
export interface SpaceValidation {
  /**
   * RMS mm between the face at rest that a scan gives and the mean of the person's other scans, less the mean expression:
   * errors of the one do not know those of the others, so that the least is the most faithful.
   */
  crossError: number
  /** Mean distance of embeddings within people over that between people. */
  ratio: number
  /** Mean silhouette of the embeddings, by cosine. */
  silhouette: number
}

/**
 * Judges a face space by scans of people with two scans or more; undefined where there are not two such people.
 *
 * @param scans Of people that were not learned from.
 * @param offset [R] what the mean expression moves.
 */
export function validateSpace(
  space: FaceSpace,
  scans: ScanCoordinates,
  span: Span,
  expressionStddev: ArrayLike<number>,
  offset: ArrayLike<number>,
): SpaceValidation | undefined {
  const { coordinates, person, counts } = scans
  if (counts.filter((count) => count > 1).length < 2) return undefined
  const fit = new DenseFit(space, scaleColumns(span.expressions, expressionStddev))
  const identities = fit.identities(coordinates)
  const embeddings = Array.from({ length: identities.rows }, (_, i) => unit(identities.row(i)))
  const values = silhouettes(embeddings, person)
  return {
    crossError: crossError(fit.faces(identities), scans, span, offset),
    ratio: distanceRatio(embeddings, person),
    silhouette: values.reduce((sum, value) => sum + value, 0) / values.length,
  }
}

function crossError(faces: Matrix, scans: ScanCoordinates, span: Span, offset: ArrayLike<number>): number {
  const { coordinates, person, counts } = scans
  const totals = Array.from(counts, () => new Float64Array(coordinates.columns))
  for (const [i, p] of person.entries()) {
    const row = coordinates.row(i)
    for (let j = 0; j < row.length; j++) totals[p]![j]! += row[j]!
  }
  let sum = 0
  let used = 0
  for (const [i, p] of person.entries()) {
    const others = counts[p]! - 1
    if (others === 0) continue
    const [row, face, total] = [coordinates.row(i), faces.row(i), totals[p]!]
    let square = 0
    for (let j = 0; j < row.length; j++) square += ((total[j]! - row[j]!) / others - offset[j]! - face[j]!) ** 2
    sum += Math.sqrt(square) / span.rmsScale
    used++
  }
  return sum / used
}

function distanceRatio(embeddings: readonly Float64Array[], person: Int32Array): number {
  const sums = [0, 0]
  const counts = [0, 0]
  for (let i = 0; i < embeddings.length; i++) {
    for (let j = 0; j < i; j++) {
      const [a, b] = [embeddings[i]!, embeddings[j]!]
      let square = 0
      for (let k = 0; k < a.length; k++) square += (a[k]! - b[k]!) ** 2
      const same = person[i] === person[j] ? 1 : 0
      sums[same]! += Math.sqrt(square)
      counts[same]!++
    }
  }
  return sums[1]! / counts[1]! / (sums[0]! / counts[0]!)
}

function unit(v: Float64Array): Float64Array {
  const length = Math.sqrt(v.reduce((sum, value) => sum + value * value, 0))
  return length > 0 ? v.map((value) => value / length) : v
}
