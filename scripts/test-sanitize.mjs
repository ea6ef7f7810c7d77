// npm run test:sanitize: the C++ tests and the TypeScript tests under AddressSanitizer and UndefinedBehaviorSanitizer
// (Linux). The sanitized addon stands in a tree of its own, and node-gyp-build is pointed there.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { buildNative, root } from './native.mjs'

const directory = join(root, 'build', 'sanitize')
const tree = join(directory, 'cmake')
await buildNative({
  tree,
  options: {
    SFM_SANITIZE: 'ON',
    SFM_TESTS: 'ON',
    SFM_CUDA: 'OFF',
    SFM_OUTPUT_DIRECTORY: join(directory, 'build', 'Release'),
  },
})

const runtime = (name) => spawnSync('g++', [`-print-file-name=${name}`], { encoding: 'utf8' }).stdout.trim()
const env = {
  ...process.env,
  SPHERE_FACE_MODEL_PREBUILD: directory,
  // Node itself is not sanitized: the runtime must be there before it, and what Node leaks is not ours.
  LD_PRELOAD: `${runtime('libasan.so')} ${runtime('libstdc++.so')}`,
  ASAN_OPTIONS: 'detect_leaks=0',
}
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
const runs = [
  ['ctest', ['--test-dir', tree, '--output-on-failure'], process.env],
  // What runs package managers, compilers and browsers gains nothing here.
  [
    process.execPath,
    [vitest, 'run', '--exclude', 'test/package/**', '--exclude', 'test/browser/**', ...process.argv.slice(2)],
    env,
  ],
]
const results = runs.map(([command, args, env]) => spawnSync(command, args, { cwd: root, stdio: 'inherit', env }))
process.exitCode = results.every((result) => result.status === 0) ? 0 : 1
