import { invalidArgument } from '../errors.js'

/** What a face is decoded from. A fit result is one. */
export interface Latents {
  /** [K] on the unit sphere (`sphere` models), or Gaussian. */
  identity: ArrayLike<number>
  /** [E] in the model's order, or coefficients by name; those left out are 0. */
  expression?: ArrayLike<number> | Readonly<Record<string, number>>
  /** Row-major rotation [9] and translation [3] in mm; used when `posed` is asked for. */
  pose?: { rotation: ArrayLike<number>; translation: ArrayLike<number> }
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
export function packLatents(faces: readonly Latents[], model: LatentSizes, posed: boolean): PackedLatents {
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
