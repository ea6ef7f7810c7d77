import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { packPackage, prebuildPath, publishedFiles, repository, typescript, writeEmptyProject } from './packPackage.js'
import { Sandbox } from './Sandbox.js'

// The packed package in an empty project, on a machine that has Node and no compiler.
describe('the published package', { timeout: 300_000 }, () => {
  const sandbox = new Sandbox()
  const project = sandbox.makeDirectory('project')
  const installed = join(project, 'node_modules', 'sphere-face-model')

  beforeAll(() => {
    const tarball = packPackage(sandbox.makeDirectory('staging'))
    writeEmptyProject(project)
    const options = ['--prefer-offline', '--no-audit', '--no-fund', '--foreground-scripts']
    const { status, output } = sandbox.run(project, 'npm', ['install', ...options, tarball])
    expect(output).not.toContain('building the native addon')
    expect(status, output).toBe(0)
  }, 300_000)

  afterAll(() => sandbox.dispose())

  it('installs what runs and nothing that only development needs', () => {
    expect(existsSync(join(installed, 'build'))).toBe(false)
    expect(existsSync(prebuildPath(installed))).toBe(true)
    const packages = readdirSync(join(project, 'node_modules'))
    for (const name of ['cmake-js', 'node-addon-api', 'typescript', 'vitest']) expect(packages).not.toContain(name)
    for (const name of ['LICENSE', 'THIRD-PARTY-NOTICES', 'README.md', 'models']) {
      expect(existsSync(join(installed, name)), name).toBe(true)
    }
  })

  const script = `
    const model = await SphereFaceModel.load()
    const [latents] = model.sample({ count: 1, seed: 1 })
    const vertices = await model.decode(latents)
    console.log(JSON.stringify({ expected: 3 * model.vertexCount, length: vertices.length, finite: vertices.every(Number.isFinite) }))
    model.dispose()`

  it.each([
    ['import', ['--input-type=module', '-e', `import { SphereFaceModel } from 'sphere-face-model'\n${script}`]],
    ['require()', ['-e', `const { SphereFaceModel } = require('sphere-face-model')\nvoid (async () => {${script}})()`]],
  ])('works through %s', (_, args) => {
    const { status, stdout, stderr } = sandbox.run(project, process.execPath, args)
    expect(stderr).toBe('')
    expect(status).toBe(0)
    const { expected, length, finite } = JSON.parse(stdout)
    expect(length).toBe(expected)
    expect(finite).toBe(true)
  })

  it('has a command line', () => {
    const { status, stdout, output } = sandbox.run(project, 'npx', ['--no-install', 'sfm', 'info', '--json'])
    expect(status, output).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      vertices: expect.any(Number),
      attribution: expect.stringContaining('ICT-FaceKit'),
    })
  })

  it('writes pictures and pages', () => {
    const { status, output } = sandbox.run(project, 'npx', [
      '--no-install',
      'sfm',
      'decode',
      '--out',
      'faces',
      '--format',
      'png,html',
    ])
    expect(status, output).toBe(0)
    expect(readFileSync(join(project, 'faces', 'face-1.png')).toString('latin1', 1, 4)).toBe('PNG')
    expect(readFileSync(join(project, 'faces', 'face-1.html'), 'utf8')).toMatch(/^<!doctype html>.*three\.js/s)
  })

  it.each(['mts', 'cts'])('has types that a strict %s file resolves', (extension) => {
    const file = join(project, `consumer.${extension}`)
    writeFileSync(
      file,
      `import { type FitResult, SphereFaceModel } from 'sphere-face-model'
       export async function decode(result: FitResult): Promise<Float32Array> {
         await using model = await SphereFaceModel.load()
         // @ts-expect-error: latents are not a text
         await model.decode('face')
         return model.decode(result)
       }`,
    )
    // A project has Node's types of its own; the repository's stand in for them.
    const roots = ['--types', 'node', '--typeRoots', join(repository, 'node_modules', '@types')]
    const options = [
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2022',
      '--lib',
      'es2023,esnext.disposable',
    ]
    const { status, output } = sandbox.run(project, process.execPath, [typescript, ...options, ...roots, file])
    expect(output).toBe('')
    expect(status).toBe(0)
  })

  it('carries every file that a build from source needs', () => {
    const files = new Set(publishedFiles())
    const needed = ['native/core', 'native/cpu', 'native/cuda', 'native/addon', 'cmake'].flatMap((directory) =>
      readdirSync(join(repository, directory), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(repository.length).replaceAll('\\', '/')),
    )
    needed.push('CMakeLists.txt', 'binding.gyp', 'scripts/install.mjs', 'scripts/build-native.mjs')
    expect(needed.filter((file) => !files.has(file))).toEqual([])
    expect([...files].filter((file) => /^(lib|test|bench|native\/(test|bench))\//.test(file))).toEqual([])
  })

  describe('without a prebuilt addon that works here', () => {
    const copy = sandbox.makeDirectory('copy')
    const root = join(copy, 'node_modules', 'sphere-face-model')
    const emptyPath = sandbox.makeDirectory('empty')
    const install = () => sandbox.run(root, process.execPath, ['scripts/install.mjs'], emptyPath)

    beforeAll(() => {
      cpSync(join(project, 'node_modules'), join(copy, 'node_modules'), { recursive: true })
      rmSync(join(root, 'prebuilds'), { recursive: true })
    })

    const expectOneClearMessage = ({ status, stderr }: ReturnType<typeof install>) => {
      expect(status).toBe(1)
      expect(stderr).toMatch(/^sphere-face-model cannot be built from source, because this is missing: cmake/)
      expect(stderr).toContain('npm install cmake-js node-addon-api')
      expect(stderr).not.toMatch(/^\s+at /m)
      expect(stderr.match(/is missing/g)).toHaveLength(1)
    }

    it('says once what to install for a build from source', () => {
      const result = install()
      expectOneClearMessage(result)
      if (process.platform !== 'win32') expect(result.stderr).toContain('a C++20 compiler, make or ninja')
    })

    it('takes a binary that does not load for none', () => {
      const prebuild = prebuildPath(root)
      mkdirSync(dirname(prebuild), { recursive: true })
      writeFileSync(prebuild, 'not a binary')
      expectOneClearMessage(install())
    })
  })
})
