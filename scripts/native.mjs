// The native build, shared by the scripts that start it: through cmake-js, into build/Release.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { missingTools, whatToInstall } from './toolchain.mjs'

const require = createRequire(import.meta.url)

export const root = fileURLToPath(new URL('..', import.meta.url))
export const addonPath = join(root, 'build', 'Release', 'sphere_face_model.node')
export const cmakeTree = join(root, 'build', 'cmake')

/** Options of CMakeLists.txt that the environment may set, with what holds where it is silent. */
const defaults = {
  SFM_CUDA: 'AUTO',
  SFM_CUDA_ARCHITECTURES: 'development',
  SFM_WERROR: 'OFF',
  SFM_SANITIZE: 'OFF',
  SFM_TESTS: 'OFF',
  SFM_BENCH: 'OFF',
}

/** A failure whose message is all that the user needs to see. */
export class BuildError extends Error {}

/**
 * Configures and builds.
 *
 * @param {object} [settings]
 * @param {Record<string, string>} [settings.options] CMake options, over those of the environment
 * @param {string} [settings.tree] CMake's build tree
 * @param {boolean} [settings.quiet] show the tools' output only if they fail
 * @throws {BuildError}
 */
export async function buildNative({ options = {}, tree = cmakeTree, quiet = false } = {}) {
  const missing = missingTools()
  if (missing.length > 0) throw new BuildError(whatToInstall(missing))

  // All of them each time: CMake would otherwise remember those of the build before.
  const cMakeOptions = Object.fromEntries(
    Object.entries(defaults).map(([name, value]) => [name, process.env[name] || value]),
  )
  Object.assign(cMakeOptions, options)

  const { BuildSystem } = require('cmake-js')
  const system = new BuildSystem({
    directory: root,
    out: tree,
    parallel: availableParallelism(),
    cMakeOptions,
    noLog: true,
  })
  run([...(await system.getConfigureCommand()), '-B', tree], { quiet: true })
  run(await system.getBuildCommand(), { quiet })
}

/** Whether build/Release is newer than everything it is made from. */
export function isUpToDate() {
  if (!existsSync(addonPath)) return false
  const built = statSync(addonPath).mtimeMs
  return ['native', 'cmake', 'CMakeLists.txt'].every((path) => newest(join(root, path)) <= built)
}

function newest(path) {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (!stat) return 0
  if (!stat.isDirectory()) return stat.mtimeMs
  // The directory's own time tells of files that were removed.
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))))
}

function run([command, ...args], { quiet }) {
  const result = spawnSync(command, args, { stdio: quiet ? 'pipe' : 'inherit', encoding: 'utf8' })
  if (result.status === 0) return
  const output = quiet ? `\n${result.stdout ?? ''}${result.stderr ?? ''}` : ''
  throw new BuildError(`${command} ${args[0]} failed${result.error ? `: ${result.error.message}` : ''}${output}`)
}
