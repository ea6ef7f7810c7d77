import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'

const windows = process.platform === 'win32'

/** A temporary directory with a PATH of its own, on which there is Node and npm, and no compiler, CMake or make. */
export class Sandbox {
  readonly directory = realpathSync(mkdtempSync(join(tmpdir(), 'sfm-package-')))
  /** As a fresh shell would have it: without what `npm test` tells its own scripts. */
  readonly environment: NodeJS.ProcessEnv

  constructor() {
    const inherited = Object.entries(process.env).filter(
      ([name]) =>
        !/^(npm_(package|lifecycle|command|execpath|config_local_prefix)|sfm_|vitest|node_env|init_cwd)/i.test(name),
    )
    this.environment = { ...Object.fromEntries(inherited), [pathVariable()]: this.#path() }
  }

  /** A new directory in the sandbox. */
  makeDirectory(name: string): string {
    const path = join(this.directory, name)
    mkdirSync(path, { recursive: true })
    return path
  }

  /** Runs a command to its end in `cwd`; `path` replaces PATH. */
  run(cwd: string, command: string, args: readonly string[], path?: string) {
    const env = { ...this.environment, ...(path !== undefined && { [pathVariable()]: path }) }
    // npm and npx are batch files on Windows, which only a shell can start.
    const shell = windows && command !== process.execPath
    const result = spawnSync(command, args, { cwd, env, encoding: 'utf8', shell })
    if (result.error) throw result.error
    return {
      status: result.status,
      stdout: result.stdout,
      stderr: result.stderr,
      output: result.stdout + result.stderr,
    }
  }

  dispose(): void {
    rmSync(this.directory, { recursive: true, force: true })
  }

  #path(): string {
    // Visual Studio's compiler is never on PATH; CMake may be, hence no more than Node's directory and the system's.
    if (windows)
      return [dirname(process.execPath), join(process.env.SystemRoot ?? 'C:\\Windows', 'System32')].join(delimiter)
    const directory = this.makeDirectory('bin')
    symlinkSync(process.execPath, join(directory, 'node'))
    for (const name of ['npm', 'npx', 'sh']) symlinkSync(which(name), join(directory, name))
    return directory
  }
}

function pathVariable(): string {
  return Object.keys(process.env).find((name) => name.toUpperCase() === 'PATH') ?? 'PATH'
}

function which(name: string): string {
  const result = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' })
  return realpathSync(result.stdout.trim())
}
