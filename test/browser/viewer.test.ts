/** The viewer's page in a real browser, from a file. */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Browser, Page } from 'playwright-core'
// @ts-expect-error The package has no types.
import { PNG } from 'pngjs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type FitResult,
  faceMesh,
  type Mesh,
  type Picture,
  photoTexture,
  render,
  SphereFaceModel,
} from '../../lib/index.js'
import { project, resolveFitView } from '../../lib/render/View.js'
import { encodeViewer } from '../../lib/viewer/encodeViewer.js'
import { browserPath, openBrowser } from './openBrowser.js'

const examples = new URL('../../examples/', import.meta.url)
const SIZE = { width: 1100, height: 700 }

/** The canvas of that window. */
const STAGE = { x: 0, y: 0, width: 764, height: 700 }

const title = browserPath
  ? 'the viewer'
  : 'the viewer (skipped: no Chromium here; install chromium, or set SFM_CHROMIUM)'

describe.skipIf(!browserPath)(title, { timeout: 120_000 }, () => {
  let folder: string
  let browser: Browser
  let url: string
  let photo: Picture
  let result: FitResult
  let mesh: Mesh
  const model = SphereFaceModel.load()

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sfm-viewer-'))
    const fitter = await (await model).createFitter()
    result = await fitter.fit(
      JSON.parse(await readFile(new URL('landmarks/astronaut.mediapipe478.json', examples), 'utf8')),
    )
    photo = PNG.sync.read(await readFile(new URL('photos/astronaut.png', examples)))
    photo = { width: photo.width, height: photo.height, data: photo.data }
    mesh = await faceMesh(await model, result, 'astronaut')
    const texture = photoTexture(mesh, result, photo)
    const others = (await model)
      .sample({ count: 2, seed: 3 })
      .map((latents, i) => ({ name: `drawn ${i + 1}`, latents }))
    const face = { name: 'astronaut', latents: result, texture, photo: { picture: photo, view: result } }
    const html = await encodeViewer(await model, [face, ...others])
    expect(html.length).toBeLessThan(8e6)
    const file = join(folder, 'a 1.html')
    await writeFile(file, html)
    url = pathToFileURL(file).href
    browser = await openBrowser()
  }, 120_000)

  afterAll(async () => {
    await browser?.close()
    ;(await model).dispose()
    await rm(folder, { recursive: true, force: true })
  })

  /** Opens the page, and collects what it says on the console and asks of the network. */
  async function open(options: Parameters<Browser['newPage']>[0] = {}) {
    const page = await browser.newPage({ viewport: SIZE, ...options })
    const said: string[] = []
    page.on('console', (message) => said.push(`${message.type()}: ${message.text()}`))
    page.on('pageerror', (error) => said.push(`error: ${error.message}`))
    page.on('request', (request) => {
      if (request.url() !== url && !/^(data|blob):/.test(request.url())) said.push(`request: ${request.url()}`)
    })
    await page.goto(url)
    await page.waitForFunction(() => document.documentElement.dataset.firstFrame, undefined, { timeout: 60_000 })
    return { page, said, [Symbol.asyncDispose]: () => page.close() }
  }

  /** What the canvas shows, after the next frames. */
  async function screenshot(page: Page): Promise<Picture> {
    await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))))
    const { width, height, data } = PNG.sync.read(await page.screenshot({ clip: STAGE }))
    return { width, height, data }
  }

  it('shows a face, at once, without a word on the console or a request', async () => {
    await using opened = await open()
    const { page, said } = opened
    const picture = await screenshot(page)
    expect(likeness(picture, await drawnByUs())).toBeGreaterThan(0.93)
    expect(contrast(picture)).toBeGreaterThan(100)
    expect(said).toEqual([])
    expect(await page.title()).toBe('astronaut')
    expect(await page.locator('#failure').isHidden()).toBe(true)
  })

  it('has its first frame within a second', async () => {
    const times: number[] = []
    // The first page of a browser waits for the compiler of its shaders; a busy machine has several chances.
    for (let attempt = 0; attempt < 6 && !times.some((time) => time < 1000); attempt++) {
      await using opened = await open()
      times.push(Number(await opened.page.evaluate(() => document.documentElement.dataset.firstFrame)))
    }
    // Where more wants to run than there are cores, everything takes so much longer.
    const busy = Math.max(1, loadavg()[0]! / availableParallelism())
    console.log(`first frame of the viewer: ${times.join(', ')} ms, load ${busy.toFixed(1)} a core`)
    expect(Math.min(...times), `load ${busy.toFixed(1)} a core`).toBeLessThan(1000 * busy)
  })

  it('is the same face without its texture, and turns', async () => {
    await using opened = await open()
    const { page, said } = opened
    const textured = await screenshot(page)
    await page.keyboard.press('t')
    const plain = await screenshot(page)
    expect(likeness(textured, plain)).toBeGreaterThan(0.98)
    expect(difference(textured, plain)).toBeGreaterThan(8)
    await page.keyboard.press('w')
    const net = await screenshot(page)
    expect(difference(plain, net)).toBeGreaterThan(8)
    await page.keyboard.press('w')
    expect(difference(await screenshot(page), plain)).toBeLessThan(0.5)
    await page.getByRole('button', { name: 'Left' }).click()
    const side = await screenshot(page)
    const expected = render({ ...mesh }, { view: { yaw: -50 }, background: [0, 0, 0, 0] })
    expect(likeness(side, expected)).toBeGreaterThan(0.9)
    expect(likeness(side, plain)).toBeLessThan(0.93)
    expect(said).toEqual([])
  })

  it('lays the face over its photo where the fit has it', async () => {
    await using opened = await open()
    const { page, said } = opened
    await page.keyboard.press('t')
    await page.keyboard.press('o')
    await page.getByLabel('Opacity over the photo').fill('1')
    await page.locator('#photo').evaluate((photo: HTMLImageElement) => photo.decode())
    const over = await screenshot(page)
    await page.getByLabel('Opacity over the photo').fill('0')
    const without = await screenshot(page)
    const box = changedBox(over, without)
    // The photo is shown whole, in the middle of the canvas; of it the part around the face, one face's size on each side.
    const { image } = project(await (await model).decode(result), resolveFitView(result, 'result'))
    const [left, right, top, bottom] = extent(image)
    const part = {
      x: Math.max(0, Math.floor((left + right) / 2 - Math.max(right - left, bottom - top))),
      y: Math.max(0, Math.floor((top + bottom) / 2 - Math.max(right - left, bottom - top))),
      right: Math.min(photo.width, Math.ceil((left + right) / 2 + Math.max(right - left, bottom - top))),
      bottom: Math.min(photo.height, Math.ceil((top + bottom) / 2 + Math.max(right - left, bottom - top))),
    }
    const scale = Math.min(STAGE.width / (part.right - part.x), STAGE.height / (part.bottom - part.y))
    const [dx, dy] = [
      (STAGE.width - scale * (part.right - part.x)) / 2,
      (STAGE.height - scale * (part.bottom - part.y)) / 2,
    ]
    const expected = [
      dx + scale * (left - part.x),
      dx + scale * (right - part.x),
      dy + scale * (top - part.y),
      dy + scale * (bottom - part.y),
    ]
    box.forEach((value, i) => {
      expect(Math.abs(value - Math.min(expected[i]!, i < 2 ? STAGE.width : STAGE.height))).toBeLessThan(3)
    })
    expect(said).toEqual([])
  })

  it('changes with every kind of slider, by keyboard, and comes back', async () => {
    await using opened = await open()
    const { page, said } = opened
    const fitted = await screenshot(page)
    const jaw = page.getByLabel('Jaw open')
    await jaw.focus()
    for (let i = 0; i < 60; i++) await page.keyboard.press('ArrowRight')
    expect(await jaw.getAttribute('aria-valuetext')).toMatch(/^0\.6\d$/)
    const open1 = await screenshot(page)
    expect(difference(open1, fitted)).toBeGreaterThan(1)
    await page.keyboard.press('r')
    expect(difference(await screenshot(page), fitted)).toBeLessThan(0.5)

    await page.getByText('Directions, from what').click()
    for (const [label, value] of [
      ['Direction 1', '3'],
      ['From the mean face', '0'],
      ['On the way to it', '1'],
    ] as const) {
      await page.getByLabel(label).first().fill(value)
      expect(difference(await screenshot(page), fitted), label).toBeGreaterThan(0.5)
      await page.getByRole('button', { name: 'This identity' }).click()
      expect(difference(await screenshot(page), fitted), label).toBeLessThan(0.5)
    }
    await page.getByLabel('Which one').selectOption('drawn 2')
    expect(await page.locator('h1').textContent()).toBe('drawn 2')
    expect(await page.getByLabel('Over the photo').first().isVisible()).toBe(false)
    expect(difference(await screenshot(page), fitted)).toBeGreaterThan(3)
    expect(said).toEqual([])
  })

  it('can be used without a mouse', async () => {
    await using opened = await open()
    const { page, said } = opened
    await page.keyboard.press('Tab')
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('canvas')
    const front = await screenshot(page)
    for (const key of ['ArrowLeft', 'ArrowUp', '+', 'ArrowLeft', 'ArrowLeft']) await page.keyboard.press(key)
    expect(difference(await screenshot(page), front)).toBeGreaterThan(3)
    await page.keyboard.press('Home')
    expect(difference(await screenshot(page), front)).toBeLessThan(0.5)

    // Everything can be reached, has a name, shows that it is there, and nothing holds the focus.
    await page.evaluate(() => {
      for (const details of document.querySelectorAll('details')) details.open = true
    })
    const wanted = await page.locator('#panel :is(input, select, button, summary):visible').count()
    const reached = new Set<string>()
    for (let i = 0; i <= wanted + 2; i++) {
      await page.keyboard.press('Tab')
      const here = await page.evaluate(() => {
        const focused = document.activeElement as HTMLElement
        const named = focused as HTMLInputElement
        const name = named.labels?.[0]?.textContent || focused.getAttribute('aria-label') || focused.textContent
        const isShown = getComputedStyle(focused).outlineStyle !== 'none'
        return { tag: focused.tagName, id: focused.id, name: name?.trim() ?? '', isShown }
      })
      if (here.tag === 'BODY' || here.id === 'canvas') continue
      expect(here).toMatchObject({ isShown: true, name: expect.stringMatching(/\S/) })
      reached.add(`${here.tag} ${here.id} ${here.name}`)
    }
    expect(reached.size).toBe(wanted)
    // Shortcuts can be switched off.
    await page.getByLabel('Keyboard shortcuts').uncheck()
    await page.keyboard.press('t')
    expect(await page.getByLabel('Texture').isChecked()).toBe(true)
    expect(said).toEqual([])
  })

  it('has text that can be read, in light and in dark', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      await using opened = await open({ colorScheme })
      const ratios = await opened.page.evaluate(() => {
        const luminance = (colour: string) => {
          const [r, g, b] = colour.match(/[\d.]+/g)!.map((value) => {
            const share = Number(value) / 255
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
          }) as [number, number, number]
          return 0.2126 * r + 0.7152 * g + 0.0722 * b
        }
        const ground = luminance(getComputedStyle(document.getElementById('panel')!).backgroundColor)
        return [...document.querySelectorAll('#panel :is(label, output, legend, p, summary, button, h1, kbd)')].map(
          (each) => {
            const text = luminance(getComputedStyle(each).color)
            return (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05)
          },
        )
      })
      expect(Math.min(...ratios)).toBeGreaterThan(4.5)
    }
  })

  it('does not glide for who asked for less motion', async () => {
    await using opened = await open({ reducedMotion: 'reduce' })
    const { page } = opened
    await page.mouse.move(300, 300)
    await page.mouse.down()
    await page.mouse.move(420, 320, { steps: 4 })
    await page.mouse.up()
    const first = await screenshot(page)
    await page.waitForTimeout(300)
    expect(difference(await screenshot(page), first)).toBe(0)
  })

  it('says so where there is no WebGL', async () => {
    const page = await browser.newPage({ viewport: SIZE })
    const said: string[] = []
    page.on('console', (message) => said.push(message.text()))
    page.on('pageerror', (error) => said.push(error.message))
    await page.addInitScript(() => {
      HTMLCanvasElement.prototype.getContext = () => null
    })
    await page.goto(url)
    await page.locator('#failure').waitFor({ state: 'visible' })
    expect(await page.locator('#failure').textContent()).toContain('WebGL 2')
    expect(said).toEqual([])
    await page.close()
  })

  /** The same face by our own rasteriser. */
  async function drawnByUs(): Promise<Picture> {
    return render(mesh, { background: [0, 0, 0, 0] })
  }
})

