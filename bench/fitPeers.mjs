// The same fits by others: Ceres, and a batched Levenberg-Marquardt method in PyTorch, on one thread each, from the same
// starts and to the same cost; and how many instructions a fit takes, which no other program on the machine changes.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { root } from '../scripts/native.mjs'
import { program, runProgram } from './native.mjs'
import { findPython, oneThread } from './peers/python.mjs'

const FACES = 128

/** bench/ceres, built where CMake finds Ceres; otherwise null. */
function ceresProgram() {
  const tree = join(root, 'build', 'ceres')
  const source = fileURLToPath(new URL('ceres', import.meta.url))
  const quietly = (...args) => spawnSync('cmake', args, { stdio: 'ignore' }).status === 0
  return quietly('-S', source, '-B', tree) && quietly('--build', tree) ? join(tree, 'ceres_fit') : null
}

/**
 * Instructions of a fit, by valgrind, which knows AVX2 at most, and not all that compilers make of it.
 *
 * @returns Null where there is no valgrind.
 */
function instructionsPerFit(path) {
  const faces = 8
  for (const instructionSet of ['avx2', 'portable']) {
    const { status, stderr } = spawnSync(
      'valgrind',
      [
        '--tool=callgrind',
        '--callgrind-out-file=/dev/null',
        '--toggle-collect=*fitKernel*',
        path,
        ...['--count', faces, '--runs', 0].map(String),
      ],
      { encoding: 'utf8', env: { ...process.env, SFM_CPU_KERNELS: instructionSet } },
    )
    const collected = /Collected : (\d+)/.exec(stderr ?? '')
    if (status === 0 && collected) return { instructionSet, instructions: Number(collected[1]) / faces }
  }
  return null
}

/**
 * @returns What fit_bench, ceres_fit and bench/torch/fit.py say, each null where it is absent; null altogether without
 *   the programs of native/bench.
 */
export function benchFitPeers() {
  const fitBench = program('fit_bench')
  if (fitBench === null) return null
  const folder = mkdtempSync(join(tmpdir(), 'sfm-bench-'))
  try {
    const file = join(folder, 'problems.bin')
    const ours = () => runProgram(fitBench, ['--count', FACES, '--runs', 9, '--problems', file])
    const before = ours()
    const ceresPath = ceresProgram()
    const ceres = ceresPath && runProgram(ceresPath, [file, 3], oneThread)
    const python = findPython('torch')
    const script = fileURLToPath(new URL('torch/fit.py', import.meta.url))
    const torch = python && runProgram(python, [script, file, 'cpu'], oneThread)
    // Once more, so that a machine whose other work comes and goes shows.
    const after = ours()
    return {
      faces: FACES,
      ours: before,
      oursAfterwards: after,
      ceres,
      torch,
      instructions: instructionsPerFit(fitBench),
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
