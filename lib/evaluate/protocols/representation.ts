/** How well models represent faces they have not seen, how compact they are, and how much like faces what they draw is. */

import { setImmediate } from 'node:timers/promises'
import { throwIfAborted } from '../../aborts.js'
import type { TrainingData } from '../../corpus/TrainingData.js'
import type { MatrixLike } from '../../linear/index.js'
import { Bootstrap, type Estimate, itemWeights } from '../bootstrap.js'
import { numberPeople, type People } from '../people.js'
import { compactness, specificity } from '../shapes.js'
import { mean } from '../statistics.js'
import { alignFaces } from './alignFaces.js'
import { DenseModel } from './DenseModel.js'
import { type EvaluatedModel, requireOneTopology } from './EvaluatedModel.js'
import type { ProtocolOptions } from './ProtocolOptions.js'
import { labelOf, neutralFaces, requirePeople, selectionOf } from './testFaces.js'

/** What {@link representation} may be told. */
export interface RepresentationOptions extends ProtocolOptions {
  /** K of the table; default 16, 32, 64, 100, and those of the models. */
  sizes?: readonly number[] | undefined
  /** Faces drawn from each model for its specificity; default 200. */
  samples?: number | undefined
  /** Of those; default 1. */
  seed?: number | undefined
}

/** How well a model of a size represents unseen faces. */
export interface SizedRepresentation {
  /** K: on the sphere K - 1 modes, otherwise as many (or one less, if the model has no more). */
  size: number
  modes: number
  /** RMS distance of all vertices of all faces, mm. */
  error: Estimate
  /** [n] RMS distance of each face, mm. */
  errors: Float64Array
  /** Share of the model's variance in these modes. */
  compactness: number
}

/** What {@link representation} found of one model. */
export interface ModelRepresentation {
  key: string
  sizes: SizedRepresentation[]
  /** Errors over sizes from 2 on, for a curve: the generalisation. */
  curve: { size: number; error: number }[]
  /** mm, RMS from a face that the model draws to the nearest of the evaluated people; undefined where none is at rest. */
  specificity?: number
  /** [N] mm, mean distance of each vertex in the best fits with all modes. */
  perVertex: Float64Array
}

/** What {@link representation} found. */
export interface Representation {
  /** Whether people at rest were represented, or their scans with free expressions. */
  faces: 'neutral' | 'scans'
  /** n */
  count: number
  people: People
  models: ModelRepresentation[]
}

const SIZES = [16, 32, 64, 100]
const CURVE = [2, 4, 8, 16, 24, 32, 48, 64, 80, 100, 128, 192, 256]

/**
 * Fits every model to faces of people it has not seen, as well as it can: no prior, rigid motion free. Synthetic people
 * are fitted at rest, as they are; real ones by their scans, with free expressions.
 *
 * Modes are taken from that of the largest variance on: the columns themselves where training has ordered them so,
 * otherwise the principal axes of the model's faces.
 *
 * @param models Of one topology, that of the data.
 * @throws SfmError INVALID_ARGUMENT, INVALID_INPUT, INVALID_MODEL; ABORTED.
 * @example
 * const { models: [sfm, pca] } = await representation([ours, theirs], data, { sizes: [64] })
 * sfm.sizes[0].error.value / pca.sizes[0].error.value   // at most 1.05
 */
