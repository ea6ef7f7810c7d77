import { type LabelledObservation, subjectKey } from '../../corpus/TrainingData.js'
import { SfmError } from '../../errors.js'
import type { FitterOptions } from '../../fit/FitterOptions.js'
import type { ModelData } from '../../model/ModelData.js'
import { SphereFaceModel } from '../../model/SphereFaceModel.js'
import type { TrainingContext } from '../TrainingContext.js'
import type { Evidence } from './Evidence.js'
import { LandmarkStatistics } from './LandmarkStatistics.js'
import { evidenceOfPhoto, type LinearisationOptions, linearisePhoto } from './photoEvidence.js'
import { landmarkRows, type ShapeDictionary } from './ShapeDictionary.js'

/** One photo of one person. */
export interface PhotoEvidence {
  person: string
  /** Its place among the observations. */
  index: number
  /** On (dictionary, expressions), with pose and camera integrated out. */
  evidence: Evidence
}

/** Photos whose fit failed say nothing; this share of them at most may be so. */
const MOST_UNUSABLE = 0.5

/**
 * How photos are fitted to learn from: free expressions, for a bound would push their errors into the identity, and all
 * landmarks on the skin, where the rows are that are learned from.
 */
export const TRAINING_FIT: FitterOptions = { boundExpression: false, slideContour: false }

const FOCAL_STDDEV = 0.35
const BATCH = 64

/**
 * Fits every photo with a model, and takes down what its landmarks say, linearised there, about shapes of a dictionary.
 *
 * @returns The evidence of the photos that could be fitted, and for each scheme the residuals that remain.
 * @throws SfmError INVALID_INPUT where most of the photos cannot be fitted; ABORTED.
 */
export async function collectEvidence(
  data: ModelData,
  dictionary: ShapeDictionary,
  observations: readonly LabelledObservation[],
  noise: number,
  context: TrainingContext,
): Promise<{ photos: PhotoEvidence[]; schemes: LandmarkStatistics[] }> {
  await using model = SphereFaceModel.fromData(data)
  const fitter = await model.createFitter({ ...TRAINING_FIT, noise })
  const photos: PhotoEvidence[] = []
  const schemes = new Map<string, LandmarkStatistics>()
  for (let first = 0; first < observations.length; first += BATCH) {
    await context.breathe()
    const batch = observations.slice(first, first + BATCH)
    const results = await fitter.fit(batch, { ...(context.signal && { signal: context.signal }) })
    for (const [i, observation] of batch.entries()) {
      const result = results[i]!
      if (!result.usable) continue
      const scheme = data.schemes.get(observation.scheme)!
      const landmarks =
        schemes.get(scheme.name) ?? new LandmarkStatistics(scheme, landmarkRows(dictionary, data, scheme))
      schemes.set(scheme.name, landmarks)
      const shape = await model.decode(result, { scheme: scheme.name })
      const options: LinearisationOptions = { noise, focalStddev: focalStddev(observation), robust: true }
      const photo = linearisePhoto(observation, result, shape, landmarks.rows, scheme.offset, options)
      landmarks.add(photo)
      photos.push({
        person: subjectKey(observation),
        index: first + i,
        evidence: evidenceOfPhoto(photo, landmarks.rows, options),
      })
    }
  }
  if (photos.length < MOST_UNUSABLE * observations.length)
    throw new SfmError(
      'INVALID_INPUT',
      `photos: expected landmarks that the model fits, but only ${photos.length} of ${observations.length} could be fitted`,
    )
  return { photos, schemes: [...schemes.values()] }
}

/** The evidence of each person's photos, people in the order of their first. */
export function byPerson(photos: readonly PhotoEvidence[]): Evidence[][] {
  const people = new Map<string, Evidence[]>()
  for (const { person, evidence } of photos) people.set(person, [...(people.get(person) ?? []), evidence])
  return [...people.values()]
}

function focalStddev({ camera }: LabelledObservation): number | undefined {
  return camera?.type === 'weak' || camera?.focal !== undefined ? undefined : FOCAL_STDDEV
}
