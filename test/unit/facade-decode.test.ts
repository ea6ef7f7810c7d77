import { getEventListeners } from 'node:events'
import { afterAll, describe, expect, it } from 'vitest'
import type { Latents } from '../../lib/decode/Latents.js'
import type { SphereFaceModel } from '../../lib/model/SphereFaceModel.js'
import { expectSfmError, expectSfmRejection } from '../fixtures/expectSfmError.js'
import { defaultModel, TINY_MODELS, tinyModel } from '../fixtures/models.js'
import { drawFace } from '../fixtures/observe.js'
import {
  decodeReference,
  landmarksReference,
  largestDifference,
  normalsReference,
  rotationReference,
  transformReference,
} from '../fixtures/reference.js'

/** mm; single precision at coordinates of some 100 mm, summed over a few terms. */
const TINY_TOLERANCE = 5e-5
/** mm; the same over 153 terms. */
const TOLERANCE = 2e-4

const POSE = { rotation: rotationReference(35, -10, 5), translation: [12, -34, 560] }

describe.each(Object.keys(TINY_MODELS))('decoding a model: %s', (kind) => {
  const model = tinyModel(kind)
  const { data } = model
  afterAll(() => model.dispose())
  const faces = [1, 2, 3].map((seed) => drawFace(data, seed, 0.9))

  it('gives mean + identity basis . z + expression basis . e', async () => {
    for (const face of faces) {
      const vertices = await model.decode(face)
      expect(vertices).toBeInstanceOf(Float32Array)
      const reference = decodeReference(data, face.identity, face.expression)
      expect(largestDifference(vertices, reference)).toBeLessThan(TINY_TOLERANCE)
      expect(model.decodeSync(face)).toEqual(vertices)
    }
  })

  it('takes any identity, not only those on the sphere', async () => {
    const identity = Float64Array.from({ length: data.identityCount }, (_, i) => (i % 2 ? 0.5 : -1.5))
    const vertices = await model.decode({ identity })
    expect(largestDifference(vertices, decodeReference(data, identity))).toBeLessThan(TINY_TOLERANCE)
  })

  it('takes expressions by array and by name', async () => {
    const { identity } = faces[0]!
    const named = await model.decode({ identity, expression: { mouthSmile: 0.25, jawOpen: 0.75 } })
    expect(await model.decode({ identity, expression: [0.75, 0.25, 0, 0] })).toEqual(named)
    expect(await model.decode({ identity, expression: Float64Array.of(0.75, 0.25, 0, 0) })).toEqual(named)
    expect(await model.decode({ identity, expression: {} })).toEqual(await model.decode({ identity }))
    // Beyond the bounds too: a decoder extrapolates.
    const reference = decodeReference(data, identity, [1.5, 0, -0.5, 0])
    const beyond = await model.decode({ identity, expression: { jawOpen: 1.5, browUp: -0.5 } })
    expect(largestDifference(beyond, reference)).toBeLessThan(TINY_TOLERANCE)
  })

  it('decodes a batch as it decodes each face alone, to the bit', async () => {
    const single = await Promise.all(faces.map((face) => model.decode(face)))
    const batch = await model.decode([...faces, ...faces])
    expect(batch).toHaveLength(6 * 3 * data.vertexCount)
    for (let i = 0; i < 6; i++)
      expect(batch.subarray(i * single[0]!.length, (i + 1) * single[0]!.length)).toEqual(single[i % 3])
    expect(model.decodeSync([...faces, ...faces])).toEqual(batch)
  })

  it('mixes faces with and without expressions', async () => {
    const { identity, expression } = faces[1]!
    const batch = await model.decode([{ identity }, { identity, expression }, { identity, expression: { jawOpen: 1 } }])
    const each = await Promise.all([
      model.decode({ identity }),
      model.decode({ identity, expression }),
      model.decode({ identity, expression: { jawOpen: 1 } }),
    ])
    expect([...batch]).toEqual(each.flatMap((vertices) => [...vertices]))
  })

  it('applies the pose when asked to, and only then', async () => {
    const posed = await model.decode({ ...faces[0]!, pose: POSE }, { posed: true })
    const reference = transformReference(decodeReference(data, faces[0]!.identity, faces[0]!.expression), POSE)
    expect(largestDifference(posed, reference)).toBeLessThan(2 * TINY_TOLERANCE)
    expect(model.decodeSync({ ...faces[0]!, pose: POSE }, { posed: true })).toEqual(posed)
    expect(await model.decode({ ...faces[0]!, pose: POSE })).toEqual(await model.decode(faces[0]!))
  })

  it('decodes the landmarks of a scheme alone', async () => {
    for (const name of model.schemes) {
      const scheme = data.schemes.get(name)!
      const landmarks = await model.decode(faces, { scheme: name })
      const reference = faces.flatMap((face) => [
        ...landmarksReference(decodeReference(data, face.identity, face.expression), scheme),
      ])
      expect(largestDifference(landmarks, reference)).toBeLessThan(TINY_TOLERANCE)
      expect(model.decodeSync(faces, { scheme: name })).toEqual(landmarks)
    }
    const posed = await model.decode({ ...faces[0]!, pose: POSE }, { scheme: 'tiny12', posed: true })
    const inModel = landmarksReference(
      decodeReference(data, faces[0]!.identity, faces[0]!.expression),
      data.schemes.get('tiny12')!,
    )
    expect(largestDifference(posed, transformReference(inModel, POSE))).toBeLessThan(2 * TINY_TOLERANCE)
  })

  it('computes normals on the way', async () => {
    const posedFaces = faces.map((face) => ({ ...face, pose: POSE }))
    for (const posed of [false, true]) {
      const { vertices, normals } = await model.decode(posedFaces, { normals: true, posed })
      expect(vertices).toEqual(await model.decode(posedFaces, { posed }))
      const size = 3 * data.vertexCount
      for (let i = 0; i < faces.length; i++) {
        const reference = normalsReference(vertices.subarray(i * size, (i + 1) * size), data.triangles)
        expect(largestDifference(normals.subarray(i * size, (i + 1) * size), reference)).toBeLessThan(1e-4)
      }
    }
  })

  it('decodes no faces to no vertices', async () => {
    expect(await model.decode([])).toHaveLength(0)
    expect(await model.decode([], { scheme: 'ibug68' })).toHaveLength(0)
    expect(await model.decode([], { posed: true })).toHaveLength(0)
    expect(model.decodeSync([])).toHaveLength(0)
    const { vertices, normals } = await model.decode([], { normals: true })
    expect([vertices?.length, normals?.length]).toEqual([0, 0])
  })
})