/** Where there is a face: what differs from the corner's colour, which is the ground's; or is not transparent. */
function mask({ width, height, data }: Picture): { width: number; height: number; inside: boolean[] } {
  const inside = Array.from({ length: width * height }, (_, i) => {
    if (data[3] === 0) return data[4 * i + 3]! > 127
    const away = [0, 1, 2].reduce(
      (sum, channel) => sum + Math.abs(data[4 * i + channel]! - data[8 * width + 40 + channel]!),
      0,
    )
    // The hint is written in the lower left corner.
    return away > 24 && !(i % width < 0.5 * width && i / width > 0.95 * height)
  })
  return { width, height, inside }
}

/** How much of two silhouettes is common to both, each stretched to its own box. */
function likeness(a: Picture, b: Picture): number {
  const [p, q] = [a, b].map((picture) => {
    const { width, inside } = mask(picture)
    const places = inside.flatMap((isInside, i) => (isInside ? [[i % width, Math.floor(i / width)] as const] : []))
    const [left, right] = [Math.min, Math.max].map((pick) =>
      places.reduce((value, [x]) => pick(value, x), places[0]![0]),
    )
    const [top, bottom] = [Math.min, Math.max].map((pick) =>
      places.reduce((value, [, y]) => pick(value, y), places[0]![1]),
    )
    return Array.from({ length: 64 * 64 }, (_, i) => {
      const x = Math.round(left! + ((i % 64) / 63) * (right! - left!))
      const y = Math.round(top! + (Math.floor(i / 64) / 63) * (bottom! - top!))
      return inside[y * width + x]!
    })
  }) as [boolean[], boolean[]]
  const common = p.filter((value, i) => value && q[i]).length
  return common / p.filter((value, i) => value || q[i]).length
}

