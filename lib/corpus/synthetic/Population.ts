import { centroidOf } from '../../alignment.js'
import { asFloat32 } from '../../model/half.js'
import type { ModelData } from '../../model/ModelData.js'
import { Random } from '../../random.js'
import { addFields, orthonormal, rigidFields, scaleTo } from '../fields.js'
import { ExpressionSampler } from './ExpressionSampler.js'
import { IdentitySampler } from './IdentitySampler.js'
import { SmoothFields } from './SmoothFields.js'
import type { Synthesis } from './SynthesisOptions.js'

/** Purposes of random numbers, of {@link Random.stream}. */
const STREAM = { fields: 1, person: 2, scan: 3 } as const

/** Smooth fields that deformations outside of the identity space are mixed from. */
const OUTSIDE_FIELDS = 100

/** A person, as the numbers that make the face. */
export interface Person {
  /** [K] latents of the source. */
  identity: Float32Array
  /** Coefficients of what the source's modes cannot show. */
  outside: Float64Array
}

/** What faces are made of: displacements of the mesh in mm, [n,3N] each. */
export interface PopulationFields {
  /** [K,3N] a unit of latent. */
  identity: Float32Array
  /** A standard deviation each. */
  outside: Float32Array
  /** [E,3N] a unit of coefficient. */
  expression: Float32Array
  /** Of scans, a standard deviation each. */
  smoothDrift: Float32Array
  /** Of scans, likewise. */
  identityDrift: Float32Array
  /** Of pictures, likewise. */
  photoDrift: Float32Array
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
  readonly fields: PopulationFields
  readonly #options: Synthesis
  readonly #identities: IdentitySampler
  readonly #centroid: readonly [number, number, number]

  constructor(source: ModelData, options: Synthesis) {
    const { seed } = options
    this.source = source
    this.#options = options
    const identity = asFloat32(source.identityBasis)
    const expression = asFloat32(source.expressionBasis)
    this.expressions = new ExpressionSampler(source, expression)
    this.#identities = new IdentitySampler(source, options.modes, options.distribution, seed)
    this.mean = combined(source.mean, identity, source.identityPriorMean ?? [])
    this.#centroid = centroidOf(this.mean)

    const { smoothDrift, identityDrift, photos, outsideIdentitySpace } = options
    const smooth = new SmoothFields(this.mean)
    const motion = rigidFields(this.mean)
    // Motion of the whole is the business of the jitter, which has its own size.
    const rigid = orthonormal(motion)
    const known = outsideIdentitySpace > 0 ? orthonormal([...motion, ...this.#identitySpace(identity)]) : rigid
    const random = (purpose: number) => Random.stream(seed, STREAM.fields, purpose)
    const fields = (count: number, amplitude: number, draw: () => Float64Array) => {
      const all = new Float32Array((amplitude > 0 ? count : 0) * this.mean.length)
      for (let at = 0; at < all.length; at += this.mean.length) all.set(scaleTo(draw(), amplitude), at)
      return all
    }
    const drawSmooth = (from: Random, without: Float64Array) => () => smooth.draw(from, without)
    const drawIdentity = (from: Random) => () => displacement(identity, this.#identities.drawDirection(from))
    const share = outsideIdentitySpace / Math.sqrt(OUTSIDE_FIELDS)
    this.fields = {
      identity,
      expression,
      smoothDrift: fields(smoothDrift.factors, smoothDrift.amplitude, drawSmooth(random(0), rigid)),
      identityDrift: fields(identityDrift.factors, identityDrift.amplitude, drawIdentity(random(1))),
      photoDrift: fields(photos.drift.factors, photos.drift.amplitude, drawSmooth(random(2), rigid)),
      outside: fields(OUTSIDE_FIELDS, share, drawSmooth(random(3), known)),
    }
  }

  /** Person number i. */
  person(i: number): Person {
    const random = Random.stream(this.#options.seed, STREAM.person, i)
    const identity = this.#identities.draw(random)
    return { identity, outside: normals(random, this.fields.outside.length / this.mean.length) }
  }

  /** A person at rest, [3N] mm. */
  neutral({ identity, outside }: Person): Float64Array {
    const shape = combined(this.source.mean, this.fields.identity, identity)
    addFields(shape, this.fields.outside, outside)
    return shape
  }

  /**
   * Scan number j of person number i.
   *
   * @param neutral [3N] mm, the person at rest.
   * @param vertices [3N] mm, written to.
   * @returns [E], the scan's expression.
   */
  scan(i: number, j: number, neutral: Float64Array, vertices: Float32Array): Float32Array {
    const { seed, expression: amplitude, activeExpressions, noise } = this.#options
    const random = Random.stream(seed, STREAM.scan, i, j)
    const expression = this.expressions.draw(random, amplitude, activeExpressions)
    const shape = Float64Array.from(neutral)
    addFields(shape, this.fields.expression, expression)
    for (const drift of [this.fields.smoothDrift, this.fields.identityDrift])
      addFields(shape, drift, normals(random, drift.length / shape.length))
    this.#jitter(shape, random)
    random.fillNormal(vertices)
    for (let k = 0; k < vertices.length; k++) vertices[k] = shape[k]! + noise * vertices[k]!
    return expression
  }

  /** Fields that span what identities can look like, up to a shift of all of them. */
  #identitySpace(basis: Float32Array): Float64Array[] {
    const { identityPriorMean: pole } = this.source
    const directions = this.#identities.directions()
    // On the sphere a face far from the mean has less of the mean's own latents.
    return [...(pole ? [pole] : []), ...directions].map((direction) => displacement(basis, direction))
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

/** A shape and a sum of fields, [3N]. */
function combined(shape: ArrayLike<number>, fields: Float32Array, coefficients: ArrayLike<number>): Float64Array {
  const sum = Float64Array.from(shape)
  addFields(sum, fields, coefficients)
  return sum
}

/** A sum of fields, [3N]. */
function displacement(fields: Float32Array, coefficients: ArrayLike<number>): Float64Array {
  const sum = new Float64Array(fields.length / coefficients.length)
  addFields(sum, fields, coefficients)
  return sum
}

function normals(random: Random, count: number): Float64Array {
  return Float64Array.from({ length: count }, () => random.normal())
}
