import { invalidArgument } from '../../errors.js'

/**
 * Takes checked values out of an object of options that may come from a file: every error names the option by its whole
 * path, and an option that nobody asked for is one, too, since a misspelt name would otherwise be a silent default.
 */
export class OptionReader {
  readonly #path: string
  readonly #values: Readonly<Record<string, unknown>>
  readonly #taken = new Set<string>()

  constructor(values: unknown, path = '') {
    if (typeof values !== 'object' || values === null || Array.isArray(values))
      throw invalidArgument(path || 'options', 'an object', values)
    this.#values = values as Record<string, unknown>
    this.#path = path
  }

  /** How an error names an option. */
  name(key: string): string {
    return this.#path === '' ? key : `${this.#path}.${key}`
  }

  /** A finite number from `least` to `most`. */
  number(key: string, fallback: number, least = 0, most = Number.MAX_VALUE): number {
    const value = this.value(key) ?? fallback
    if (typeof value === 'number' && value >= least && value <= most) return value
    const range = most === Number.MAX_VALUE ? `of ${least} or more` : `from ${least} to ${most}`
    throw invalidArgument(this.name(key), `a number ${range}`, value)
  }

  /** A whole number from `least` to `most`. */
  integer(key: string, fallback: number, least = 0, most = Number.MAX_SAFE_INTEGER): number {
    const value = this.value(key) ?? fallback
    if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return value as number
    const range = most === Number.MAX_SAFE_INTEGER ? `of ${least} or more` : `from ${least} to ${most}`
    throw invalidArgument(this.name(key), `a whole number ${range}`, value)
  }

  /** Two numbers above 0, the first not above the second. */
  range(key: string, fallback: readonly [number, number]): readonly [number, number] {
    const value = this.value(key) ?? fallback
    if (Array.isArray(value) && value.length === 2) {
      const [lower, upper] = value as unknown[]
      if (typeof lower === 'number' && typeof upper === 'number' && lower > 0 && lower <= upper && upper < Infinity)
        return [lower, upper]
    }
    throw invalidArgument(this.name(key), '[lower, upper], numbers above 0', value)
  }

  boolean(key: string, fallback: boolean): boolean {
    const value = this.value(key) ?? fallback
    if (typeof value !== 'boolean') throw invalidArgument(this.name(key), 'true or false', value)
    return value
  }

  string(key: string, fallback: string): string {
    const value = this.value(key) ?? fallback
    if (typeof value !== 'string') throw invalidArgument(this.name(key), 'a string', value)
    return value
  }

  /** A list of different strings, not empty. */
  strings(key: string, fallback: readonly string[]): string[] {
    const value = this.value(key) ?? fallback
    const fits =
      Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === 'string' && each !== '')
    if (!fits || new Set(value).size < value.length)
      throw invalidArgument(this.name(key), 'a list of different names', value)
    return [...value]
  }

  /** One of some words. */
  choice<const T extends string>(key: string, words: readonly T[], fallback: T): T {
    const value = this.value(key) ?? fallback
    const word = words.find((each) => each === value)
    if (word === undefined) throw invalidArgument(this.name(key), words.map((each) => `"${each}"`).join(' or '), value)
    return word
  }

  /** Options within an option; none where it is absent. */
  group(key: string): OptionReader {
    return new OptionReader(this.value(key) ?? {}, this.name(key))
  }

  /** As it came; null counts as absent, as files have no other way to say so. */
  value(key: string): unknown {
    this.#taken.add(key)
    return this.#values[key] ?? undefined
  }

  /** To be called when all is taken. */
  finish(): void {
    const unknown = Object.keys(this.#values).find((key) => !this.#taken.has(key))
    if (unknown === undefined) return
    throw invalidArgument(this.#path || 'options', `${[...this.#taken].join(', ')}`, unknown)
  }
}
