import type { TrainingData } from '../corpus/TrainingData.js'
import type { ModelData } from '../model/ModelData.js'
import type { Stage1Report } from './stage1/trainFromScans.js'
import type { SpaceValidation } from './stage1/validateSpace.js'
import type { PeopleMeasures } from './stage2/measurePeople.js'
import type { Stage2Report } from './stage2/trainFromPhotos.js'
import type { TrainingConfig } from './TrainingConfig.js'

/** What people should know of a model before they use it, as Markdown. */
export function modelCard(
  { name, version, seed, stage1 }: TrainingConfig,
  data: TrainingData,
  template: ModelData,
  report: Stage1Report,
  photos?: Stage2Report,
): string {
  const { description } = data
  const people = (split: 'train' | 'validation' | 'test') => data.subjects(split).length
  const lines = [
    `# ${name} ${version}`,
    '',
    `A 3D face model with identities on the unit sphere in ${stage1.identityCount} dimensions, ${template.vertexCount} vertices, ` +
      `${template.expressionCount} expressions.`,
    '',
    '## Learned from',
    '',
    `- Corpus: ${description.name || 'without a name'}; licence: ${description.license || 'not stated'}.`,
    `- Attribution: ${(description.attribution || 'none stated').replace(/\.$/, '')}.`,
    `- ${report.scans} scans of ${report.people} people; ${people('validation')} further people chose settings, ` +
      `${people('test')} are left to measure with.`,
    `- Expressions, triangles and landmark schemes are those of the template, ${template.metadata.name || 'without a name'}.`,
    ...(report.within === 'prior'
      ? ['- Nobody has two scans: what varies within a person is a guess from the expressions, not learned.']
      : []),
    report.symmetrised
      ? "- Every scan's mirror image was learned from as well."
      : '- Mirror images were not learned from.',
    `- Objective: ${stage1.objective}; alpha ${report.alpha}; seed ${seed}.`,
    '',
    ...(photos ? photosSection(photos) : []),
    '## Figures',
    '',
    ...validationTable(report),
    ...(photos ? photosTable(photos) : []),
    'The test people have not been looked at: `sfm evaluate model.safetensors --against pca` measures with them.',
    '',
    '## Limits',
    '',
    'It knows faces like those of the corpus, and no others: ages, ancestries and conditions that are rare there are shown badly.',
    'Likenesses from a single picture are guesses where the picture shows little; results say how uncertain they are.',
    '',
    '## Responsible use',
    '',
    'An identity latent is biometric data: it can tell whether two pictures are of one person. Do not compute it of people who have not',
    'agreed, keep it as you would keep a fingerprint, and do not use it to decide about anybody.',
    '',
  ]
  return lines.join('\n')
}

function validationTable({ validation }: Stage1Report): string[] {
  if (validation === undefined) return ['No validation people have two scans each: nothing was measured.', '']
  const row = (name: string, { crossError, ratio, silhouette }: SpaceValidation) =>
    `| ${name} | ${crossError.toFixed(3)} | ${ratio.toFixed(3)} | ${silhouette.toFixed(3)} |`
  return [
    'On scans of the validation people: RMS mm between the face that one scan gives and the mean of the others of the same',
    'person (with their noise), distance within people over that between people, silhouette by cosine.',
    '',
    '| model | mm | within/between | silhouette |',
    '|---|---|---|---|',
    row('on the sphere', validation.model),
    row('without the sphere', validation.linear),
    row('principal components', validation.pca),
    '',
  ]
}

function photosSection({ people, photos, kept }: Stage2Report): string[] {
  const learned = `Landmarks of ${photos} photos of ${people} people taught it`
  return [
    kept !== 'nothing'
      ? `- ${learned} how the latents of people differ, how one person's differ between photos (\`identity_person_share\`), how wide ` +
        'expressions range, and where the detector puts its landmarks (`offset`, `reliability`). They are coordinates of landmarks: no picture was seen.'
      : `- ${learned} nothing that told strangers apart better: what they say is not in the model.`,
    '',
  ]
}

function photosTable({ before, statistics, refinement }: Stage2Report): string[] {
  const row = (name: string, { cosine, logLikelihoodRatio, logLikelihoodRatioOfSets, error }: PeopleMeasures) =>
    `| ${name} | ${cosine.auc.toFixed(3)} | ${logLikelihoodRatio.auc.toFixed(3)} | ${cosine.tarAt1e2.toFixed(3)} | ` +
    `${logLikelihoodRatioOfSets?.auc.toFixed(3) ?? ''} | ${(100 * error).toFixed(2)} |`
  return [
    'On photos, by cross-validation over people: each was left out of learning when measured. Pairs within a collection, one photo',
    'against one, by cosine and by likelihood ratio; three against three, fused; RMSE of the landmarks in % of the size of their box.',
    '',
    '| model | AUC cosine | AUC likelihood ratio | TAR at FAR 1% (cosine) | AUC 3 against 3 | RMSE % |',
    '|---|---|---|---|---|---|',
    row('before it saw a photo', before),
    row('with what they taught', statistics),
    ...(refinement ? [row('and latents refined', refinement)] : []),
    '',
  ]
}
