import { invalidArgument } from '../errors.js'
import type { NativeFits } from '../native.js'
import type { ComparedFace } from './contour/slideContours.js'
import type { FitResult } from './FitResult.js'
import { triangle } from './Posterior.js'
import { cameraOf, RECORD, type ResultSizes, resultOf, type Space, STATUS, yawOf } from './Results.js'

/** What the results of one call have in common. */
export interface FitArraysShape {
  count: number
  landmarkCount: number
  space: Space
  withPosterior: boolean
}

/**
 * What {@link Fitter.fitArrays} returns: the results of B faces as flat arrays, each made when it is first asked for and kept. A
 * face that was not fitted has the mean face's latents, and NaN for whatever is measured.
 *
 * @example
 * const faces = await fitter.fitArrays({ scheme: 'mediapipe478', count, points, image: { width: 1280, height: 720 } })
 * await index.add(faces.embedding, faces.usable) // [B,D] and [B]
 * console.log(faces.at(0).message)
 */
export class FitArrays {
  /** B. */
  readonly count: number
  readonly #sizes: ResultSizes
  readonly #shape: FitArraysShape
  readonly #outputs: NativeFits[] = []
  /** By face: which output has it, and where. */
  readonly #output: Uint32Array
  readonly #place: Uint32Array
  readonly #made = new Map<string, Float32Array | Float64Array | Uint8Array>()

  /** @internal */
  constructor(sizes: ResultSizes, shape: FitArraysShape) {
    this.count = shape.count
    this.#sizes = sizes
    this.#shape = shape
    this.#output = new Uint32Array(shape.count)
    this.#place = new Uint32Array(shape.count)
  }

  /** @internal The results of `count` faces from the first on are an output's. */
  take(output: NativeFits, first: number, count: number): void {
    const which = this.#outputs.push(output) - 1
    for (let place = 0; place < count; place++) {
      this.#output[first + place] = which
      this.#place[first + place] = place
    }
  }

  /** @internal Puts a better result in place of a face's. */
  replace(face: number, output: NativeFits, place: number): void {
    const known = this.#outputs.indexOf(output)
    this.#output[face] = known >= 0 ? known : this.#outputs.push(output) - 1
    this.#place[face] = place
    this.#made.clear()
  }

  /** [B] 0 converged, 1 out of iterations, 2 failed. */
  get status(): Uint8Array {
    return this.#record('status', RECORD.status, 1, Uint8Array)
  }

  /** [B] 1 where the face may be used, as {@link FitResult.usable} says. */
  get usable(): Uint8Array {
    return this.#record('usable', RECORD.usable, 1, Uint8Array)
  }

  /** [B] */
  get iterations(): Float64Array {
    return this.#record('iterations', RECORD.iterations, 1, Float64Array)
  }

  /** [B] pixels or mm, over the landmarks in use. */
  get rmse(): Float64Array {
    return this.#record('rmse', RECORD.rmse, 1, Float64Array)
  }

  /** [B] the objective at the end. */
  get cost(): Float64Array {
    return this.#record('cost', RECORD.finalCost, 1, Float64Array)
  }

  /** [B] radians: how far the identity may be off. */
  get identityUncertainty(): Float64Array {
    return this.#record('identityUncertainty', RECORD.uncertainty, 1, Float64Array)
  }

  /** [B,9] row-major, from model space to camera space. */
  get rotation(): Float64Array {
    return this.#pose('rotation', RECORD.rotation, 9)
  }

  /** [B,3] mm. */
  get translation(): Float64Array {
    return this.#pose('translation', RECORD.translation, 3)
  }

  /** [B] pixels; 0 of weak cameras and scans. */
  get focal(): Float64Array {
    return this.#pose('focal', RECORD.focal, 1)
  }

  /** [B] pixels a millimetre, at the face; 1 of scans. */
  get scale(): Float64Array {
    return this.#pose('scale', RECORD.scale, 1)
  }

  /** [B,2] pixels. */
  get principal(): Float64Array {
    return this.#pose('principal', RECORD.principal, 2)
  }

  /** [B,K] */
  get identity(): Float32Array {
    return this.#array('identity', 0, this.#sizes.identityCount)
  }

  /** [B,D] unit vectors: what to compare people by. */
  get embedding(): Float32Array {
    return this.#array('embedding', this.#sizes.identityCount, this.#sizes.embeddingCount)
  }

  /** [B,E] in the model's order. */
  get expression(): Float32Array {
    return this.#array('expression', this.#latents, this.#sizes.expressionNames.length)
  }

  /** [B,L] pixels or mm; NaN where there was no landmark. */
  get residuals(): Float32Array {
    return this.#array('residuals', this.#faceNumbers, this.#shape.landmarkCount)
  }

