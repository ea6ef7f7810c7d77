import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { STAGE1_DEFAULTS } from '../../lib/train/stage1/Stage1Options.js'
import { STAGE2_DEFAULTS } from '../../lib/train/stage2/Stage2Options.js'
import { parseTrainingConfig } from '../../lib/train/TrainingConfig.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'

describe('a configuration of training', () => {
  it('has defaults for everything but the corpus', () => {
    expect(parseTrainingConfig({ corpus: 'people' })).toEqual({
      name: 'my face model',
      version: '1.0.0',
      corpus: { folder: 'people' },
      out: 'out',
      seed: 1,
      stage1: STAGE1_DEFAULTS,
    })
  })

  it('takes a corpus from disk or from a model', () => {
    expect(parseTrainingConfig({ corpus: { folder: 'people' } }).corpus).toEqual({ folder: 'people' })
    const synthetic = { synthetic: { identities: 10 }, source: 'face.safetensors' }
    expect(parseTrainingConfig({ corpus: synthetic }).corpus).toEqual(synthetic)
  })

  it('keeps what it is told', () => {
    const stage1 = {
      identityCount: 32,
      withinFactors: 10,
      alpha: 'auto',
      symmetrise: false,
      spanRank: 100,
      objective: 'angular-margin',
      angularMargin: { ...STAGE1_DEFAULTS.angularMargin, rounds: 3, uniformityWeight: 0.5 },
    }
    const config = {
      name: 'a',
      version: '2',
      corpus: { folder: 'b' },
      out: 'c',
      seed: 7,
      stage1,
      stage2: { ...STAGE2_DEFAULTS, folds: 3 },
    }
    expect(parseTrainingConfig(config)).toEqual(config)
  })

  it.each([
    [null, 'options', 'an object'],
    [[], 'options', 'an object'],
    [{}, 'corpus', 'a folder'],
    [{ corpus: 7 }, 'corpus', 'a folder'],
    [{ corpus: {} }, 'corpus', 'either "folder" or "synthetic"'],
    [{ corpus: { folder: 'a', synthetic: {} } }, 'corpus', 'either'],
    [{ corpus: { folder: 7 } }, 'corpus.folder', 'a folder'],
    [{ corpus: { folder: 'a', source: 'b' } }, 'corpus.source', 'nothing'],
    [{ corpus: { synthetic: [] } }, 'corpus.synthetic', 'an object'],
    [{ corpus: { synthetic: {}, source: 7 } }, 'corpus.source', 'a model file'],
    [{ corpus: { folders: 'a' } }, 'corpus', 'folder, synthetic, source'],
    [{ corpus: 'a', name: '' }, 'name', 'not empty'],
    [{ corpus: 'a', out: 3 }, 'out', 'a string'],
    [{ corpus: 'a', seed: -1 }, 'seed', 'whole number'],
    [{ corpus: 'a', seed: 1.5 }, 'seed', 'whole number'],
    [{ corpus: 'a', sed: 1 }, 'options', 'stage1'],
    [{ corpus: 'a', stage1: 3 }, 'stage1', 'an object'],
    [{ corpus: 'a', stage1: { identityCount: 1 } }, 'stage1.identityCount', 'from 2'],
    [{ corpus: 'a', stage1: { identityCount: '64' } }, 'stage1.identityCount', 'whole number'],
    [{ corpus: 'a', stage1: { alpha: 2 } }, 'stage1.alpha', 'from 0 to 1'],
    [{ corpus: 'a', stage1: { alpha: 'best' } }, 'stage1.alpha', 'from 0 to 1'],
    [{ corpus: 'a', stage1: { symmetrise: 'yes' } }, 'stage1.symmetrise', 'true or false'],
    [{ corpus: 'a', stage1: { objective: 'arcface' } }, 'stage1.objective', '"closed-form" or "angular-margin"'],
    [{ corpus: 'a', stage1: { angularMargin: { margin: 3 } } }, 'stage1.angularMargin.margin', 'from 0 to 1'],
    [{ corpus: 'a', stage1: { angularMargin: { gamma: 3 } } }, 'stage1.angularMargin', 'scale'],
    [{ corpus: 'a', stage2: [] }, 'stage2', 'an object'],
  ])('names the field that is wrong: %j', (value, field, expected) => {
    const error = expectSfmError(() => parseTrainingConfig(value), 'INVALID_ARGUMENT', `${field}: expected`)
    expect(error.message).toContain(expected)
  })

  it('is what the example is', () => {
    const file = new URL('../../examples/training/config.json', import.meta.url)
    expect(parseTrainingConfig(JSON.parse(readFileSync(file, 'utf8'))).out).toBe('out')
  })
})
