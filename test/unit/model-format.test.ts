import { describe, expect, it } from 'vitest'
import { readContainer, type Tensor, writeContainer } from '../../lib/model/formats/safetensors.js'
import { readModel, writeModel } from '../../lib/model/formats/sphereFaceModel.js'
import { withBasisPrecision } from '../../lib/model/half.js'
import type { ModelData } from '../../lib/model/ModelData.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'
import { type LooseHeader, rawSafetensors, splitSafetensors } from '../fixtures/rawSafetensors.js'
import { tinyFullModel, tinyGaussianModel, tinySphereModel, turnedSphereModel } from '../fixtures/tinyModel.js'

/** A model without its expressions. */
const expressionless = (data: ModelData): ModelData => ({
  ...data,
  expressionCount: 0,
  expressionBasis: new Float32Array(0),
  expressionBounds: new Float32Array(0),
  expressionStddev: new Float32Array(0),
  metadata: { ...data.metadata, expressionNames: [] },
})

/** A model's file after a change to its header. */
const withHeader = (data: ModelData, change: (header: LooseHeader) => void) => {
  const parts = splitSafetensors(writeModel(data))
  change(parts.header)
  return rawSafetensors(parts.header, parts.data)
}

/** A model's file without some tensors, or with others. */
const withTensors = (data: ModelData, change: (tensors: Map<string, unknown>) => void) => {
  const { tensors, metadata } = readContainer(writeModel(data))
  const changed = new Map<string, unknown>(tensors)
  change(changed)
  return writeContainer({ tensors: changed as Map<string, Tensor>, metadata })
}

const invalid = (file: Uint8Array, message: RegExp) => expectSfmError(() => readModel(file), 'INVALID_MODEL', message)

describe('a model', () => {
  it.each([
    ['sphere', tinySphereModel()],
    ['gaussian', tinyGaussianModel()],
    ['turned', turnedSphereModel().data],
    ['full', tinyFullModel()],
    ['half precision', withBasisPrecision(tinyFullModel(), 'f16')],
    ['no expressions', expressionless(tinySphereModel())],
    ['no landmarks', { ...tinySphereModel(), schemes: new Map() }],
  ])('comes back as it was written: %s', (_, data) => {
    const file = writeModel(data)
    const back = readModel(file)
    // Schemes are in the order of their names in a file.
    expect(back).toEqual({ ...data, schemes: new Map([...data.schemes].sort()) })
    expect(writeModel(back)).toEqual(file)
  })

  it('is read in place: its arrays are views of the file', () => {
    const file = writeModel(withBasisPrecision(tinyFullModel(), 'f16'))
    const data = readModel(file)
    const arrays = [...Object.values(data), ...[...data.schemes.values()].flatMap((scheme) => Object.values(scheme))]
    const views = arrays.filter((value) => ArrayBuffer.isView(value))
    expect(views).toHaveLength(21)
    for (const view of views) expect(view.buffer).toBe(file.buffer)
  })

  it('is read from any alignment, and from a Buffer', () => {
    const data = tinyFullModel()
    const file = writeModel(data)
    for (const shift of [1, 2, 4]) {
      const larger = Buffer.alloc(file.length + shift)
      larger.set(file, shift)
      expect(readModel(larger.subarray(shift))).toEqual(readModel(file))
    }
  })

  it('keeps metadata that it does not know, and drops tensors that it does not know', () => {
    const data = tinySphereModel()
    const file = withTensors(data, (tensors) => {
      tensors.set('from_the_future', { dtype: 'BF16', shape: [1], bytes: Uint8Array.of(1, 2) })
      tensors.set('landmarks.tiny12.colour', { dtype: 'U8', shape: [1], bytes: Uint8Array.of(1) })
      tensors.set('landmarks.alone', { dtype: 'U8', shape: [1], bytes: Uint8Array.of(1) })
    })
    expect(readModel(file)).toEqual(readModel(writeModel(data)))
    expect(readModel(file).metadata.other).toEqual({ purpose: 'tests' })
  })

  it('may have schemes with dots and other marks in their names', () => {
    const data = tinySphereModel()
    const scheme = data.schemes.get('tiny12')!
    const names = ['my.own.scheme', 'two\nlines', 'landmarks.x', 'weights', 'ü 😀', '__proto__']
    const schemes = new Map(names.sort().map((name) => [name, { ...scheme, name }]))
    expect(readModel(writeModel({ ...data, schemes })).schemes).toEqual(schemes)
  })

  it('may leave texts out that nothing depends on', () => {
    const file = withHeader(tinySphereModel(), ({ __metadata__: metadata }) => {
      for (const key of ['name', 'version', 'license', 'attribution', 'provenance', 'purpose']) delete metadata[key]
    })
    expect(readModel(file).metadata).toMatchObject({ name: '', version: '', license: '', attribution: '', other: {} })
  })
})

