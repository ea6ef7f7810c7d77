/** What the protocols found, as sections of a report with their pictures. */

import {
  cumulativeErrorFigure,
  latentMapFigure,
  modesFigure,
  rocFigure,
  similarityFigure,
} from '../../plots/figures.js'
import { heatMap } from '../../plots/heatMap.js'
import { type Estimate, pairedDifference } from '../bootstrap.js'
import {
  type ReportColumn,
  type ReportDifference,
  type ReportPlot,
  type ReportRow,
  type ReportSection,
  type ReportValue,
  reportValue,
} from '../EvaluationReport.js'
import type { People } from '../people.js'
import type { ScoredVerification } from '../photoProtocol.js'
import { VERIFICATION_COLUMNS, verificationDifferences, verificationValues } from '../verificationColumns.js'
import type { Clustering } from './clustering.js'
import type { DenseClustering } from './denseClustering.js'
import type { EvaluatedModel } from './EvaluatedModel.js'
import type { LandmarkEvaluation } from './landmarkEvaluation.js'
import type { ModelPhotos } from './photoEvaluation.js'
import type { Representation } from './representation.js'
import type { ScanEvaluation } from './scanEvaluation.js'

/** A section, and the pictures that it names. */
export interface IllustratedSection {
  section: ReportSection
  /** SVG by file name. */
  plots: Record<string, string>
}

/** Collects pictures under names of their own. */
class Pictures {
  readonly plots: ReportPlot[] = []
  readonly files: Record<string, string> = {}

  add(file: string, title: string, draw: (title: string) => string): void {
    this.files[file] = draw(title)
    this.plots.push({ file, title })
  }
}

/** Of the first model against each of the others, in measures that both have. */
function differencesOf<Found extends { key: string }>(
  found: readonly Found[],
  measures: (each: Found) => Record<string, Estimate | undefined>,
  condition?: string,
): ReportDifference[] {
  const [ours, ...others] = found
  if (ours === undefined) return []
  return others.flatMap((theirs) => {
    const [a, b] = [measures(ours), measures(theirs)]
    return Object.keys(a).flatMap((column): ReportDifference[] => {
      const [first, second] = [a[column], b[column]]
      if (first === undefined || second === undefined) return []
      const names = { model: ours.key, against: theirs.key, column, ...(condition !== undefined && { condition }) }
      return [{ ...names, ...reportValue(pairedDifference(first, second)) }]
    })
  })
}

function valuesOf(measures: Record<string, Estimate | undefined>): Record<string, ReportValue> {
  return Object.fromEntries(
    Object.entries(measures).flatMap(([key, estimate]) => (estimate ? [[key, reportValue(estimate)]] : [])),
  )
}

function nameOf(models: readonly EvaluatedModel[], key: string): string {
  return models.find((each) => each.key === key)?.name ?? key
}

/** Errors on the face, on one scale of colours for all models. */
function heatMaps(
  pictures: Pictures,
  models: readonly EvaluatedModel[],
  found: readonly { key: string; perVertex: Float64Array }[],
  file: string,
  title: string,
): void {
  const largest = found.map(({ perVertex }) => perVertex.slice().sort()[Math.floor(0.99 * (perVertex.length - 1))])
  const maximum = Math.max(...largest)
  if (!(maximum > 0)) return
  for (const { key, perVertex } of found) {
    const data = models.find((each) => each.key === key)?.model.data
    if (data === undefined) continue
    const { mean: vertices, triangles } = data
    pictures.add(`${file}-${key}.svg`, `${title}: ${nameOf(models, key)}`, (full) =>
      heatMap({
        title: full,
        vertices,
        triangles,
        values: perVertex,
        label: 'mean distance (mm)',
        maximum: rounded(maximum),
      }),
    )
  }
}

/** Up to two digits. */
function rounded(value: number): number {
  const unit = 10 ** (Math.floor(Math.log10(value)) - 1)
  return Number((Math.ceil(value / unit) * unit).toPrecision(2))
}

