import { monitorEventLoopDelay } from 'node:perf_hooks'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { configureCpu, devices, SphereFaceModel } from '../../lib/index.js'
import { drawFace, see, type View } from '../fixtures/observe.js'

const view: View = { yaw: 20, camera: { type: 'perspective', focal: 1400, principal: [640, 360] } }

describe('a large batch', () => {
  let model: SphereFaceModel
  const { threads } = devices()[0]

  beforeAll(async () => {
    model = await SphereFaceModel.load()
    configureCpu({ threads: 1 })
  })

  afterAll(() => {
    model.dispose()
    configureCpu({ threads })
  })

  /** How long the work takes, the longest time that the event loop stood still meanwhile, and how often a timer fired. */
  async function during(work: () => Promise<unknown>) {
    const delays = monitorEventLoopDelay({ resolution: 2 })
    let ticks = 0
    const timer = setInterval(() => ticks++, 5)
    const begin = performance.now()
    delays.enable()
    await work()
    delays.disable()
    const took = performance.now() - begin
    clearInterval(timer)
    return { took, longest: delays.max / 1e6, ticks }
  }

  it.each([false, true])('of fits leaves the event loop to others, with posterior: %s', async (posterior) => {
    const fitter = await model.createFitter({ posterior })
    const faces = Array.from(
      { length: 20 },
      (_, i) => see(model.data, 'ibug68', drawFace(model.data, i), view).observation,
    )
    const many = Array.from({ length: 40 }, () => faces).flat()
    const { took, longest, ticks } = await during(() => fitter.fit(many))
    expect(longest).toBeLessThan(took / 2)
    expect(ticks).toBeGreaterThan(5)
  })

  it('of decodes leaves the event loop to others', async () => {
    const faces = model.sample({ count: 1500, seed: 1, expressionScale: 1 })
    const out = new Float32Array(new SharedArrayBuffer(4 * faces.length * 3 * model.vertexCount))
    const { took, longest, ticks } = await during(() => model.decode(faces, { out }))
    expect(longest).toBeLessThan(took / 2)
    expect(ticks).toBeGreaterThan(5)
  })
})