describe('decoding the embedded model', () => {
  it('agrees with double precision, alone and in batches of every remainder', async () => {
    const model = await defaultModel()
    // Identities of the prior: latents that vary little have long columns, and would only add to the rounding.
    const faces = model.sample({ count: 21, seed: 1 }).map(({ identity }, i) => ({
      identity: Float64Array.from(identity),
      expression: drawFace(model.data, i, 0.7).expression,
    }))
    const size = 3 * model.vertexCount
    const references = faces.map((face) => decodeReference(model.data, face.identity, face.expression))
    const all = await model.decode(faces)
    for (const [i, reference] of references.entries())
      expect(largestDifference(all.subarray(i * size, (i + 1) * size), reference)).toBeLessThan(TOLERANCE)
    for (const count of [1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 17])
      expect(largestDifference(await model.decode(faces.slice(0, count)), all.subarray(0, count * size))).toBe(0)
  })

  it('fulfils what its counts say', async () => {
    const model = await defaultModel()
    expect(model.vertexCount).toBe(model.data.mean.length / 3)
    expect(model.triangleCount).toBe(model.data.triangles.length / 3)
    expect(model.identityCount).toBe(model.data.identityPriorMean!.length)
    expect(model.expressionCount).toBe(model.expressionNames.length)
    expect(model.latent).toBe('sphere')
    expect(model.schemes).toEqual(expect.arrayContaining(['ibug68', 'mediapipe478']))
    expect(model.metadata.units).toBe('mm')
  })
})