/** How well faces are represented. */
export function representationSection(models: readonly EvaluatedModel[], found: Representation): IllustratedSection {
  const pictures = new Pictures()
  pictures.add('representation.svg', 'Best fits to unseen faces', (title) =>
    modesFigure({
      title,
      label: 'RMS distance (mm)',
      models: found.models.map(({ key, curve }) => ({
        name: nameOf(models, key),
        points: curve.map(({ size, error }) => ({ modes: size, value: error })),
      })),
    }),
  )
  heatMaps(pictures, models, found.models, 'representation', 'Best fits to unseen faces')
  const sizes = [...new Set(found.models.flatMap((each) => each.sizes.map(({ size }) => size)))].sort((a, b) => a - b)
  const at = (key: string, size: number) =>
    found.models.find((each) => each.key === key)?.sizes.find((each) => each.size === size)
  const rows = sizes.flatMap((size) =>
    found.models.flatMap(({ key, specificity, sizes: own }): ReportRow[] => {
      const sized = at(key, size)
      if (sized === undefined) return []
      const isLast = own.at(-1) === sized
      return [
        {
          model: key,
          condition: `K = ${size}`,
          values: {
            error: reportValue(sized.error),
            compactness: reportValue({ value: sized.compactness }),
            ...(isLast && specificity !== undefined && { specificity: reportValue({ value: specificity }) }),
          },
        },
      ]
    }),
  )
  const whose = found.faces === 'neutral' ? 'people at rest' : 'scans, with free expressions'
  return {
    section: {
      key: 'representation',
      title: 'Representation',
      text: `Best fits to ${found.count} ${whose}: ${found.people.count} people whom no model has seen.`,
      columns: [
        { key: 'error', name: 'RMS distance', unit: 'mm', better: 'lower' },
        { key: 'compactness', name: 'share of the variance', percent: true, decimals: 1 },
        { key: 'specificity', name: 'specificity', unit: 'mm', better: 'lower', decimals: 2 },
      ],
      rows,
      differences: sizes.flatMap((size) =>
        differencesOf(found.models, ({ key }) => ({ error: at(key, size)?.error }), `K = ${size}`),
      ),
      plots: pictures.plots,
      notes: [
        'K counts latents: a model on the sphere has K − 1 modes, and is shown beside K modes of the others (K − 1 where they have no more).',
      ],
    },
    plots: pictures.files,
  }
}

const CLUSTERING_COLUMNS: readonly ReportColumn[] = [
  { key: 'ratio', name: 'within/between', better: 'lower' },
  { key: 'distanceRatio', name: 'within/between by length', better: 'lower' },
  { key: 'silhouette', name: 'silhouette', better: 'higher' },
  { key: 'mutualInformation', name: 'k-means NMI', better: 'higher' },
  ...VERIFICATION_COLUMNS,
  { key: 'neutralError', name: 'error at rest', unit: 'mm', better: 'lower' },
]

/** Those that any row has. */
function usedColumns(columns: readonly ReportColumn[], rows: readonly ReportRow[]): ReportColumn[] {
  return columns.filter(({ key }) => rows.some(({ values }) => values[key] !== undefined))
}

type Clustered = Clustering & { key: string }

/** @param further Measures of the fits that are compared by cosine. */
function clusteringTable<Found extends Clustered>(
  found: readonly Found[],
  further: (each: Found) => Record<string, Estimate | undefined> = () => ({}),
): Pick<ReportSection, 'columns' | 'rows' | 'differences'> {
  const measures = (each: Found) => {
    const { ratio, distanceRatio, silhouette } = each
    return { ratio, distanceRatio, silhouette, ...further(each) }
  }
  const rows = found.flatMap((each): ReportRow[] => [
    {
      model: each.key,
      condition: 'cosine',
      values: {
        ...valuesOf(measures(each)),
        mutualInformation: reportValue({ value: each.mutualInformation }),
        ...verificationValues(each.cosine),
      },
    },
    ...(each.likelihoodRatio
      ? [{ model: each.key, condition: 'likelihood ratio', values: verificationValues(each.likelihoodRatio) }]
      : []),
  ])
  return {
    columns: usedColumns(CLUSTERING_COLUMNS, rows),
    rows: [
      ...rows.filter(({ condition }) => condition === 'cosine'),
      ...rows.filter(({ condition }) => condition !== 'cosine'),
    ],
    differences: [
      ...differencesOf(found, measures, 'cosine'),
      ...verificationPairs(found, ({ cosine }) => cosine, 'cosine'),
      ...verificationPairs(found, ({ likelihoodRatio }) => likelihoodRatio, 'likelihood ratio'),
    ],
  }
}

