/** Names that Windows keeps for devices, whatever the extension. */
const RESERVED = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])$/i

/** Room for a suffix and an extension within the 255 bytes that file systems allow. */
const MAX_BYTES = 200

/**
 * A file name, without extension, for an id: one that every system takes and that never leaves its folder.
 *
 * Letters and digits of any script, `-`, `_`, `.` and single spaces are kept; everything else becomes `_`. Dots and
 * spaces at either end go, device names of Windows (`con`, `nul`, ...) get a `_`, `.arkit` at the end becomes `_arkit`,
 * the length ends at 200 bytes.
 *
 * @returns Never empty: `face` where nothing is left.
 * @example
 * safeFileName('../../etc/passwd') // '_.._etc_passwd'
 */
export function safeFileName(id: string): string {
  // One form of each letter: two ids that look the same would otherwise be two files here, and one on a Mac.
  let name = id.normalize('NFC').replace(/[^\p{L}\p{M}\p{N}._ -]/gu, '_')
  name = trim(truncate(trim(name)))
  if (name === '') return 'face'
  // `a.arkit` would have the JSON that is the ARKit weights of `a`.
  name = name.replace(/\.(arkit)$/i, '_$1')
  const stem = name.split('.')[0] ?? ''
  return RESERVED.test(stem.trimEnd()) ? `_${name}` : name
}

/**
 * Gives each id a file name of its own: where two ids come to the same name, the second gets `-2`, and so on. Names
 * that differ in case alone count as the same, as they are on some systems.
 *
 * @example
 * const names = new FileNames()
 * names.take('a/b') // 'a_b'
 * names.take('a:b') // 'a_b-2'
 */
export class FileNames {
  readonly #taken = new Set<string>()
  /** The last suffix given for each name, so that a thousand faces of one name are not a million look-ups. */
  readonly #last = new Map<string, number>()

  /** The name for an id, without extension; from now on it is taken. */
  take(id: string): string {
    const base = safeFileName(id)
    const key = base.toLowerCase()
    let suffix = this.#last.get(key) ?? 1
    let name = base
    while (this.#taken.has(name.toLowerCase())) name = `${base}-${++suffix}`
    if (suffix > 1) this.#last.set(key, suffix)
    this.#taken.add(name.toLowerCase())
    return name
  }
}

function trim(name: string): string {
  return name.replace(/^[. ]+|[. ]+$/g, '').replace(/ {2,}/g, ' ')
}

function truncate(name: string): string {
  if (Buffer.byteLength(name) <= MAX_BYTES) return name
  let bytes = 0
  let result = ''
  for (const character of name) {
    bytes += Buffer.byteLength(character)
    if (bytes > MAX_BYTES) break
    result += character
  }
  return result
}
