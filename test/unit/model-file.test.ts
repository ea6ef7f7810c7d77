import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SfmError } from '../../lib/errors.js'
import { readModelFile, writeModelFile } from '../../lib/model/formats/modelFile.js'
import { writeModel } from '../../lib/model/formats/sphereFaceModel.js'
import { expectSfmRejection } from '../fixtures/expectSfmError.js'
import { tinyGaussianModel, tinySphereModel } from '../fixtures/tinyModel.js'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sfm model ü-'))
})
afterEach(() => rm(folder, { recursive: true }))

describe('a model file', () => {
  it('is written and read, by path and by URL', async () => {
    const path = join(folder, 'face.safetensors')
    await writeModelFile(path, tinySphereModel())
    expect(await readdir(folder)).toEqual(['face.safetensors'])
    expect(new Uint8Array(await readFile(path))).toEqual(writeModel(tinySphereModel()))
    const data = await readModelFile(path)
    expect(data.identityCount).toBe(7)

    await writeModelFile(pathToFileURL(path), tinyGaussianModel())
    expect(await readModelFile(pathToFileURL(path))).toEqual({ ...tinyGaussianModel(), schemes: expect.any(Map) })
  })

  it('that cannot be read is an IO error with its cause', async () => {
    const missing = await expectSfmRejection(readModelFile(join(folder, 'none')), 'IO', /^cannot read .*none: ENOENT/)
    expect((missing.cause as NodeJS.ErrnoException).code).toBe('ENOENT')
    await expectSfmRejection(readModelFile(folder), 'IO', /not a regular file/)
  })

  it('that is no model says so, and which file it is', async () => {
    const path = join(folder, 'broken.safetensors')
    for (const content of [new Uint8Array(0), writeModel(tinySphereModel()).slice(0, -1)]) {
      await writeFile(path, content)
      const error = await expectSfmRejection(readModelFile(path), 'INVALID_MODEL', /broken\.safetensors: /)
      expect(error.cause).toBeInstanceOf(SfmError)
    }
  })

  it('that cannot be written is an IO error, and leaves nothing behind', async () => {
    await expectSfmRejection(
      writeModelFile(join(folder, 'none', 'x'), tinySphereModel()),
      'IO',
      /^cannot write .*ENOENT/,
    )
    // A folder cannot be replaced: the temporary file exists already when that turns out.
    const taken = join(folder, 'taken')
    await mkdir(taken)
    await expectSfmRejection(writeModelFile(taken, tinySphereModel()), 'IO', /^cannot write .*taken/)
    expect(await readdir(folder)).toEqual(['taken'])
  })

  it('that is no model is not written, and the old one stays', async () => {
    const path = join(folder, 'face.safetensors')
    await writeFile(path, 'old')
    const broken = { ...tinySphereModel(), mean: new Float32Array(3) }
    await expectSfmRejection(writeModelFile(path, broken), 'INVALID_MODEL', /^tensor "mean"/)
    expect(await readdir(folder)).toEqual(['face.safetensors'])
    expect(await readFile(path, 'utf8')).toBe('old')
  })

  it('may be read-only', async () => {
    const path = join(folder, 'face.safetensors')
    await writeModelFile(path, tinySphereModel())
    await chmod(path, 0o444)
    expect((await readModelFile(path)).vertexCount).toBe(63)
  })

  it('has a path', async () => {
    for (const path of ['', 'a\0b', 7, undefined, new URL('https://example.com/face.safetensors')]) {
      await expectSfmRejection(
        readModelFile(path as string),
        'INVALID_ARGUMENT',
        /^path: expected a path or a file: URL/,
      )
      await expectSfmRejection(writeModelFile(path as string, tinySphereModel()), 'INVALID_ARGUMENT', /^path:/)
    }
  })
})
