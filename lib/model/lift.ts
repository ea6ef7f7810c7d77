import { invalidArgument } from '../errors.js'
import { chiQuantile } from './chi.js'
import { asFloat32 } from './half.js'
import type { ModelData } from './ModelData.js'

/** How far out the lifted sphere reaches. */
export interface LiftOptions {
  /** Share of the Gaussian's draws that the radius has to hold; 0.999. */
  quantile?: number
  /** Factor on top of that; 1.1. */
  margin?: number
}

/** The two numbers of a lifting; docs/sphere.md derives them. */
export interface Lifting {
  /** Modes of the Gaussian model, d; the sphere has K = d + 1 latents. */
  modes: number
  /**
   * Radius r in units of the Gaussian latents: every g with |g| < r lies on the sphere, at (g / r, sqrt(1 - |g|^2 /
   * r^2)).
   */
  radius: number
  /**
   * Standard deviation c of each normal coordinate of r times the sphere, for g ~ N(0, I); on the unit sphere it is c /
   * r radians.
   */
  scale: number
}

/**
 * The lifting of a Gaussian model with so many modes. It depends on nothing else.
 *
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * liftingOf(100)   // { modes: 100, radius: 13.447..., scale: 1.12... }
 */
export function liftingOf(modes: number, { quantile = 0.999, margin = 1.1 }: LiftOptions = {}): Lifting {
  if (!(margin > 0 && margin < Number.POSITIVE_INFINITY)) throw invalidArgument('margin', 'a positive number', margin)
  const radius = margin * chiQuantile(quantile, modes)
  return { modes, radius, scale: radius * Math.sqrt(meanSquareAngle(modes, radius) / modes) }
}

/**
 * Lifts a Gaussian model m + B g onto the sphere without changing a shape: z = (g / r, sqrt(1 - |g|^2 / r^2)) decodes
 * to the same mesh for every |g| < r, and faces beyond, which the Gaussian would hardly ever draw, are the only ones
 * out of reach. The new latent is the last one, its basis is zero, the prior's mean is its axis; the prior's spread is
 * that of the Gaussian as seen on the sphere.
 *
 * @returns A `sphere` model with K = d + 1 latents and a basis of 32-bit floats; all else is shared with `data`. Its
 *   provenance is a JSON text of the lifting, with that of `data` inside.
 * @throws SfmError INVALID_ARGUMENT when `data` is no Gaussian model.
 * @example
 * const sphere = lift(await readModelFile('pca.safetensors'))
 * sphere.identityCount   // one more than before
 */
export function lift(data: ModelData, options: LiftOptions = {}): ModelData {
  if (data.metadata.latent !== 'gaussian') {
    throw invalidArgument('data', 'a model with gaussian latents', `one with ${data.metadata.latent} latents`)
  }
  const lifting = liftingOf(data.identityCount, options)
  const K = lifting.modes + 1
  const basis = asFloat32(data.identityBasis)
  const identityBasis = new Float32Array(K * data.vertexCount * 3)
  for (let i = 0; i < basis.length; i++) identityBasis[i] = lifting.radius * basis[i]!

  const identityPriorMean = new Float32Array(K)
  identityPriorMean[K - 1] = 1
  const identityPriorFactor = new Float32Array(K * K)
  for (let k = 0; k < lifting.modes; k++) identityPriorFactor[k * K + k] = lifting.scale / lifting.radius

  const provenance = JSON.stringify({
    method: 'Gaussian model lifted onto the sphere',
    ...lifting,
    from: data.metadata.provenance,
  })
  return {
    ...data,
    identityCount: K,
    identityBasis,
    identityPriorMean,
    identityPriorFactor,
    metadata: { ...data.metadata, latent: 'sphere', provenance },
  }
}

/**
 * The point of the sphere that decodes to the same shape as the Gaussian latents `g`.
 *
 * @param g [d]
 * @returns [d+1] unit vector.
 * @throws SfmError INVALID_ARGUMENT when |g| is not below the radius: no point of the sphere has that shape.
 * @example
 * liftLatent([0, 0, 0], liftingOf(3))   // [0, 0, 0, 1]
 */
export function liftLatent(g: ArrayLike<number>, { modes, radius }: Lifting): Float64Array {
  if (g?.length !== modes) throw invalidArgument('g', `${modes} numbers`, g)
  const u = Float64Array.from(g, (value) => value / radius)
  const rest = 1 - u.reduce((sum, value) => sum + value * value, 0)
  if (!(rest > 0)) throw invalidArgument('g', `latents of a length below ${radius}`, radius * Math.sqrt(1 - rest))
  const z = new Float64Array(modes + 1)
  z.set(u)
  z[modes] = Math.sqrt(rest)
  return z
}

/**
 * The Gaussian latents that decode to the same shape as the point `z`: the inverse of {@link liftLatent}. A point of
 * the far hemisphere has the shape of its mirror image in the near one, so it gives the same latents.
 *
 * @param z [d+1] unit vector.
 * @returns [d]
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * unliftLatent(result.identity, liftingOf(model.identityCount - 1))
 */
export function unliftLatent(z: ArrayLike<number>, { modes, radius }: Lifting): Float64Array {
  if (z?.length !== modes + 1) throw invalidArgument('z', `${modes + 1} numbers`, z)
  return Float64Array.from({ length: modes }, (_, k) => radius * z[k]!)
}

/**
 * E[theta^2] for theta = asin(|g| / r), g ~ N(0, I) in R^d given |g| < r. With |g| = r sin theta the chi density
 * becomes sin^(d-1) theta exp(-r^2 sin^2 theta / 2) cos theta, up to a factor that cancels. Simpson's rule integrates
 * it to rounding: it is smooth up to both ends, and 12 beyond sqrt(d), where little more than e^-144 of the Gaussian is
 * left, is end enough for a radius beyond that.
 */
function meanSquareAngle(d: number, r: number): number {
  const logDensity = (theta: number) => {
    const s = Math.sin(theta)
    return (d > 1 ? (d - 1) * Math.log(s) : 0) - (r * r * s * s) / 2
  }
  const mode = Math.asin(Math.min(1, Math.sqrt(d - 1) / r))
  const peak = d > 1 ? logDensity(mode) : 0

  const end = Math.asin(Math.min(1, (Math.sqrt(d) + 12) / r))
  const intervals = 4096
  let mass = 0
  let moment = 0
  for (let i = 0; i <= intervals; i++) {
    const theta = (i / intervals) * end
    const simpson = i === 0 || i === intervals ? 1 : i % 2 === 1 ? 4 : 2
    const weight = simpson * Math.cos(theta) * Math.exp(logDensity(theta) - peak)
    mass += weight
    moment += weight * theta * theta
  }
  return moment / mass
}
