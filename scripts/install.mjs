// npm's install step: uses the prebuilt addon for this platform if it loads here, and builds from source otherwise.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { addonPath, BuildError, buildNative, isUpToDate, root } from './native.mjs'

/** The addon that would be loaded, or undefined. */
function resolveAddon() {
  try {
    return createRequire(import.meta.url)('node-gyp-build').resolve(root)
  } catch {
    return undefined
  }
}

/** Loads in another process, so that a binary for another machine can do no more than fail there. */
function loads(path) {
  return spawnSync(process.execPath, ['-e', 'require(process.argv[1])', path], { stdio: 'ignore' }).status === 0
}

/** A user's build serves any card; that of a repository, which carries its tests, is a developer's. */
function architectures() {
  const developer = existsSync(join(root, 'native', 'test'))
  return developer || process.env.SFM_CUDA_ARCHITECTURES ? {} : { SFM_CUDA_ARCHITECTURES: 'release' }
}

async function install() {
  const found = resolveAddon()
  const fromSource = process.env.npm_config_build_from_source === 'true'
  const current = found === addonPath ? isUpToDate() : !fromSource
  if (found && current && loads(found)) return

  console.log('sphere-face-model: building the native addon from source')
  await buildNative({ quiet: true, options: architectures() })
  if (!loads(addonPath))
    throw new BuildError(`${addonPath} was built, but does not load: node -e "require('${addonPath}')"`)
}

try {
  await install()
} catch (error) {
  if (!(error instanceof BuildError)) throw error
  console.error(error.message)
  process.exitCode = 1
}
