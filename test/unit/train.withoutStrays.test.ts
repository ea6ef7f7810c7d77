import { expect, it } from 'vitest'
import type { ModelData } from '../../lib/model/ModelData.js'
import { withoutStrays } from '../../lib/train/withoutStrays.js'
import { defaultModel } from '../fixtures/models.js'
import { tinySphereModel } from '../fixtures/tinyModel.js'

/** A fan around vertex 0, whose rim an expression moves to x = `rim`, and vertex 0 to `own`. */
function fan(rim: number[], own: number, region = 'lips'): ModelData {
  const vertexCount = rim.length + 1
  const triangles = Int32Array.from(rim.flatMap((_, i) => [0, 1 + i, 1 + ((i + 1) % rim.length)]))
  const expressionBasis = new Float32Array(3 * vertexCount)
  for (const [vertex, x] of [own, ...rim].entries()) expressionBasis[3 * vertex] = x
  const { metadata, ...rest } = tinySphereModel()
  const regions = { metadata: { ...metadata, regionNames: [region] }, region: new Uint8Array(vertexCount) }
  return { ...rest, ...regions, vertexCount, triangles, expressionBasis, expressionCount: 1 }
}

it.each([
  ['in the midst of neighbours who go another', [10, 11, 10, 9, 10], 0, 10],
  ['by too little to be seen', [1.5, 1.5, 1.5], 0, 0],
  ['where its neighbours do not agree, as at the corner of a mouth', [10, 10, 3, 3, 10], 0, 0],
  ['with its neighbours', [10, 10, 10], 9.5, 9.5],
])('a vertex that goes its own way %s', (_, rim, own, shown) => {
  const data = fan(rim, own)
  const made = withoutStrays(data).expressionBasis
  expect(made[0]).toBeCloseTo(shown, 5)
  // Nobody else is moved, and the model is left as it was.
  expect([...made.subarray(1)]).toEqual([...data.expressionBasis.subarray(1)])
  expect(data.expressionBasis[0]).toBe(own)
})

it('a vertex elsewhere may be the tip of a bump', () => {
  const data = fan([10, 10, 10], 0, 'face')
  expect(withoutStrays(data)).toBe(data)
})

it('the embedded model has none', async () => {
  const { data } = await defaultModel()
  expect(withoutStrays(data)).toBe(data)
})
