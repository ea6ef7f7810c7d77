import { requireOptions } from '../decode/Latents.js'
import { invalidArgument } from '../errors.js'
import { checkMesh } from '../outputs/checkMesh.js'
import { type Mesh, withMorphs } from '../outputs/Mesh.js'
import { vertexNormals } from '../outputs/normals.js'
import { drawPoints } from './drawPoints.js'
import { drawSurfaces, type Surface } from './drawSurfaces.js'
import { eyes } from './eyes.js'
import { mouth } from './mouth.js'
import { checkPicture, checkSize, createPicture, type Picture } from './Picture.js'
import { resample } from './resample.js'
import { hollows, SKIN, shade } from './shading.js'
import {
  type FitView,
  framed,
  type Projection,
  project,
  type Region,
  type ResolvedView,
  resolveFitView,
  squareAround,
  type Turn,
  turn,
} from './View.js'

/** A face to be drawn, and how it is looked at. */
export type FaceToRender = Mesh & {
  /** As a fit's camera saw it (a fit result will do), or turned before a camera of our own; that of the options without. */
  view?: FitView | Turn
}

/** What a picture is to look like. */
export interface RenderOptions {
  /** Pixels, 1 to 16384; the photo's or the region's, or 512. */
  width?: number
  height?: number
  /** Of faces without a view of their own: a fit's, or angles in degrees (all 0: the front). */
  view?: FitView | Turn
  /** The image of the fits' camera, to draw over. */
  photo?: Picture
  /**
   * What part of the camera's image to show: `faces` the square around the faces (the default without a photo), `photo`
   * all of it (the default with one), or a part of one's own.
   */
  region?: Region | 'faces' | 'photo'
  /** RGBA, 0..255 each, where there is neither face nor photo. */
  background?: readonly [number, number, number, number]
  /** How much faces cover what is behind them, 0..1: 0.85 over a photo, else 1. */
  opacity?: number
  /** Points in the camera's image, such as an observation's; null and NaN are left out. */
  landmarks?: ReadonlyArray<readonly number[] | null>
  /** Samples along each side of a pixel, 1 (fast, jagged) to 8. */
  samples?: number
}

const SIZE = 512
const BACKGROUND = [240, 241, 244, 255] as const
const OVER_PHOTO = 0.85
const SAMPLES = 2
const LANDMARK_COLOUR = [36, 225, 110] as const

/** The inside of a mouth, and of a head. */
const INSIDE = [0.022, 0.009, 0.008] as const

/** Of a surface whose colours are a photo's, the light of a studio is but a hint: the photo has its own. */
const STUDIO_LIGHT = 0.55

/**
 * Draws faces: smoothly shaded, over a photo or in a view of one's own.
 *
 * Faces that a fit's camera saw are drawn where it saw them; where there is a photo they are drawn over it, and holes of
 * the model (eyes, mouth) show it. Faces without such a view are shown from the front, or turned, one in each cell of a
 * grid.
 *
 * @param faces One or many; of {@link faceMesh}, whose eyes are then drawn too. A mesh with a texture has its colours.
 * @returns A picture, for {@link encodePng}; made on this thread (some 20 ms for a head at 512 x 512).
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * const front = render(await faceMesh(model, latents, 'a'))
 * const overlay = render({ ...(await faceMesh(model, result, 'a')), view: result }, { photo })
 */
export function render(faces: FaceToRender | readonly FaceToRender[], options: RenderOptions = {}): Picture {
  requireOptions(options)
  const list = Array.isArray(faces) ? (faces as readonly FaceToRender[]) : [faces as FaceToRender]
  const { photo, background = BACKGROUND, samples = SAMPLES } = options
  const { opacity = photo ? OVER_PHOTO : 1 } = options
  checkOptions(list, options, samples, opacity)

  const seen = list.map((face, i) => seenBy(face, options, list.length === 1 ? 'face' : `faces[${i}]`))
  const region = regionOf(seen, options)
  const { width, height } = sizeOf(region, options)
  const picture = photo
    ? resample(photo, region ?? { x: 0, y: 0, width, height }, width, height, background)
    : plain(width, height, background)
  // Faces that no camera saw share the picture out.
  const grid = cells(seen.filter(({ look }) => !look).length, width, height)
  const inPicture = (image: Float32Array) => (region ? mapped(image, region, width, height) : image)
  const surfaces = seen.flatMap((face) => {
    if (face.look) return surfacesOf(face, face.look, inPicture, photo === undefined)
    const view = framed(face.vertices, face.turn, grid.next().value as Region)
    return surfacesOf(face, lookOf(face.vertices, view), (image) => image, photo === undefined)
  })
  drawSurfaces(picture, surfaces, { samples, opacity })
  if (options.landmarks) {
    const points = options.landmarks.map((point) => point && intoPicture(point, region, width, height))
    drawPoints(picture, points, Math.max(1.25, Math.min(width, height) / 220), LANDMARK_COLOUR)
  }
  return picture
}

