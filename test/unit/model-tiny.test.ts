import { describe, expect, it } from 'vitest'
import { validateModel } from '../../lib/model/validate.js'
import { normals, unitVector } from '../fixtures/random.js'
import {
  decodeTiny,
  tinyFullModel,
  tinyGaussianModel,
  tinySphereModel,
  turnedSphereModel,
} from '../fixtures/tinyModel.js'

describe('the tiny model of the tests', () => {
  it('is a model in each of its forms', () => {
    for (const data of [tinyGaussianModel(), tinySphereModel(), tinyFullModel(), turnedSphereModel().data]) {
      validateModel(data)
      expect(data).toMatchObject({ vertexCount: 63, expressionCount: 4 })
    }
    expect(tinySphereModel().identityCount).toBe(7)
  })

  it('is the same whenever it is made', () => {
    expect(tinyFullModel()).toEqual(tinyFullModel())
    expect(turnedSphereModel(4)).toEqual(turnedSphereModel(4))
  })

  it('has the size of a face, and triangles that face outwards', () => {
    const { mean, triangles } = tinySphereModel()
    const size = [0, 1, 2].map((axis) => {
      const values = [...mean].filter((_, i) => i % 3 === axis)
      return Math.max(...values) - Math.min(...values)
    })
    expect(size[0]).toBeGreaterThan(120)
    expect(size[1]).toBeGreaterThan(150)
    expect(size[2]).toBeGreaterThan(70)

    const vertex = (i: number) =>
      [...mean.subarray(3 * triangles[i]!, 3 * triangles[i]! + 3)] as [number, number, number]
    for (let i = 0; i < triangles.length; i += 3) {
      const [a, b, c] = [vertex(i), vertex(i + 1), vertex(i + 2)]
      const [u, v] = [b.map((x, k) => x - a[k]!), c.map((x, k) => x - a[k]!)]
      const normal = [u[1]! * v[2]! - u[2]! * v[1]!, u[2]! * v[0]! - u[0]! * v[2]!, u[0]! * v[1]! - u[1]! * v[0]!]
      // The face bulges away from the origin.
      expect(normal[0]! * a[0] + normal[1]! * a[1] + normal[2]! * a[2]).toBeGreaterThan(0)
    }
  })

  it('is symmetric, and says how', () => {
    const { mean, mirror } = tinySphereModel()
    mirror!.forEach((other, v) => {
      expect(mirror![other]).toBe(v)
      expect(mean[3 * other]).toBeCloseTo(-mean[3 * v]!, 4)
      expect(mean[3 * other + 1]).toBeCloseTo(mean[3 * v + 1]!, 4)
    })
  })

  it('has the same faces when its latents are turned', () => {
    const { data, rotation } = turnedSphereModel(5)
    const z = unitVector(7, normals(1))
    const turned = rotation.map((row) => row.reduce((sum, r, k) => sum + r * z[k]!, 0))
    const [before, after] = [decodeTiny(tinySphereModel(), z), decodeTiny(data, turned)]
    expect(Math.max(...before.map((value, i) => Math.abs(value - after[i]!)))).toBeLessThan(1e-5)
  })
})
