import { describe, expect, it } from 'vitest'
import type { LandmarkScheme, ModelData } from '../../lib/model/ModelData.js'
import { validateModel } from '../../lib/model/validate.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'
import { tinyFullModel, tinyGaussianModel, tinySphereModel, turnedSphereModel } from '../fixtures/tinyModel.js'

const full = tinyFullModel()

const invalid = (change: Record<string, unknown>, message: RegExp, data: ModelData = full) =>
  expectSfmError(() => validateModel({ ...data, ...change } as ModelData), 'INVALID_MODEL', message)

const invalidScheme = (change: Record<string, unknown>, message: RegExp) =>
  invalid({ schemes: new Map([['tiny12', { ...full.schemes.get('tiny12')!, ...change } as LandmarkScheme]]) }, message)

const invalidMetadata = (change: Record<string, unknown>, message: RegExp) =>
  invalid({ metadata: { ...full.metadata, ...change } }, message)

/** A copy of an array with one value replaced. */
const set = <T extends Float32Array | Int32Array | Uint8Array | Uint16Array>(
  array: T,
  index: number,
  value: number,
): T => {
  const copy = array.slice() as T
  copy[index] = value
  return copy
}

describe('validateModel', () => {
  it('lets models pass', () => {
    for (const data of [
      full,
      tinySphereModel(),
      tinyGaussianModel(),
      turnedSphereModel(1).data,
      turnedSphereModel(2).data,
    ]) {
      expect(() => validateModel(data)).not.toThrow()
    }
  })

  it('is for models only', () => {
    for (const value of [undefined, null, 3, 'model']) {
      expectSfmError(() => validateModel(value as unknown as ModelData), 'INVALID_MODEL', /^model: expected an object/)
    }
    expectSfmError(() => validateModel({} as ModelData), 'INVALID_MODEL')
  })

  it('checks the counts', () => {
    for (const value of [undefined, 2, 1.5, -1, Number.NaN, '63'])
      invalid({ vertexCount: value }, /^vertexCount: expected an integer/)
    invalid({ vertexCount: 62 }, /^tensor "mean": expected \[N = 62, 3\], received Float32Array of 189/)
    invalid({ identityCount: 1 }, /^identityCount: expected an integer of at least 2/)
    invalid({ identityCount: 8 }, /^tensor "identity_basis": expected \[K = 8, N = 63, 3\]/)
    invalid({ expressionCount: 5 }, /^metadata "expression_names": expected an array of 5 strings/)
  })

  it('checks the type and the length of each array', () => {
    for (const [field, value] of Object.entries(full)) {
      if (!ArrayBuffer.isView(value)) continue
      const array = value as Float32Array
      invalid({ [field]: Array.from(array) }, /^tensor "[a-z_]+": expected an array of .*, received an array of/)
      invalid({ [field]: null }, /^tensor "[a-z_]+": expected an array of .*, received null/)
      invalid(
        { [field]: Float64Array.from(array) },
        /^tensor "[a-z_]+": expected an array of .*, received Float64Array/,
      )
      invalid({ [field]: array.slice(1) }, /^tensor "[a-z_]+": expected \[/)
      invalid({ [field]: array.slice(0, 0) }, /^tensor "[a-z_]+": expected \[/)
    }
  })

  it('finds NaN and infinity wherever they are', () => {
    for (const [field, value] of Object.entries(full)) {
      if (!(value instanceof Float32Array)) continue
      for (const [index, bad] of [
        [0, Number.NaN],
        [value.length - 1, Number.POSITIVE_INFINITY],
        [value.length >> 1, Number.NEGATIVE_INFINITY],
      ] as const) {
        invalid(
          { [field]: set(value, index, bad) },
          new RegExp(`: expected finite values, received NaN or an infinity at index ${index}$`),
        )
      }
    }
    const half = new Uint16Array(full.identityBasis.length)
    invalid({ identityBasis: set(half, 77, 0xfc00) }, /^tensor "identity_basis": expected finite values, .* index 77$/)
  })

  it('checks the indices', () => {
    invalid(
      { triangles: set(full.triangles, 4, 63) },
      /^tensor "triangles": expected vertex indices from 0 to 62, received 63 at index 4/,
    )
    invalid({ triangles: set(full.triangles, 0, -1) }, /received -1 at index 0/)
    invalid(
      { triangles: set(full.triangles, 3, full.triangles[4]!) },
      /^tensor "triangles": expected three different vertices, received \[.*\] in row 1/,
    )
    invalid({ mirror: set(full.mirror!, 62, 63) }, /^tensor "mirror": expected vertex indices/)
    const paired = full.mirror!.findIndex((image, i) => image !== i)
    invalid(
      { mirror: set(full.mirror!, paired, paired) },
      /^tensor "mirror": expected pairs of vertices, each the other's mirror image.*received \d+ at index \d+, and \d+ at/,
    )
    invalid(
      { region: set(full.region!, 5, 2) },
      /^tensor "region": expected indices of 2 region_names, received 2 at index 5/,
    )
    const { indices } = full.schemes.get('tiny12')!
    invalidScheme({ indices: set(indices, 7, 63) }, /^tensor "landmarks.tiny12.indices": expected vertex indices/)
  })

  it('checks bounds and spread of the expressions', () => {
    invalid(
      { expressionBounds: set(full.expressionBounds, 2, 1.5) },
      /^tensor "expression_bounds": expected lower <= upper, received \[1.5, 1\] in row 1/,
    )
    invalid(
      { expressionStddev: set(full.expressionStddev, 3, 0) },
      /^tensor "expression_stddev": expected positive values, received 0 at index 3/,
    )
    validateModel({ ...full, expressionBounds: set(full.expressionBounds, 2, 1) })
  })

  it('checks that the mean is a point of the sphere', () => {
    const mean = full.identityPriorMean!
    invalid(
      { identityPriorMean: mean.map((value) => 1.01 * value) },
      /^tensor "identity_prior_mean": expected a unit vector, received one of length 1.0/,
    )
    invalid({ identityPriorMean: mean.map(() => 0) }, /received one of length 0/)
    invalid({ identityPriorMean: undefined }, /^tensor "identity_prior_mean": .* received no such tensor/)
  })

  it('checks that the factor spans the tangent space, in the coordinates of any mean', () => {
    for (const { data } of [{ data: full }, turnedSphereModel(3)]) {
      const factor = data.identityPriorFactor!
      invalid({ identityPriorFactor: undefined }, /^tensor "identity_prior_factor": .* received no such tensor/, data)
      invalid(
        { identityPriorFactor: factor.map(() => 0) },
        /expected rank 6, a spread in every tangent direction/,
        data,
      )
      const leaning = factor.map((value, i) => value + 0.01 * data.identityPriorMean![Math.floor(i / 7)]!)
      invalid(
        { identityPriorFactor: leaning },
        /expected columns orthogonal to identity_prior_mean, received column 0/,
        data,
      )
      // One column less is one direction less.
      const flat = factor.map((value, i) => (i % 7 === 2 ? 0 : value))
      invalid({ identityPriorFactor: flat }, /^tensor "identity_prior_factor": expected rank 6/, data)
      validateModel({ ...data, identityPriorFactor: factor.map((value) => 1e-4 * value) })
    }
  })

  it('checks a factor that is diagonal like any other', () => {
    const factor = full.identityPriorFactor!
    for (const index of [0, 8, 40]) invalid({ identityPriorFactor: set(factor, index, 0) }, /expected rank 6/)
    invalid({ identityPriorFactor: set(factor, 48, 0.1) }, /expected columns orthogonal .*, received column 6/)
    // What single precision leaves along the mean is no spread.
    validateModel({ ...full, identityPriorFactor: set(factor, 48, 1e-6) })
    invalid({ identityPriorFactor: set(set(factor, 48, 1e-6), 0, 0) }, /expected rank 6/)
    // One entry off the diagonal, in a tangent direction: not diagonal, and as good.
    validateModel({ ...full, identityPriorFactor: set(factor, 1, 0.05) })
  })

  it('lets a factor pass whose spreads differ a thousandfold', () => {
    const factor = full.identityPriorFactor!.map((value, i) => (i === 0 ? 1000 * value : value))
    validateModel({ ...full, identityPriorFactor: factor })
  })

  it('bounds the latents of the sphere, whose checks grow with their cube', () => {
    const K = 1025
    const mean = new Float32Array(K)
    mean[0] = 1
    invalid(
      {
        identityCount: K,
        identityBasis: new Float32Array(K * 63 * 3),
        identityPriorMean: mean,
        identityPriorFactor: new Float32Array(K * K),
      },
      /^tensor "identity_basis": expected at most 1024 latents, received 1025/,
    )
  })

  it('wants an albedo basis to have a mean', () => {
    invalid({ albedoMean: undefined }, /^tensor "albedo_mean": expected F32 \[N, 3\], received no such tensor/)
  })

  it('checks landmark schemes', () => {
    const { weights } = full.schemes.get('tiny12')!
    const rows = (row: number[]) => Float32Array.from(weights, (value, i) => (i < 3 ? row[i]! : value))
    for (const row of [
      [0.5, 0.4, 0.2],
      [1.5, -0.5, 0],
      [1, 1, -1],
      [0, 0, 1e-6],
      [-1, 0, 0],
    ]) {
      invalidScheme(
        { weights: rows(row) },
        /^tensor "landmarks.tiny12.weights": expected rows of zeros, or .* in row 0/,
      )
    }
    for (const row of [
      [0, 0, 0],
      [1, 0, 0],
      [0.3333, 0.3333, 0.3334],
      [-1e-7, 0.5, 0.5],
    ]) {
      validateModel({ ...full, schemes: new Map([['tiny12', { ...full.schemes.get('tiny12')!, weights: rows(row) }]]) })
    }
    invalidScheme({ weights: undefined }, /^tensor "landmarks.tiny12.weights": .* no such tensor/)
    invalidScheme({ count: 13 }, /^tensor "landmarks.tiny12.indices": expected \[L = 13, 3\]/)
    invalidScheme({ count: 0 }, /count: expected an integer of at least 1/)
    invalidScheme({ name: 'tiny13' }, /^landmark scheme "tiny12": expected the name it goes by, received "tiny13"/)
    invalidScheme(
      { reliability: new Float32Array(12).fill(1.5) },
      /^tensor "landmarks.tiny12.reliability": expected values from 0 to 1, received 1.5/,
    )
    invalidScheme(
      { noiseFactor: new Float32Array(40) },
      /^tensor "landmarks.tiny12.noise_factor": expected \[q, L = 12, 3\]/,
    )
    invalid({ schemes: { tiny12: full.schemes.get('tiny12') } }, /^schemes: expected a Map/)
    invalid({ schemes: new Map([['', { ...full.schemes.get('tiny12')!, name: '' }]]) }, /expected a name/)
    invalid({ schemes: new Map([['x', null]]) }, /^landmark scheme "x"/)
  })

  it('checks the metadata', () => {
    for (const key of ['name', 'version', 'license', 'attribution', 'provenance']) {
      invalidMetadata({ [key]: undefined }, new RegExp(`^metadata "${key}": expected a string, received undefined`))
    }
    invalidMetadata({ units: 'cm' }, /^metadata "units": expected "mm"/)
    invalidMetadata({ latent: 'plane' }, /^metadata "latent": expected "sphere" or "gaussian"/)
    invalidMetadata({ expressionNames: 'jawOpen' }, /^metadata "expression_names"/)
    invalidMetadata({ regionNames: [1] }, /^metadata "region_names"/)
    invalidMetadata({ other: { format: 'x' } }, /^metadata "format": expected its own field/)
    invalidMetadata({ other: { x: 1 } }, /^metadata "x": expected a string/)
    invalidMetadata({ other: undefined }, /^metadata: expected other entries/)
    invalid({ metadata: undefined }, /^metadata: expected an object/)
  })
})
