import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Latents } from '../decode/Latents.js'
import { asSfmError } from '../inputs/expandInputs.js'
import { FaceFiles, type FaceToEncode } from '../outputs/FaceFiles.js'
import { FileNames } from '../outputs/FileNames.js'
import { extensionOf } from '../outputs/faceFormats.js'
import type { MeshModel } from '../outputs/faceMesh.js'
import type { Picture } from '../render/Picture.js'
import { writeFileAtomically } from '../writeFileAtomically.js'
import type { ResultFormat } from './options.js'

/** A face to be written. */
export interface FaceToWrite {
  id: string
  /** What its JSON holds. */
  record: Record<string, unknown>
  /** Its own; absent where there is no face to show, only a record. */
  latents?: Latents | undefined
  /** The fit, where there was a camera. */
  view?: FaceToEncode['view']
  /** Reads the photo, when it is needed; the face is shown without where there is none. */
  photo?: (() => Promise<Picture | undefined>) | undefined
  /** Makes the texture, when it is needed and not the photo's. */
  texture?: FaceToEncode['texture']
  /** To be drawn into pictures. */
  landmarks?: FaceToEncode['landmarks']
  /** Ends the work between two files. */
  signal?: AbortSignal
}

/** Formats that show the photo, or its colours. */
const OF_PHOTOS: readonly ResultFormat[] = ['glb', 'png', 'html']

/** The folder of `--out`: a file `<id>.<format>` for every face and format (`<id>.arkit.json` for `arkit`). */
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
   * @returns The record with `files`, its face's by format, as names within the folder.
   * @throws SfmError IO where a file cannot be written.
   */
  async write(face: FaceToWrite): Promise<Record<string, unknown>> {
    const { id, record, signal } = face
    const name = this.#names.take(id)
    const files: Record<string, string> = {}
    const encoder = await this.#encoder(face)
    for (const format of this.#formats) {
      if (format === 'json' || !encoder) continue
      signal?.throwIfAborted()
      const file = `${name}.${extensionOf(format)}`
      await writeFileAtomically(join(this.#path, file), await encoder.encode(format))
      files[format] = file
    }
    const complete = { ...record, files }
    // Last, so that whoever finds it finds the files it names.
    if (this.#formats.includes('json')) {
      await writeFileAtomically(join(this.#path, `${name}.json`), `${JSON.stringify(complete)}\n`)
    }
    return complete
  }

  async #encoder({ id, latents, view, photo, texture, landmarks }: FaceToWrite): Promise<FaceFiles | undefined> {
    if (!latents) return undefined
    const picture = photo && this.#formats.some((format) => OF_PHOTOS.includes(format)) ? await photo() : undefined
    return new FaceFiles(this.#model, { name: id, latents, view, photo: picture, texture, landmarks })
  }
}
