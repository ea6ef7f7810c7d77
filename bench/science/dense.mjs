// Measures from scans, in the coordinates of the span that the training scans gave.

import { allPairs, mean, numberPeople, pairDistances, silhouettes, spread } from '../../dist/evaluate/index.js'
import { Matrix } from '../../dist/linear/index.js'
import { asFloat32 } from '../../dist/model/half.js'
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

/** A model on the sphere as a face space: a unit of its latents is the whole radius. */
export function spaceOf({ mean, identityBasis, identityCount }, span) {
  const columns = mean.length
  const basis = asFloat32(identityBasis).subarray(0, (identityCount - 1) * columns)
  const { mean: origin } = span.template
  const centre = Float32Array.from(mean, (value, i) => value - origin[i])
  return {
    mean: span.coordinates({ rows: 1, columns, data: centre }).data,
    basis: span.coordinates({ rows: identityCount - 1, columns, data: basis }).transpose(),
    radius: 1,
  }
}

/**
 * The truth about people of a part, [g,R]: their faces at rest.
 *
 * @param index The row of each person.
 */
export async function facesAtRest(data, span, index, split) {
  const { mean: origin } = span.template
  const faces = new Matrix(index.size, span.rank)
  for await (const { subjects, neutrals } of data.truth({ split })) {
    const found = span.coordinates({
      rows: subjects.length,
      columns: origin.length,
      data: neutrals.map((value, i) => value - origin[i % origin.length]),
    })
    for (const [row, subject] of subjects.entries())
      if (index.has(subject)) faces.row(index.get(subject)).set(found.row(row))
  }
  return faces
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
