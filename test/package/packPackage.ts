import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const repository = fileURLToPath(new URL('../..', import.meta.url))
export const typescript = join(repository, 'node_modules', 'typescript', 'bin', 'tsc')

/** Where a release has the addon for this platform. */
export function prebuildPath(root: string): string {
  const libc = process.platform === 'linux' ? '.glibc' : ''
  return join(root, 'prebuilds', `${process.platform}-${process.arch}`, `sphere-face-model${libc}.node`)
}

/**
 * Packs the package as a release does: what package.json lists, with the addon of the current build as prebuilt. All of it in
 * `staging`, so that the working tree may be in use meanwhile.
 *
 * @returns The path of the tarball.
 */
export function packPackage(staging: string): string {
  for (const file of publishedFiles()) {
    if (/^(dist|prebuilds)\//.test(file)) continue
    mkdirSync(dirname(join(staging, file)), { recursive: true })
    cpSync(join(repository, file), join(staging, file))
  }
  execute(
    process.execPath,
    [typescript, '-p', join(repository, 'tsconfig.build.json'), ...intoDist(staging)],
    repository,
  )
  execute(process.execPath, [join(repository, 'scripts', 'build-viewer.mjs'), join(staging, 'dist')], repository)

  const prebuild = prebuildPath(staging)
  const built = join(repository, 'build', 'Release', 'sphere_face_model.node')
  mkdirSync(dirname(prebuild), { recursive: true })
  cpSync(existsSync(built) ? built : prebuildPath(repository), prebuild)

  const packed = execute('npm', ['pack', '--ignore-scripts', '--json'], staging)
  return join(staging, JSON.parse(packed)[0].filename)
}

/** What npm would put into the package from the working tree as it is. */
export function publishedFiles(): string[] {
  const report = execute('npm', ['pack', '--dry-run', '--ignore-scripts', '--json'], repository)
  return JSON.parse(report)[0].files.map((file: { path: string }) => file.path)
}

/** An empty project, as `npm init` makes it. */
export function writeEmptyProject(directory: string): void {
  writeFileSync(join(directory, 'package.json'), JSON.stringify({ name: 'consumer', version: '1.0.0', private: true }))
}

function intoDist(directory: string): string[] {
  return ['--outDir', join(directory, 'dist'), '--tsBuildInfoFile', join(directory, 'dist', '.tsbuildinfo')]
}

function execute(command: string, args: readonly string[], cwd: string): string {
  const shell = process.platform === 'win32' && command === 'npm'
  const result = spawnSync(command, args, { cwd, encoding: 'utf8', shell, maxBuffer: 2 ** 26 })
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${result.stdout}${result.stderr}`)
  return result.stdout
}