/** The mean difference of the bytes of two pictures. */
function difference(a: Picture, b: Picture): number {
  let sum = 0
  for (let at = 0; at < a.data.length; at++) sum += Math.abs(a.data[at]! - b.data[at]!)
  return sum / a.data.length
}

/** Between the darkest and the lightest of a face: one without eyes, nose or mouth has little. */
function contrast(picture: Picture): number {
  const { inside } = mask(picture)
  const values = inside.flatMap((isInside, i) => (isInside ? [picture.data[4 * i + 1]!] : [])).sort((a, b) => a - b)
  return values[Math.floor(0.98 * values.length)]! - values[Math.floor(0.02 * values.length)]!
}

/** Left, right, top and bottom of what differs. */
function changedBox(a: Picture, b: Picture): number[] {
  const box = [Number.POSITIVE_INFINITY, 0, Number.POSITIVE_INFINITY, 0]
  for (let at = 0; at < a.data.length; at += 4) {
    if ([0, 1, 2].every((channel) => Math.abs(a.data[at + channel]! - b.data[at + channel]!) < 12)) continue
    const [x, y] = [(at / 4) % a.width, Math.floor(at / 4 / a.width)]
    box[0] = Math.min(box[0]!, x)
    box[1] = Math.max(box[1]!, x + 1)
    box[2] = Math.min(box[2]!, y)
    box[3] = Math.max(box[3]!, y + 1)
  }
  return box
}

function extent(image: Float32Array): [number, number, number, number] {
  const values = (axis: number) => Array.from({ length: image.length / 3 }, (_, v) => image[3 * v + axis]!)
  return [Math.min(...values(0)), Math.max(...values(0)), Math.min(...values(1)), Math.max(...values(1))]
}
