import { describe, expect, it } from 'vitest'
import { parseComparison } from '../../lib/model/comparison.js'
import type { ModelData } from '../../lib/model/ModelData.js'
import { SphereFaceModel } from '../../lib/model/SphereFaceModel.js'
import { validateModel } from '../../lib/model/validate.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'
import { tinySphereModel } from '../fixtures/tinyModel.js'

/** The tiny model with this metadata entry. */
function calibrated(comparison: string): ModelData {
  const data = tinySphereModel()
  return { ...data, metadata: { ...data.metadata, other: { ...data.metadata.other, comparison } } }
}

describe('the thresholds of a model', () => {
  it('are read from its metadata, in memory and from a file', async () => {
    const entry = {
      cosine: { threshold: 0.42, falseAcceptRate: 0.01, trueAcceptRate: 0.5, pairs: 1000 },
      logLikelihoodRatio: { threshold: -1.5 },
      calibratedOn: 'validation',
    }
    const expected = {
      cosine: { threshold: 0.42, falseAcceptRate: 0.01, trueAcceptRate: 0.5 },
      logLikelihoodRatio: { threshold: -1.5 },
      model: { name: 'tiny', version: '1.0.0' },
    }
    using model = SphereFaceModel.fromData(calibrated(JSON.stringify(entry)))
    expect(model.comparison).toEqual(expected)
    using read = await SphereFaceModel.load(model.toBytes())
    expect(read.comparison).toEqual(expected)
    // The entry itself is kept as it is.
    expect(JSON.parse(read.metadata.other.comparison!)).toEqual(entry)
  })

  it('are not there unless the model was calibrated', () => {
    using model = SphereFaceModel.fromData(tinySphereModel())
    expect(model.comparison).toBeUndefined()
    expect(parseComparison('{}')).toEqual({})
  })

  it.each([
    ['no JSON', 'high', /^metadata "comparison": expected a JSON object with "cosine" and "logLikelihoodRatio", rec/],
    ['a number', '0.5', /^metadata "comparison": expected a JSON object/],
    ['a list', '[]', /^metadata "comparison": expected a JSON object/],
    ['a bare threshold', '{"cosine":0.5}', /^metadata "comparison", cosine: expected an object, received 0\.5/],
    ['no threshold', '{"cosine":{}}', /^metadata "comparison", cosine, threshold: expected a finite number/],
    ['a text', '{"logLikelihoodRatio":{"threshold":"1"}}', /logLikelihoodRatio, threshold: expected a finite number/],
    [
      'a rate above 1',
      '{"cosine":{"threshold":0,"falseAcceptRate":2}}',
      /falseAcceptRate: expected a number from 0 to/,
    ],
    ['a rate below 0', '{"cosine":{"threshold":0,"trueAcceptRate":-1}}', /trueAcceptRate: expected a number from 0 to/],
  ])('are refused: %s', (_, entry, message) => {
    expectSfmError(() => validateModel(calibrated(entry)), 'INVALID_MODEL', message)
  })
})
