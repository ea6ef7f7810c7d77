// Checks the layout of the C++ and CUDA files, or with --write sets it right. The formatter is an npm package, so that
// everyone has the same version of it: their outputs differ.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './native.mjs'

const files = readdirSync(join(root, 'native'), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && /\.(h|cpp|cu|cuh)$/.test(entry.name))
  .map((entry) => join(entry.parentPath, entry.name))

if (files.length > 0) {
  const mode = process.argv.includes('--write') ? ['-i'] : ['--dry-run', '-Werror']
  const formatter = join(root, 'node_modules', '@wasm-fmt', 'clang-format', 'clang-format-cli.cjs')
  process.exitCode =
    spawnSync(process.execPath, [formatter, ...mode, ...files], { cwd: root, stdio: 'inherit' }).status ?? 1
}
