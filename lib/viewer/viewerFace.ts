import type { Latents } from '../decode/Latents.js'
import { invalidArgument } from '../errors.js'
import type { ModelData } from '../model/ModelData.js'
import { logarithm } from '../model/sphere.js'
import { encodeTexture } from '../outputs/encodeTexture.js'
import type { Picture } from '../render/Picture.js'
import { resample } from '../render/resample.js'
import { type FitView, project, type Region, type ResolvedView, resolveFitView, squareAround } from '../render/View.js'
import { inSteps, packArrays } from './packArrays.js'
import type { ViewerFace, ViewerPhoto } from './ViewerData.js'
import { columnOf } from './viewerModel.js'

/** A face for a viewer. */
export interface FaceToView {
  /** What it is called in the page. */
  name: string
  /** A fit result, a sample, or anything with `identity` and `expression`. */
  latents: Latents
  /** Its colours, of {@link photoTexture}. */
  texture?: Picture | undefined
  /** To lay the face over: the photo that it was fitted to, and the fit. */
  photo?: { picture: Picture; view: FitView } | undefined
}

/** Pixels of a side: of more of the photo a page shows no more. */
const PHOTO_SIZE = 1024
/** How much of the photo around the head is shown, of the head's size. */
const SURROUNDINGS = 1

/** What a viewer's page holds of a face. */
export async function viewerFace(data: ModelData, face: FaceToView, vertices: Float32Array): Promise<ViewerFace> {
  const { name, latents, texture, photo } = face
  const mean = data.identityPriorMean
  const tangent =
    data.metadata.latent === 'sphere' && mean ? logarithm(latents.identity, mean) : Array.from(latents.identity)
  return {
    name,
    tangent: Array.from(tangent, (value) => Number(value.toPrecision(7))),
    expression: expressionOf(data, latents),
    arrays: await packArrays([inSteps(columnOf(data, tangent))]),
    ...(texture && { texture: await dataUrl(texture) }),
    ...(photo && { photo: await viewerPhoto(photo.picture, resolveFitView(photo.view, 'photo.view'), vertices) }),
  }
}

function expressionOf({ metadata, expressionCount }: ModelData, { expression = {} }: Latents): number[] {
  const values =
    Array.isArray(expression) || ArrayBuffer.isView(expression) ? (expression as ArrayLike<number>) : undefined
  if (values && values.length !== expressionCount)
    throw invalidArgument('latents.expression', `${expressionCount} numbers`, values)
  return metadata.expressionNames
    .slice(0, expressionCount)
    .map((name, e) => (values ? values[e]! : ((expression as Record<string, number>)[name] ?? 0)))
}

/** The photo around the head, in pixels of its own. */
async function viewerPhoto(picture: Picture, view: ResolvedView, vertices: Float32Array): Promise<ViewerPhoto> {
  const part = within(squareAround([project(vertices, view).image], SURROUNDINGS), picture)
  const scale = Math.min(1, PHOTO_SIZE / Math.max(part.width, part.height))
  const width = Math.max(1, Math.round(part.width * scale))
  const height = Math.max(1, Math.round(part.height * scale))
  const { camera } = view
  const principal: [number, number] = [
    ((camera.principal[0] - part.x) * width) / part.width,
    ((camera.principal[1] - part.y) * height) / part.height,
  ]
  return {
    image: await dataUrl(resample(picture, part, width, height)),
    width,
    height,
    rotation: Array.from(view.rotation),
    translation: Array.from(view.translation),
    camera:
      camera.type === 'weak'
        ? { type: 'weak', scale: (camera.scale * width) / part.width, principal }
        : { type: 'perspective', focal: (camera.focal * width) / part.width, principal },
  }
}

/** What of a region lies in the picture, in whole pixels; all of the picture where that is nothing. */
function within(region: Region, { width, height }: Picture): Region {
  const left = Math.max(0, Math.floor(region.x))
  const top = Math.max(0, Math.floor(region.y))
  const right = Math.min(width, Math.ceil(region.x + region.width))
  const bottom = Math.min(height, Math.ceil(region.y + region.height))
  if (left >= right || top >= bottom) return { x: 0, y: 0, width, height }
  return { x: left, y: top, width: right - left, height: bottom - top }
}

async function dataUrl(picture: Picture): Promise<string> {
  const { bytes, mimeType } = await encodeTexture(picture)
  return `data:${mimeType};base64,${Buffer.from(bytes).toString('base64')}`
}
