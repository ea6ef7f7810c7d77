// Draws docs/images/fitted-face.png: the photo with its landmarks, the fitted face over it, and the same face turned.
// Run after `npm run build`. A few dozen lines of z-buffer are enough for a picture of one face.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { PNG } from 'pngjs'
import { SphereFaceModel } from '../dist/index.js'

const root = new URL('../', import.meta.url)
const observation = JSON.parse(readFileSync(new URL('examples/landmarks/astronaut.mediapipe478.json', root), 'utf8'))
const photo = PNG.sync.read(readFileSync(new URL('examples/photos/astronaut.png', root)))

/** Part of the photo around the face, and how much it is enlarged. */
const CROP = { x: 130, y: 8, size: 200 }
const ZOOM = 2

const model = await SphereFaceModel.load()
const fitter = await model.createFitter()
const result = await fitter.fit(observation)

/** Shades the mesh into an image: project maps a vertex [x,y,z] in camera space to a pixel [x,y]; alpha 1 covers. */
function draw(image, vertices, normals, project, alpha) {
  const { width, height } = image
  const depth = new Float32Array(width * height).fill(Number.POSITIVE_INFINITY)
  const colour = new Float32Array(width * height * 3)
  const at = (array, i) => [array[3 * i], array[3 * i + 1], array[3 * i + 2]]
  const light = unit([-0.35, -0.45, -0.8])
  const { triangles } = model.data
  for (let t = 0; t < triangles.length; t += 3) {
    const corners = [0, 1, 2].map((c) => triangles[t + c])
    const [a, b, c] = corners.map((i) => ({ ...project(at(vertices, i)), z: vertices[3 * i + 2], n: at(normals, i) }))
    const area = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x)
    // Counter-clockwise seen from outside is clockwise in an image with +Y down.
    if (area >= 0) continue
    const xs = [a.x, b.x, c.x]
    const ys = [a.y, b.y, c.y]
    for (let y = Math.max(0, Math.floor(Math.min(...ys))); y <= Math.min(height - 1, Math.ceil(Math.max(...ys))); y++) {
      for (
        let x = Math.max(0, Math.floor(Math.min(...xs)));
        x <= Math.min(width - 1, Math.ceil(Math.max(...xs)));
        x++
      ) {
        const px = x + 0.5
        const py = y + 0.5
        const u = ((b.x - px) * (c.y - py) - (b.y - py) * (c.x - px)) / area
        const v = ((c.x - px) * (a.y - py) - (c.y - py) * (a.x - px)) / area
        const w = 1 - u - v
        if (u < 0 || v < 0 || w < 0) continue
        const z = u * a.z + v * b.z + w * c.z
        const pixel = y * width + x
        if (z >= depth[pixel]) continue
        depth[pixel] = z
        const n = unit([0, 1, 2].map((k) => u * a.n[k] + v * b.n[k] + w * c.n[k]))
        const lambert = Math.max(0, n[0] * light[0] + n[1] * light[1] + n[2] * light[2])
        const shade = 0.25 + 0.75 * lambert
        for (const [k, base] of [222, 190, 170].entries()) colour[3 * pixel + k] = base * shade
      }
    }
  }
  for (let pixel = 0; pixel < width * height; pixel++) {
    if (depth[pixel] === Number.POSITIVE_INFINITY) continue
    for (let k = 0; k < 3; k++)
      image.data[4 * pixel + k] = (1 - alpha) * image.data[4 * pixel + k] + alpha * colour[3 * pixel + k]
  }
}

function unit(v) {
  const length = Math.hypot(...v) || 1
  return v.map((value) => value / length)
}

/** An enlarged part of the photo, bilinear. */
function cropped() {
  const side = CROP.size * ZOOM
  const image = new PNG({ width: side, height: side })
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const sx = CROP.x + (x + 0.5) / ZOOM - 0.5
      const sy = CROP.y + (y + 0.5) / ZOOM - 0.5
      const [x0, y0] = [Math.floor(sx), Math.floor(sy)].map((value) => Math.max(0, value))
      for (let k = 0; k < 3; k++) {
        const get = (i, j) =>
          photo.data[4 * (Math.min(photo.height - 1, j) * photo.width + Math.min(photo.width - 1, i)) + k]
        const top = get(x0, y0) * (1 - (sx - x0)) + get(x0 + 1, y0) * (sx - x0)
        const bottom = get(x0, y0 + 1) * (1 - (sx - x0)) + get(x0 + 1, y0 + 1) * (sx - x0)
        image.data[4 * (y * side + x) + k] = top * (1 - (sy - y0)) + bottom * (sy - y0)
      }
      image.data[4 * (y * side + x) + 3] = 255
    }
  }
  return image
}

function dot(image, x, y, radius) {
  for (let j = Math.floor(y - radius); j <= y + radius; j++)
    for (let i = Math.floor(x - radius); i <= x + radius; i++)
      if (
        (i + 0.5 - x) ** 2 + (j + 0.5 - y) ** 2 <= radius * radius &&
        i >= 0 &&
        j >= 0 &&
        i < image.width &&
        j < image.height
      )
        image.data.set([40, 230, 120, 255], 4 * (j * image.width + i))
}

const inCrop = (x, y) => ({ x: (x - CROP.x) * ZOOM, y: (y - CROP.y) * ZOOM })
const { focal, principal } = result.camera
const inPhoto = ([x, y, z]) => inCrop((focal * x) / z + principal[0], (focal * y) / z + principal[1])

const landmarks = cropped()
for (const [x, y] of observation.points) {
  const p = inCrop(x, y)
  dot(landmarks, p.x, p.y, 1.6)
}

/** Normals are in model space; a pose turns them as it turns the face. */
function turned(normals, r) {
  const out = new Float32Array(normals.length)
  for (let i = 0; i < normals.length; i += 3)
    for (let row = 0; row < 3; row++)
      out[i + row] = r[3 * row] * normals[i] + r[3 * row + 1] * normals[i + 1] + r[3 * row + 2] * normals[i + 2]
  return out
}

const { vertices, normals } = await model.decode(result, { normals: true })
const posed = await model.decode(result, { posed: true })
const overlay = cropped()
draw(overlay, posed, turned(normals, result.pose.rotation), inPhoto, 0.85)

const side = CROP.size * ZOOM
function portrait(degrees) {
  const image = new PNG({ width: side, height: side })
  for (let i = 0; i < image.data.length; i += 4) image.data.set([244, 244, 246, 255], i)
  const [c, s] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)]
  const rotation = [c, 0, -s, 0, -1, 0, -s, 0, -c]
  const face = turned(vertices, rotation)
  draw(image, face, turned(normals, rotation), ([x, y]) => ({ x: side / 2 + 1.55 * x, y: side * 0.47 + 1.55 * y }), 1)
  return image
}

const panels = [landmarks, overlay, portrait(0), portrait(50)]
const gap = 8
const sheet = new PNG({ width: panels.length * (side + gap) - gap, height: side })
sheet.data.fill(255)
for (const [i, panel] of panels.entries()) PNG.bitblt(panel, sheet, 0, 0, side, side, i * (side + gap), 0)
const file = new URL('docs/images/fitted-face.png', root)
writeFileSync(file, PNG.sync.write(sheet))
console.log(`${fileURLToPath(file)}: ${result.message}, RMSE ${result.rmse.toFixed(2)} px`)
