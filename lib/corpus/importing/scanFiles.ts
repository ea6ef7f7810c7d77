import { readdir } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { SfmError } from '../../errors.js'
import { asSfmError } from '../../inputs/expandInputs.js'
import { MESH_EXTENSIONS } from '../../inputs/readMesh.js'
import { byCodeUnit } from '../People.js'

/** A mesh file, and whose scan it is. */
export interface ScanFile {
  path: string
  /** Within the folder, with forward slashes. */
  name: string
  /** Undefined where the name does not say. */
  subject: string | undefined
}

/**
 * The meshes of a folder and those in it, in the order of their names. Hidden files and folders are passed over.
 *
 * @param pattern What of a name (within the folder, with forward slashes) is the person: its group `subject`, or its
 *   first group. Without it, the name of the sub-folder that the file is in, directly or further down.
 * @throws SfmError IO; INVALID_INPUT for a folder without any.
 * @example
 * await scanFiles('scans', /^(?<subject>[^_]+)_/)
 */
export async function scanFiles(folder: string, pattern: RegExp | undefined): Promise<ScanFile[]> {
  const names = await meshesIn(folder, '').catch((error) => Promise.reject(asSfmError(error)))
  if (names.length === 0)
    throw new SfmError('INVALID_INPUT', `${folder}: expected ${MESH_EXTENSIONS.join(' or ')} files, received none`)
  return names.sort(byCodeUnit).map((name) => ({ path: join(folder, name), name, subject: subjectOf(name, pattern) }))
}

async function meshesIn(folder: string, within: string): Promise<string[]> {
  const names: string[] = []
  for (const entry of await readdir(join(folder, within), { withFileTypes: true })) {
    const name = within === '' ? entry.name : `${within}/${entry.name}`
    if (entry.name.startsWith('.')) continue
    if (entry.isDirectory()) names.push(...(await meshesIn(folder, name)))
    else if (MESH_EXTENSIONS.some((extension) => extname(name).toLowerCase() === extension)) names.push(name)
  }
  return names
}

function subjectOf(name: string, pattern: RegExp | undefined): string | undefined {
  if (pattern === undefined) return name.includes('/') ? name.slice(0, name.indexOf('/')) : undefined
  const match = pattern.exec(name)
  return match?.groups?.subject || match?.[1] || undefined
}
