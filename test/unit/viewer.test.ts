import { afterAll, describe, expect, it } from 'vitest'
import { SphereFaceModel } from '../../lib/model/SphereFaceModel.js'
import { exponential, logarithm } from '../../lib/model/sphere.js'
import { createPicture } from '../../lib/render/Picture.js'
import { encodeViewer } from '../../lib/viewer/encodeViewer.js'
import type { ViewerData } from '../../lib/viewer/ViewerData.js'
import { readPage } from '../../viewer/readPage.js'
import { shapeAt, type Whereabouts } from '../../viewer/walk.js'
import { tinyGaussianModel, turnedSphereModel } from '../fixtures/tinyModel.js'

/** The data within a page. */
function dataOf(html: string): string {
  return /<script id="data" type="application\/json">(.*?)<\/script>/s.exec(html)![1]!
}

/** mm: half a step of each column that counts, and what the sum of a few of them may come to. */
const CLOSE = 0.03

/** The largest difference of two shapes. */
function apart(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0)
}

describe.each([
  ['embedded', () => SphereFaceModel.load()],
  ['turned', async () => SphereFaceModel.fromData(turnedSphereModel(3).data)],
])('a walk with the %s model', async (_, load) => {
  const model = await load()
  afterAll(() => model.dispose())
  const { data } = model
  const mean = data.identityPriorMean!
  const [a, b] = model.sample({ count: 2, seed: 5, expressionScale: 1 })
  const faces = [
    { name: 'a', latents: a! },
    { name: 'b', latents: b! },
  ]
  const html = await encodeViewer(model, faces)
  const page = await readPage(dataOf(html))
  const rest = page.data.model.expressions.map(() => 0)
  const still = page.columns.directions.map(() => 0)
  const walk = (where: Partial<Whereabouts>, face = 0) =>
    shapeAt(
      page.columns,
      page.faces[face]!.place,
      { share: 1, along: still, expression: rest, ...where },
      new Float32Array(data.mean.length),
    )

  it('begins at the face, with its expression', async () => {
    expect(apart(walk({}), await model.decode({ identity: a!.identity }))).toBeLessThan(CLOSE)
    expect(apart(walk({ expression: page.faces[1]!.expression }, 1), await model.decode(b!))).toBeLessThan(3 * CLOSE)
  })

  it('follows the geodesic from the mean through the face, and beyond', async () => {
    const tangent = logarithm(a!.identity, mean)
    for (const share of [0, 0.4, 1.7]) {
      const identity = exponential(
        tangent.map((value) => share * value),
        mean,
      )
      expect(apart(walk({ share }), await model.decode({ identity }))).toBeLessThan(2 * CLOSE)
    }
  })

  it('follows the directions of the prior, all together, from the mean and from the face', async () => {
    const along = still.map((_, d) => (d % 2 === 0 ? 1.5 : -1) / (1 + d))
    const tangent = logarithm(a!.identity, mean)
    for (const share of [0, 1]) {
      const sum = tangent.map(
        (value, k) =>
          share * value + along.reduce((total, step, d) => total + step * page.data.model.directions[d]![k]!, 0),
      )
      expect(apart(walk({ share, along }), await model.decode({ identity: exponential(sum, mean) }))).toBeLessThan(
        3 * CLOSE,
      )
    }
  })

  it('follows the geodesic from one face to another', async () => {
    const cosine = a!.identity.reduce((sum, value, k) => sum + value * b!.identity[k]!, 0)
    const angle = Math.acos(cosine)
    for (const share of [0, 0.3, 0.5, 1]) {
      const [p, q] = [Math.sin((1 - share) * angle) / Math.sin(angle), Math.sin(share * angle) / Math.sin(angle)]
      const identity = a!.identity.map((value, k) => p * value + q * b!.identity[k]!)
      const shape = walk({ towards: { place: page.faces[1]!.place, share } })
      expect(apart(shape, await model.decode({ identity }))).toBeLessThan(3 * CLOSE)
    }
    // To itself there is no way to go.
    const itself = walk({ towards: { place: page.faces[0]!.place, share: 0.5 } })
    expect(apart(itself, walk({}))).toBeLessThan(CLOSE)
  })

  it('has directions of one standard deviation that change faces less and less, all tangent', () => {
    const sizes = page.columns.directions.map(({ column }) => Math.hypot(...column))
    expect(sizes).toEqual([...sizes].sort((x, y) => y - x))
    for (const { tangent } of page.columns.directions) {
      const along = Array.from(tangent).reduce((sum, value, k) => sum + value * mean[k]!, 0)
      expect(Math.abs(along)).toBeLessThan(1e-5)
    }
  })
})

