// Installs what the benchmarks compare with, once and on demand: onnxruntime-node is a hundred megabytes that nothing
// else here needs. Without its install scripts, which would download CUDA libraries that the comparison does not use.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './native.mjs'

const bench = join(root, 'bench')
if (!existsSync(join(bench, 'node_modules', 'onnxruntime-node'))) {
  console.log('Installing the peers that the benchmarks compare with (bench/package.json)')
  const result = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', bench], {
    cwd: bench,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
  if (result.status !== 0) console.error('The peers could not be installed: the benchmarks will run without them.')
}
