import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { splitSubjects } from '../../lib/corpus/splitSubjects.js'
import { SPLITS } from '../../lib/corpus/TrainingData.js'
import { expectSfmError } from '../fixtures/expectSfmError.js'

const EIGHTY = { train: 0.8, validation: 0.1, test: 0.1 }
const people = (count: number, collection?: string) =>
  Array.from({ length: count }, (_, i) => (collection === undefined ? `s${i}` : `${collection}/s${i}`))

describe('splitSubjects', () => {
  it('puts everybody into one part, by the shares', () => {
    const keys = people(100)
    const { train, validation, test } = splitSubjects(keys, EIGHTY, 1)
    expect([train.length, validation.length, test.length]).toEqual([80, 10, 10])
    expect([...train, ...validation, ...test].sort()).toEqual([...keys].sort())
    expect(train).toEqual([...train].sort())
  })

  it('depends on the seed and the people, not on their order or number of mentions', () => {
    const keys = [...people(40, 'a'), ...people(30, 'b')]
    const once = splitSubjects(keys, EIGHTY, 3)
    expect(splitSubjects([...keys].reverse(), EIGHTY, 3)).toEqual(once)
    expect(splitSubjects([...keys, ...keys].sort(), EIGHTY, 3)).toEqual(once)
    expect(splitSubjects(keys, EIGHTY, 4)).not.toEqual(once)
  })

  it('has not changed since the first version', () => {
    expect(splitSubjects(people(10), EIGHTY, 1)).toEqual(SPLIT_OF_TEN)
  })

  it('divides every collection by the same shares, and all of them together', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 12 })
    const shares = fc.tuple(
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 0, max: 9 }),
      fc.integer({ min: 0, max: 9 }),
    )
    fc.assert(
      fc.property(sizes, shares, fc.nat(), (counts, weights, seed) => {
        const sum = weights.reduce((a, b) => a + b)
        const fractions = Object.fromEntries(SPLITS.map((split, i) => [split, weights[i]! / sum]))
        const keys = counts.flatMap((count, i) => people(count, `c${i}`))
        fc.pre(weights.every((weight) => weight === 0 || (weight / sum) * keys.length >= 1))
        const lists = splitSubjects(keys, fractions, seed)
        for (const split of SPLITS) {
          expect(Math.abs(lists[split].length - fractions[split]! * keys.length)).toBeLessThan(1)
          for (const [i, count] of counts.entries()) {
            const own = lists[split].filter((key) => key.startsWith(`c${i}/`)).length
            expect(Math.abs(own - fractions[split]! * count)).toBeLessThan(2)
          }
        }
      }),
      { numRuns: 200, seed: 1 },
    )
  })

  it('leaves the parts of one collection alone when others come in', () => {
    // The shares of all are the shares of each here, so that nobody has to make up for others.
    const half = { train: 0.5, test: 0.5 }
    const before = splitSubjects(people(20, 'b'), half, 2)
    const after = splitSubjects([...people(10, 'a'), ...people(20, 'b'), ...people(6, 'c')], half, 2)
    expect(after.test.filter((key) => key.startsWith('b/'))).toEqual(before.test)
  })

  it.each<[unknown, number, RegExp]>([
    [{ train: 0.5 }, 1, /^fractions: expected numbers with a sum of 1/],
    [{ train: 1.5, test: -0.5 }, 1, /^fractions\.train: expected a number from 0 to 1/],
    [{ train: 0.5, dev: 0.5 }, 1, /^fractions: expected train, validation, test/],
    [{ train: Number.NaN }, 1, /^fractions\.train/],
    [null, 1, /^fractions/],
    [EIGHTY, -1, /^seed/],
    [EIGHTY, 0.5, /^seed/],
  ])('refuses %j', (fractions, seed, message) => {
    expectSfmError(() => splitSubjects(people(10), fractions as never, seed), 'INVALID_ARGUMENT', message)
  })

  it('says when a part that is asked for would be empty', () => {
    const message = /^subjects: expected enough people for the split "(validation|test)", received an array of 3/
    expectSfmError(() => splitSubjects(people(3), EIGHTY, 1), 'INVALID_ARGUMENT', message)
    expect(splitSubjects(people(3), { train: 1 }, 1).train.length).toBe(3)
  })
})

const SPLIT_OF_TEN = { train: ['s0', 's1', 's2', 's3', 's4', 's6', 's7', 's8'], validation: ['s5'], test: ['s9'] }