function verificationPairs<Found extends { key: string }>(
  found: readonly Found[],
  of: (each: Found) => ScoredVerification | undefined,
  condition: string,
): ReportDifference[] {
  const [ours, ...others] = found
  const first = ours && of(ours)
  if (first === undefined) return []
  return others.flatMap((theirs) => {
    const second = of(theirs)
    const names = { model: ours.key, against: theirs.key, condition }
    return second === undefined ? [] : verificationDifferences(first, second, names)
  })
}

function verificationPictures(
  pictures: Pictures,
  file: string,
  title: string,
  found: readonly { name: string; cosine: ScoredVerification; likelihoodRatio?: ScoredVerification | undefined }[],
): void {
  pictures.add(`${file}-roc.svg`, `${title}: ROC curves`, (full) =>
    rocFigure({
      title: full,
      models: found.flatMap(({ name, cosine, likelihoodRatio }, i) => [
        { name, verification: cosine },
        ...(i === 0 && likelihoodRatio ? [{ name: `${name}, likelihood ratio`, verification: likelihoodRatio }] : []),
      ]),
    }),
  )
  for (const [i, { name, cosine, likelihoodRatio }] of found.slice(0, 2).entries()) {
    pictures.add(`${file}-similarity-${i + 1}.svg`, `${title}: cosines, ${name}`, (full) =>
      similarityFigure({
        title: full,
        scores: cosine.scores,
        same: cosine.isSame,
        label: 'cosine of the embeddings',
        thresholds: cosine.thresholds,
      }),
    )
    if (i > 0 || likelihoodRatio === undefined) continue
    pictures.add(`${file}-similarity-ratio.svg`, `${title}: likelihood ratios, ${name}`, (full) =>
      similarityFigure({
        title: full,
        scores: likelihoodRatio.scores,
        same: likelihoodRatio.isSame,
        label: 'log-likelihood ratio',
        thresholds: likelihoodRatio.thresholds,
      }),
    )
  }
}

function latentMaps(
  pictures: Pictures,
  file: string,
  title: string,
  found: readonly { name: string; latents: ReadonlyArray<ArrayLike<number>> }[],
  people: People,
): void {
  for (const [i, { name, latents }] of found.slice(0, 2).entries())
    pictures.add(`${file}-map-${i + 1}.svg`, `${title}: latents, ${name}`, (full) =>
      latentMapFigure({ title: full, embeddings: latents, people }),
    )
}

/** How latents of dense scans gather. */
export function denseSection(models: readonly EvaluatedModel[], found: DenseClustering): IllustratedSection {
  const pictures = new Pictures()
  const named = found.models.map((each) => ({ name: nameOf(models, each.key), ...each }))
  verificationPictures(pictures, 'dense', 'Dense scans', named)
  latentMaps(pictures, 'dense', 'Dense scans', named, found.people)
  return {
    section: {
      key: 'dense',
      title: 'Clustering of dense scans',
      text: `Identities of ${found.scans} scans of ${found.people.count} people, fitted by all vertices with expressions, variation within people and rigid motion as nuisances.`,
      ...clusteringTable(found.models, ({ neutralError }) => ({ neutralError })),
      plots: pictures.plots,
      notes: [
        `Noise that the fits expected of a coordinate, ${
          found.tuned ? 'chosen by people of another part' : 'which is what the models leave of these scans'
        }: ${found.models.map(({ key, noise }) => `${nameOf(models, key)} ${noise.toPrecision(2)} mm`).join(', ')}.`,
      ],
    },
    plots: pictures.files,
  }
}

