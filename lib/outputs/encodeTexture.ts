import { findPeer } from '../photos/peers.js'
import { checkPicture, type Picture } from '../render/Picture.js'
import { encodePng } from '../render/png.js'

/** A picture as the bytes of a file. */
export interface EncodedPicture {
  bytes: Uint8Array
  mimeType: 'image/jpeg' | 'image/png'
}

/** Of 100: no difference to be seen on a face, and a tenth of a PNG. */
const QUALITY = 90

/** What is used of the optional package. */
type Sharp = (
  data: Uint8Array | Uint8ClampedArray,
  options: { raw: { width: number; height: number; channels: 4 } },
) => {
  removeAlpha(): { jpeg(options: object): { toBuffer(): Promise<Uint8Array> } }
}

/** Looked for once; null where it is not installed. */
let sharp: Sharp | null | undefined

/**
 * A picture for a file that should be small: JPEG where the optional package `sharp` is installed, else PNG. A picture
 * that is transparent in places is a PNG in any case.
 */
export async function encodeTexture(picture: Picture): Promise<EncodedPicture> {
  checkPicture(picture, 'texture')
  const { width, height, data } = picture
  if (sharp === undefined) sharp = findPeer<Sharp>('sharp') ?? null
  const encoder = isOpaque(picture) ? sharp : null
  if (encoder === null) return { bytes: await encodePng(picture), mimeType: 'image/png' }
  const pixels = encoder(data, { raw: { width, height, channels: 4 } }).removeAlpha()
  const bytes = await pixels.jpeg({ quality: QUALITY, chromaSubsampling: '4:4:4' }).toBuffer()
  return { bytes, mimeType: 'image/jpeg' }
}

function isOpaque({ data }: Picture): boolean {
  for (let at = 3; at < data.length; at += 4) if (data[at] !== 255) return false
  return true
}