describe('a file that is no model', () => {
  it('has another format, or units, or latents', () => {
    const set = (key: string, value: string | undefined) =>
      withHeader(tinySphereModel(), ({ __metadata__: metadata }) => {
        metadata[key] = value
      })
    invalid(
      set('format', 'sphere-face-model/2'),
      /^metadata "format": expected "sphere-face-model\/1", received "sphere-face-model\/2"/,
    )
    invalid(set('format', undefined), /^metadata "format": expected "sphere-face-model\/1", received no such entry/)
    invalid(set('units', 'cm'), /^metadata "units": expected "mm", received "cm"/)
    invalid(set('latent', 'cube'), /^metadata "latent": expected "sphere" or "gaussian", received "cube"/)
    invalid(rawSafetensors('{}'), /^metadata "format"/)
  })

  it('has names that are no list of names', () => {
    const set = (key: string, value: string) =>
      withHeader(tinySphereModel(), ({ __metadata__: metadata }) => {
        metadata[key] = value
      })
    for (const names of ['', 'jawOpen', '{}', '[1]', '["a",null]', '[']) {
      invalid(set('expression_names', names), /^metadata "expression_names": expected a JSON array of strings/)
      invalid(set('region_names', names), /^metadata "region_names": expected a JSON array of strings/)
    }
    invalid(set('expression_names', '["a","b"]'), /^metadata "expression_names": expected an array of 4 strings/)
    invalid(set('expression_names', '["a","b","c","a"]'), /every name once, received "a" twice/)
    invalid(set('expression_names', '["a","b","c",""]'), /names that can be keys, received ""/)
    invalid(set('expression_names', '["a","b","c","__proto__"]'), /names that can be keys/)
    invalid(set('region_names', '["one"]'), /^tensor "region": expected indices of 1 region_names, received 1 at index/)
  })

  it('lacks a tensor', () => {
    const without = (name: string) => withTensors(tinySphereModel(), (tensors) => tensors.delete(name))
    invalid(without('mean'), /^tensor "mean": expected F32 \[N, 3\], received no such tensor/)
    for (const name of [
      'identity_basis',
      'expression_bounds',
      'expression_stddev',
      'identity_prior_mean',
      'identity_prior_factor',
      'triangles',
      'landmarks.tiny12.indices',
      'landmarks.ibug68.weights',
    ]) {
      invalid(
        without(name),
        new RegExp(`^tensor "${name.replaceAll('.', '\\.')}": expected .*, received no such tensor`),
      )
    }
    invalid(without('expression_basis'), /^tensor "expression_bounds": expected shape \[E = 0, 2\], received \[4, 2\]/)
  })

  it('has a tensor of another type', () => {
    const { header } = splitSafetensors(writeModel(tinyFullModel()))
    const { __metadata__: _, ...entries } = header
    for (const [name, { dtype }] of Object.entries(entries)) {
      // Of the same size, so that only the dtype is wrong.
      const other = { F32: 'U32', I32: 'F32', U8: 'I8' }[dtype as 'F32']
      const file = withHeader(tinyFullModel(), (changed) => {
        changed[name].dtype = other
      })
      const error = invalid(file, new RegExp(`expected dtype ${dtype}( or F16)?, received ${other}$`))
      expect(error.message).toContain(`tensor "${name}"`)
    }
  })

  it('has a tensor of another shape', () => {
    const { header } = splitSafetensors(writeModel(tinyFullModel()))
    const { __metadata__: _, ...entries } = header
    for (const [name, { shape }] of Object.entries(entries)) {
      const product = shape.reduce((a: number, b: number) => a * b, 1)
      for (const wrong of [[product], [...shape, 1], [1, ...shape], [...shape].reverse()]) {
        if (String(wrong) === String(shape) || shape.length === 1) continue
        const file = withHeader(tinyFullModel(), (changed) => {
          changed[name].shape = wrong
        })
        const error = expectSfmError(() => readModel(file), 'INVALID_MODEL', /expected shape \[.*\], received \[/)
        if (name !== 'mean') expect(error.message).toContain(`tensor "${name}"`)
      }
    }
  })

  it('disagrees with itself about a size', () => {
    const mean = { dtype: 'F32', shape: [64, 3], bytes: new Uint8Array(64 * 12) }
    invalid(
      withTensors(tinySphereModel(), (tensors) => tensors.set('mean', mean)),
      /^tensor "identity_basis": expected shape \[K, N = 64, 3\], received \[7, 63, 3\]/,
    )
  })

  it('says more of the prior than a gaussian model may', () => {
    const file = withHeader(tinySphereModel(), ({ __metadata__: metadata }) => {
      metadata.latent = 'gaussian'
    })
    invalid(file, /^tensor "identity_prior_mean": expected no such tensor in a gaussian model/)
  })

  it('has empty tensors', () => {
    const empty = (name: string, shape: number[], dtype = 'F32') =>
      withTensors(tinyFullModel(), (tensors) => tensors.set(name, { dtype, shape, bytes: new Uint8Array(0) }))
    invalid(empty('mean', [0, 3]), /^tensor "mean"/)
    invalid(empty('identity_basis', [0, 63, 3]), /^tensor "identity_basis"/)
    invalid(empty('within_identity_basis', [0, 63, 3]), /^tensor "within_identity_basis"/)
    invalid(empty('triangles', [0, 3], 'I32'), /^tensor "triangles"/)
    invalid(empty('landmarks.tiny12.noise_factor', [0, 12, 3]), /^tensor "landmarks.tiny12.noise_factor"/)
    invalid(empty('landmarks.tiny12.indices', [0, 3], 'I32'), /^tensor "landmarks.tiny12.indices"/)
  })
})

describe('writeModel', () => {
  it('writes nothing that readModel would refuse', () => {
    const data = tinySphereModel()
    expectSfmError(
      () => writeModel({ ...data, mean: data.mean.map(() => Number.NaN) }),
      'INVALID_MODEL',
      /^tensor "mean"/,
    )
  })

  it('writes a view of a larger array as what it is', () => {
    const data = tinySphereModel()
    const larger = new Float32Array(data.mean.length + 5).fill(7)
    larger.set(data.mean, 3)
    const view = larger.subarray(3, 3 + data.mean.length)
    expect(writeModel({ ...data, mean: view })).toEqual(writeModel(data))
  })
})
