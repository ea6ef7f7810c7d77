import { invalidArgument } from '../errors.js'
import { checkMesh } from '../outputs/checkMesh.js'
import { type Mesh, withMorphs } from '../outputs/Mesh.js'
import { vertexNormals } from '../outputs/normals.js'
import { byteOfLight } from '../render/light.js'
import { checkPicture, createPicture, type Picture } from '../render/Picture.js'
import { bilinear, resample } from '../render/resample.js'
import { bounds, type FitView, type Projection, project, resolveFitView, squareAround, turn } from '../render/View.js'
import { VisibilityBuffer } from '../render/VisibilityBuffer.js'
import { fillFromMirror } from './fillFromMirror.js'
import { Enlarged, halved, pushPull, type WeightedColours } from './pushPull.js'
import { Texels } from './Texels.js'

/** Texels of a side. */
const SIZE = 1024

/** Cosines between the surface and the way to the camera: seen not at all from the first, as well as can be from the second. */
const FACING = { from: 0.1, to: 0.4 } as const

/** Side of the z-buffer that tells what the camera saw. */
const SHADOW_SIZE = 768
/** Of the head's depth: how far behind what is seen a point may lie. Some 4 mm. */
const DEPTH_TOLERANCE = 0.016
/** Of the head's size: what is so near to an edge is left to be filled, as a fit is not exact. */
const EDGE = 0.005

/** Halvings before what nothing is known of is filled: such colours are smooth anyway. */
const COARSER = 2

/**
 * The colours of a face from its photo, laid out by the model's texture coordinates.
 *
 * A texel is taken from the photo where the camera saw it (a z-buffer tells), and the more the surface faced the camera.
 * What it did not see is taken from the other half of the face, in the light of this one, and what is missing then is
 * filled smoothly from around. The light of the photo stays in the colours.
 *
 * @param mesh Of {@link faceMesh}: with texture coordinates, and mirror pairs where the other half is to be used.
 * @param view The fit to the photo: a result.
 * @param photo The pixels that the landmarks were found in, upright.
 * @param options.size Texels of a side, 16 to 8192; 1024 by default.
 * @returns A square picture; made on this thread, in one to two tenths of a second.
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * const mesh = await faceMesh(model, result, 'a1')
 * await writeMesh('glb', 'a1.glb', { ...mesh, texture: photoTexture(mesh, result, photo) })
 */
export function photoTexture(
  mesh: Mesh,
  view: FitView,
  photo: Picture,
  { size = SIZE }: { size?: number } = {},
): Picture {
  checkMesh(mesh)
  const { uv, triangles, mirror } = mesh
  if (!uv) throw invalidArgument('mesh.uv', 'texture coordinates', uv)
  checkPicture(photo, 'photo')
  if (!Number.isInteger(size) || size < 16 || size > 8192)
    throw invalidArgument('size', 'a whole number of texels in 16..8192', size)
  const resolved = resolveFitView(view, 'view')
  const vertices = withMorphs(mesh)
  const projection = project(vertices, resolved)
  const facing = cosines(projection, turn(vertexNormals(vertices, triangles), resolved.rotation), resolved.camera.type)

  const texels = new Texels(uv, triangles, facing, size)
  const own = sampled(texels, projection.image, facing, triangles, photo)
  if (mirror) fillFromMirror(own, texels, { uv, triangles, mirror })
  return finished(own)
}

/** [N] cosine of the angle between each normal and the way to the camera. */
function cosines({ space }: Projection, normals: Float32Array, camera: 'perspective' | 'weak'): Float32Array {
  return Float32Array.from({ length: normals.length / 3 }, (_, v) => {
    const [x, y, z] = camera === 'weak' ? [0, 0, 1] : [space[v * 3]!, space[v * 3 + 1]!, space[v * 3 + 2]!]
    const along = normals[v * 3]! * x + normals[v * 3 + 1]! * y + normals[v * 3 + 2]! * z
    return -along / (Math.sqrt(x * x + y * y + z * z) || 1)
  })
}