/** A face with its expression. */
interface Seen {
  mesh: FaceToRender
  /** [N,3] mm */
  vertices: Float32Array
  /** Where a fit's camera saw it; undefined where none did. */
  look?: Look
  /** How it is turned then. */
  turn: Turn
}

/** A camera, and where it sees the vertices of a face. */
interface Look {
  view: ResolvedView
  projection: Projection
}

function seenBy(mesh: FaceToRender, options: RenderOptions, name: string): Seen {
  const vertices = withMorphs(mesh)
  const view = mesh.view ?? options.view ?? {}
  if (typeof view !== 'object') throw invalidArgument('view', 'a fit result, or angles', view)
  if (!('pose' in view)) return { mesh, vertices, turn: view }
  const resolved = resolveFitView(view, mesh.view ? `${name}.view` : 'view')
  return { mesh, vertices, turn: {}, look: lookOf(vertices, resolved) }
}

function lookOf(vertices: Float32Array, view: ResolvedView): Look {
  return { view, projection: project(vertices, view) }
}

/** The part of the camera's image that is shown; undefined where no camera saw any face. */
function regionOf(seen: readonly Seen[], { region, photo }: RenderOptions): Region | undefined {
  if (typeof region === 'object') return region
  const images = seen.flatMap(({ look }) => look?.projection.image ?? [])
  if ((region ?? (photo ? 'photo' : 'faces')) === 'photo')
    return photo && { x: 0, y: 0, width: photo.width, height: photo.height }
  return images.length > 0 ? squareAround(images) : undefined
}

function sizeOf(region: Region | undefined, { width, height, photo, region: asked }: RenderOptions) {
  const whole = photo !== undefined && (asked === undefined || asked === 'photo')
  const natural = whole ? photo : { width: SIZE, height: SIZE }
  const ratio = region ? region.height / region.width : natural.height / natural.width
  if (width === undefined && height === undefined)
    return { width: natural.width, height: Math.max(1, Math.round(natural.width * ratio)) }
  return {
    width: width ?? Math.max(1, Math.round((height as number) / ratio)),
    height: height ?? Math.max(1, Math.round((width as number) * ratio)),
  }
}

function plain(width: number, height: number, background: readonly number[]): Picture {
  const picture = createPicture(width, height)
  new Uint32Array(picture.data.buffer).fill(new Uint32Array(Uint8Array.from(background).buffer)[0]!)
  return picture
}

/** A grid of cells as large as possible, row by row. */
function* cells(count: number, width: number, height: number): Generator<Region, undefined> {
  const side = (columns: number) => Math.min(width / columns, height / Math.ceil(count / columns))
  let columns = 1
  for (let more = 2; more <= count; more++) if (side(more) >= side(columns)) columns = more
  const rows = Math.ceil(count / columns)
  for (let i = 0; i < count; i++)
    yield {
      x: ((i % columns) * width) / columns,
      y: (Math.floor(i / columns) * height) / rows,
      width: width / columns,
      height: height / rows,
    }
}

