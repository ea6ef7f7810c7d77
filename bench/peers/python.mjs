// Python with numpy, and PyTorch where it is: a process that decodes when it is told to, and says how long it took.
import { spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** One thread, like everyone else. */
const ONE_THREAD = { OPENBLAS_NUM_THREADS: '1', OMP_NUM_THREADS: '1', MKL_NUM_THREADS: '1', BLIS_NUM_THREADS: '1' }

/** The first Python that has all of these modules, or null: the one that SFM_BENCH_PYTHON names, or the system's. */
export function findPython(...modules) {
  const candidates = process.env.SFM_BENCH_PYTHON
    ? [process.env.SFM_BENCH_PYTHON]
    : ['python3', '/usr/bin/python3', 'python']
  const imports = modules.map((name) => `import ${name}`).join('; ')
  return candidates.find((python) => spawnSync(python, ['-c', imports], { stdio: 'ignore' }).status === 0) ?? null
}

/** The environment of a peer in Python that is to use one thread. */
export const oneThread = { ...process.env, ...ONE_THREAD }

/**
 * Starts bench/peers/decode.py.
 *
 * @param file What it reads.
 * @returns Null where there is no numpy; otherwise which libraries there are, `run(name, batch)`, which resolves to the
 *   milliseconds it took by the clock and of the processor, `check(name, batch)` and `close()`.
 */
export async function pythonDecoder(file) {
  const python = findPython('numpy', 'torch') ?? findPython('numpy')
  if (python === null) return null
  const script = fileURLToPath(new URL('decode.py', import.meta.url))
  const child = spawn(python, [script, file], { env: oneThread, stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const answer = async () => {
    const { value, done } = await lines.next()
    if (done) throw new Error('bench/peers/decode.py ended early')
    return JSON.parse(value)
  }
  const ask = (line) => {
    child.stdin.write(`${line}\n`)
    return answer()
  }
  const { libraries, blas } = await answer()
  return {
    libraries,
    blas,
    run: async (name, batch) => {
      const [milliseconds, cpu] = await ask(`${name} ${batch}`)
      return { milliseconds, cpu }
    },
    check: (name, batch) => ask(`check ${name} ${batch}`),
    close: () => child.stdin.end(),
  }
}
