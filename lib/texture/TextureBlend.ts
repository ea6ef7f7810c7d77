import { invalidArgument } from '../errors.js'
import { checkMesh } from '../outputs/checkMesh.js'
import { type Mesh, withMorphs } from '../outputs/Mesh.js'
import { vertexNormals } from '../outputs/normals.js'
import { checkPicture, type Picture } from '../render/Picture.js'
import { type FitView, type Projection, project, resolveFitView, turn } from '../render/View.js'
import type { MirroredSurface } from './counterparts.js'
import { finishTexture } from './finishTexture.js'
import { emptyColours } from './pushPull.js'
import { type SampledTexels, sampleTexels } from './sampleTexels.js'

/** Texels of a side. */
const SIZE = 1024

/** How much brighter or darker a photo may be made, to have the light of the first. */
const GAIN = { least: 0.25, most: 4 }

/** Of the texels: what two photos must both show to be compared. */
const LEAST_COMMON = 0.005

/** The least emphasis: of what is known at all. */
const TINY = 1e-9

/**
 * The colours of one person's face from any number of photos, one after the other, in memory that does not grow with
 * them.
 *
 * A texel is the mean of the photos that show it, each in the light of the first, and counts by how squarely the camera
 * saw it and how large the face is there. What no photo shows is taken from the other half of the face, then from around.
 *
 * @example
 * const blend = new TextureBlend()
 * for (const i of used) blend.add(await faceMesh(model, result.images[i], 'a'), result.images[i], photos[i].pixels)
 * await writeMesh('glb', 'a.glb', { ...(await faceMesh(model, result, 'a')), texture: blend.picture() })
 */
export class TextureBlend {
  readonly #size: number
  #known: SampledTexels | undefined
  /** [size,size] sums; of the first photo alone they are not needed. */
  #emphases: Float32Array | undefined
  #surface: MirroredSurface | undefined

  /**
   * @param options.size Texels of a side, 16 to 8192; 1024 by default.
   * @throws SfmError INVALID_ARGUMENT
   */
  constructor({ size = SIZE }: { size?: number } = {}) {
    if (!Number.isInteger(size) || size < 16 || size > 8192)
      throw invalidArgument('size', 'a whole number of texels in 16..8192', size)
    this.#size = size
  }

  /**
   * Adds what a photo shows. Takes some tens of milliseconds on this thread.
   *
   * @param mesh The face in this photo, of `faceMesh`: with its expression, texture coordinates, and mirror pairs where
   *   the other half is to be used. Of one model for all photos.
   * @param view The fit to the photo.
   * @param photo The pixels that the landmarks were found in, upright.
   * @throws SfmError INVALID_ARGUMENT
   */
  add(mesh: Mesh, view: FitView, photo: Picture): this {
    checkMesh(mesh)
    const { uv, triangles, mirror } = mesh
    if (!uv) throw invalidArgument('mesh.uv', 'texture coordinates', uv)
    checkPicture(photo, 'photo')
    const resolved = resolveFitView(view, 'view')
    const vertices = withMorphs(mesh)
    const projection = project(vertices, resolved)
    const facing = cosines(
      projection,
      turn(vertexNormals(vertices, triangles), resolved.rotation),
      resolved.camera.type,
    )
    const seen = sampleTexels({ uv, triangles, image: projection.image, facing }, photo, this.#size)
    this.#surface ??= mirror && { uv, triangles, mirror }
    if (this.#known === undefined) this.#known = seen
    else this.#merge(this.#known, seen)
    return this
  }

  /** The texture so far: square, opaque; black where no photo shows anything. */
  picture(): Picture {
    return finishTexture(this.#known ?? emptyColours(this.#size, this.#size), this.#surface)
  }

  #merge(known: SampledTexels, seen: SampledTexels): void {
    const emphases = this.#emphases ?? known.weights.map((weight) => emphasis(weight, known.detail))
    this.#emphases = emphases
    const [red, green, blue] = gainsOf(seen, known)
    const { colours, weights } = known
    for (let at = 0; at < weights.length; at++) {
      const weight = seen.weights[at]!
      if (weight === 0) continue
      const before = emphases[at]!
      const counted = emphasis(weight, seen.detail)
      const both = before + counted
      const most = Math.max(weight, weights[at]!)
      // Colours are held times the weight.
      const keep = before > 0 ? (before / both) * (most / weights[at]!) : 0
      const take = (counted / both) * (most / weight)
      const i = at * 3
      colours[i] = keep * colours[i]! + take * red * seen.colours[i]!
      colours[i + 1] = keep * colours[i + 1]! + take * green * seen.colours[i + 1]!
      colours[i + 2] = keep * colours[i + 2]! + take * blue * seen.colours[i + 2]!
      weights[at] = most
      emphases[at] = both
    }
  }
}

/** What a photo counts for at a texel: the clearer views much more than the others, or details would be washed out. */
function emphasis(weight: number, detail: number): number {
  return weight > 0 ? Math.max(TINY, (weight * detail) ** 4) : 0
}

/** For each channel by how much the first is darker than the second, where both are known. */
function gainsOf(seen: SampledTexels, known: SampledTexels): [red: number, green: number, blue: number] {
  const [mine, its] = [new Float64Array(3), new Float64Array(3)]
  let common = 0
  for (let at = 0; at < seen.weights.length; at++) {
    const weight = seen.weights[at]!
    const other = known.weights[at]!
    if (weight === 0 || other === 0) continue
    common += weight * other
    for (let channel = 0; channel < 3; channel++) {
      mine[channel]! += other * seen.colours[at * 3 + channel]!
      its[channel]! += weight * known.colours[at * 3 + channel]!
    }
  }
  const gain = (channel: number) =>
    common < LEAST_COMMON * seen.weights.length || mine[channel] === 0
      ? 1
      : Math.min(GAIN.most, Math.max(GAIN.least, its[channel]! / mine[channel]!))
  return [gain(0), gain(1), gain(2)]
}

/** [N] cosine of the angle between each normal and the way to the camera. */
function cosines({ space }: Projection, normals: Float32Array, camera: 'perspective' | 'weak'): Float32Array {
  const result = new Float32Array(normals.length / 3)
  for (let v = 0, i = 0; v < result.length; v++, i += 3) {
    const x = camera === 'weak' ? 0 : space[i]!
    const y = camera === 'weak' ? 0 : space[i + 1]!
    const z = camera === 'weak' ? 1 : space[i + 2]!
    const along = normals[i]! * x + normals[i + 1]! * y + normals[i + 2]! * z
    result[v] = -along / (Math.sqrt(x * x + y * y + z * z) || 1)
  }
  return result
}