describe('what a decode does with its inputs', () => {
  const model = tinyModel()
  const { data } = model

  it('copies them before it returns', async () => {
    const face = drawFace(data, 4, 0.5)
    const latents = {
      identity: Float32Array.from(face.identity),
      expression: Float32Array.from(face.expression),
      pose: { rotation: Float64Array.from(POSE.rotation), translation: Float64Array.from(POSE.translation) },
    }
    const untouched = await model.decode(structuredClone(latents), { posed: true })
    const named = { jawOpen: 0.5 }
    const list: Latents[] = [latents]
    const decoding = [
      model.decode(latents, { posed: true }),
      model.decode(list, { posed: true }),
      model.decode({ identity: untouched.subarray(0, data.identityCount), expression: named }),
    ]
    const before = await model.decode({
      identity: untouched.slice(0, data.identityCount),
      expression: { jawOpen: 0.5 },
    })
    latents.identity.fill(Number.NaN)
    latents.expression.fill(7)
    latents.pose.rotation.fill(0)
    latents.pose.translation = new Float64Array(3)
    list.length = 0
    named.jawOpen = Number.NaN
    expect(await Promise.all(decoding)).toEqual([untouched, untouched, before])
  })

  it('leaves them alone', async () => {
    const face = Object.freeze({ ...drawFace(data, 4, 0.5), pose: Object.freeze(POSE) })
    const before = structuredClone(face)
    await model.decode(Object.freeze([face]), { posed: true, normals: true })
    model.decodeSync(face)
    expect(face).toEqual(before)
  })
})

describe('refused latents', () => {
  const model = tinyModel()
  const identity = Float32Array.of(0, 0, 0, 0, 0, 0, 1)
  const bad: Array<[unknown, RegExp]> = [
    [undefined, /^latents: expected an object or an array/],
    [null, /^latents: .* received null/],
    ['face', /^latents: .* received "face"/],
    [{}, /^latents\.identity: expected 7 numbers, received undefined/],
    [{ identity: 7 }, /^latents\.identity: expected 7 numbers, received 7/],
    [{ identity: [1, 2] }, /^latents\.identity: expected 7 numbers, received an array of 2/],
    [{ identity: identity.subarray(1) }, /^latents\.identity: expected 7 numbers, received Float32Array of 6/],
    [{ identity: [...identity.subarray(1), Number.NaN] }, /^latents\.identity\[6\]: expected a finite number/],
    [{ identity: [...identity.subarray(1), Number.POSITIVE_INFINITY] }, /^latents\.identity\[6\]/],
    [{ identity: [...identity.subarray(1), '1'] }, /^latents\.identity\[6\]: .* received "1"/],
    [{ identity: Object.assign(new Array(7), { 1: 0 }) }, /^latents\.identity\[0\]: .* received undefined/],
    [[{ identity }, { identity: [] }], /^latents\[1\]\.identity: expected 7 numbers/],
    [[{ identity }, null], /^latents\[1\]: expected an object with "identity", received null/],
    [Object.assign(new Array(2), [{ identity }]), /^latents\[1\]: .* received undefined/],
    [{ identity, expression: null }, /^latents\.expression: expected numbers, or numbers by name, received null/],
    [{ identity, expression: 3 }, /^latents\.expression: .* received 3/],
    [{ identity, expression: [1] }, /^latents\.expression: expected 4 numbers, received an array of 1/],
    [{ identity, expression: [0, 0, Number.NaN, 0] }, /^latents\.expression\[2\]/],
    [{ identity, expression: { jawOpen: '1' } }, /^latents\.expression\.jawOpen: expected a finite number/],
    [{ identity, expression: { jawOpn: 1 } }, /^latents\.expression: expected names among jawOpen.* received "jawOpn"/],
    [{ identity, expression: { constructor: 1 } }, /^latents\.expression: expected names among/],
    [new Array(2 ** 20 + 1), /^latents: expected at most 1048576 faces/],
  ]

  it('are named', async () => {
    for (const [latents, message] of bad) {
      await expectSfmRejection(model.decode(latents as Latents), 'INVALID_ARGUMENT', message)
      expectSfmError(() => model.decodeSync(latents as Latents), 'INVALID_ARGUMENT', message)
    }
  })

  it('are named, and poses', async () => {
    const refused = (pose: unknown, message: RegExp) =>
      expectSfmRejection(model.decode({ identity, pose } as Latents, { posed: true }), 'INVALID_ARGUMENT', message)
    await refused(undefined, /^latents\.pose: expected a pose, since posed vertices are asked for/)
    await refused(null, /^latents\.pose:/)
    await refused({}, /^latents\.pose\.rotation: expected 9 numbers, received undefined/)
    await refused({ ...POSE, rotation: [1, 2] }, /^latents\.pose\.rotation: expected 9 numbers/)
    await refused({ ...POSE, translation: [1, 2] }, /^latents\.pose\.translation: expected 3 numbers/)
    await refused({ ...POSE, translation: [1, 2, Number.NaN] }, /^latents\.pose\.translation\[2\]/)
  })
})

