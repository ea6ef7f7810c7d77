import type { ModelReference } from '../model/ModelReference.js'
import type { FitResult } from './FitResult.js'
import type { Posterior } from './Posterior.js'
import { posteriorToJson } from './posteriorJson.js'

/** One person's face from several images, fitted together. Can be decoded, and compared like any result. */
export interface JointFitResult {
  subject?: string
  model?: ModelReference
  /** `failed` where no image could be fitted. */
  status: FitResult['status']
  /** Whether the face may be used: one image at least is usable and of this person. */
  usable: boolean
  message: string
  /** Passes over the images. */
  iterations: number
  /** The joint objective for the fused single fits, and at the end; null where nothing was fitted. */
  cost: { initial: number; final: number } | null
  /** [K] the face that the images show on average. */
  identity: Float32Array
  /** [K-1] unit vector: the direction of the person's own latents. */
  embedding: Float32Array
  /** What all images together say of the person (outliers by their weights); undefined where nothing was fitted. */
  posterior?: Posterior
  /** Radians: how far the person may be off. Null where nothing was fitted. */
  identity_uncertainty: number | null
  /**
   * For each observation its fit: pose, camera and expression, and as identity the face in this image, the person's with
   * the image's own small deviation.
   */
  images: FitResult[]
  /** [images] 0..1: the probability that an image is of this person. */
  image_weights: Float32Array
  /** Indices of the images that are likely of somebody else, or could not be fitted: they have no part in the identity. */
  outlier_images: number[]
  toJSON(): Record<string, unknown>
}

/** Gives a joint result its JSON form without making that a field of it. */
export class JointResult {
  static of(fields: Omit<JointFitResult, 'toJSON'>): JointFitResult {
    return Object.assign(new JointResult(), fields)
  }

  toJSON(this: JointFitResult): Record<string, unknown> {
    const { identity, embedding, posterior, images, image_weights, ...rest } = this
    return {
      ...rest,
      identity: Array.from(identity),
      embedding: Array.from(embedding),
      ...(posterior && { posterior: posteriorToJson(posterior) }),
      image_weights: Array.from(image_weights),
      images: images.map((image) => image.toJSON()),
    }
  }
}
