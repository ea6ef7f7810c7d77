import { readFile } from 'node:fs/promises'
import { throwIfAborted } from '../aborts.js'
import { requireOptions } from '../decode/Latents.js'
import { invalidArgument, SfmError } from '../errors.js'
import type { MeshModel } from '../outputs/faceMesh.js'
import type { ViewerData } from './ViewerData.js'
import { type FaceToView, viewerFace } from './viewerFace.js'
import { viewerModel } from './viewerModel.js'

/** Made by scripts/build-viewer.mjs, beside lib/ as beside dist/. */
const PAGE = new URL('../../dist/viewer/viewer.html', import.meta.url)

/** Where the page has its title and its data. */
const TITLE = 'VIEWER_TITLE'
const DATA = 'VIEWER_DATA'

/** Faces of one page: a browser holds their textures all at once. */
const MOST_FACES = 64

let page: Promise<string> | undefined

/**
 * A page that shows faces in any browser: one HTML file with everything in it, which needs no network and no server.
 * Orbit controls, sliders for the expressions and for walks on the sphere of identities, texture, wireframe, and the
 * photo with the face over it; all of it works by keyboard.
 *
 * @param faces One or many of the model; 1 to 64.
 * @param options.title Of the page; the first face's name by default.
 * @returns The file's text: with the embedded model 2.2 MB, and a megabyte more with a photo and its texture.
 * @throws SfmError INVALID_ARGUMENT, ABORTED, IO where the package was built without its viewer.
 * @example
 * const mesh = await faceMesh(model, result, 'a1')
 * const texture = photoTexture(mesh, result, picture)
 * const html = await encodeViewer(model, { name: 'a1', latents: result, texture, photo: { picture, view: result } })
 * await writeFile('a1.html', html)
 */
export async function encodeViewer(
  model: MeshModel,
  faces: FaceToView | readonly FaceToView[],
  options: { title?: string; signal?: AbortSignal } = {},
): Promise<string> {
  requireOptions(options)
  const list = Array.isArray(faces) ? (faces as readonly FaceToView[]) : [faces as FaceToView]
  if (list.length < 1 || list.length > MOST_FACES) throw invalidArgument('faces', `1 to ${MOST_FACES} faces`, faces)
  const data: ViewerData = { title: options.title ?? list[0]!.name, model: await viewerModel(model.data), faces: [] }
  for (const face of list) {
    throwIfAborted(options.signal)
    const vertices = await model.decode(face.latents)
    data.faces.push(await viewerFace(model.data, face, vertices))
  }
  page ??= readPage()
  const template = await page
  // Functions, since a text would have its $ replaced.
  return template.replace(TITLE, () => escaped(data.title)).replace(DATA, () => json(data))
}

async function readPage(): Promise<string> {
  try {
    return await readFile(PAGE, 'utf8')
  } catch (cause) {
    page = undefined
    throw new SfmError('IO', `the viewer is not built: ${PAGE.pathname} cannot be read; run npm run build`, { cause })
  }
}

/** JSON in a script element: nothing in it may look like markup. */
function json(value: unknown): string {
  return JSON.stringify(value)
    .replaceAll('<', '\\u003c')
    .replaceAll('\u2028', '\\u2028')
    .replaceAll('\u2029', '\\u2029')
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
