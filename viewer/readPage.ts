import type { Openings } from '../lib/render/openings.js'
import type { ViewerData, ViewerFace } from '../lib/viewer/ViewerData.js'
import { inMillimetres, unpack } from './unpack.js'
import type { Place, WalkColumns } from './walk.js'

/** What the page holds, ready to be used. */
export interface Page {
  data: ViewerData
  triangles: Uint16Array | Uint32Array
  /** [N,2] */
  uv: Float32Array | undefined
  /** [N,3] sRGB bytes. */
  colours: Uint8Array
  openings: Openings | undefined
  columns: WalkColumns
  faces: Array<ViewerFace & { place: Place }>
}

/**
 * Reads the data that the page was written with.
 *
 * @param meanwhile Begins what need not wait until the numbers are unpacked.
 */
export async function readPage(text: string, meanwhile: (data: ViewerData) => void = () => undefined): Promise<Page> {
  const data = JSON.parse(text) as ViewerData
  const { model } = data
  meanwhile(data)
  const arrays = await unpack(model.arrays)
  const next = () => arrays.shift()!
  const triangles = next() as Uint16Array
  const uv = model.hasUv ? Float32Array.from(next(), (value) => value / 65_535) : undefined
  const colours = next() as Uint8Array
  const column = () => inMillimetres(next())
  const columns: WalkColumns = {
    latent: model.latent,
    average: column(),
    pole: column(),
    directions: model.directions.map((tangent) => ({ tangent, column: column() })),
    expressions: model.expressions.map(column),
  }
  const faces = await Promise.all(
    data.faces.map(async (face) => {
      const [own] = await unpack(face.arrays)
      return { ...face, place: { tangent: face.tangent, column: inMillimetres(own!) } }
    }),
  )
  return { data, triangles, uv, colours, openings: model.openings, columns, faces }
}
