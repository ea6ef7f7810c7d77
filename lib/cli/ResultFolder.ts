import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Latents } from '../decode/Latents.js'
import { asSfmError } from '../inputs/expandInputs.js'
import { FileNames } from '../outputs/FileNames.js'
import { faceMesh, type MeshModel } from '../outputs/faceMesh.js'
import { writeMesh } from '../outputs/writeMesh.js'
import { writeFileAtomically } from '../writeFileAtomically.js'
import type { ResultFormat } from './options.js'

/** A face to be written. */
export interface FaceToWrite {
  id: string
  /** What its JSON holds. */
  record: Record<string, unknown>
  /** Its mesh's; absent where there is no face to show, only a record. */
  latents?: Latents | undefined
}

/** The folder of `--out`: a file `<id>.<format>` for every face and format. */
export class ResultFolder {
  readonly #path: string
  readonly #formats: readonly ResultFormat[]
  readonly #model: MeshModel
  readonly #names = new FileNames()

  private constructor(path: string, formats: readonly ResultFormat[], model: MeshModel) {
    this.#path = path
    this.#formats = formats
    this.#model = model
  }

  /**
   * Makes the folder, and those it lies in, where they do not exist.
   *
   * @throws SfmError IO where that is not possible.
   */
  static async open(path: string, formats: readonly ResultFormat[], model: MeshModel): Promise<ResultFolder> {
    await mkdir(path, { recursive: true }).catch((error) => Promise.reject(asSfmError(error)))
    return new ResultFolder(path, formats, model)
  }

  /**
   * Writes one face. Names are given in the order of the calls, so that they do not depend on which write ends first.
   *
   * @returns The record with `files`, its meshes by format, as names within the folder.
   * @throws SfmError IO where a file cannot be written.
   */
  async write({ id, record, latents }: FaceToWrite): Promise<Record<string, unknown>> {
    const name = this.#names.take(id)
    const files: Record<string, string> = {}
    const mesh =
      latents && this.#formats.some((format) => format !== 'json') && (await faceMesh(this.#model, latents, id))
    for (const format of this.#formats) {
      if (format === 'json' || !mesh) continue
      await writeMesh(format, join(this.#path, `${name}.${format}`), mesh)
      files[format] = `${name}.${format}`
    }
    const complete = { ...record, files }
    // Last, so that whoever finds it finds the files it names.
    if (this.#formats.includes('json')) {
      await writeFileAtomically(join(this.#path, `${name}.json`), `${JSON.stringify(complete)}\n`)
    }
    return complete
  }
}