/** Who people are, and what they look like, from landmarks. */
export function landmarkSections(models: readonly EvaluatedModel[], found: LandmarkEvaluation): IllustratedSection[] {
  const { scheme, images, people, setSize } = found
  const what = `${scheme} landmarks`
  const file = `landmarks-${scheme}`.replace(/[^\w.-]/g, '_')
  const sections: IllustratedSection[] = []
  const clustered = found.models.flatMap(({ key, clustering }) => (clustering ? [{ ...clustering, key }] : []))
  if (clustered.length > 0) {
    const pictures = new Pictures()
    const named = clustered.map((each) => ({ ...each, name: nameOf(models, each.key) }))
    verificationPictures(pictures, file, what, named)
    const latents = found.models.map(({ key, results }) => ({
      name: nameOf(models, key),
      latents: results.map(({ embedding }) => embedding),
    }))
    latentMaps(pictures, file, what, latents, people)
    sections.push({
      section: {
        key: file,
        title: `Clustering, ${what}`,
        text: `${images} pictures of ${people.count} people; one picture against one.`,
        ...clusteringTable(clustered),
        plots: pictures.plots,
        notes: failures(models, found.models),
      },
      plots: pictures.files,
    })
  }
  const measures = (each: LandmarkEvaluation['models'][number]) => ({
    single: each.single?.error,
    several: each.several?.error,
    averaged: each.averaged?.error,
    consistency: each.consistency?.within,
    consistencyRatio: each.consistency?.ratio,
  })
  if (Object.values(measures(found.models[0])).some((estimate) => estimate !== undefined)) {
    const pictures = new Pictures()
    const known = found.models.flatMap(({ key, single }) => (single ? [{ key, perVertex: single.perVertex }] : []))
    heatMaps(pictures, models, known, `reconstruction-${file}`, `One picture, ${what}`)
    sections.push({
      section: {
        key: `reconstruction-${file}`,
        title: `Reconstruction and consistency, ${what}`,
        text: `Neutral faces after rigid alignment. ${setSize} pictures of a person are fused by their posteriors, or their normal coordinates averaged. Consistency is how far the neutral faces of one person from different pictures are from each other; a model that shows everybody as the mean face is consistent, too, so look at the errors beside it.`,
        columns: [
          { key: 'single', name: 'error, one picture', unit: 'mm', better: 'lower' },
          { key: 'several', name: `error, ${setSize} fused`, unit: 'mm', better: 'lower' },
          { key: 'averaged', name: `error, ${setSize} averaged`, unit: 'mm', better: 'lower' },
          { key: 'consistency', name: 'consistency', unit: 'mm' },
          { key: 'consistencyRatio', name: 'consistency, within/between', better: 'lower' },
        ],
        rows: found.models.map((each) => ({ model: each.key, values: valuesOf(measures(each)) })),
        differences: differencesOf(found.models, measures),
        plots: pictures.plots,
      },
      plots: pictures.files,
    })
  }
  return sections
}

function failures(models: readonly EvaluatedModel[], found: readonly { key: string; failed: number }[]): string[] {
  return found.flatMap(({ key, failed }) =>
    failed > 0 ? [`${nameOf(models, key)}: ${failed} pictures could not be fitted.`] : [],
  )
}

/** Photos of people. */
export function photoSections(models: readonly EvaluatedModel[], found: readonly ModelPhotos[]): IllustratedSection[] {
  const [first] = found
  const sections: IllustratedSection[] = []
  const what = {
    single: 'Photo against photo',
    sets: `${first.sets?.size ?? 3} photos against ${first.sets?.size ?? 3}`,
  }
  for (const kind of ['single', 'sets'] as const) {
    const compared = found.flatMap((each) => {
      const comparisons = each[kind]
      return comparisons ? [{ ...comparisons, key: each.key, name: nameOf(models, each.key) }] : []
    })
    if (compared.length === 0) continue
    const pictures = new Pictures()
    verificationPictures(pictures, `photos-${kind}`, what[kind], compared)
    const { same, different } = compared[0].cosine
    sections.push({
      section: {
        key: `photos-${kind}`,
        title: what[kind],
        text: `${first.photos} photos; ${same} comparisons of one person, ${different} of two of one collection.`,
        columns: [...VERIFICATION_COLUMNS],
        rows: (['cosine', 'likelihoodRatio'] as const).flatMap((score) =>
          compared.flatMap((each) => {
            const verification = each[score]
            const condition = score === 'cosine' ? 'cosine' : 'likelihood ratio'
            return verification ? [{ model: each.key, condition, values: verificationValues(verification) }] : []
          }),
        ),
        differences: [
          ...verificationPairs(compared, ({ cosine }) => cosine, 'cosine'),
          ...verificationPairs(compared, ({ likelihoodRatio }) => likelihoodRatio, 'likelihood ratio'),
        ],
        plots: pictures.plots,
        notes: failures(models, found),
      },
      plots: pictures.files,
    })
  }
  sections.push(photoErrorSection(found))
  return sections
}

