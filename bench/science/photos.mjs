// Measures from landmarks of pictures, by the fitter that everybody uses.

import {
  allPairs,
  areaUnder,
  equalErrorRate,
  isSame,
  mean,
  numberPeople,
  pairCosines,
  RankedScores,
  rocCurve,
  trueAcceptAt,
} from '../../dist/evaluate/index.js'
import { bothPosteriors, logEvidence } from '../../dist/fit/evidence.js'
import { checkPosterior } from '../../dist/fit/Posterior.js'
import { SphereFaceModel } from '../../dist/model/SphereFaceModel.js'
import { rowDistances } from './dense.mjs'

/** A likelihood ratio takes a matrix factorisation: of the pairs of two people, one in so many is enough. */
const SPARSE = 16

/** Points 0 to 16 of ibug68 are the jaw, which is noisier: 3 mm, others 1.2. */
const CONFIDENCE = Array.from({ length: 68 }, (_, i) => (i < 17 ? (1.2 / 3) ** 2 : 1))

/** Landmarks as of a detector that knows how good each of them is. */
export const withConfidence = (set) => ({ ...set, confidence: CONFIDENCE })

/** How well single pictures tell people apart by a model, by the cosine of all pairs. */
export async function pairsOfPictures(data, sets) {
  const model = SphereFaceModel.fromData(data)
  const results = await fitted(model, sets)
  model.dispose()
  return byCosine(allPairs(numberPeople(sets)), results)
}

/** What pictures of unseen people tell by a model. `faces` are those people at rest, `index` their rows. */
export async function picturesOf(data, sets, span, faces, index, { posteriors = false } = {}) {
  const model = SphereFaceModel.fromData(data)
  const results = await fitted(model, sets.map(withConfidence), true)
  const rows = sets.map(({ subject }) => index.get(subject))
  const one = await errors(model, results, rows, span, faces)
  const five = [...fused(model, results, sets, 5)]
  const joint = await errors(
    model,
    five.map(({ face }) => face),
    five.map(({ subject }) => index.get(subject)),
    span,
    faces,
  )
  const pairs = allPairs(numberPeople(sets))
  model.dispose()
  return {
    usable: results.filter(({ usable }) => usable).length / results.length,
    error: mean(one),
    errorOfFive: mean(joint),
    cosine: byCosine(pairs, results),
    ...(posteriors && { likelihoodRatio: byLikelihoodRatio(pairs, results) }),
  }
}

async function fitted(model, sets, posterior = false) {
  const fitter = await model.createFitter({ noise: 1.2, posterior })
  return fitter.fit(sets)
}

function byCosine(pairs, results) {
  const cosines = pairCosines(
    pairs,
    results.map(({ embedding }) => embedding),
  )
  return verification(pairs, cosines)
}

function* fused(model, results, sets, count) {
  const bySubject = new Map()
  for (const [i, { subject }] of sets.entries()) bySubject.set(subject, [...(bySubject.get(subject) ?? []), results[i]])
  for (const [subject, some] of bySubject) yield { subject, face: model.fuse(some.slice(0, count)) }
}

/** [n] RMS mm between faces at rest and the truth. */
async function errors(model, latents, rows, span, faces) {
  const { mean: origin } = span.template
  const vertices = await model.decode(latents.map(({ identity }) => ({ identity })))
  const found = span.coordinates({
    rows: latents.length,
    columns: origin.length,
    data: vertices.map((value, i) => value - origin[i % origin.length]),
  })
  return rowDistances(found, { rows: rows.length, row: (i) => faces.row(rows[i]) }, span)
}

function verification(trials, scores) {
  const curve = rocCurve(new RankedScores(scores, isSame(trials)).runs())
  return { auc: areaUnder(curve), tar: trueAcceptAt(curve, 1e-2), eer: equalErrorRate(curve) }
}

/** The likelihood ratio beside the cosine, on the same trials: all of one person, some of two. */
function byLikelihoodRatio(pairs, results) {
  const same = isSame(pairs)
  const chosen = Array.from(same.keys()).filter((t) => same[t] || t % SPARSE === 0)
  const pick = (array) => Int32Array.from(chosen, (t) => array[t])
  const some = {
    first: pick(pairs.first),
    second: pick(pairs.second),
    firstPerson: pick(pairs.firstPerson),
    secondPerson: pick(pairs.secondPerson),
    peopleCount: pairs.peopleCount,
  }
  const posteriors = results.map(({ posterior }) => checkPosterior(posterior, 'posterior'))
  const alone = posteriors.map((posterior) => logEvidence(posterior, 'posterior'))
  const scores = Float64Array.from(some.first, (a, t) => {
    const b = some.second[t]
    return logEvidence(bothPosteriors(posteriors[a], posteriors[b]), 'posterior') - alone[a] - alone[b]
  })
  const cosines = pairCosines(
    some,
    results.map(({ embedding }) => embedding),
  )
  return { ...verification(some, scores), cosineTar: verification(some, cosines).tar }
}
