import type { Matrix } from '../../linear/index.js'

/**
 * A face model in the coordinates of a span: mean + basis u, where u = v for Gaussian latents and u = sinc(|v| / r) v for
 * those on a sphere of radius r; v ~ N(0, I) in both cases.
 */
export interface FaceSpace {
  /** [R] the mean face at rest. */
  mean: Float64Array
  /** [R,D] mm per unit of u. */
  basis: Matrix
  /** r; absent for Gaussian latents. */
  radius?: number
  /** [R,Q] W: variation of a person that is neither identity nor expression. */
  within?: Matrix
  /** Standard deviation in mm of each coordinate, of what nothing else explains. */
  noise: number
}

/** Models of the same scans. */
export interface FaceSpaces {
  /** The model. */
  sphere: FaceSpace
  /** The same without the sphere. */
  linear: FaceSpace
  /** Principal components of the single scans, expressions taken out; as many as the model has latents. */
  pca: FaceSpace
}
