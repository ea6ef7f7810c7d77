import { asFloat32 } from '../../model/half.js'
import type { ModelData } from '../../model/ModelData.js'
import { Random } from '../../random.js'
import { ExpressionSampler } from './ExpressionSampler.js'
import { addFields, centroidOf, orthonormal, rigidFields, scaleTo } from './fields.js'
import { IdentitySampler } from './IdentitySampler.js'
import { SmoothFields } from './SmoothFields.js'
import type { Synthesis } from './SynthesisOptions.js'

/** Purposes of random numbers, of {@link Random.stream}. */
const STREAM = { fields: 1, person: 2, scan: 3 } as const

/** Smooth fields that deformations outside of the identity space are mixed from. */
const OUTSIDE_FIELDS = 100

/** A person. */
export interface Person {
  /** [K] latents of the source. */
  identity: Float32Array
  /** [3N] mm, at rest. */
  neutral: Float64Array
}

/**
 * The people of a synthetic corpus and their scans: number i is the same whenever it is asked for, whatever was drawn
 * before.
 */
export class Population {
  readonly source: ModelData
  readonly expressions: ExpressionSampler
  /** [3N] mm, of the identity at the centre of the prior. */
  readonly mean: Float64Array
  /** [E,3N] */
  readonly expressionBasis: Float32Array
  /** [factors,3N] mm, of scans and of pictures: one standard deviation each. */
  readonly drift: { smooth: Float32Array; identity: Float32Array; photos: Float32Array }
  readonly #options: Synthesis
  readonly #identityBasis: Float32Array
  readonly #identities: IdentitySampler
  /** [OUTSIDE_FIELDS,3N] mm */
  readonly #outside: Float32Array
  readonly #centroid: readonly [number, number, number]

