import { SfmError } from '../errors.js'
import { asBytes, readContainer, type Tensor, writeContainer } from '../model/formats/safetensors.js'

/** The state of a stage between two steps. */
export interface Checkpoint {
  /** Small things, as JSON has them: counters, the seed of random numbers, figures. Numbers come back to the same bits. */
  state: Record<string, unknown>
  tensors: ReadonlyMap<string, CheckpointTensor>
}

/** Numbers with a shape. */
export interface CheckpointTensor {
  shape: readonly number[]
  data: Float64Array
}

/** Raised whenever what checkpoints hold changes: an old one then is refused, not misread. */
const VERSION = 'sphere-face-model-checkpoint/1'

/**
 * A checkpoint as a file: safetensors of 64-bit floats, the state as its metadata.
 *
 * @param identity Of the training that may continue from it.
 */
export function encodeCheckpoint({ state, tensors }: Checkpoint, identity: string): Uint8Array {
  const encoded = new Map<string, Tensor>()
  for (const [name, { shape, data }] of tensors) encoded.set(name, { dtype: 'F64', shape, bytes: asBytes(data) })
  return writeContainer({
    tensors: encoded,
    metadata: new Map([
      ['format', VERSION],
      ['identity', identity],
      ['state', JSON.stringify(state)],
    ]),
  })
}

/**
 * The inverse of {@link encodeCheckpoint}.
 *
 * @throws SfmError INVALID_INPUT for the checkpoint of another training, and for what is none.
 */
export function decodeCheckpoint(bytes: Uint8Array, identity: string): Checkpoint {
  const { tensors, metadata } = readContainer(bytes)
  if (metadata.get('format') !== VERSION)
    throw new SfmError('INVALID_INPUT', `checkpoint: expected the format ${VERSION}, received another`)
  if (metadata.get('identity') !== identity)
    throw new SfmError(
      'INVALID_INPUT',
      'checkpoint: expected one of this configuration and corpus, received one of another; train without --resume',
    )
  const decoded = new Map<string, CheckpointTensor>()
  for (const [name, { dtype, shape, bytes: raw }] of tensors) {
    if (dtype !== 'F64') throw new SfmError('INVALID_INPUT', `checkpoint: expected F64 in ${name}, received ${dtype}`)
    decoded.set(name, { shape, data: new Float64Array(raw.slice().buffer) })
  }
  return { state: JSON.parse(metadata.get('state') ?? '{}') as Record<string, unknown>, tensors: decoded }
}
