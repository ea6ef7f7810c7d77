import { type FileHandle, open } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { invalidArgument, SfmError } from '../../errors.js'
import { writeFileAtomically } from '../../writeFileAtomically.js'
import type { ModelData } from '../ModelData.js'
import { readModel, writeModel } from './sphereFaceModel.js'

/**
 * Reads a model from a file, see {@link readModel}.
 *
 * @param path A path or a `file:` URL.
 * @throws SfmError IO when the file cannot be read, with the system's error as its cause; INVALID_MODEL, naming the
 *   file as well, when it is no model; INVALID_ARGUMENT; OUT_OF_MEMORY.
 * @example
 * const data = await readModelFile('models/sphere-face-model.safetensors')
 */
export async function readModelFile(path: string | URL): Promise<ModelData> {
  const name = filePath(path)
  const bytes = await readBytes(name)
  try {
    return readModel(bytes)
  } catch (error) {
    if (error instanceof SfmError) throw new SfmError(error.code, `${name}: ${error.message}`, { cause: error })
    throw error
  }
}

/**
 * Writes a model to a file, see {@link writeModel}. Whoever reads the path meanwhile sees the old file or the new one,
 * never a part: the bytes go to a temporary name in the same folder, which then takes the place of `path`, or is
 * removed upon failure.
 *
 * @param path A path or a `file:` URL.
 * @throws SfmError INVALID_MODEL; IO, with the system's error as its cause; INVALID_ARGUMENT.
 * @example
 * await writeModelFile('face.safetensors', withBasisPrecision(data, 'f16'))
 */
export async function writeModelFile(path: string | URL, data: ModelData): Promise<void> {
  const name = filePath(path)
  await writeFileAtomically(name, writeModel(data), { sync: true })
}

/**
 * The whole of a regular file in one buffer of its size: half the time of `readFile`, which reads in pieces.
 *
 * @throws SfmError IO, OUT_OF_MEMORY.
 */
export async function readBytes(name: string): Promise<Uint8Array> {
  let file: FileHandle | undefined
  try {
    file = await open(name, 'r')
    const stat = await file.stat()
    if (!stat.isFile()) throw new Error('not a regular file')
    const bytes = allocate(stat.size, name)
    let length = 0
    while (length < bytes.length) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length, length)
      if (bytesRead === 0) break
      length += bytesRead
    }
    return bytes.subarray(0, length)
  } catch (cause) {
    throw cause instanceof SfmError ? cause : unreadable(name, cause)
  } finally {
    await file?.close()
  }
}

function allocate(size: number, name: string): Uint8Array {
  try {
    return new Uint8Array(size)
  } catch (cause) {
    throw new SfmError('OUT_OF_MEMORY', `${name}: no memory for its ${size} bytes`, { cause })
  }
}

function filePath(path: string | URL): string {
  if (path instanceof URL && path.protocol === 'file:') return fileURLToPath(path)
  if (typeof path === 'string' && path !== '' && !path.includes('\0')) return path
  throw invalidArgument('path', 'a path or a file: URL', path instanceof URL ? path.href : path)
}

function unreadable(name: string, cause: unknown): SfmError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new SfmError('IO', `cannot read ${name}: ${reason}`, { cause })
}