function photoErrorSection(found: readonly ModelPhotos[]): IllustratedSection {
  // What is done with the latents afterwards does not change the fits.
  const fits = found.filter(({ key }) => !key.endsWith('-whitened'))
  const bins = fits[0].error.byYaw.map(({ from, to }) => `|yaw| ${from} to ${to}`)
  const binOf = (each: ModelPhotos, bin: number) => (bin < 0 ? each.error.all : each.error.byYaw[bin])
  return {
    section: {
      key: 'photos-errors',
      title: 'Errors of the landmarks, and drift',
      text: `RMS distance of the landmarks over the ${fits[0].errorsOver}, and the largest correlation of the yaw with a coordinate of the embeddings.`,
      columns: [
        { key: 'median', name: 'median error', better: 'lower', percent: true, decimals: 2 },
        { key: 'mean', name: 'mean error', better: 'lower', percent: true, decimals: 2 },
        { key: 'photos', name: 'photos', decimals: 0 },
        { key: 'drift', name: 'drift', better: 'lower' },
      ],
      rows: [-1, ...bins.keys()].flatMap((bin) =>
        fits.map((each): ReportRow => {
          const { error, median } = binOf(each, bin)
          return {
            model: each.key,
            condition: bins[bin] ?? 'all',
            values: {
              ...valuesOf({ median: median ?? undefined }),
              ...(error && { mean: reportValue({ value: error.mean }), photos: reportValue({ value: error.count }) }),
              ...(bin < 0 && each.drift && { drift: reportValue({ value: each.drift.largest }) }),
            },
          }
        }),
      ),
      differences: [-1, ...bins.keys()].flatMap((bin) =>
        differencesOf(fits, (each) => ({ median: binOf(each, bin).median ?? undefined }), bins[bin] ?? 'all'),
      ),
    },
    plots: {},
  }
}

/** Largest distance of the cumulative curve, mm. */
const FARTHEST = 7

/** Scan-to-mesh distances. */
export function scanSection(models: readonly EvaluatedModel[], found: ScanEvaluation): IllustratedSection {
  const pictures = new Pictures()
  pictures.add('scans.svg', 'Distance of the scans from the reconstructions', (title) =>
    cumulativeErrorFigure({
      title,
      label: 'distance (mm)',
      upTo: FARTHEST,
      models: found.models.map(({ key, distances }) => ({ name: nameOf(models, key), errors: distances })),
    }),
  )
  const conditions = found.models[0].conditions.map(({ condition }) => condition)
  const of = (each: ScanEvaluation['models'][number], c: number) => ({
    ...(c < 0 ? each.all : each.conditions[c].distances),
  })
  return {
    section: {
      key: 'scans',
      title: 'Scans',
      text: `${found.images} reconstructions of ${found.scans} scans of ${found.people.count} people.`,
      columns: [
        { key: 'median', name: 'median', unit: 'mm', better: 'lower' },
        { key: 'mean', name: 'mean', unit: 'mm', better: 'lower' },
        { key: 'standardDeviation', name: 'standard deviation', unit: 'mm', better: 'lower' },
      ],
      rows: [-1, ...conditions.keys()].flatMap((c) =>
        found.models.map((each) => ({
          model: each.key,
          condition: conditions[c] ?? 'all',
          values: valuesOf(of(each, c)),
        })),
      ),
      differences: [-1, ...conditions.keys()].flatMap((c) =>
        differencesOf(found.models, (each) => of(each, c), conditions[c] ?? 'all'),
      ),
      plots: pictures.plots,
    },
    plots: pictures.files,
  }
}
