import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { readModelFile } from '../../lib/model/formats/modelFile.js'
import { readModel, writeModel } from '../../lib/model/formats/sphereFaceModel.js'
import { liftingOf } from '../../lib/model/lift.js'
import type { ModelData } from '../../lib/model/ModelData.js'

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const MODEL = at('models/sphere-face-model.safetensors')
const SOURCE = at('../shared/data/face-3dmm.safetensors')
const SCRIPT = at('scripts/make-default-model.mjs')

describe('the embedded model', () => {
  it('is what its card says', async () => {
    expect((await stat(MODEL)).size).toBeLessThan(14e6)
    const data = await readModelFile(MODEL)
    expect(data).toMatchObject({ vertexCount: 8780, identityCount: 101, expressionCount: 53 })
    expect(data.triangles).toHaveLength(3 * 17198)
    expect(data.identityBasis).toBeInstanceOf(Uint16Array)
    expect([...data.schemes.keys()]).toEqual(['ibug68', 'mediapipe478'])
    expect(data.metadata).toMatchObject({ name: 'sphere-face-model', latent: 'sphere', license: 'MIT' })
    expect(data.metadata.attribution).toContain('Copyright (c) 2020 USC Institute for Creative Technologies')
    expect(JSON.parse(data.metadata.provenance)).toMatchObject({ script: 'scripts/make-default-model.mjs' })
  })

  it('is written again as the same bytes', async () => {
    const bytes = await readFile(MODEL)
    expect(Buffer.compare(writeModel(readModel(bytes)), bytes)).toBe(0)
  })

  it('is a lifted Gaussian: the mean at the pole, no basis along it, the same spread all around', async () => {
    const { identityBasis, identityPriorMean, identityPriorFactor, vertexCount } = await readModelFile(MODEL)
    const { radius, scale } = liftingOf(100)
    expect(identityPriorMean!.findIndex((value) => value !== 0)).toBe(100)
    expect(identityPriorFactor![0]).toBe(Math.fround(scale / radius))
    expect(identityBasis.subarray(100 * 3 * vertexCount).every((bits) => bits === 0)).toBe(true)
  })

  it('has a face whose right is at -X, whose chin is down and whose nose is in front', async () => {
    const data = await readModelFile(MODEL)
    const [rightEye, leftEye, noseTip, chin] = [36, 45, 30, 8].map((landmark) => meanLandmark(data, 'ibug68', landmark))
    expect(rightEye![0]).toBeLessThan(-30)
    expect(leftEye![0]).toBeGreaterThan(30)
    expect(noseTip![2]).toBeGreaterThan(Math.max(rightEye![2], chin![2]) + 10)
    expect(chin![1]).toBeLessThan(noseTip![1] - 40)
  })

  it('says of each landmark how far it is to be trusted, and leaves out the irises', async () => {
    const { schemes } = await readModelFile(MODEL)
    const [ibug68, mediapipe478] = [schemes.get('ibug68')!, schemes.get('mediapipe478')!]
    expect(ibug68.count).toBe(68)
    expect([...ibug68.reliability!.subarray(0, 17)]).toEqual(Array(17).fill(Math.fround(0.35)))
    expect([...ibug68.reliability!.subarray(17)]).toEqual(Array(51).fill(1))
    expect(mediapipe478.weights.subarray(3 * 468).every((weight) => weight === 0)).toBe(true)
    expect(mediapipe478.reliability).toHaveLength(478)
  })

  it('loads quickly', async () => {
    const times: number[] = []
    for (let i = 0; i < 7; i++) {
      const start = performance.now()
      await readModelFile(MODEL)
      times.push(performance.now() - start)
    }
    // 10 ms on a machine of its own; the test only keeps an order of magnitude from getting lost.
    expect(times.sort((a, b) => a - b)[3]).toBeLessThan(100)
  })

  it('comes out of its script byte for byte', { timeout: 120_000 }, async ({ skip }) => {
    skip(!existsSync(SOURCE), 'the Gaussian model it is made from is not here: ../shared/data/face-3dmm.safetensors')
    skip(!existsSync(at('dist/model/lift.js')), 'the script needs the package built: npm run build:ts')
    const folder = await mkdtemp(join(tmpdir(), 'sfm-default-'))
    try {
      const out = join(folder, 'model.safetensors')
      await promisify(execFile)(process.execPath, [SCRIPT, SOURCE, out])
      expect(Buffer.compare(await readFile(out), await readFile(MODEL))).toBe(0)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})

/** Where a landmark lies on the mean face, mm. */
function meanLandmark({ mean, schemes }: ModelData, scheme: string, landmark: number): [number, number, number] {
  const { indices, weights } = schemes.get(scheme)!
  const coordinate = (axis: number) =>
    [0, 1, 2].reduce((sum, c) => sum + weights[3 * landmark + c]! * mean[3 * indices[3 * landmark + c]! + axis]!, 0)
  return [coordinate(0), coordinate(1), coordinate(2)]
}
