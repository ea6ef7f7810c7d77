// Packages that only a part of the work here needs, each set in a folder with a package.json and a lock of its own:
// they are installed when first asked for, so that `npm ci` stays small.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './native.mjs'

/**
 * Installs what a folder's lock says, once, without install scripts, which would download what is not needed.
 *
 * @param {string} name Of the folder in the repository.
 * @param {string} sign A package that is there once the installation is complete.
 * @returns {boolean} Whether the packages are there.
 */
export function installOnDemand(name, sign) {
  const folder = join(root, name)
  if (existsSync(join(folder, 'node_modules', sign))) return true
  console.log(`Installing the packages of ${name}/package.json`)
  const { status } = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', folder], {
    cwd: folder,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
  return status === 0
}
