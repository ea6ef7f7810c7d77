import { promisify } from 'node:util'
import { crc32, deflate } from 'node:zlib'
import { checkPicture, type Picture } from './Picture.js'

const deflated = promisify(deflate)

/** Quick, and within some percent of the best: rendered skin is smooth. */
const LEVEL = 4

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

/**
 * A picture as a PNG file, sRGB of 8 bits; without an alpha channel where every pixel is opaque. Compressed on a thread
 * of the pool.
 *
 * @throws SfmError INVALID_ARGUMENT for what is no picture.
 * @example
 * await writeFile('face.png', await encodePng(render(mesh)))
 */
export async function encodePng(picture: Picture): Promise<Uint8Array> {
  checkPicture(picture, 'picture')
  const { width, height, data } = picture
  let opaque = true
  for (let at = 3; at < data.length && opaque; at += 4) opaque = data[at] === 255
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, opaque ? 2 : 6, 0, 0, 0], 8)
  return Buffer.concat([
    Uint8Array.from(SIGNATURE),
    chunk('IHDR', header),
    // Perceptual intent.
    chunk('sRGB', Uint8Array.of(0)),
    chunk('IDAT', await deflated(filtered(picture, opaque ? 3 : 4), { level: LEVEL })),
    chunk('IEND', new Uint8Array(0)),
  ])
}

/**
 * Rows as differences, each behind the number of its filter. Up for all: of smooth pictures it is nearly as small as
 * Paeth's predictor, in a fraction of the time.
 */
function filtered({ width, height, data }: Picture, channels: number): Uint8Array {
  const stride = 1 + width * channels
  const rows = new Uint8Array(height * stride)
  for (let j = 0; j < height; j++) {
    const from = j * width * 4
    let to = j * stride
    rows[to++] = j === 0 ? 0 : 2
    const above = j === 0 ? undefined : width * 4
    for (let i = 0; i < width * 4; i++) {
      if (channels === 3 && (i & 3) === 3) continue
      rows[to++] = above === undefined ? data[from + i]! : data[from + i]! - data[from + i - above]!
    }
  }
  return rows
}

function chunk(type: string, content: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(content.length + 12)
  bytes.writeUInt32BE(content.length, 0)
  bytes.write(type, 4, 'latin1')
  bytes.set(content, 8)
  bytes.writeUInt32BE(crc32(bytes.subarray(4, -4)), bytes.length - 4)
  return bytes
}
