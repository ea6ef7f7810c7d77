import { join } from 'node:path'
import { SfmError } from '../errors.js'
import { firstNonFinite } from '../model/finite.js'
import { readBytes } from '../model/formats/modelFile.js'
import { asBytes, readContainer, type Tensor, writeContainer } from '../model/formats/safetensors.js'
import { tensorLabel } from '../model/invalidModel.js'
import { invalidCorpus } from './invalidCorpus.js'
import type { ShardEntry } from './Manifest.js'

/** A tensor of a shard with one row for each scan or person. */
export interface Column {
  readonly name: string
  /** Sizes of a row; a size that is left open is settled by the file. */
  readonly row: readonly (number | 'any')[]
  readonly required: boolean
}

/** A shard in memory: a row of each array belongs to the subject of the same place. */
export interface Rows {
  subjects: string[]
  /** By column; those that the file lacks are absent. */
  arrays: Map<string, Float32Array>
}

const SUBJECT = 'subject'

/**
 * Reads a shard and checks all of it: sizes, subjects, every number.
 *
 * @param folder The corpus'.
 * @throws SfmError INVALID_INPUT, naming file and tensor; IO; OUT_OF_MEMORY.
 */
export async function readShard(folder: string, entry: ShardEntry, columns: readonly Column[]): Promise<Rows> {
  const bytes = await readBytes(join(folder, entry.file))
  try {
    return checkedRows(bytes, entry, columns)
  } catch (error) {
    if (!(error instanceof SfmError)) throw error
    throw new SfmError('INVALID_INPUT', `${entry.file}: ${error.message}`, { cause: error })
  }
}

/**
 * The bytes of a shard.
 *
 * @param index [n] whose each row is, by the place among the subjects of the shard's entry in the manifest.
 * @param columns Arrays of n rows by name, with the sizes of a row.
 */
export function encodeShard(index: Int32Array, columns: ReadonlyMap<string, { row: number[]; array: Float32Array }>) {
  const tensors = new Map<string, Tensor>([
    [SUBJECT, { dtype: 'I32', shape: [index.length], bytes: asBytes(index) }],
    ...[...columns].map(([name, { row, array }]): [string, Tensor] => [
      name,
      { dtype: 'F32', shape: [index.length, ...row], bytes: asBytes(array) },
    ]),
  ])
  return writeContainer({ tensors, metadata: new Map() })
}

/**
 * The rows whose subject is wanted; the shard itself where all are.
 *
 * @returns Copies of the rows, unless nothing is left out.
 */
export function selectRows(rows: Rows, wanted: (subject: string) => boolean): Rows {
  const { subjects, arrays } = rows
  const kept = subjects.flatMap((subject, i) => (wanted(subject) ? i : []))
  if (kept.length === subjects.length) return rows
  return {
    subjects: kept.map((i) => subjects[i]!),
    arrays: new Map(
      [...arrays].map(([name, array]) => {
        const width = array.length / subjects.length
        const some = new Float32Array(kept.length * width)
        for (const [to, from] of kept.entries()) some.set(array.subarray(from * width, (from + 1) * width), to * width)
        return [name, some]
      }),
    ),
  }
}

function checkedRows(bytes: Uint8Array, entry: ShardEntry, columns: readonly Column[]): Rows {
  const { tensors } = readContainer(bytes)
  const index = tensors.get(SUBJECT)
  if (index === undefined) throw invalidCorpus(tensorLabel(SUBJECT), `I32 [${entry.count}]`, 'no such tensor')
  requireForm(SUBJECT, index, 'I32', [entry.count])
  const subjects = Array.from(view(index, Int32Array), (place, i) => {
    const subject = entry.subjects[place]
    if (subject !== undefined) return subject
    const expected = `indices from 0 to ${entry.subjects.length - 1}`
    throw invalidCorpus(tensorLabel(SUBJECT), expected, `${place} at index ${i}`)
  })
  if (new Set(subjects).size < entry.subjects.length)
    throw invalidCorpus(tensorLabel(SUBJECT), `rows of ${entry.subjects.length} people`, 'fewer')

  const arrays = new Map<string, Float32Array>()
  for (const { name, row, required } of columns) {
    const tensor = tensors.get(name)
    const shape = [entry.count, ...row]
    if (tensor !== undefined) {
      requireForm(name, tensor, 'F32', shape)
      const array = view(tensor, Float32Array)
      const at = firstNonFinite(array)
      if (at >= 0) throw invalidCorpus(tensorLabel(name), 'finite values', `NaN or an infinity at index ${at}`)
      arrays.set(name, array)
    } else if (required) throw invalidCorpus(tensorLabel(name), `F32 [${shape.join(', ')}]`, 'no such tensor')
  }
  return { subjects, arrays }
}

function requireForm(
  name: string,
  { dtype, shape }: Tensor,
  expected: string,
  sizes: readonly (number | 'any')[],
): void {
  const fits = shape.length === sizes.length && sizes.every((size, i) => size === 'any' || size === shape[i])
  if (dtype === expected && fits) return
  const received = shape.length > 8 ? `${shape.length} dimensions` : `[${shape.join(', ')}]`
  throw invalidCorpus(tensorLabel(name), `${expected} [${sizes.join(', ')}]`, `${dtype} ${received}`)
}

/** The tensor's elements, of 4 bytes each; a copy only where they are not aligned, as in files of other writers. */
function view<T>({ bytes }: Tensor, type: new (buffer: ArrayBuffer, offset: number, length: number) => T): T {
  const own = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice()
  return new type(own.buffer as ArrayBuffer, own.byteOffset, own.byteLength / 4)
}