/** @param isClosed Whether what lies behind the openings of the face is drawn: over a photo, that shows there. */
function surfacesOf(
  { mesh, vertices }: Seen,
  { view, projection }: Look,
  inPicture: (image: Float32Array) => Float32Array,
  isClosed: boolean,
): Surface[] {
  const { triangles, texture, uv } = mesh
  const normals = vertexNormals(vertices, triangles)
  const seenNormals = turn(normals, view.rotation)
  const light = shade(projection.space, seenNormals, hollows(vertices, normals, triangles))
  const colours = texture ? hinted(light.diffuse) : coloured(light, mesh.colours)
  const skin: Surface = {
    points: inPicture(projection.image),
    triangles,
    colours,
    ...(texture && uv && { texture: { picture: texture, uv } }),
    ...(isClosed && { inside: insideOf(colours, projection.space, seenNormals) }),
  }
  const { openings } = mesh
  if (!isClosed || !openings) return [skin]
  const open = { ...mesh, openings }
  const behind = [...eyes(open), ...mouth(open, vertices)].map(({ vertices, triangles, colours }): Surface => {
    const { space, image } = project(vertices, view)
    const normals = turn(vertexNormals(vertices, triangles), view.rotation)
    return { points: inPicture(image), triangles, colours: coloured(shade(space, normals), colours) }
  })
  return [skin, ...behind]
}

/**
 * [N,3] The dark inside of a head. Where the surface around a vertex faces the camera, a triangle that does not is but
 * a fold in it, as lips have at some expressions, and looks as what is around it.
 */
function insideOf(colours: Float32Array, space: Float32Array, normals: Float32Array): Float32Array {
  return colours.map((colour, i) => {
    const v = i - (i % 3)
    const away = normals[v]! * space[v]! + normals[v + 1]! * space[v + 1]! + normals[v + 2]! * space[v + 2]!
    return away < 0 ? colour : INSIDE[i % 3]!
  })
}

/** Light on a surface of a colour, one for all or one for each vertex. */
function coloured({ diffuse, specular }: ReturnType<typeof shade>, colours?: Float32Array): Float32Array {
  return diffuse.map((light, i) => light * (colours ? colours[i]! : SKIN[i % 3]!) + specular[(i / 3) | 0]!)
}

function hinted(diffuse: Float32Array): Float32Array {
  return diffuse.map((light) => 1 - STUDIO_LIGHT + STUDIO_LIGHT * light)
}

function mapped(image: Float32Array, region: Region, width: number, height: number): Float32Array {
  const points = new Float32Array(image.length)
  for (let i = 0; i < image.length; i += 3) {
    points[i] = ((image[i]! - region.x) * width) / region.width
    points[i + 1] = ((image[i + 1]! - region.y) * height) / region.height
    points[i + 2] = image[i + 2]!
  }
  return points
}

function intoPicture(point: readonly number[], region: Region | undefined, width: number, height: number): number[] {
  const [x = Number.NaN, y = Number.NaN] = point
  if (!region) return [x, y]
  return [((x - region.x) * width) / region.width, ((y - region.y) * height) / region.height]
}

function checkOptions(
  faces: readonly FaceToRender[],
  { width, height, photo, background, region, landmarks }: RenderOptions,
  samples: number,
  opacity: number,
): void {
  for (const face of faces) {
    if (typeof face !== 'object' || face === null) throw invalidArgument('faces', 'a mesh, or an array of them', face)
    checkMesh(face)
    if (face.texture) {
      checkPicture(face.texture, 'texture')
      if (!face.uv) throw invalidArgument('uv', 'texture coordinates, since there is a texture', face.uv)
    }
  }
  if (photo !== undefined) checkPicture(photo, 'photo')
  for (const [name, size] of Object.entries({ width, height })) if (size !== undefined) checkSize(size, name)
  if (!Number.isInteger(samples) || samples < 1 || samples > 8)
    throw invalidArgument('samples', 'a whole number in 1..8', samples)
  if (!(opacity >= 0 && opacity <= 1)) throw invalidArgument('opacity', 'a number in 0..1', opacity)
  if (background !== undefined && !(Array.isArray(background) && background.length === 4 && background.every(isByte)))
    throw invalidArgument('background', 'four numbers in 0..255, RGBA', background)
  if (landmarks !== undefined && !Array.isArray(landmarks))
    throw invalidArgument('landmarks', 'an array of [x, y] or null', landmarks)
  if (typeof region === 'object') {
    const numbers = [region?.x, region?.y, region?.width, region?.height]
    if (!numbers.every(Number.isFinite) || !(region.width > 0 && region.height > 0))
      throw invalidArgument('region', 'x, y, width and height in pixels, the sizes above 0', region)
  } else if (region !== undefined && region !== 'faces' && region !== 'photo')
    throw invalidArgument('region', "'faces', 'photo' or { x, y, width, height }", region)
}

function isByte(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value <= 255
}
