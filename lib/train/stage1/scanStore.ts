import { Matrix } from '../../linear/index.js'
import type { ModelData } from '../../model/ModelData.js'
import type { Checkpoint, CheckpointTensor } from '../Checkpoint.js'
import type { ScanCoordinates } from './ScanCoordinates.js'
import { Span } from './Span.js'

/** All that training needs of the scans: passes over them are over once it is there. */
export interface ScanStore {
  span: Span
  train: ScanCoordinates
  validation?: ScanCoordinates
}

/** As a checkpoint. */
export function storeToCheckpoint({ span, train, validation }: ScanStore): Checkpoint {
  const tensors = new Map<string, CheckpointTensor>()
  tensors.set('span.basis', tensorOf(span.basis))
  if (span.signs) tensors.set('span.signs', { shape: [span.rank], data: Float64Array.from(span.signs) })
  const people: Record<string, unknown> = {}
  for (const [name, scans] of Object.entries({ train, validation })) {
    if (scans === undefined) continue
    tensors.set(`${name}.coordinates`, tensorOf(scans.coordinates))
    people[name] = { people: scans.people, person: Array.from(scans.person), captured: scans.captured }
  }
  return { state: { people }, tensors }
}

/** The inverse of {@link storeToCheckpoint}. */
export function storeFromCheckpoint({ state, tensors }: Checkpoint, template: ModelData): ScanStore {
  const signs = tensors.get('span.signs')
  const span = new Span(matrixOf(tensors.get('span.basis')!), template, signs && Int8Array.from(signs.data))
  const people = state.people as Record<string, { people: string[]; person: number[]; captured: number }>
  const scans = (name: string): ScanCoordinates | undefined => {
    const known = people[name]
    if (known === undefined) return undefined
    const counts = new Int32Array(known.people.length)
    for (const p of known.person) counts[p]!++
    return {
      coordinates: matrixOf(tensors.get(`${name}.coordinates`)!),
      person: Int32Array.from(known.person),
      people: known.people,
      counts,
      captured: known.captured,
    }
  }
  const validation = scans('validation')
  return { span, train: scans('train')!, ...(validation && { validation }) }
}

/** A matrix as a checkpoint has it. */
export function tensorOf({ rows, columns, data }: Matrix): CheckpointTensor {
  return { shape: [rows, columns], data }
}

/** A matrix from a checkpoint. */
export function matrixOf({ shape, data }: CheckpointTensor): Matrix {
  return new Matrix(shape[0]!, shape[1]!, data)
}
