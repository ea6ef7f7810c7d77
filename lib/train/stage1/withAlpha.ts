import { scaled } from '../matrices.js'
import type { FaceSpace, FaceSpaces } from './FaceSpace.js'

/**
 * The same models with W multiplied by alpha: with all of it fits explain by variation within a person what is the person's
 * own, which helps to tell people apart; with less of it the single face is more faithful. PCA has none.
 *
 * @param alpha 0 to 1.
 */
export function withAlpha({ sphere, linear, pca }: FaceSpaces, alpha: number): FaceSpaces {
  const weigh = (space: FaceSpace): FaceSpace => ({
    ...space,
    ...(space.within && { within: scaled(alpha, space.within) }),
  })
  return { sphere: weigh(sphere), linear: weigh(linear), pca }
}
