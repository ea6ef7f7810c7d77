import { randomUUID } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { SfmError } from './errors.js'

/**
 * Writes a file so that whoever looks sees the old content, or all of the new: under a temporary name in the same
 * folder, then renamed. A stop in between leaves at most a hidden `.tmp` file, never half a result.
 *
 * @param options.sync Puts the content on the disk before it is renamed, so that a power failure leaves no empty file
 *   under the final name: for what cannot be made again in a moment.
 * @throws SfmError IO with the system's error as its cause.
 * @example
 * await writeFileAtomically('faces/a1.json', JSON.stringify(result))
 */
export async function writeFileAtomically(
  path: string,
  content: string | Uint8Array,
  { sync = false }: { sync?: boolean } = {},
): Promise<void> {
  // The name is short whatever the file's own, which may be as long as the system permits.
  const temporary = join(dirname(path), `.sfm-${randomUUID()}.tmp`)
  try {
    const file = await open(temporary, 'wx')
    try {
      await file.writeFile(content)
      if (sync) await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined)
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new SfmError('IO', `cannot write ${path}: ${reason}`, { cause })
  }
}
