import { describe, expect, it } from 'vitest'
import { chosenTrials } from '../../lib/train/stage2/measurePeople.js'

describe('the pairs that are compared', () => {
  const same = Uint8Array.from({ length: 10_000 }, (_, i) => (i % 10 === 0 ? 1 : 0))

  it('are all of them where there are few', () => {
    expect(chosenTrials(same, 1, 9000)).toEqual([...same.keys()])
  })

  it('are all of one person, and a random part of strangers, where there are many', () => {
    const chosen = chosenTrials(same, 1, 900)
    expect(chosen.filter((i) => same[i])).toHaveLength(1000)
    const strangers = chosen.filter((i) => !same[i])
    expect(strangers.length).toBeGreaterThan(800)
    expect(strangers.length).toBeLessThan(1000)
    expect(strangers.filter((i) => i < 5000).length).toBeGreaterThan(350)
    expect(chosenTrials(same, 1, 900)).toEqual(chosen)
    expect(chosenTrials(same, 2, 900)).not.toEqual(chosen)
  })
})
