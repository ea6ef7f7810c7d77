import { RankedScores } from '../../evaluate/RankedScores.js'
import { areaUnder, rocCurve, trueAcceptAt } from '../../evaluate/roc.js'
import { type Matrix, multiply } from '../../linear/index.js'
import { apply, dot } from '../matrices.js'
import { unitRows } from './angularMargin.js'
import type { Evidence } from './Evidence.js'
import { fitLatents } from './fitAdjoint.js'

/** How well the latents of photos tell people apart, and how well they tell what the photos show. */
export interface EvidenceVerification {
  /** Area under the ROC curve of the cosines of all pairs of photos. */
  auc: number
  /** True accepts at a false accept rate of 1e-2; null where there are fewer than 100 pairs of two people. */
  tar: number | null
  /** Root mean square over the photos of what the fits leave of the residuals, over their standard deviation. */
  misfit: number
}

/** A linear model of shapes: g = mean + basis x, x ~ N(0, precision^-1), compared by the direction of metric x. */
export interface LinearLatents {
  basis: Matrix
  mean: Float64Array
  precision: Matrix
  metric: Matrix
}

/**
 * Fits each photo by linear-Gaussian inference, and compares all pairs of photos by the cosine.
 *
 * @param people The photos of each person.
 * @param fitted [photos,k] the latents that are compared, where not those of the inference.
 * @returns undefined where there are not two photos of one person, and another person's.
 */
export function verifyEvidence(
  people: readonly (readonly Evidence[])[],
  { basis, mean, precision, metric }: LinearLatents,
  fitted?: Matrix,
): EvidenceVerification | undefined {
  const photos = people.flat()
  const owners = people.flatMap((own, person) => own.map(() => person))
  if (!people.some((own) => own.length > 1) || new Set(owners).size < 2) return undefined
  const { latents } = fitLatents(photos, basis, mean, precision)

  const directions = unitRows(multiply(fitted ?? latents, metric, { transposeB: true }))
  const cosines = multiply(directions, directions, { transposeB: true })
  const scores: number[] = []
  const same: boolean[] = []
  for (let i = 0; i < photos.length; i++)
    for (let j = 0; j < i; j++) {
      scores.push(cosines.at(i, j))
      same.push(owners[i] === owners[j])
    }
  const curve = rocCurve(new RankedScores(scores, same).runs())
  const tar = trueAcceptAt(curve, 1e-2)

  let misfit = 0
  for (const [i, { information, shift, energy }] of photos.entries()) {
    const face = apply(basis, latents.row(i)).map((value, r) => value + mean[r]!)
    misfit += energy - 2 * dot(shift, face) + dot(face, apply(information, face))
  }
  return { auc: areaUnder(curve), tar: Number.isNaN(tar) ? null : tar, misfit: Math.sqrt(misfit / photos.length) }
}
