// Trains on the people of one seed and measures everything that the bars are about.

import { Matrix } from '../../dist/linear/index.js'
import { assembleModel } from '../../dist/train/stage1/assembleModel.js'
import { identityLengths } from '../../dist/train/stage1/closedForm.js'
import { readScans } from '../../dist/train/stage1/readScans.js'
import { readCoordinates } from '../../dist/train/stage1/ScanCoordinates.js'
import { sphereRadius } from '../../dist/train/stage1/sphereRadius.js'
import { facesAtRest, identitiesOfScans, representation } from './dense.mjs'
import { picturesOf } from './photos.mjs'
import { learnFromScans } from './scans.mjs'

/** `counts` are the latents at which the representation is measured, `count` those at which everything else is. */
export async function measure(data, seed, { testScans, photos, counts, count: chosenCount, spanRank }, log) {
  const { template, span, train, formOf } = await learnFromScans(data, seed, spanRank)
  log('span')
  const test = firstScans(await readCoordinates(readScans(data, template, 'test'), span), testScans)
  const index = new Map(test.people.map((subject, row) => [subject, row]))
  const faces = await facesAtRest(data, span, index, 'test')

  const figures = { representation: {}, dense: {}, photos: {} }
  const forms = new Map()
  for (const count of counts) {
    const form = formOf(count)
    forms.set(count, form)
    const ratio = representation(form.sphere, faces, span) / representation(form.pca, faces, span)
    figures.representation[count] = ratio
  }
  log('representation')

  const form = forms.get(chosenCount)
  figures.slack = equality(form.pca, train, span, faces)
  for (const name of ['sphere', 'pca', 'linear'])
    figures.dense[name] = identitiesOfScans(form[name], test, faces, span, template.expressionStddev)
  log('scans')

  const sets = []
  for await (const some of data.landmarkSets({ split: 'test', scheme: 'ibug68' })) sets.push(...some)
  const counted = new Map()
  const chosen = sets.filter(({ subject }) => {
    counted.set(subject, (counted.get(subject) ?? 0) + 1)
    return counted.get(subject) <= photos
  })
  for (const name of ['sphere', 'pca', 'linear']) {
    const model = assembleModel(form[name], span, template, {})
    figures.photos[name] = await picturesOf(model, chosen, span, faces, index, { posteriors: name === 'sphere' })
    log(`photos, ${name}`)
  }
  return figures
}

/** Relative difference between principal components and a sphere of one latent more and no slack, made of them. */
function equality(pca, train, span, faces) {
  const dimensions = pca.basis.columns
  const radius = sphereRadius(identityLengths(train, pca.mean, pca.basis), dimensions)
  const flat = representation(pca, faces, span)
  return Math.abs(representation({ ...pca, radius }, faces, span) / flat - 1)
}

/** The first scans of each person. */
function firstScans(scans, most) {
  const met = new Int32Array(scans.people.length)
  const kept = Array.from(scans.person.keys()).filter((i) => met[scans.person[i]]++ < most)
  const coordinates = new Matrix(kept.length, scans.coordinates.columns)
  for (const [row, i] of kept.entries()) coordinates.row(row).set(scans.coordinates.row(i))
  return { ...scans, coordinates, person: Int32Array.from(kept, (i) => scans.person[i]) }
}
