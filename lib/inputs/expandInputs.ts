import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import { addAbortSignal, Readable } from 'node:stream'
import { glob } from 'tinyglobby'
import { SfmError } from '../errors.js'

/** A file, or standard input, that is to be read; or why what was named cannot be. */
export type Source = {
  /** As a message names it: the path as given, or `standard input`. */
  name: string
  /** The file's name without its extension: what a record without an id is called after. */
  stem: string
} & (
  | { open: () => AsyncIterable<Uint8Array>; live: boolean; error?: undefined }
  | { error: SfmError; open?: undefined; live?: undefined }
)

/** What {@link expandInputs} and all that reads through it may be told. */
export interface SourceOptions {
  /** Ends every stream when it fires. */
  signal?: AbortSignal | undefined
  /** What `-` reads; the process's standard input by default. */
  stdin?: AsyncIterable<Uint8Array> | undefined
  /** What counts in a directory unless another of its files has the same name: photos give way to their landmarks. */
  photoExtensions?: readonly string[] | undefined
}

const GLOB_CHARACTERS = /[*?[\]{}!()]/

/**
 * Finds the files that inputs on a command line stand for, in the order given.
 *
 * - a path of a file: that file, whatever its name
 * - a directory: the files right in it with one of the extensions, and photos that none of those is named after, in
 *   the order of their names (by code unit); not those in its folders, nor hidden ones
 * - a pattern with `*`, `**`, `?`, `[...]` or `{...}` (in quotes, so that the shell leaves it alone): the files it
 *   matches, in the order of their paths
 * - `-`: standard input
 *
 * A name without a file is an entry with an error, never an exception, so that the others are still read.
 *
 * @param extensions In lower case with their dot: what counts in a directory.
 * @example
 * for await (const source of expandInputs(['faces/', 'more/*.pts', '-'], ['.json', '.pts'])) console.log(source.name)
 */
export async function* expandInputs(
  inputs: readonly string[],
  extensions: readonly string[],
  { signal, stdin, photoExtensions = [] }: SourceOptions = {},
): AsyncGenerator<Source> {
  let stdinTaken = false
  const file = (path: string): Source => ({
    name: path,
    stem: stemOf(path),
    live: false,
    open: () => createReadStream(path, { highWaterMark: 256 * 1024, ...(signal && { signal }) }),
  })
  for (const input of inputs) {
    try {
      if (input === '-') {
        if (stdinTaken) throw new SfmError('INVALID_INPUT', 'standard input can be read only once')
        stdinTaken = true
        yield {
          name: 'standard input',
          stem: 'stdin',
          live: true,
          open: () => withSignal(stdin ?? process.stdin, signal),
        }
        continue
      }
      const entry = await stat(input).catch(asAbsent)
      if (entry === undefined) yield* (await matches(input)).map(file)
      else if (entry.isDirectory()) yield* (await filesOf(input, extensions, photoExtensions)).map(file)
      else yield file(input)
    } catch (error) {
      yield { name: input, stem: stemOf(input), error: asSfmError(error) }
    }
  }
}

/** Nobody but the signal ends a stream that waits for a person to type. */
function withSignal(bytes: AsyncIterable<Uint8Array>, signal?: AbortSignal): AsyncIterable<Uint8Array> {
  return signal !== undefined && bytes instanceof Readable ? addAbortSignal(signal, bytes) : bytes
}

async function matches(pattern: string): Promise<string[]> {
  if (!GLOB_CHARACTERS.test(pattern)) throw new SfmError('IO', 'no such file or directory')
  // A pattern is written with forward slashes on every system.
  const posix = process.platform === 'win32' ? pattern.replaceAll('\\', '/') : pattern
  const paths = await glob(posix, { onlyFiles: true, expandDirectories: false })
  if (paths.length === 0) throw new SfmError('IO', 'no file matches this pattern')
  return paths.sort(byCodeUnit)
}

async function filesOf(
  directory: string,
  extensions: readonly string[],
  photoExtensions: readonly string[],
): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true })
  const names = entries
    .filter((entry) => !entry.isDirectory() && !entry.name.startsWith('.'))
    .map((entry) => entry.name)
  const having = (wanted: readonly string[]) => names.filter((name) => wanted.includes(extname(name).toLowerCase()))
  const files = having(extensions)
  const stems = new Set(files.map(stemOf))
  const photos = having(photoExtensions).filter((name) => !stems.has(stemOf(name)))
  if (files.length + photos.length === 0)
    throw new SfmError('IO', `no ${[...extensions, ...photoExtensions].join(', ')} file in this directory`)
  return [...files, ...photos].sort(byCodeUnit).map((name) => join(directory, name))
}

/** The same on every machine, which no locale's order is. */
function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function stemOf(path: string): string {
  return basename(path, extname(path))
}

function asAbsent(error: unknown): undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  // A pattern need not be a name that the system could have: too long, or with characters it refuses.
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG' || code === 'EINVAL') return undefined
  throw error
}

/** Any error, as one of this package's: what the system says about files keeps its words. */
export function asSfmError(error: unknown): SfmError {
  if (error instanceof SfmError) return error
  return new SfmError('IO', error instanceof Error ? error.message : String(error), { cause: error })
}
