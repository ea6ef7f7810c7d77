// Trains on the people of one seed and measures everything that the bars are about.

import { Matrix } from '../../dist/linear/index.js'
import { assembleModel } from '../../dist/train/stage1/assembleModel.js'
import { closedForm, identityLengths } from '../../dist/train/stage1/closedForm.js'
import { findSpan } from '../../dist/train/stage1/findSpan.js'
import { Mirror } from '../../dist/train/stage1/mirror.js'
import { readScans } from '../../dist/train/stage1/readScans.js'
import { readCoordinates } from '../../dist/train/stage1/ScanCoordinates.js'
import { STAGE1_DEFAULTS } from '../../dist/train/stage1/Stage1Options.js'
import { sphereRadius } from '../../dist/train/stage1/sphereRadius.js'
import { withAlpha } from '../../dist/train/stage1/withAlpha.js'
import { identitiesOfScans, representation } from './dense.mjs'
import { picturesOf } from './photos.mjs'

/** `counts` are the latents at which the representation is measured, `count` those at which everything else is. */
export async function measure(data, seed, { testScans, photos, counts, count: chosenCount, spanRank }, log) {
  const template = await data.template()
  const scansOf = (split) => readScans(data, template, split)
  const { withinFactors, alpha } = STAGE1_DEFAULTS
  const mirror = Mirror.of(template)
  const span = await findSpan(() => scansOf('train'), template, {
    rank: spanRank,
    seed,
    mirror: typeof mirror === 'string' ? undefined : mirror,
  })
  span.template = template
  log('span')
  const train = await readCoordinates(scansOf('train'), span)
  const test = firstScans(await readCoordinates(scansOf('test'), span), testScans)
  const index = new Map(test.people.map((subject, row) => [subject, row]))
  const faces = await facesAtRest(data, span, index)
  const formOf = (identityCount) =>
    withAlpha(closedForm(train, span, template, { identityCount, withinFactors }), alpha)

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

/** The truth about the test people, [g,R]. */
async function facesAtRest(data, span, index) {
  const { mean: origin } = span.template
  const faces = new Matrix(index.size, span.rank)
  for await (const { subjects, neutrals } of data.truth({ split: 'test' })) {
    const found = span.coordinates({
      rows: subjects.length,
      columns: origin.length,
      data: neutrals.map((value, i) => value - origin[i % origin.length]),
    })
    for (const [row, subject] of subjects.entries()) faces.row(index.get(subject)).set(found.row(row))
  }
  return faces
}
