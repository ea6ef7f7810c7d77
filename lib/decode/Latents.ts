import { invalidArgument } from '../errors.js'
import { type Numbers, numbersFrom } from '../numbers.js'

/** What a face is decoded from. A fit result is one. */
export interface Latents {
  /** [K] on the unit sphere (`sphere` models), or Gaussian. */
  identity: ArrayLike<number>
  /** [E] in the model's order, or coefficients by name; those left out are 0. */
  expression?: ArrayLike<number> | Readonly<Record<string, number>>
  /** Row-major rotation [9] and translation [3] in mm; used when `posed` is asked for. */
  pose?: { rotation: ArrayLike<number>; translation: ArrayLike<number> }
}

/** Many faces side by side; what `Fitter.fitArrays` returns is that. */
export interface LatentArrays {
  /** B. */
  count: number
  /** [B,K] */
  identity: Float32Array
  /** [B,E] in the model's order; all at rest without it. */
  expression?: Float32Array
  /** [B,9] and [B,3], used when `posed` is asked for. Where they are NaN, so are the vertices. */
  rotation?: Numbers
  translation?: Numbers
}

/** Faces as the native side takes them. */
export interface PackedLatents {
  count: number
  /** [B,K] */
  identity: Float32Array
  /** [B,E], or null when every expression is at rest. */
  expression: Float32Array | null
  /** [B,12], or null for model space. */
  poses: Float32Array | null
}

/** What of a model is needed to pack latents for it. */
export interface LatentSizes {
  identityCount: number
  expressionCount: number
  expressionNames: readonly string[]
}

/** The native side takes no more at once; so many faces have to be decoded piece by piece anyway. */
const LARGEST_BATCH = 2 ** 20

/**
 * Checks latents and packs them into flat arrays.
 *
 * @param posed Whether every face's pose is needed.
 * @throws SfmError INVALID_ARGUMENT naming the face and the argument.
 */
export function packLatents(
  latents: Latents | readonly Latents[] | LatentArrays,
  model: LatentSizes,
  posed: boolean,
): PackedLatents {
  if (isLatentArrays(latents)) return packArrays(latents, model, posed)
  const faces = asList<Latents>(latents, 'latents')
  const { identityCount: k, expressionCount: e } = model
  const count = faces.length
  if (count > LARGEST_BATCH) throw invalidArgument('latents', `at most ${LARGEST_BATCH} faces a call`, faces)
  const identity = new Float32Array(count * k)
  let expression: Float32Array | null = null
  const poses = posed ? new Float32Array(count * 12) : null
  for (let i = 0; i < count; i++) {
    const face = faces[i]
    const name = count === 1 ? 'latents' : `latents[${i}]`
    if (typeof face !== 'object' || face === null) throw invalidArgument(name, 'an object with "identity"', face)
    copyNumbers(face.identity, `${name}.identity`, identity, i * k, k)
    const values = face.expression
    if (values !== undefined) {
      expression ??= new Float32Array(count * e)
      if (isArrayLike(values)) copyNumbers(values, `${name}.expression`, expression, i * e, e)
      else copyNamed(values, `${name}.expression`, expression, i * e, model.expressionNames)
    }
    if (poses) {
      if (!face.pose) throw invalidArgument(`${name}.pose`, 'a pose, since posed vertices are asked for', face.pose)
      copyNumbers(face.pose.rotation, `${name}.pose.rotation`, poses, i * 12, 9)
      copyNumbers(face.pose.translation, `${name}.pose.translation`, poses, i * 12 + 9, 3)
    }
  }
  return { count, identity, expression, poses }
}

function isLatentArrays(latents: unknown): latents is LatentArrays {
  return typeof latents === 'object' && latents !== null && !Array.isArray(latents) && 'count' in latents
}

function packArrays(latents: LatentArrays, model: LatentSizes, posed: boolean): PackedLatents {
  const { count } = latents
  if (!Number.isSafeInteger(count) || count < 0 || count > LARGEST_BATCH)
    throw invalidArgument('latents.count', `the number of faces, at most ${LARGEST_BATCH}`, count)
  const isNumber = (value: number) => Number.isFinite(value)
  const identity = copyArray(latents.identity, 'latents.identity', count, model.identityCount, isNumber)
  const { expression } = latents
  return {
    count,
    identity,
    expression:
      expression === undefined
        ? null
        : copyArray(expression, 'latents.expression', count, model.expressionCount, isNumber),
    poses: posed ? packPoses(latents, count) : null,
  }
}

function packPoses({ rotation, translation }: LatentArrays, count: number): Float32Array {
  const isKnownOrNaN = (value: number) => Math.abs(value) !== Number.POSITIVE_INFINITY
  const rotations = copyArray(rotation, 'latents.rotation', count, 9, isKnownOrNaN)
  const translations = copyArray(translation, 'latents.translation', count, 3, isKnownOrNaN)
  const poses = new Float32Array(count * 12)
  for (let i = 0; i < count; i++) {
    poses.set(rotations.subarray(9 * i, 9 * i + 9), 12 * i)
    poses.set(translations.subarray(3 * i, 3 * i + 3), 12 * i + 9)
  }
  return poses
}

/** [B,width] numbers as they will be stored. */
function copyArray(
  from: Numbers | undefined,
  name: string,
  count: number,
  width: number,
  isAllowed: (value: number) => boolean,
): Float32Array {
  const expected = `a Float32Array or Float64Array of ${count} times ${width} numbers`
  const numbers = numbersFrom(Float32Array, from, name, expected)
  if (numbers.length !== count * width) throw invalidArgument(name, expected, numbers)
  for (let i = 0; i < numbers.length; i++)
    if (!isAllowed(numbers[i] as number)) throw invalidArgument(`${name}[${i}]`, 'a finite number', numbers[i])
  return numbers
}

function isArrayLike(value: object): value is ArrayLike<number> {
  return Array.isArray(value) || ArrayBuffer.isView(value)
}

function copyNumbers(from: ArrayLike<number>, name: string, to: Float32Array, at: number, count: number): void {
  if (typeof from !== 'object' || from === null || from.length !== count)
    throw invalidArgument(name, `${count} numbers`, from)
  for (let i = 0; i < count; i++) {
    const value = from[i]
    // As it will be stored: 1e300 is finite, but not in 32 bits.
    if (typeof value !== 'number' || !Number.isFinite(Math.fround(value)))
      throw invalidArgument(`${name}[${i}]`, 'a finite number', value)
    to[at + i] = value as number
  }
}

function copyNamed(
  from: Readonly<Record<string, number>>,
  name: string,
  to: Float32Array,
  at: number,
  names: readonly string[],
): void {
  if (typeof from !== 'object' || from === null) throw invalidArgument(name, 'numbers, or numbers by name', from)
  for (const [key, value] of Object.entries(from)) {
    const index = names.indexOf(key)
    if (index < 0) throw invalidArgument(name, `names among ${names.slice(0, 3).join(', ')}, ...`, key)
    if (typeof value !== 'number' || !Number.isFinite(Math.fround(value)))
      throw invalidArgument(`${name}.${key}`, 'a finite number', value)
    to[at + index] = value
  }
}

/** Throws unless a call's options are an object. */
export function requireOptions(options: unknown): void {
  if (typeof options !== 'object' || options === null) throw invalidArgument('options', 'an object', options)
}

/** One or many, as a list. */
export function asList<T>(value: T | readonly T[], name: string): readonly T[] {
  if (Array.isArray(value)) return value
  if (typeof value !== 'object' || value === null) throw invalidArgument(name, 'an object or an array of them', value)
  return [value as T]
}
