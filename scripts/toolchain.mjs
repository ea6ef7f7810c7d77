// What a build from source needs, and how to say what is missing: once, completely, in the words of the user's
// platform.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/** As cmake_minimum_required in CMakeLists.txt. */
const OLDEST_CMAKE = [3, 20]

const INSTALL_TOOLS = {
  'Debian, Ubuntu': 'sudo apt-get install cmake g++ make',
  'Fedora, RHEL': 'sudo dnf install cmake gcc-c++ make',
  Alpine: 'sudo apk add cmake g++ make',
  macOS: 'xcode-select --install; brew install cmake',
  Windows:
    'winget install Kitware.CMake Microsoft.VisualStudio.2022.BuildTools (with the workload "Desktop development with C++")',
}

const PACKAGE = 'the npm package '

/** Names what is missing for a build from source; empty when nothing is. */
export function missingTools() {
  const missing = []
  const cmake = versionOf('cmake')
  if (!cmake) missing.push('cmake')
  else if (!atLeast(cmake, OLDEST_CMAKE))
    missing.push(`cmake ${OLDEST_CMAKE.join('.')} or newer (found ${cmake.join('.')})`)

  // Visual Studio keeps its compiler out of PATH: CMake finds it, or says that it is not there.
  if (process.platform !== 'win32') {
    if (!hasCompiler()) missing.push('a C++20 compiler')
    if (!['ninja', 'make', 'gmake'].some(runs)) missing.push('make or ninja')
  }
  for (const name of ['cmake-js', 'node-addon-api']) {
    if (!isInstalled(name)) missing.push(PACKAGE + name)
  }
  return missing
}

/** The one message for what {@link missingTools} found. */
export function whatToInstall(missing) {
  const packages = missing.filter((name) => name.startsWith(PACKAGE)).map((name) => name.slice(PACKAGE.length))
  const lines = [`sphere-face-model cannot be built from source, because this is missing: ${missing.join(', ')}.`]
  lines.push('Install it, then install sphere-face-model again:')
  if (packages.length < missing.length) {
    const here = platformName()
    for (const [platform, command] of Object.entries(INSTALL_TOOLS)) {
      if (here === undefined || platform === here) lines.push(`  ${`${platform}:`.padEnd(17)}${command}`)
    }
  }
  if (packages.length > 0) lines.push(`  npm install ${packages.join(' ')}`)
  return lines.join('\n')
}

function hasCompiler() {
  // On a Mac without the command line tools, c++ exists but only offers to install them.
  if (process.platform === 'darwin' && spawnSync('xcode-select', ['-p']).status !== 0) return false
  return [process.env.CXX, 'c++', 'g++', 'clang++'].filter(Boolean).some(runs)
}

function runs(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0
}

function versionOf(command) {
  const output = spawnSync(command, ['--version'], { encoding: 'utf8' }).stdout
  return /(\d+)\.(\d+)\.(\d+)/
    .exec(output ?? '')
    ?.slice(1)
    .map(Number)
}

function atLeast(version, oldest) {
  const differing = oldest.findIndex((part, i) => version[i] !== part)
  return differing < 0 || version[differing] > oldest[differing]
}

function isInstalled(name) {
  try {
    require.resolve(name)
    return true
  } catch {
    return false
  }
}

/** This platform's row in the table of hints, or undefined where it has none. */
function platformName() {
  if (process.platform === 'darwin') return 'macOS'
  if (process.platform === 'win32') return 'Windows'
  try {
    const release = readFileSync('/etc/os-release', 'utf8')
    const ids = [...release.matchAll(/^ID(?:_LIKE)?="?([^"\n]*)/gm)].flatMap(([, value]) => value.split(' '))
    if (ids.some((id) => ['debian', 'ubuntu'].includes(id))) return 'Debian, Ubuntu'
    if (ids.some((id) => ['fedora', 'rhel'].includes(id))) return 'Fedora, RHEL'
    if (ids.includes('alpine')) return 'Alpine'
  } catch {
    // Not a Linux that says what it is.
  }
  return undefined
}