/** What the photo tells of each texel. */
function sampled(
  texels: Texels,
  image: Float32Array,
  facing: Float32Array,
  triangles: Int32Array,
  photo: Picture,
): WeightedColours {
  const { size } = texels
  const head = squareAround([image], 0.02)
  const shadow = new Shadow(image, triangles, head)
  // A photo of more pixels than there are texels is made smaller first, or details would turn into noise.
  const isLarge = head.width > 1.5 * size
  const source = isLarge ? resample(photo, head, size, size) : photo
  const scale = isLarge ? size / head.width : 1
  const [left, top] = isLarge ? [head.x, head.y] : [0, 0]
  const colour = new Float64Array(4)
  const read = bilinear(source, colour)

  const colours = new Float32Array(size * size * 3)
  const weights = new Float32Array(size * size)
  texels.each((at, a, b, c, u, v) => {
    const w = 1 - u - v
    const cosine = u * facing[a]! + v * facing[b]! + w * facing[c]!
    if (cosine <= FACING.from) return
    const x = u * image[a * 3]! + v * image[b * 3]! + w * image[c * 3]!
    const y = u * image[a * 3 + 1]! + v * image[b * 3 + 1]! + w * image[c * 3 + 1]!
    const near = u * image[a * 3 + 2]! + v * image[b * 3 + 2]! + w * image[c * 3 + 2]!
    const inside = Math.min(x, y, photo.width - x, photo.height - y)
    if (!(inside > 0)) return
    if (!shadow.sees(x, y, near, cosine)) return
    read((x - left) * scale, (y - top) * scale)
    const counted = smooth((cosine - FACING.from) / (FACING.to - FACING.from)) * colour[3]!
    weights[at] = counted
    colours[at * 3] = counted * colour[0]!
    colours[at * 3 + 1] = counted * colour[1]!
    colours[at * 3 + 2] = counted * colour[2]!
  })
  return { width: size, height: size, colours, weights }
}

/** Tells what of a surface the camera saw, and what its own parts hid. */
class Shadow {
  readonly #buffer = new VisibilityBuffer(SHADOW_SIZE, SHADOW_SIZE)
  readonly #left: number
  readonly #top: number
  readonly #scale: number
  readonly #depth: number
  /** Pixels of the z-buffer: the edge, which is no narrower than what is read of the photo at a point. */
  readonly #edge: number

  constructor(image: Float32Array, triangles: Int32Array, { x, y, width }: { x: number; y: number; width: number }) {
    this.#left = x
    this.#top = y
    this.#scale = SHADOW_SIZE / width
    this.#edge = Math.max(EDGE * SHADOW_SIZE, 1.5 * this.#scale)
    const points = new Float32Array(image.length)
    for (let i = 0; i < image.length; i += 3) {
      points[i] = (image[i]! - x) * this.#scale
      points[i + 1] = (image[i + 1]! - y) * this.#scale
      points[i + 2] = image[i + 2]!
    }
    this.#buffer.draw(points, triangles, 'both')
    const [low, high] = bounds(image, 3)
    this.#depth = high[2]! - low[2]!
  }

  /**
   * Whether the camera saw a point for certain: the points around lie on the same surface, one that faces the camera so
   * much. Where one is nearer it hides this one, or would if the fit were a little off; where one is farther, beside a
   * nostril or the edge of the head, the photo may show what lies there.
   */
  sees(x: number, y: number, near: number, cosine: number): boolean {
    // Seen at a slant, neighbours lie behind one another.
    const slope = Math.sqrt(Math.max(0, 1 - cosine * cosine)) / cosine
    const edge = this.#edge
    const step = this.#depth * (DEPTH_TOLERANCE + ((2 * edge) / SHADOW_SIZE) * slope)
    const column = (x - this.#left) * this.#scale
    const row = (y - this.#top) * this.#scale
    for (let corner = 0; corner < 4; corner++) {
      const i = Math.floor(column + (corner & 1 ? edge : -edge))
      const j = Math.floor(row + (corner & 2 ? edge : -edge))
      const isWithin = i >= 0 && j >= 0 && i < SHADOW_SIZE && j < SHADOW_SIZE
      if (!isWithin || !(Math.abs(this.#buffer.nearness[j * SHADOW_SIZE + i]! - near) <= step)) return false
    }
    return true
  }
}

/** All texels, those that belong to no triangle too: viewers read a little beyond the borders. */
function finished(known: WeightedColours): Picture {
  const { width, height, colours, weights } = known
  const coarse = halved(known, COARSER)
  const enlarged = new Enlarged(pushPull(coarse), coarse.width, coarse.height, 2 ** COARSER, width)
  const picture = createPicture(width, height)
  const { data } = picture
  for (let y = 0, at = 0; y < height; y++) {
    const filled = enlarged.row(y)
    for (let x = 0; x < width; x++, at++) {
      const weight = weights[at]!
      const missing = weight < 1 ? 1 - weight : 0
      const share = weight > 1 ? 1 / weight : 1
      for (let channel = 0; channel < 3; channel++)
        data[at * 4 + channel] = byteOfLight(colours[at * 3 + channel]! * share + missing * filled[x * 3 + channel]!)
      data[at * 4 + 3] = 255
    }
  }
  return picture
}

/** 0 to 1 with level ends. */
function smooth(share: number): number {
  const t = Math.min(1, Math.max(0, share))
  return t * t * (3 - 2 * t)
}
