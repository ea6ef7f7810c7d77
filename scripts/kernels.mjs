// Compiles the CUDA kernels, warnings as errors, and compares what the assembler says of them with
// native/cuda/kernels.json: registers, shared memory, and that nothing is spilled. For the architecture of development, or
// with --all for all of a release; with --write it stores what it found. Where there is no nvcc there is nothing to check.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { root } from './native.mjs'
import { findNvcc, nvccVersion } from './nvcc.mjs'

const table = join(root, 'native', 'cuda', 'kernels.json')
const sources = readdirSync(join(root, 'native', 'cuda')).filter((name) => name.endsWith('.cu'))
const writes = process.argv.includes('--write')
const released = readFileSync(join(root, 'cmake', 'cuda-architectures.txt'), 'utf8')
  .trim()
  .split('\n')
const listed = writes || process.argv.includes('--all') ? released : ['90']

/**
 * What ptxas -v says: `{ architecture, kernel, registers, spilledBytes, sharedBytes, stackBytes }` for each kernel. What
 * the functions spill that a kernel calls, listed behind it, counts as the kernel's.
 */
export function parseUsage(text) {
  const sections = text.split(/(?=Compiling entry function ')/).slice(1)
  return sections.map((section) => {
    const [, kernel, architecture] = /^Compiling entry function '(\S+)' for 'sm_(\d+\w?)'/.exec(section)
    const number = (pattern) => Number(pattern.exec(section)?.[1] ?? 0)
    const spills = [...section.matchAll(/(\d+) bytes spill (?:stores|loads)/g)]
    return {
      architecture,
      kernel,
      registers: number(/Used (\d+) registers/),
      spilledBytes: spills.reduce((sum, [, bytes]) => sum + Number(bytes), 0),
      stackBytes: number(/(\d+) bytes stack frame/),
      sharedBytes: number(/Used [^\n]*?(\d+) bytes smem/),
    }
  })
}

/** Names as a person writes them: without what is returned, namespaces and parameters. */
function demangle(names) {
  const { status, stdout } = spawnSync('c++filt', [], { input: names.join('\n'), encoding: 'utf8' })
  if (status !== 0) return names
  return stdout
    .trim()
    .split('\n')
    .map((name) =>
      name
        .replace(/^void /, '')
        .replaceAll('(anonymous namespace)::', '')
        .replaceAll('sfm::cuda::', '')
        .replace(/\(.*$/, ''),
    )
}

function compile(nvcc, architectures) {
  const folder = mkdtempSync(join(tmpdir(), 'sfm-kernels-'))
  const usage = []
  try {
    for (const source of sources) {
      const path = join(root, 'native', 'cuda', source)
      const options = ['-std=c++20', '-O3', '-I', join(root, 'native'), '-Xptxas', '-v', '--threads', '2']
      const warnings = ['-Werror', 'all-warnings', '-Xcompiler', '-Wall,-Wextra']
      const targets = architectures.flatMap((each) => ['-gencode', `arch=compute_${each},code=sm_${each}`])
      const output = ['-fatbin', '-o', join(folder, `${basename(source)}.fatbin`)]
      const result = spawnSync(nvcc, [...options, ...warnings, ...targets, ...output, path], { encoding: 'utf8' })
      if (result.status !== 0) throw new Error(`nvcc failed on ${source}:\n${result.stdout}${result.stderr}`)
      usage.push(...parseUsage(result.stdout + result.stderr).map((each) => ({ source, ...each })))
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  const names = demangle(usage.map(({ kernel }) => kernel))
  return usage.map((each, i) => ({ ...each, kernel: names[i] }))
}

/** By kernel, then by architecture: [registers, shared bytes, stack bytes]. */
function arrange(usage) {
  const kernels = {}
  for (const { source, kernel, architecture, registers, sharedBytes, stackBytes } of usage) {
    kernels[`${source} ${kernel}`] ??= {}
    kernels[`${source} ${kernel}`][architecture] = [registers, sharedBytes, stackBytes]
  }
  return Object.fromEntries(Object.entries(kernels).sort(([a], [b]) => (a < b ? -1 : 1)))
}

function only(architectures, row) {
  return row && Object.fromEntries(Object.entries(row).filter(([architecture]) => architectures.includes(architecture)))
}

function check(nvcc) {
  const version = nvccVersion(nvcc)
  const supported = spawnSync(nvcc, ['--list-gpu-code'], { encoding: 'utf8' }).stdout
  const architectures = listed.filter((each) => supported.includes(`sm_${each}\n`))
  const missing = listed.filter((each) => !architectures.includes(each))
  if (missing.length > 0) console.log(`nvcc ${version} knows nothing of sm_${missing.join(', sm_')}: left out`)

  const usage = compile(nvcc, architectures)
  const spilling = usage.filter(({ spilledBytes }) => spilledBytes > 0)
  for (const { kernel, architecture, spilledBytes } of spilling)
    console.error(`${kernel} spills ${spilledBytes} bytes on sm_${architecture}`)
  const kernels = arrange(usage)
  if (writes) {
    const rows = Object.entries(kernels).map(([name, each]) => `    ${JSON.stringify(name)}: ${JSON.stringify(each)}`)
    const text = `{\n  "nvcc": ${JSON.stringify(version)},\n  "columns": ["registers", "shared bytes", "stack bytes"],\n  "kernels": {\n${rows.join(',\n')}\n  }\n}\n`
    writeFileSync(table, text)
  }
  const stored = JSON.parse(readFileSync(table, 'utf8'))
  let differing = 0
  // Another assembler allots registers in its own way.
  if (stored.nvcc === version) {
    for (const name of new Set([...Object.keys(stored.kernels), ...Object.keys(kernels)])) {
      const expected = JSON.stringify(only(architectures, stored.kernels[name]))
      const actual = JSON.stringify(kernels[name])
      if (expected === actual) continue
      differing++
      console.error(`${name}: ${actual ?? 'gone'}, but native/cuda/kernels.json has ${expected ?? 'nothing'}`)
    }
    if (differing > 0) console.error('If that is as it should be: node scripts/kernels.mjs --write')
  } else {
    console.log(`nvcc ${version} is not the ${stored.nvcc} of native/cuda/kernels.json: only spills are looked at`)
  }
  console.log(
    `${usage.length} kernels for sm_${architectures.join(', sm_')}: ${spilling.length} spill, ${differing} differ`,
  )
  return spilling.length === 0 && differing === 0
}

const nvcc = findNvcc()
if (nvcc === undefined) console.log('no nvcc: the kernels are not compiled')
else if (!check(nvcc)) process.exitCode = 1
