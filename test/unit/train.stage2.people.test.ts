import { describe, expect, it } from 'vitest'
import { chosenTrials, photosOfSome } from '../../lib/train/stage2/measurePeople.js'

describe('the people that are compared', () => {
  const photos = Array.from({ length: 600 }, (_, i) => ({
    id: `${i}`,
    subject: `s${i % 60}`,
    ...(i % 60 < 30 && { collection: 'c' }),
    scheme: 'ibug68',
    points: [],
  }))

  it('are all of them where they have few photos', () => {
    expect(photosOfSome(photos, 1, 600)).toBe(photos)
  })

  it('are some at random where they have many, each with all photos, in their order', () => {
    const some = photosOfSome(photos, 1, 105)
    expect(some).toHaveLength(100)
    expect(new Set(some.map(({ subject }) => subject)).size).toBe(10)
    expect(some).toEqual(photos.filter((photo) => some.includes(photo)))
    expect(some.some(({ collection }) => collection)).toBe(true)
    expect(some.some(({ collection }) => !collection)).toBe(true)
    expect(photosOfSome(photos, 1, 105)).toEqual(some)
    expect(photosOfSome(photos, 2, 105)).not.toEqual(some)
  })

  it('are two at least', () => {
    expect(photosOfSome(photos, 1, 3)).toHaveLength(20)
  })
})

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
