// The benchmarks in C++ (native/bench), built beside the addon.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { BuildError, buildNative, cmakeTree } from '../scripts/native.mjs'

/** Builds the programs; false where there is no toolchain for that. */
export async function buildPrograms() {
  try {
    await buildNative({ options: { SFM_BENCH: 'ON' }, quiet: true })
    return true
  } catch (error) {
    if (!(error instanceof BuildError)) throw error
    console.error(`The programs of native/bench could not be built: ${error.message}`)
    return false
  }
}

/** The path of one of the programs, or null where it has not been built. */
export function program(name) {
  const path = join(cmakeTree, process.platform === 'win32' ? `${name}.exe` : name)
  return existsSync(path) ? path : null
}

/** Runs one of them and reads the JSON that it prints. */
export function runProgram(path, args, env = process.env) {
  return JSON.parse(execFileSync(path, args.map(String), { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'pipe'] }))
}
