import { describe, expect, it } from 'vitest'
import { SphereFaceModel } from '../../lib/index.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'
import { normals } from '../fixtures/random.js'
import { tinySphereModel } from '../fixtures/tinyModel.js'

describe("a scheme of one's own", () => {
  it('decodes any vertices and points, as the mesh has them', async () => {
    const data = tinySphereModel()
    using model = SphereFaceModel.fromData(data)
    const points = [5, 62, { vertices: [1, 2, 11] as const, weights: [0.5, 0.25, 0.25] as const }]
    model.defineScheme({ name: 'mine', points })
    const [face] = model.sample({ count: 1, seed: 3, expressionScale: 1 })
    const mesh = await model.decode(face!)
    const decoded = await model.decode(face!, { scheme: 'mine' })
    const expected = [0, 1, 2].flatMap((i) =>
      [0, 1, 2].map((axis) => {
        const at = (vertex: number) => mesh[3 * vertex + axis]!
        return i === 0 ? at(5) : i === 1 ? at(62) : 0.5 * at(1) + 0.25 * at(2) + 0.25 * at(11)
      }),
    )
    for (const [i, value] of decoded.entries()) expect(value).toBeCloseTo(expected[i]!, 3)
    expect(data.schemes.has('mine')).toBe(false)
  })

  it('can be fitted', async () => {
    using model = SphereFaceModel.fromData(tinySphereModel())
    model.defineScheme({
      name: 'scan',
      points: Array.from({ length: 63 }, (_, i) => i),
      reliability: Array(63).fill(1),
    })
    const [face] = model.sample({ count: 1, seed: 4 })
    const mesh = await model.decode(face!, { scheme: 'scan' })
    const fitter = await model.createFitter()
    const result = await fitter.fit({ scheme: 'scan', points: mesh, noise: 0.01 })
    expect(result.usable).toBe(true)
    expect(result.rmse).toBeLessThan(0.01)
  })

  it('may be every vertex: a whole scan in correspondence', async () => {
    using model = await SphereFaceModel.load()
    model.defineScheme({ name: 'dense', points: Array.from({ length: model.vertexCount }, (_, i) => i) })
    const [face] = model.sample({ count: 1, seed: 5, expressionScale: 1 })
    const normal = normals(3)
    const points = Float64Array.from(await model.decode(face!), (value) => value + 0.5 * normal())
    const fitter = await model.createFitter({ posterior: true })
    const result = await fitter.fit({ scheme: 'dense', points, noise: 0.5 })
    expect(result.usable).toBe(true)
    // The noise, and next to nothing of the face: 160 unknowns from 26,340 numbers.
    expect(result.rmse! / (0.5 * Math.sqrt(3))).toBeCloseTo(1, 1)
    expect(result.identity_uncertainty).toBeLessThan(0.1)
    expect(result.identity.reduce((sum, value, k) => sum + value * face!.identity[k]!, 0)).toBeGreaterThan(0.995)
  })

  it('is gone with the model', () => {
    const model = SphereFaceModel.fromData(tinySphereModel())
    model.dispose()
    expectSfmError(() => model.defineScheme({ name: 'mine', points: [1] }), 'DISPOSED')
  })

  it.each([
    ['a name taken', { name: 'tiny12', points: [1] }, /scheme\.name: expected a name that the model does not have/],
    ['no name', { name: '', points: [1] }, /scheme\.name/],
    ['no points', { name: 'a', points: [] }, /scheme\.points: expected an array/],
    ['a vertex too many', { name: 'a', points: [63] }, /scheme\.points\[0\]: expected vertex indices from 0 to 62/],
    ['two corners', { name: 'a', points: [{ vertices: [1, 2], weights: [1, 0] }] }, /three with their weights/],
    ['weights of sum 2', { name: 'a', points: [{ vertices: [1, 2, 3], weights: [1, 1, 0] }] }, /^scheme: /],
    ['a name that is none', { name: 5, points: [1] }, /scheme\.name: expected a string/],
    ['points that are none', { name: 'a', points: 'all' }, /scheme\.points: expected an array of 1 to 65536 points/],
    [
      'too many points',
      { name: 'a', points: new Array(2 ** 32 - 1) },
      /scheme\.points: expected an array of 1 to 65536/,
    ],
    ['holes', { name: 'a', points: new Array(3) }, /scheme\.points\[0\]: .* received undefined/],
    ['a point that is none', { name: 'a', points: [1, 'tip'] }, /scheme\.points\[1\]: expected a vertex index/],
    ['half a vertex', { name: 'a', points: [1.5] }, /scheme\.points\[0\]: expected vertex indices/],
    [
      'weights that are none',
      { name: 'a', points: [{ vertices: [1, 2, 3], weights: [1, 0, Number.NaN] }] },
      /^scheme: /,
    ],
    [
      'reliability too short',
      { name: 'a', points: [1, 2], reliability: [1] },
      /scheme\.reliability: expected 2 numbers/,
    ],
    ['no reliability', { name: 'a', points: [1], reliability: null }, /scheme\.reliability: expected 1 numbers/],
    ['too much of it', { name: 'a', points: [1], reliability: new Array(2 ** 32 - 1) }, /scheme\.reliability/],
    ['reliability beyond 1', { name: 'a', points: [1], reliability: [2] }, /^scheme: /],
    ['nothing', undefined, /./],
  ])('refuses %s', (_, scheme, message) => {
    using model = SphereFaceModel.fromData(tinySphereModel())
    expectSfmError(() => model.defineScheme(scheme as never), 'INVALID_ARGUMENT', message)
    expect(model.schemes).toEqual(['tiny12', 'ibug68'])
  })
})
