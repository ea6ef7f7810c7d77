// Measures from scans, in the coordinates of the span that the training scans gave.

import { allPairs, mean, numberPeople, pairDistances, silhouettes, spread } from '../../dist/evaluate/index.js'
import { Matrix } from '../../dist/linear/index.js'
import { scaleColumns } from '../../dist/train/matrices.js'
import { DenseFit } from '../../dist/train/stage1/DenseFit.js'

/** So little noise that neither the prior nor anything else keeps a fit from the nearest face. */
const EXACT = 1e-3

/** RMS mm, over people and vertices, between faces at rest and the nearest that the model has. */
export function representation(space, faces, span) {
  const { within: _, ...bare } = space
  const fit = new DenseFit({ ...bare, noise: EXACT }, new Matrix(span.rank, 0))
  const errors = rowDistances(fit.faces(fit.identities(faces)), faces, span)
  return Math.sqrt(mean(errors.map((error) => error ** 2)))
}

/** Identities of scans with expressions and noise: how they cluster, and how far the faces at rest are from the truth. */
export function identitiesOfScans(space, scans, faces, span, expressionStddev) {
  const fit = new DenseFit(space, scaleColumns(span.expressions, expressionStddev))
  const identities = fit.identities(scans.coordinates)
  const embeddings = Array.from({ length: identities.rows }, (_, i) => unit(identities.row(i)))
  const pairs = allPairs(numberPeople(Array.from(scans.person, (p) => ({ subject: String(p) }))))
  const truth = new Matrix(identities.rows, span.rank)
  for (const [i, p] of scans.person.entries()) truth.row(i).set(faces.row(p))
  return {
    ratio: spread(pairs, pairDistances(pairs, embeddings)).ratio,
    silhouette: mean(silhouettes(embeddings, scans.person)),
    neutralError: mean(rowDistances(fit.faces(identities), truth, span)),
  }
}

/** [n] RMS mm over the vertices, rigid motion apart. */
export function rowDistances(a, b, span) {
  return Float64Array.from({ length: a.rows }, (_, i) => {
    const other = b.row(i)
    return Math.sqrt(a.row(i).reduce((sum, value, j) => sum + (value - other[j]) ** 2, 0)) / span.rmsScale
  })
}

function unit(v) {
  const length = Math.hypot(...v)
  return v.map((value) => value / length)
}
