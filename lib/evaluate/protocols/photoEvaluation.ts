/** The protocol for photos with landmarks and names, of several models on the same photos. */

import { setImmediate } from 'node:timers/promises'
import { throwIfAborted } from '../../aborts.js'
import { comparePrepared, type PreparedFace, prepare } from '../../compare.js'
import type { FitResult } from '../../fit/FitResult.js'
import { fusePosteriors, type Posterior } from '../../fit/Posterior.js'
import { requireSome } from '../checks.js'
import { boxSize, eyeDistance } from '../faceScale.js'
import { type PhotoEvaluation, type PhotoFit, photoProtocol } from '../photoProtocol.js'
import type { EvaluatedModel } from './EvaluatedModel.js'
import { fitLandmarks } from './fitLandmarks.js'
import { type Photo, yawOf } from './Photo.js'
import type { ProtocolOptions } from './ProtocolOptions.js'
import { whitenedLatents } from './whitening.js'

/** What {@link photoEvaluation} found by one way of telling people apart. */
export interface ModelPhotos extends PhotoEvaluation {
  key: string
  /** By which the errors are divided. */
  errorsOver: 'eye distance' | 'box size'
}

/**
 * Evaluates models on photos: {@link photoProtocol} of each. With every Gaussian model comes a row more, `<key>-whitened`: its
 * latents whitened by their covariance over the evaluated photos, whose labels it does not use.
 *
 * Errors are over the distance of the eyes where photos have names, over the size of the landmarks' box where they have not, as
 * in data sets of large poses.
 *
 * @param photos Of schemes that all models have.
 * @throws SfmError INVALID_ARGUMENT, UNKNOWN_SCHEME; ABORTED.
 * @example
 * const [sfm, pca, whitened] = await photoEvaluation(models, photos)
 * sfm.single?.cosine.auc.value
 */
export async function photoEvaluation(
  models: readonly EvaluatedModel[],
  photos: readonly Photo[],
  options: ProtocolOptions = {},
): Promise<ModelPhotos[]> {
  requireSome('photos', photos)
  const { bootstrap, progress, signal } = options
  const named = photos.some(({ subject }) => subject !== undefined)
  const measurable = photos.every(({ scheme }) => scheme === 'ibug68' || scheme === 'mediapipe478')
  const errorsOver = named && measurable ? 'eye distance' : 'box size'
  const faceSizes = photos.map(errorsOver === 'eye distance' ? eyeDistance : boxSize)
  const evaluations: ModelPhotos[] = []
  for (const each of models) {
    const results = await fitLandmarks(each, photos, options)
    progress?.(`${each.name}: compare ${photos.length} photos`)
    await setImmediate()
    throwIfAborted(signal)
    const yaws = photos.map((photo, i) => yawOf(photo) ?? results[i].pose.yaw)
    const fits = results.map((result, i) => fitOf(photos[i], result))
    const shared = { faceSizes, yaws, ...(bootstrap && { bootstrap }) }
    evaluations.push({
      key: each.key,
      errorsOver,
      ...photoProtocol(fits, { ...shared, logLikelihoodRatio, fuse: fusedFace }),
    })
    if (each.model.latent !== 'gaussian' || !named) continue
    const whitened = whitenedLatents(results)
    const rows = fits.map(({ posterior: _, ...fit }, i) => ({ ...fit, embedding: whitened[i] }))
    evaluations.push({ key: `${each.key}-whitened`, errorsOver, ...photoProtocol(rows, shared) })
  }
  return evaluations
}

/** What one photo, or several of one person, tell of who it is. */
interface Face {
  posterior: Posterior
  prepared: PreparedFace
}

function fitOf({ subject, collection }: Photo, result: FitResult): PhotoFit<Face> {
  const { status, embedding, rmse, pose, posterior } = result
  const fit = { subject, collection, status, embedding, rmse, pose }
  return posterior ? { ...fit, posterior: { posterior, prepared: prepare(result, 'result') } } : fit
}

function logLikelihoodRatio(a: Face, b: Face): number {
  return comparePrepared(a.prepared, b.prepared).logLikelihoodRatio ?? 0
}

function fusedFace(faces: readonly Face[]): Face {
  const posterior = fusePosteriors(faces)
  // The embedding has no part in the likelihood ratio.
  return { posterior, prepared: prepare({ embedding: (faces[0] as Face).prepared.direction, posterior }, 'fused') }
}
