import { InvalidArgumentError } from 'commander'
import { FACE_FORMATS, type FaceFormat } from '../outputs/faceFormats.js'
import { UsageError } from './UsageError.js'

/** What a result can be written as: the result itself, and its face. */
export const RESULT_FORMATS = ['json', ...FACE_FORMATS] as const

/** One of {@link RESULT_FORMATS}. */
export type ResultFormat = (typeof RESULT_FORMATS)[number]

/** Where to compute. */
export type Device = 'auto' | 'cpu' | 'cuda' | `cuda:${number}`

// Each parser below reads an option's text, and throws InvalidArgumentError, which commander puts behind the option's
// name.

/** A whole number from 1. */
export function positiveInteger(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 1) {
    throw new InvalidArgumentError('Expected a whole number from 1.')
  }
  return value
}

/** A whole number from 0 that 32 bits hold. */
export function seed(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isInteger(value) || value < 0 || value > 0xffff_ffff) {
    throw new InvalidArgumentError('Expected a whole number in 0..4294967295.')
  }
  return value
}

/** A finite number above 0. */
export function positiveNumber(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value > 0 && value < Infinity))
    throw new InvalidArgumentError('Expected a number above 0.')
  return value
}

/** `auto`, `cpu`, `cuda`, or `cuda:1` for the second card. */
export function device(text: string): Device {
  if (!/^(auto|cpu|cuda(:\d+)?)$/.test(text)) throw new InvalidArgumentError('Expected auto, cpu, cuda or cuda:N.')
  return text as Device
}

/** A list such as `json,glb`, each format once. */
export function resultFormats(text: string): ResultFormat[] {
  return formats(text, RESULT_FORMATS)
}

/** A list such as `glb,png`, each format once. */
export function faceFormats(text: string): FaceFormat[] {
  return formats(text, FACE_FORMATS)
}

function formats<F extends string>(text: string, known: readonly F[]): F[] {
  const names = text.split(',').map((name) => name.trim())
  for (const name of names) {
    if (!known.includes(name as F)) throw new InvalidArgumentError(`Expected a list of ${known.join(', ')}.`)
  }
  return [...new Set(names as F[])]
}

/** Faces are files, and need a place. */
export function requireFolder(out: string | undefined, formats: readonly ResultFormat[]): void {
  const faces = formats.filter((format) => format !== 'json')
  if (out === undefined && faces.length > 0) throw new UsageError(`--format ${faces.join(',')} needs --out DIR`)
}
