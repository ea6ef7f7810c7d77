const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

/**
 * The first key that occurs twice in one object of a JSON text, or undefined. JSON.parse keeps the last one silently,
 * while another reader may keep the first: two readers would then see two different files.
 *
 * @param json Text that JSON.parse accepts; of any other text the answer means nothing.
 * @example
 * duplicateKey('{"a": 1, "b": {"a": 2}}')   // undefined
 * duplicateKey('{"a": 1, "\\u0061": 2}')    // 'a'
 */
export function duplicateKey(json: string): string | undefined {
  const keysOfOpenObjects: Set<string>[] = []
  for (let i = 0; i < json.length; i++) {
    const code = json.charCodeAt(i)
    if (code === OPEN_BRACE) keysOfOpenObjects.push(new Set())
    else if (code === CLOSE_BRACE) keysOfOpenObjects.pop()
    else if (code === QUOTE) {
      const end = endOfString(json, i)
      if (json.charCodeAt(skipSpace(json, end)) === COLON) {
        const key = unquote(json.slice(i, end))
        const keys = keysOfOpenObjects.at(-1)
        if (keys?.has(key)) return key
        keys?.add(key)
      }
      i = end - 1
    }
  }
  return undefined
}

/** What a JSON string says; few keys have escapes, and JSON.parse is slow at one string at a time. */
function unquote(string: string): string {
  return string.includes('\\') ? JSON.parse(string) : string.slice(1, -1)
}

/** The index after the closing quote of the string that opens at `start`. */
function endOfString(json: string, start: number): number {
  for (let i = start + 1; i < json.length; i++) {
    const code = json.charCodeAt(i)
    if (code === BACKSLASH) i++
    else if (code === QUOTE) return i + 1
  }
  return json.length
}

function skipSpace(json: string, start: number): number {
  let i = start
  while (i < json.length && json.charCodeAt(i) <= 0x20) i++
  return i
}
