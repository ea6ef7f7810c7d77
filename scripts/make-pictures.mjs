// Draws the pictures of README.md and docs/outputs.md into docs/images, or a folder given. Run after `npm run build`; for
// the picture of the viewer with SFM_CHROMIUM, the path of a Chromium.
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { chromium } from 'playwright-core'
import { PNG } from 'pngjs'
import { encodePng, encodeViewer, faceMesh, photoTexture, render, SphereFaceModel } from '../dist/index.js'

const root = new URL('../', import.meta.url)
const folder = process.argv[2] ?? fileURLToPath(new URL('docs/images', root))
const observation = JSON.parse(await readFile(new URL('examples/landmarks/astronaut.mediapipe478.json', root), 'utf8'))
const photo = PNG.sync.read(await readFile(new URL('examples/photos/astronaut.png', root)))

const model = await SphereFaceModel.load()
const fitter = await model.createFitter()
const result = await fitter.fit(observation)
const mesh = await faceMesh(model, result, 'astronaut')
const texture = photoTexture(mesh, result, photo)
const textured = { ...mesh, texture }
const drawn = model.sample({ count: 8, seed: 21 })
const save = async (name, picture) => writeFile(join(folder, name), await encodePng(picture))

/** Pictures of one size, side by side. */
function beside(pictures, gap = 8) {
  const [{ width, height }] = pictures
  const all = pictures.length * (width + gap) - gap
  const data = new Uint8Array(4 * all * height).fill(255)
  for (const [i, picture] of pictures.entries())
    for (let y = 0; y < height; y++)
      data.set(picture.data.subarray(4 * y * width, 4 * (y + 1) * width), 4 * (y * all + i * (width + gap)))
  return { width: all, height, data }
}

const seen = { view: result, photo, region: { x: 130, y: 8, width: 200, height: 200 }, width: 400 }
const panels = [
  render(mesh, { ...seen, opacity: 0, landmarks: observation.points }),
  render(mesh, seen),
  render(mesh, { width: 400 }),
  render(textured, { width: 400, view: { yaw: -35 } }),
]
await save('fitted-face.png', beside(panels))

const turned = [-60, -30, 0, 30, 60].map((yaw) => ({ ...textured, view: { yaw } }))
await save('textured-face.png', render(turned, { width: 1500, height: 300 }))

const lines = await readFile(new URL('examples/landmarks/drawn.jsonl', root), 'utf8')
const poses = lines
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line))
const fits = await fitter.fit(poses)
const hard = fits.map(async (fit, i) =>
  render(await faceMesh(model, fit, fit.id), { view: fit, landmarks: poses[i].points, width: 240 }),
)
await save('hard-poses.png', beside(await Promise.all(hard), 0))

const people = await Promise.all(drawn.map((latents, i) => faceMesh(model, latents, `drawn ${i + 1}`)))
const inTurn = people.map((each, i) => ({ ...each, view: { yaw: [-30, 20][i % 2] } }))
await save('drawn-faces.png', render(inTurn, { width: 1200, height: 600 }))

if (process.env.SFM_CHROMIUM) {
  const face = { name: 'Astronaut', latents: result, texture, photo: { picture: photo, view: result } }
  const page = join(folder, 'viewer.html')
  await writeFile(page, await encodeViewer(model, [face, { name: 'Drawn', latents: drawn[0] }]))
  const args = ['--no-sandbox', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist']
  const browser = await chromium.launch({ executablePath: process.env.SFM_CHROMIUM, args })
  const tab = await browser.newPage({ viewport: { width: 1100, height: 640 } })
  await tab.goto(pathToFileURL(page).href)
  await tab.waitForFunction(() => document.documentElement.dataset.firstFrame)
  await tab.locator('#canvas').focus()
  for (let i = 0; i < 4; i++) await tab.keyboard.press('ArrowRight')
  await tab.locator('#canvas').blur()
  await tab.waitForTimeout(500)
  await tab.screenshot({ path: join(folder, 'viewer.png') })
  await browser.close()
  await rm(page)
}

console.log(`${folder}: ${result.message}, RMSE ${result.rmse.toFixed(2)} px`)
fitter.dispose()
model.dispose()
