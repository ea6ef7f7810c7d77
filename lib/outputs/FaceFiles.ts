import type { Latents } from '../decode/Latents.js'
import type { Pose } from '../fit/FitResult.js'
import type { ImageInfo } from '../fit/Observation.js'
import type { ModelData } from '../model/ModelData.js'
import type { Picture } from '../render/Picture.js'
import { encodePng } from '../render/png.js'
import { render } from '../render/render.js'
import { scaledView } from '../render/scaledView.js'
import type { FitView } from '../render/View.js'
import { photoTexture } from '../texture/photoTexture.js'
import { encodeViewer } from '../viewer/encodeViewer.js'
import { arkitWeights } from './arkit.js'
import type { FaceFormat } from './faceFormats.js'
import { faceMesh, type MeshModel } from './faceMesh.js'
import type { Mesh } from './Mesh.js'
import { encodeMesh } from './writeMesh.js'

/** How a camera saw the face, in pixels of an image of this size. */
type View = FitView & { pose: Partial<Pick<Pose, 'yaw' | 'pitch' | 'roll'>>; image?: ImageInfo }

/** A face, and what is known of the picture that it comes from. */
export interface FaceToEncode {
  name: string
  latents: Latents
  /** The fit, where there was a camera. */
  view?: View | undefined
  /** The pixels that the camera saw, or a copy of them in another size than the `image` of the view. */
  photo?: Picture | undefined
  /** Makes its texture, where that is not one of the photo; undefined where there is none. */
  texture?: (() => Promise<Picture | undefined>) | undefined
  /** To be drawn into pictures, in pixels of the image. */
  landmarks?: ReadonlyArray<readonly number[] | null> | undefined
}

/** Encodes one face in any number of formats: its mesh and its texture are made once. */
export class FaceFiles {
  readonly #model: MeshModel
  readonly #face: FaceToEncode
  #mesh: Promise<Mesh> | undefined
  #textured: Promise<Mesh> | undefined

  constructor(model: MeshModel, face: FaceToEncode) {
    this.#model = model
    this.#face = inPixelsOfPhoto(face)
  }

  /** @throws SfmError as {@link encodeMesh}, {@link render}, {@link photoTexture}, {@link encodeViewer}. */
  async encode(format: FaceFormat): Promise<Uint8Array | string> {
    if (format === 'png') return this.#picture()
    if (format === 'html') return this.#page()
    if (format === 'arkit') return `${JSON.stringify(this.#arkit())}\n`
    return encodeMesh(format, await this.#texturedMesh())
  }

  #plainMesh(): Promise<Mesh> {
    this.#mesh ??= faceMesh(this.#model, this.#face.latents, this.#face.name)
    return this.#mesh
  }

  #texturedMesh(): Promise<Mesh> {
    this.#textured ??= this.#plainMesh().then(async (mesh) => {
      const { view, photo, texture } = this.#face
      const own = texture && mesh.uv ? await texture() : undefined
      if (own) return { ...mesh, texture: own }
      return view && photo && mesh.uv ? { ...mesh, texture: photoTexture(mesh, view, photo) } : mesh
    })
    return this.#textured
  }

  /** Over its photo; without one, as the camera saw it; without a camera, from the front. */
  async #picture(): Promise<Uint8Array> {
    const { view, photo, landmarks } = this.#face
    // Over a photo its own colours would be all but invisible.
    return encodePng(
      render(await this.#plainMesh(), {
        ...(view && { view, region: 'faces' }),
        ...(photo && view && { photo }),
        ...(landmarks && view && { landmarks }),
      }),
    )
  }

  async #page(): Promise<string> {
    const { name, latents, view, photo } = this.#face
    const { texture } = await this.#texturedMesh()
    return encodeViewer(this.#model, {
      name,
      latents,
      ...(texture && { texture }),
      ...(view && photo && { photo: { picture: photo, view } }),
    })
  }

  #arkit(): object {
    const { name, latents, view } = this.#face
    const { yaw, pitch, roll } = view?.pose ?? {}
    return {
      id: name,
      blendshapes: arkitWeights({ expression: byName(this.#model.data, latents) }),
      ...(Number.isFinite(yaw) && { head: { yaw, pitch, roll } }),
    }
  }
}

function inPixelsOfPhoto(face: FaceToEncode): FaceToEncode {
  const { view, photo, landmarks } = face
  if (!view?.image || !photo) return face
  const scale = photo.width / view.image.width
  if (scale === 1) return face
  const scaled = landmarks?.map((point) => point?.map((coordinate) => scale * coordinate) ?? null)
  return { ...face, view: scaledView(view, scale), landmarks: scaled }
}

function byName({ metadata }: ModelData, { expression = {} }: Latents): Record<string, number> {
  if (!Array.isArray(expression) && !ArrayBuffer.isView(expression)) return expression as Record<string, number>
  const values = expression as ArrayLike<number>
  return Object.fromEntries(metadata.expressionNames.map((name, e) => [name, values[e] ?? 0]))
}
