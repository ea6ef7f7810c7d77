import { rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { SfmError } from '../errors.js'

let counter = 0

/**
 * Writes a file so that whoever looks sees the old content, or all of the new: under a temporary name in the same folder,
 * then renamed. A stop in between leaves at most a hidden `.tmp` file, never half a result.
 *
 * @throws SfmError IO with the system's error as its cause.
 * @example
 * await writeFileAtomically('faces/a1.json', JSON.stringify(result))
 */
export async function writeFileAtomically(path: string, content: string | Uint8Array): Promise<void> {
  // The name is short whatever the file's own, which may be as long as the system permits.
  const temporary = join(dirname(path), `.sfm-${process.pid}-${counter++}.tmp`)
  try {
    await writeFile(temporary, content)
    await rename(temporary, path)
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined)
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new SfmError('IO', `${basename(path)} could not be written: ${reason}`, { cause })
  }
}