  /** [B,L] the landmarks' weights in the robust loss, from 0, ignored, to 1; NaN where there was none. */
  get weights(): Float32Array {
    return this.#array('weights', this.#faceNumbers + this.#shape.landmarkCount, this.#shape.landmarkCount)
  }

  /** [B,D(D+1)/2] as in a {@link Posterior}, with the option `posterior`; zero of faces that were not fitted. Else empty. */
  get information(): Float32Array {
    const size = this.#shape.withPosterior ? triangle(this.#sizes.embeddingCount) : 0
    return this.#array('information', this.#faceNumbers + 2 * this.#shape.landmarkCount, size)
  }

  /** [B,D] likewise. */
  get shift(): Float32Array {
    const { embeddingCount } = this.#sizes
    const size = this.#shape.withPosterior ? embeddingCount : 0
    return this.#array('shift', this.#faceNumbers + 2 * this.#shape.landmarkCount + triangle(embeddingCount), size)
  }

  /**
   * One face as {@link Fitter.fit} would have returned it.
   *
   * @throws SfmError INVALID_ARGUMENT where there is no such face.
   */
  at(face: number): FitResult {
    if (!Number.isInteger(face) || face < 0 || face >= this.count)
      throw invalidArgument('face', `a whole number from 0 to ${this.count - 1}`, face)
    const { landmarkCount, space, withPosterior } = this.#shape
    const output = this.#outputs[this.#output[face] as number] as NativeFits
    return resultOf(output, this.#place[face] as number, this.#sizes, landmarkCount, {}, space, withPosterior)
  }

  /** @internal What sliding contours look at; of the output's own memory. Not of a face that was not fitted. */
  face(face: number): ComparedFace {
    const { records, arrays } = this.#outputs[this.#output[face] as number] as NativeFits
    const place = this.#place[face] as number
    const record = records.subarray(place * RECORD.size, (place + 1) * RECORD.size)
    const begin = place * this.#arraysSize
    const { identityCount, expressionNames } = this.#sizes
    const { landmarkCount, space } = this.#shape
    const expression = begin + this.#latents
    const residuals = begin + this.#faceNumbers
    return {
      usable: record[RECORD.usable] === 1,
      cost: { final: record[RECORD.finalCost] as number },
      pose: {
        rotation: record.subarray(RECORD.rotation, RECORD.rotation + 9),
        translation: record.subarray(RECORD.translation, RECORD.translation + 3),
        yaw: yawOf(record, RECORD.rotation, false),
      },
      camera: cameraOf((at) => record[at] as number, space),
      identity: arrays.subarray(begin, begin + identityCount),
      expressionValues: arrays.subarray(expression, expression + expressionNames.length),
      residuals: arrays.subarray(residuals, residuals + landmarkCount),
    }
  }

  get #latents(): number {
    return this.#sizes.identityCount + this.#sizes.embeddingCount
  }

  /** Numbers of a face before those of its landmarks. */
  get #faceNumbers(): number {
    return this.#latents + this.#sizes.expressionNames.length
  }

  get #arraysSize(): number {
    const { landmarkCount, withPosterior } = this.#shape
    const { embeddingCount } = this.#sizes
    return this.#faceNumbers + 2 * landmarkCount + (withPosterior ? triangle(embeddingCount) + embeddingCount : 0)
  }

  #array(name: string, place: number, width: number): Float32Array {
    return this.#gather(name, Float32Array, 'arrays', this.#arraysSize, place, width)
  }

  #record<A extends Float64Array | Uint8Array>(
    name: string,
    place: number,
    width: number,
    Kind: new (length: number) => A,
  ): A {
    return this.#gather(name, Kind, 'records', RECORD.size, place, width)
  }

  /** `width` numbers of each face, from rows of `size`. */
  #gather<A extends Float32Array | Float64Array | Uint8Array>(
    name: string,
    Kind: new (length: number) => A,
    source: 'records' | 'arrays',
    size: number,
    place: number,
    width: number,
  ): A {
    const known = this.#made.get(name)
    if (known !== undefined) return known as A
    const made = new Kind(this.count * width)
    for (let i = 0; i < this.count; i++) {
      const from = (this.#outputs[this.#output[i] as number] as NativeFits)[source]
      const begin = (this.#place[i] as number) * size + place
      for (let c = 0; c < width; c++) made[i * width + c] = from[begin + c] as number
    }
    this.#made.set(name, made)
    return made
  }

  /** NaN of faces that were not fitted, whose record has the pose that a fit begins with. */
  #pose(name: string, place: number, width: number): Float64Array {
    const known = this.#made.get(name)
    if (known !== undefined) return known as Float64Array
    const made = this.#record(name, place, width, Float64Array)
    const { status } = this
    for (let i = 0; i < this.count; i++)
      if (STATUS[status[i] as number] === 'failed') made.fill(Number.NaN, i * width, (i + 1) * width)
    return made
  }
}
