import type { TrainingData } from '../../corpus/TrainingData.js'
import { SfmError } from '../../errors.js'
import { type EvaluationReport, REPORT_FORMAT } from '../EvaluationReport.js'
import { denseClustering } from './denseClustering.js'
import { type EvaluatedModel, requireOneTopology } from './EvaluatedModel.js'
import { landmarkEvaluation } from './landmarkEvaluation.js'
import type { Photo } from './Photo.js'
import type { ProtocolOptions } from './ProtocolOptions.js'
import { photoEvaluation } from './photoEvaluation.js'
import { representation } from './representation.js'
import { type ScanWithImages, scanEvaluation } from './scanEvaluation.js'
import {
  denseSection,
  type IllustratedSection,
  landmarkSections,
  photoSections,
  representationSection,
  scanSection,
} from './sections.js'
import { requirePeople } from './testFaces.js'

/** What models are evaluated with: one of these at least. */
export interface EvaluationData {
  /** Registered scans, landmark sets and, for synthetic people, the truth about them. */
  data?: TrainingData | undefined
  photos?: readonly Photo[] | undefined
  /** Scans that are not registered, with images; read anew whenever it is called. */
  scans?: (() => AsyncIterable<ScanWithImages>) | undefined
}

/** What {@link evaluateModels} may be told. */
export interface EvaluationOptions extends ProtocolOptions {
  title?: string | undefined
  /** Whether the size of reconstructions is fitted to scans as well. */
  scale?: boolean | undefined
}

/** A report, and its pictures by file name: what `writeReport` writes. */
export interface Evaluation {
  report: EvaluationReport
  plots: Record<string, string>
}

/**
 * Evaluates models by all protocols that the data permit: with registered scans representation and clustering, with
 * landmark sets clustering, reconstruction and consistency for each scheme, with photos and scans those of
 * docs/evaluation.md.
 *
 * @param models The one that differences are about first.
 * @throws SfmError INVALID_ARGUMENT, INVALID_INPUT, INVALID_MODEL, UNKNOWN_SCHEME; as reading the data does; ABORTED.
 * @example
 * const models = [
 *   { key: 'sfm', name: 'SFM', model: await SphereFaceModel.load('out/model.safetensors') },
 *   { key: 'pca', name: 'PCA', model: await SphereFaceModel.load('out/pca.safetensors') },
 * ]
 * const { report, plots } = await evaluateModels(models, { data: await Corpus.open('people') })
 * await writeReport('out/evaluation', report, plots)
 */
export async function evaluateModels(
  models: readonly EvaluatedModel[],
  { data, photos, scans }: EvaluationData,
  options: EvaluationOptions = {},
): Promise<Evaluation> {
  requireOneTopology(models)
  const sections: IllustratedSection[] = []
  const settings: EvaluationReport['settings'] = {
    resamples: options.bootstrap?.resamples ?? 1000,
    'seed of the resamples': options.bootstrap?.seed ?? 1,
  }
  const derived: EvaluationReport['models'] = []
  if (data !== undefined) {
    requirePeople(data, options)
    const { split = 'test' } = options
    Object.assign(settings, { data: data.description.name, part: split, people: data.subjects(split).length })
    if (data.subjects(split, 'scans').length > 0) {
      sections.push(representationSection(models, await representation(models, data, options)))
      const dense = await denseClustering(models, data, options)
      if (dense) sections.push(denseSection(models, dense))
    }
    if (data.subjects(split, 'landmarks').length > 0)
      for (const found of await landmarkEvaluation(models, data, options))
        sections.push(...landmarkSections(models, found))
  }
  if (photos !== undefined) {
    settings.photos = photos.length
    const found = await photoEvaluation(models, photos, options)
    for (const { key, name } of models)
      if (found.some((each) => each.key === `${key}-whitened`))
        derived.push({
          key: `${key}-whitened`,
          name: `${name}, whitened`,
          description: 'its latents whitened by their covariance over the evaluated photos, without labels',
        })
    sections.push(...photoSections(models, found))
  }
  if (scans !== undefined) {
    const found = await scanEvaluation(models, scans, options)
    settings.scans = found.scans
    sections.push(scanSection(models, found))
  }
  if (sections.length === 0)
    throw new SfmError('INVALID_INPUT', 'data: expected scans, landmarks or photos to evaluate with, received none')
  return {
    report: {
      format: REPORT_FORMAT,
      title: options.title ?? `Evaluation of ${models[0].name}`,
      models: [
        ...models.map(({ key, name, description }) => ({ key, name, ...(description && { description }) })),
        ...derived,
      ],
      settings,
      sections: sections.map(({ section }) => section),
    },
    plots: Object.assign({}, ...sections.map(({ plots }) => plots)),
  }
}
