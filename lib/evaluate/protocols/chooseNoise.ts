import type { Split, TrainingData } from '../../corpus/TrainingData.js'
import type { ModelData } from '../../model/ModelData.js'
import { alignFaces } from './alignFaces.js'
import { DenseModel } from './DenseModel.js'
import { averageMoments, type Moments, pickMoments } from './Moments.js'
import { scanMoments } from './scanMoments.js'
import { type Faces, neutralFaces } from './testFaces.js'

/** mm: from what scanners have to several times what a small model leaves of a face. */
const CANDIDATES = [0.2, 0.3, 0.5, 0.8, 1.2, 2, 3, 5, 8, 12, 20]

/** Scans that the choice is made by, at most. */
const MOST = 400

/**
 * The noise that dense fits should expect of a coordinate, for each model: that which brings the face at rest of a scan
 * nearest to the truth about the person or, where nobody knows it, to the person's other scans. It is no matter of the
 * scanner alone: what a model leaves of a face is smooth, and says less of the identity than as much noise of single vertices.
 *
 * @param models Those of the fits, in the order of `data`.
 * @returns undefined where the part has no people with scans to choose by.
 * @throws SfmError as reading the data does; ABORTED.
 */
export async function chooseNoise(
  models: readonly { dense: DenseModel; data: ModelData }[],
  data: TrainingData,
  reference: Float64Array,
  { split, signal }: { split: Split; signal?: AbortSignal | undefined },
): Promise<number[] | undefined> {
  const options = { split, most: MOST, signal }
  const scans = await scanMoments(
    models.map(({ dense }) => dense),
    data,
    reference,
    options,
  )
  if (scans === undefined) return undefined
  const truth = await neutralFaces(data, options)
  const { subjects } = scans
  const others = subjects.map((own, i) => subjects.flatMap((subject, j) => (subject === own && j !== i ? [j] : [])))
  const usable = [...subjects.keys()].filter((i) => truth !== undefined || others[i].length > 0)
  if (usable.length === 0) return undefined
  // The mean of other scans has the mean of their expressions.
  const targets = models.map((each) => new DenseModel(each.data, { reference, expressions: truth === undefined }))
  const goals = truth
    ? targets.map((target) => truthMoments(target, subjects, truth, reference))
    : (await scanMoments(targets, data, reference, options))?.moments.map((all) => averageMoments(all, others))
  return models.map(({ dense }, m) => {
    const moments = pickMoments(scans.moments[m], usable)
    const wanted = pickMoments(goals?.[m] as Moments, usable)
    const errors = CANDIDATES.map((noise) => {
      const { errors: all } = targets[m].fitsOf(wanted, dense.identities(moments, noise))
      return all.reduce((sum, error) => sum + error * error, 0)
    })
    return CANDIDATES[errors.indexOf(Math.min(...errors))]
  })
}

/** What is known of the person of each scan. */
export function truthMoments(
  model: DenseModel,
  subjects: readonly string[],
  truth: Faces,
  reference: Float64Array,
): Moments {
  const rows = new Map(truth.subjects.map((subject, row) => [subject, row]))
  const moments = model.moments(alignFaces(truth.vertices, reference))
  return pickMoments(
    moments,
    subjects.map((subject) => rows.get(subject) ?? 0),
  )
}