describe('refused options', () => {
  const model = tinyModel()
  const face = { identity: model.data.identityPriorMean! }

  it('are named', async () => {
    const refused = (
      options: unknown,
      message: RegExp,
      code: 'INVALID_ARGUMENT' | 'UNKNOWN_SCHEME' = 'INVALID_ARGUMENT',
    ) =>
      Promise.all([
        expectSfmRejection(model.decode(face, options as object), code, message),
        ...(typeof (options as { normals?: unknown })?.normals === 'undefined' &&
        typeof (options as { signal?: unknown })?.signal === 'undefined'
          ? [expectSfmError(() => model.decodeSync(face, options as object), code, message)]
          : []),
      ])
    await refused(null, /^options: expected an object, received null/)
    await refused('fast', /^options: expected an object, received "fast"/)
    await refused(
      { scheme: 'ibug86' },
      /^scheme: the model has no scheme "ibug86"; it has tiny12, ibug68/,
      'UNKNOWN_SCHEME',
    )
    await refused({ scheme: '__proto__' }, /no scheme "__proto__"/, 'UNKNOWN_SCHEME')
    await refused({ scheme: 68 }, /^scheme: expected the name of a landmark scheme, received 68/)
    await refused({ scheme: 68n }, /^scheme: expected the name of a landmark scheme, received 68n/)
    await refused({ normals: true, scheme: 'tiny12' }, /^normals: expected no scheme/)
    await refused({ signal: {} }, /^signal: expected an AbortSignal/)
    await refused({ signal: 'stop' }, /^signal: expected an AbortSignal/)
  })
})

describe('an aborted decode', () => {
  const model = tinyModel()
  const face = { identity: model.data.identityPriorMean! }

  it('that had not begun', async () => {
    const reason = new Error('enough')
    const error = await expectSfmRejection(model.decode(face, { signal: AbortSignal.abort(reason) }), 'ABORTED')
    expect(error.cause).toBe(reason)
  })

  it('that had begun', async () => {
    const controller = new AbortController()
    const many = Array.from({ length: 2000 }, () => face)
    const decoding = model.decode(many, { signal: controller.signal, normals: true })
    controller.abort('enough')
    const error = await expectSfmRejection(decoding, 'ABORTED', /^the call was aborted$/)
    expect(error.cause).toBe('enough')
    // Its neighbours and successors do not notice.
    expect(await model.decode(face)).toEqual(model.decodeSync(face))
  })

  it('does nothing once it has settled', async () => {
    const controller = new AbortController()
    const vertices = await model.decode(face, { signal: controller.signal })
    controller.abort()
    expect(vertices).toEqual(model.decodeSync(face))
  })

  it('shares one listener on its signal with its like, and leaves none behind', async () => {
    const { signal } = new AbortController()
    const decoding = Array.from({ length: 20 }, () => model.decode(face, { signal }))
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    await Promise.all(decoding)
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })
})

