import type { ModelMetadata } from './ModelData.js'

/** Which model something was made with, as the model's file says. */
export interface ModelReference {
  readonly name: string
  readonly version: string
}

/** The reference that everything made with a model shares; undefined for a model without a name. */
export function referenceOf({ name, version }: ModelMetadata): ModelReference | undefined {
  return name === '' ? undefined : Object.freeze({ name, version })
}

/** Whether something that a caller gives, or a file, is a reference. */
export function isReference(value: unknown): value is ModelReference {
  const { name, version } = (value ?? {}) as Partial<Record<keyof ModelReference, unknown>>
  return typeof name === 'string' && typeof version === 'string'
}

/** In messages about what should be one. */
export const REFERENCE_FORM = 'an object with the strings "name" and "version"'

/** Whether two things may be of one model: unless both say whose they are, and differ. Older results do not say. */
export function mayBeOfOneModel(a: ModelReference | undefined, b: ModelReference | undefined): boolean {
  if (a === b || a === undefined || b === undefined) return true
  return a.name === b.name && a.version === b.version
}

/** What messages call the model. */
export function modelLabel({ name, version }: ModelReference): string {
  return JSON.stringify(`${name} ${version}`.trim())
}
