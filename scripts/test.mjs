// npm test: format, lint, types and CUDA kernels, then the C++ tests and the TypeScript tests. A step that fails is counted and the
// rest still run, so that one run tells everything; the last line is the sum.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cmakeTree, root } from './native.mjs'

const total = { passed: 0, failed: 0, skipped: 0 }
const broken = []
const reports = mkdtempSync(join(tmpdir(), 'sfm-test-'))

/** Runs a command with its output shown; true if it exited with 0. */
function run(command, ...args) {
  console.log(`\n> ${[command, ...args].join(' ')}`)
  return spawnSync(command, args, { cwd: root, stdio: 'inherit' }).status === 0
}

/** A script of Node's: this repository's own, or a development dependency's by its bin file. */
function node(script, ...args) {
  return run(process.execPath, script, ...args)
}

/** A step that has no tests to count: only its failure shows in the sum. */
function check(name, succeeded) {
  if (!succeeded) fail(name)
  return succeeded
}

function fail(name) {
  total.failed += 1
  broken.push(name)
}

/** Adds a runner's own counts; a runner that fails without a failed test (or says nothing at all) is one failure. */
function count(name, succeeded, counts) {
  for (const key of Object.keys(total)) total[key] += counts?.[key] ?? 0
  if (counts?.failed) broken.push(name)
  else if (!succeeded || !counts) fail(name)
}

function ctestCounts(file) {
  if (!existsSync(file)) return undefined
  const suite = /<testsuite[^>]*>/.exec(readFileSync(file, 'utf8'))?.[0] ?? ''
  const number = (name) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(suite)?.[1] ?? 0)
  const failed = number('failures') + number('errors')
  const skipped = number('skipped') + number('disabled')
  return { passed: number('tests') - failed - skipped, failed, skipped }
}

function vitestCounts(file) {
  if (!existsSync(file)) return undefined
  const report = JSON.parse(readFileSync(file, 'utf8'))
  // A file that cannot even be loaded has no test to fail.
  const unloaded = report.testResults.filter(
    (suite) => suite.status === 'failed' && suite.assertionResults.length === 0,
  )
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + unloaded.length,
    skipped: report.numPendingTests + report.numTodoTests,
  }
}

check('biome', node('node_modules/@biomejs/biome/bin/biome', 'check'))
check('clang-format', node('scripts/clang-format.mjs'))
check('types', node('node_modules/typescript/bin/tsc'))
check('types of the viewer', node('node_modules/typescript/bin/tsc', '-p', 'viewer'))
check('build:ts', node('node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'))
check('build:viewer', node('scripts/build-viewer.mjs'))

check('kernels', node('scripts/kernels.mjs', ...(process.env.CI ? ['--all'] : [])))

if (check('build:native', node('scripts/build-native.mjs', '-DSFM_TESTS=ON'))) {
  const report = join(reports, 'ctest.xml')
  const succeeded = run(
    'ctest',
    '--test-dir',
    cmakeTree,
    '-C',
    'Release',
    '--output-on-failure',
    '--output-junit',
    report,
  )
  count('ctest', succeeded, ctestCounts(report))
}

const report = join(reports, 'vitest.json')
const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
const succeeded = node('node_modules/vitest/vitest.mjs', 'run', ...reporters)
count('vitest', succeeded, vitestCounts(report))

rmSync(reports, { recursive: true, force: true })
if (broken.length > 0) console.log(`\nFailed: ${broken.join(', ')}`)
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : ''
console.log(`\n${total.passed} passed, ${total.failed} failed${skipped}`)
process.exitCode = total.failed > 0 ? 1 : 0