describe('a disposed model', () => {
  it('refuses calls, lets those under way end, and may be disposed again', async () => {
    const model = tinyModel()
    const face = drawFace(model.data, 8, 0.3)
    const expected = model.decodeSync(face)
    const underWay = model.decode(Array.from({ length: 300 }, () => face))
    model.dispose()
    model.dispose()
    expect((await underWay).subarray(299 * expected.length)).toEqual(expected)
    await expectSfmRejection(model.decode(face), 'DISPOSED', /^the model has been disposed$/)
    expectSfmError(() => model.decodeSync(face), 'DISPOSED')
    await expectSfmRejection(model.createFitter(), 'DISPOSED')
    // What needs no native memory still works.
    expect(model.vertexCount).toBe(63)
    expect(model.toBytes().length).toBeGreaterThan(1000)
    expect(model.sample({ count: 1 })).toHaveLength(1)
  })

  it('is disposed of by `using`', async () => {
    let kept: SphereFaceModel
    {
      using model = tinyModel()
      kept = model
      await model.decode({ identity: model.data.identityPriorMean! })
    }
    expectSfmError(() => kept.decodeSync({ identity: kept.data.identityPriorMean! }), 'DISPOSED')
    {
      await using model = tinyModel()
      kept = model
    }
    expectSfmError(() => kept.decodeSync({ identity: kept.data.identityPriorMean! }), 'DISPOSED')
  })
})

describe('sample', () => {
  it('draws faces that are decodable, seeded, and of the prior', async () => {
    const model = await defaultModel()
    const faces = model.sample({ count: 400, seed: 5, expressionScale: 1 })
    expect(model.sample({ count: 2, seed: 5, expressionScale: 1 })).toEqual(faces.slice(0, 2))
    expect(model.sample({ count: 2, seed: 6, expressionScale: 1 })).not.toEqual(faces.slice(0, 2))
    const { expressionBounds: bounds, identityPriorMean: mean, identityPriorFactor: factor } = model.data
    let [spread, expected] = [0, 0]
    for (const value of factor!) expected += value * value
    for (const { identity, expression } of faces) {
      expect(Math.hypot(...identity)).toBeCloseTo(1, 6)
      const angle = Math.acos(identity.reduce((sum, value, i) => sum + value * mean![i]!, 0))
      spread += angle * angle
      expression.forEach((value, e) => {
        expect(value).toBeGreaterThanOrEqual(bounds[2 * e]!)
        expect(value).toBeLessThanOrEqual(bounds[2 * e + 1]!)
      })
    }
    // The mean square angle is the trace of the covariance; 400 draws of 100 degrees of freedom leave 1% of doubt.
    expect(spread / faces.length / expected).toBeCloseTo(1, 1)
    expect(model.sample({ count: 3 })).toEqual(model.sample({ count: 3, seed: 1, expressionScale: 0 }))
    expect(model.sample({ count: 1 })[0]!.expression.every((value) => value === 0)).toBe(true)
    expect(await model.decode(faces.slice(0, 2))).toHaveLength(2 * 3 * model.vertexCount)
  })

  it('draws Gaussian latents from a Gaussian model', () => {
    const model = tinyModel('gaussian, 32-bit')
    const values = model.sample({ count: 2000, seed: 3 }).flatMap(({ identity }) => [...identity])
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    const variance = values.reduce((sum, value) => sum + value * value, 0) / values.length
    expect(mean).toBeCloseTo(0, 1)
    expect(variance).toBeCloseTo(1, 1)
  })

  it('refuses what is no count, seed or scale', () => {
    const model = tinyModel()
    const refused = (options: unknown, message: RegExp) =>
      expectSfmError(() => model.sample(options as { count: number }), 'INVALID_ARGUMENT', message)
    refused(undefined, /^options: expected an object/)
    refused({}, /^count: expected an integer from 0 to 1000000, received undefined/)
    refused({ count: -1 }, /^count/)
    refused({ count: 1.5 }, /^count/)
    refused({ count: 1, seed: Number.NaN }, /^seed/)
    refused({ count: 1, seed: 2 ** 60 }, /^seed/)
    refused({ count: 1, expressionScale: -1 }, /^expressionScale/)
    expect(model.sample({ count: 0 })).toEqual([])
  })
})