describe('encodeViewer', () => {
  it('walks in a straight line with a Gaussian model', async () => {
    using model = SphereFaceModel.fromData(tinyGaussianModel())
    const [latents] = model.sample({ count: 1, seed: 4 })
    const page = await readPage(dataOf(await encodeViewer(model, { name: 'g', latents: latents! })))
    const along = page.columns.directions.map((_, d) => d / 4)
    const identity = latents!.identity.map(
      (value, k) => 1.5 * value + along.reduce((sum, step, d) => sum + step * page.data.model.directions[d]![k]!, 0),
    )
    const where = { share: 1.5, along, expression: [] }
    const shape = shapeAt(page.columns, page.faces[0]!.place, where, new Float32Array(model.data.mean.length))
    expect(apart(shape, await model.decode({ identity }))).toBeLessThan(CLOSE)
  })

  it('is one small file that asks nothing of a network, and says whose the model is', async () => {
    using model = await SphereFaceModel.load()
    const [latents] = model.sample({ count: 1, seed: 1 })
    const html = await encodeViewer(model, { name: 'a', latents: latents! })
    expect(html.length).toBeLessThan(4e6)
    expect(html).toContain("default-src 'none'")
    expect(html).not.toMatch(/(src|href)="(?!data:)/)
    expect(html).not.toMatch(/VIEWER_(TITLE|DATA|STYLE|PROGRAM)/)
    expect(html).toContain('Permission is hereby granted')
    expect((JSON.parse(dataOf(html)) as ViewerData).model.attribution).toBe(model.metadata.attribution)
  })

  it('takes names that look like markup for names', async () => {
    using model = SphereFaceModel.fromData(turnedSphereModel(3).data)
    const [latents] = model.sample({ count: 1, seed: 1 })
    const name = '</script><b>$&\u2028"&amp;'
    const html = await encodeViewer(model, { name, latents: latents! })
    expect(JSON.parse(dataOf(html))).toMatchObject({ title: name, faces: [{ name }] })
    expect(html).toContain('<title>&lt;/script&gt;&lt;b&gt;$&amp;\u2028"&amp;amp;</title>')
    expect(html.match(/<\/script/g)).toHaveLength(2)
  })

  it('holds the part of the photo around the face, and its camera', async () => {
    using model = SphereFaceModel.fromData(turnedSphereModel(3).data)
    const [latents] = model.sample({ count: 1, seed: 1 })
    const view = {
      pose: { rotation: [1, 0, 0, 0, -1, 0, 0, 0, -1], translation: [0, 0, 1000] },
      camera: { type: 'perspective' as const, focal: 500, principal: [1500, 900] as [number, number] },
    }
    const picture = createPicture(3000, 2000)
    const html = await encodeViewer(model, { name: 'a', latents: latents!, photo: { picture, view } })
    const { photo } = (JSON.parse(dataOf(html)) as ViewerData).faces[0]!
    expect(photo!.image).toMatch(/^data:image\/(png|jpeg);base64,/)
    expect(photo!.width).toBeLessThan(400)
    expect(photo!.camera).toMatchObject({ type: 'perspective', focal: 500 })
    // The face's middle is the part's.
    const [x, y] = photo!.camera.principal
    expect(Math.abs(x - photo!.width / 2)).toBeLessThan(20)
    expect(Math.abs(y - photo!.height / 2)).toBeLessThan(20)
  })

  it('refuses what is no face of the model', async () => {
    using model = SphereFaceModel.fromData(turnedSphereModel(3).data)
    await expect(encodeViewer(model, [])).rejects.toThrow(/^faces: expected 1 to 64 faces/)
    await expect(encodeViewer(model, { name: 'a', latents: { identity: [1] } })).rejects.toThrow(/identity: expected/)
    const controller = new AbortController()
    controller.abort()
    const [latents] = model.sample({ count: 1, seed: 1 })
    const stopped = encodeViewer(model, { name: 'a', latents: latents! }, { signal: controller.signal })
    await expect(stopped).rejects.toMatchObject({ code: 'ABORTED' })
  })
})