export async function representation(
  models: readonly EvaluatedModel[],
  data: TrainingData,
  options: RepresentationOptions = {},
): Promise<Representation> {
  requireOneTopology(models, data.vertexCount)
  requirePeople(data, options)
  const { signal, progress, bootstrap: bootstrapOptions, samples = 200, seed = 1 } = options
  progress?.('representation of unseen faces')
  const reference = Float64Array.from((await data.template()).mean)
  const neutral = await neutralFaces(data, options)
  const fitted = models.map(({ model }) => ({
    dense: new DenseModel(model.data, { reference, expressions: neutral === undefined }),
    shards: [] as Shard[],
    perVertex: new Float64Array(data.vertexCount),
  }))
  const sizes = sizesOf(models, options.sizes)
  const subjects: string[] = []
  let real: Float32Array[] | undefined
  for await (const faces of neutral ? [neutral] : data.scans(selectionOf(options))) {
    subjects.push(...faces.subjects)
    const displacements = alignFaces(faces.vertices, reference)
    if (neutral) real = rowsOf(displacements.data as Float32Array, displacements.columns)
    for (const [m, { dense, shards, perVertex }] of fitted.entries()) {
      await setImmediate()
      throwIfAborted(signal)
      const placed = placedBest(dense, faces.vertices, displacements, reference)
      const moments = dense.moments(placed)
      const errorsAt = new Map<number, Float64Array>()
      for (const size of [...new Set([...sizes, ...CURVE])]) {
        const modes = modesAt(models[m], dense.modes, size)
        if (modes !== undefined && !errorsAt.has(modes)) errorsAt.set(modes, dense.bestFits(moments, modes).errors)
      }
      const best = dense.bestFits(moments)
      addDistances(dense.residuals(placed, best).data, perVertex)
      shards.push(errorsAt)
    }
  }

  const people = numberPeople(subjects.map(labelOf))
  const bootstrap = new Bootstrap(people.count, bootstrapOptions)
  const results = fitted.map(({ dense, shards, perVertex }, m): ModelRepresentation => {
    const shares = compactness(dense.space.variances)
    const errorsAt = (modes: number) => Float64Array.from(shards.flatMap((shard) => Array.from(shard.get(modes) ?? [])))
    return {
      key: models[m].key,
      sizes: sizes.flatMap((size) => {
        const modes = modesAt(models[m], dense.modes, size)
        if (modes === undefined) return []
        const errors = errorsAt(modes)
        const { error } = bootstrap.estimate((multiplicity) => ({
          error: rootMeanSquare(errors, itemWeights(people, multiplicity)),
        }))
        return [{ size, modes, error, errors, compactness: shares[modes - 1] }]
      }),
      curve: CURVE.flatMap((size) => {
        const modes = modesAt(models[m], dense.modes, size)
        return modes === undefined ? [] : [{ size, error: rootMeanSquare(errorsAt(modes)) }]
      }),
      perVertex: perVertex.map((sum) => sum / subjects.length),
    }
  })
  if (real !== undefined) {
    for (const [m, { model }] of models.entries()) {
      throwIfAborted(signal)
      const drawn = await model.decode(model.sample({ count: samples, seed }), { signal })
      const faces = alignFaces(drawn, reference)
      results[m].specificity = mean(specificity(rowsOf(faces.data as Float32Array, faces.columns), real))
    }
  }
  return { faces: neutral ? 'neutral' : 'scans', count: subjects.length, people, models: results }
}

/**
 * Faces moved to where the model fits them best. Alignment with the mean face alone turns a face a little, and turned faces
 * of a model are not quite in its space any more.
 */
function placedBest(
  dense: DenseModel,
  vertices: Float32Array,
  displacements: MatrixLike,
  reference: Float64Array,
): MatrixLike {
  const fitted = dense.faces(dense.bestFits(dense.moments(displacements)))
  return alignFaces(vertices, reference, fitted)
}

/** By number of modes: errors of the faces of a shard. */
type Shard = Map<number, Float64Array>

function sizesOf(models: readonly EvaluatedModel[], given: readonly number[] = SIZES): number[] {
  const whole = models.map(({ model }) => model.identityCount)
  const some = given.filter((size) => size <= Math.max(...whole))
  if (given !== SIZES && some.length > 0) return some
  // A linear model of one mode less than another has latents is shown beside it.
  const own = whole.filter((size) => !whole.includes(size + 1))
  return [...new Set([...some, ...own])].sort((a, b) => a - b)
}

/** How many modes a model of this size has, if it is one; the last is the sphere's. */
function modesAt({ model }: EvaluatedModel, modes: number, size: number): number | undefined {
  const wanted = model.latent === 'sphere' ? size - 1 : size
  if (wanted < 1 || modes < size - 1) return undefined
  return Math.min(wanted, modes)
}

function rootMeanSquare(errors: Float64Array, weights?: ArrayLike<number>): number {
  return Math.sqrt(
    mean(
      errors.map((value) => value * value),
      weights,
    ),
  )
}

/** Adds each vertex' distance in each face. */
function addDistances(residuals: Float64Array, sums: Float64Array): void {
  for (let i = 0; i < residuals.length; i += 3)
    sums[(i / 3) % sums.length] += Math.hypot(residuals[i], residuals[i + 1], residuals[i + 2])
}

function rowsOf(data: Float32Array, width: number): Float32Array[] {
  return Array.from({ length: data.length / width }, (_, i) => data.subarray(i * width, (i + 1) * width))
}
