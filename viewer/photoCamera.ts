import { Camera, Matrix4 } from 'three'
import type { ViewerPhoto } from '../lib/viewer/ViewerData.js'

/** mm in front of the camera and behind: what is drawn. */
const NEAR = 10
const FAR = 20_000

/**
 * The camera of a photo, for a canvas that shows the photo whole and in its middle, as `object-fit: contain` does.
 * three.js looks along -z with y up, the fit's camera along +z with y down.
 */
export function photoCamera(photo: ViewerPhoto, width: number, height: number): Camera {
  const { rotation: r, translation: t, camera } = photo
  const placed = new Camera()
  placed.matrixAutoUpdate = false
  placed.matrix
    .set(r[0]!, r[1]!, r[2]!, t[0]!, -r[3]!, -r[4]!, -r[5]!, -t[1]!, -r[6]!, -r[7]!, -r[8]!, -t[2]!, 0, 0, 0, 1)
    .invert()
  const scale = Math.min(width / photo.width, height / photo.height)
  // Where the camera's axis meets the canvas, from -1 to 1.
  const x = (2 * scale * (camera.principal[0] - photo.width / 2)) / width
  const y = (-2 * scale * (camera.principal[1] - photo.height / 2)) / height
  const size = camera.type === 'weak' ? camera.scale : camera.focal
  const across = (2 * scale * size) / width
  const up = (2 * scale * size) / height
  const depth = FAR - NEAR
  placed.projectionMatrix =
    camera.type === 'weak'
      ? new Matrix4().set(across, 0, 0, x, 0, up, 0, y, 0, 0, -1 / FAR, -t[2]! / FAR, 0, 0, 0, 1)
      : new Matrix4().set(
          across,
          0,
          -x,
          0,
          0,
          up,
          -y,
          0,
          0,
          0,
          -(FAR + NEAR) / depth,
          (-2 * FAR * NEAR) / depth,
          0,
          0,
          -1,
          0,
        )
  placed.projectionMatrixInverse.copy(placed.projectionMatrix).invert()
  return placed
}
