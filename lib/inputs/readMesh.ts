import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { extname } from 'node:path'
import { SfmError } from '../errors.js'
import { readBytes } from '../model/formats/modelFile.js'
import { readObj } from './readObj.js'
import { readPly } from './readPly.js'
import { within } from './readRecords.js'
import { SNIFF_BYTES, sniff } from './sniff.js'
import { unexpected } from './unexpected.js'

/** Extensions of the meshes that can be read, in lower case. */
export const MESH_EXTENSIONS = ['.obj', '.ply'] as const

/** A PLY file is held whole. */
const MAX_PLY_BYTES = 1024 * 1024 * 1024

/**
 * Reads the vertices of a mesh file, OBJ or PLY, told apart by their content.
 *
 * @returns [N,3] in the file's units and order.
 * @throws SfmError INVALID_INPUT or IO, naming the file.
 * @example
 * const vertices = await readMesh('scans/alice/neutral.ply')
 */
export async function readMesh(path: string): Promise<Float64Array> {
  try {
    const { size } = await stat(path)
    const kind = sniff(await headOf(path), path)
    const isNamedPly = extname(path).toLowerCase() === '.ply' && kind.family === 'unknown'
    if (kind.label === 'a PLY mesh' || isNamedPly) {
      if (size > MAX_PLY_BYTES) throw unexpected('', 'a PLY file of at most 1 GiB', size)
      return readPly(await readBytes(path))
    }
    if (kind.label === 'an OBJ mesh') return await readObj(createReadStream(path, { highWaterMark: 1024 * 1024 }))
    throw new SfmError('INVALID_INPUT', `expected an OBJ or PLY mesh, received ${kind.label}`)
  } catch (error) {
    if (error instanceof SfmError) throw error.message.includes(path) ? error : within(path, error)
    throw new SfmError('IO', `cannot read ${path}: ${(error as Error).message}`, { cause: error })
  }
}

async function headOf(path: string): Promise<Uint8Array> {
  const file = await open(path, 'r')
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(SNIFF_BYTES), 0, SNIFF_BYTES, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