  constructor(source: ModelData, options: Synthesis) {
    const { seed } = options
    this.source = source
    this.#options = options
    this.#identityBasis = asFloat32(source.identityBasis)
    this.expressionBasis = asFloat32(source.expressionBasis)
    this.expressions = new ExpressionSampler(source, this.expressionBasis)
    this.#identities = new IdentitySampler(source, options.modes, options.distribution, seed)
    this.mean = this.#decode(source.identityPriorMean ?? [])
    this.#centroid = centroidOf(this.mean)

    const smooth = new SmoothFields(this.mean)
    // Motion of the whole is the business of the jitter, which has its own size.
    const rigid = orthonormal(rigidFields(this.mean))
    const random = (purpose: number) => Random.stream(seed, STREAM.fields, purpose)
    const fields = (count: number, amplitude: number, draw: () => Float64Array) => {
      const all = new Float32Array((amplitude > 0 ? count : 0) * this.mean.length)
      for (let at = 0; at < all.length; at += this.mean.length) all.set(scaleTo(draw(), amplitude), at)
      return all
    }
    const { smoothDrift, identityDrift, photos, outsideIdentitySpace } = options
    const drawSmooth = (from: Random, without: Float64Array) => () => smooth.draw(from, without)
    const drawIdentity = (from: Random) => () => this.#displacement(this.#identities.drawDirection(from))
    this.drift = {
      smooth: fields(smoothDrift.factors, smoothDrift.amplitude, drawSmooth(random(0), rigid)),
      identity: fields(identityDrift.factors, identityDrift.amplitude, drawIdentity(random(1))),
      photos: fields(photos.drift.factors, photos.drift.amplitude, drawSmooth(random(2), rigid)),
    }
    const known = outsideIdentitySpace > 0 ? [...rigidFields(this.mean), ...this.#identitySpace()] : []
    const share = outsideIdentitySpace / Math.sqrt(OUTSIDE_FIELDS)
    this.#outside = fields(OUTSIDE_FIELDS, share, drawSmooth(random(3), orthonormal(known)))
  }

  /** Person number i. */
  person(i: number): Person {
    const random = Random.stream(this.#options.seed, STREAM.person, i)
    const identity = this.#identities.draw(random)
    const neutral = this.#decode(identity)
    addFields(neutral, this.#outside, normals(random, this.#outside.length / neutral.length))
    return { identity, neutral }
  }

  /**
   * Scan number j of person number i.
   *
   * @param vertices [3N] mm, written to.
   * @returns [E], the scan's expression.
   */
  scan(i: number, j: number, { neutral }: Person, vertices: Float32Array): Float32Array {
    const { seed, expression: amplitude, activeExpressions, noise } = this.#options
    const random = Random.stream(seed, STREAM.scan, i, j)
    const expression = this.expressions.draw(random, amplitude, activeExpressions)
    const shape = Float64Array.from(neutral)
    addFields(shape, this.expressionBasis, expression)
    addFields(shape, this.drift.smooth, normals(random, this.drift.smooth.length / shape.length))
    addFields(shape, this.drift.identity, normals(random, this.drift.identity.length / shape.length))
    this.#jitter(shape, random)
    random.fillNormal(vertices)
    for (let k = 0; k < vertices.length; k++) vertices[k] = shape[k]! + noise * vertices[k]!
    return expression
  }

  /** [3N] mm of latents, without expression. */
  #decode(identity: ArrayLike<number>): Float64Array {
    const shape = Float64Array.from(this.source.mean)
    addFields(shape, this.#identityBasis, identity)
    return shape
  }

  /** [3N] mm that a change of latents makes. */
  #displacement(direction: ArrayLike<number>): Float64Array {
    const field = new Float64Array(this.source.mean.length)
    addFields(field, this.#identityBasis, direction)
    return field
  }

  /** Fields that span what identities can look like, up to a shift of all of them. */
  *#identitySpace(): Generator<Float64Array> {
    const { identityPriorMean: pole } = this.source
    // On the sphere a face far from the mean has less of the mean's own latents.
    if (pole) yield this.#displacement(pole)
    for (const direction of this.#identities.directions()) yield this.#displacement(direction)
  }

  /** A small motion about the centroid of the mean, in place. */
  #jitter(shape: Float64Array, random: Random): void {
    const { rotation, translation } = this.#options.jitter
    const axis = Array.from(normals(random, 3), (x) => (x * rotation * Math.PI) / 180)
    const shift = normals(random, 3)
    const turn = rotationAbout(axis as [number, number, number])
    const [cx, cy, cz] = this.#centroid
    const [tx, ty, tz] = [cx + translation * shift[0]!, cy + translation * shift[1]!, cz + translation * shift[2]!]
    for (let i = 0; i < shape.length; i += 3) {
      const [x, y, z] = [shape[i]! - cx, shape[i + 1]! - cy, shape[i + 2]! - cz]
      shape[i] = turn[0]! * x + turn[1]! * y + turn[2]! * z + tx
      shape[i + 1] = turn[3]! * x + turn[4]! * y + turn[5]! * z + ty
      shape[i + 2] = turn[6]! * x + turn[7]! * y + turn[8]! * z + tz
    }
  }
}

/** The rotation by |w| radians about w (Rodrigues), row-major. */
function rotationAbout(w: readonly [number, number, number]): number[] {
  const angle = Math.sqrt(w[0] * w[0] + w[1] * w[1] + w[2] * w[2])
  if (angle === 0) return [1, 0, 0, 0, 1, 0, 0, 0, 1]
  const [x, y, z] = [w[0] / angle, w[1] / angle, w[2] / angle]
  const [s, c] = [Math.sin(angle), Math.cos(angle)]
  const u = 1 - c
  return [
    c + x * x * u,
    x * y * u - z * s,
    x * z * u + y * s,
    x * y * u + z * s,
    c + y * y * u,
    y * z * u - x * s,
    x * z * u - y * s,
    y * z * u + x * s,
    c + z * z * u,
  ]
}

function normals(random: Random, count: number): Float64Array {
  return Float64Array.from({ length: count }, () => random.normal())
}
