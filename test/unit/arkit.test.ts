import { describe, expect, it } from 'vitest'
import { asFloat32 } from '../../lib/model/half.js'
import { SphereFaceModel } from '../../lib/model/SphereFaceModel.js'
import { ARKIT_BLENDSHAPES, type ArkitBlendshape, arkitSources, arkitWeights } from '../../lib/outputs/arkit.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'

describe('arkitWeights', () => {
  it('has the 52 names of ARKit, each once', () => {
    expect(new Set(ARKIT_BLENDSHAPES).size).toBe(52)
    expect(Object.keys(arkitWeights({ expression: {} }))).toEqual([...ARKIT_BLENDSHAPES])
    expect(Object.values(arkitWeights({ expression: {} })).every((weight) => weight === 0)).toBe(true)
    for (const name of ARKIT_BLENDSHAPES) expect(name).toMatch(/^(eye|jaw|mouth|brow|cheek|nose|tongue)[A-Za-z]+$/)
  })

  it('takes sides by their names, directions as they are, and halves together', () => {
    const expression = {
      mouthSmile_L: 0.75,
      mouthSmile_R: 0.25,
      jawLeft: 0.5,
      mouthRight: 0.125,
      browInnerUp_L: 0.5,
      browInnerUp_R: 0.25,
      cheekPuff_R: 0.5,
      notOfArkit: 1,
    }
    const weights = arkitWeights({ expression })
    expect(Object.fromEntries(Object.entries(weights).filter(([, weight]) => weight !== 0))).toEqual({
      mouthSmileLeft: 0.75,
      mouthSmileRight: 0.25,
      jawLeft: 0.5,
      mouthRight: 0.125,
      browInnerUp: 0.375,
      cheekPuff: 0.25,
    })
  })

  it('stays within 0 and 1', () => {
    const weights = arkitWeights({
      expression: { jawOpen: -0.5, mouthFunnel: 1.25, browInnerUp_L: 1, browInnerUp_R: -0.5 },
    })
    expect([weights.jawOpen, weights.mouthFunnel, weights.browInnerUp]).toEqual([0, 1, 0.25])
  })

  it('takes a model that has the names of ARKit itself', () => {
    expect(arkitWeights({ expression: { browInnerUp: 0.5, eyeBlinkLeft: 1 } })).toMatchObject({
      browInnerUp: 0.5,
      eyeBlinkLeft: 1,
    })
  })

  it.each<[unknown, RegExp]>([
    [undefined, /^expression: expected coefficients by name/],
    [{ expression: [1, 2] }, /^expression: expected coefficients by name/],
    [{ expression: new Float32Array(3) }, /^expression/],
    [{ expression: { jawOpen: Number.NaN } }, /^expression\.jawOpen: expected a finite number/],
  ])('refuses %j', (face, message) => {
    expectSfmError(() => arkitWeights(face as never), 'INVALID_ARGUMENT', message)
  })
})

describe('the embedded model', async () => {
  using model = await SphereFaceModel.load()
  const { expressionNames: names, vertexCount, data } = model
  const basis = asFloat32(data.expressionBasis)
  const displacements = (name: string) => {
    const e = names.indexOf(name)
    return basis.subarray(e * vertexCount * 3, (e + 1) * vertexCount * 3)
  }

  it('has every blendshape but the tongue, and none that ARKit lacks', () => {
    const sources = ARKIT_BLENDSHAPES.map((name) => [name, arkitSources(name, names)] as const)
    expect(sources.filter(([, of]) => of.length === 0).map(([name]) => name)).toEqual(['tongueOut'])
    expect(sources.filter(([, of]) => of.length === 2).map(([name]) => name)).toEqual(['browInnerUp', 'cheekPuff'])
    expect(sources.flatMap(([, of]) => of).toSorted()).toEqual([...names].toSorted())
  })

  it('has left where ARKit has it: on the face', () => {
    // +X is the subject's left.
    for (const name of ARKIT_BLENDSHAPES) {
      const [source] = arkitSources(name, names)
      if (!source || !/_[LR]$/.test(source)) continue
      const moved = displacements(source)
      let side = 0
      for (let v = 0; v < vertexCount; v++)
        side += Math.hypot(moved[3 * v]!, moved[3 * v + 1]!, moved[3 * v + 2]!) * data.mean[3 * v]!
      const isLeft = /Left$/.test(name) || (!/Right$/.test(name) && source.endsWith('_L'))
      expect([name, Math.sign(side)]).toEqual([name, isLeft ? 1 : -1])
    }
  })

  it.each<[ArkitBlendshape, 1 | -1]>([
    ['jawLeft', 1],
    ['jawRight', -1],
    ['mouthLeft', 1],
    ['mouthRight', -1],
  ])('moves to the face’s own side with %s', (name, sign) => {
    const along = displacements(name).reduce((sum, value, i) => (i % 3 === 0 ? sum + value : sum), 0)
    expect(Math.sign(along)).toBe(sign)
  })
})
