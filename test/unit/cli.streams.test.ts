import { describe, expect, it } from 'vitest'
import { fitStream, type Outcome } from '../../lib/cli/fitStream.js'
import { inBatches } from '../../lib/cli/inBatches.js'
import { mapOrdered } from '../../lib/cli/mapOrdered.js'
import { table } from '../../lib/cli/table.js'
import { SfmError } from '../../lib/errors.js'
import type { ObservationItem } from '../../lib/inputs/readObservations.js'
import { type FakeBehaviour, fakeModel } from '../fixtures/fakeModel.js'

const wait = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

async function collect<T>(items: AsyncIterable<T>, into: T[] = []): Promise<T[]> {
  for await (const item of items) into.push(item)
  return into
}

async function* count(to: number, failAt = Number.POSITIVE_INFINITY): AsyncGenerator<number> {
  for (let i = 0; i < to; i++) {
    if (i === failAt) throw new Error(`no ${i}`)
    yield i
  }
}

describe('mapOrdered', () => {
  it('keeps the order whatever the times, with no more than the limit under way', async () => {
    let running = 0
    let most = 0
    const results = await collect(
      mapOrdered(count(40), 4, async (i) => {
        most = Math.max(most, ++running)
        await wait((i * 7) % 5)
        running--
        return i * 2
      }),
    )
    expect(results).toEqual(Array.from({ length: 40 }, (_, i) => i * 2))
    expect(most).toBe(4)
  })

  it('takes an array', async () => {
    expect(await collect(mapOrdered([1, 2, 3], 2, async (i) => i + 1))).toEqual([2, 3, 4])
    expect(await collect(mapOrdered([], 2, async (i) => i))).toEqual([])
  })

  it('gives a result as soon as it is there, though the source waits', async () => {
    async function* slow() {
      yield 1
      await new Promise(() => undefined)
    }
    const results = mapOrdered(slow(), 3, async (i) => i)
    expect(await results.next()).toEqual({ done: false, value: 1 })
  })

  it('reads no further than the consumer needs', async () => {
    let read = 0
    async function* source() {
      for (;;) yield read++
    }
    const results = mapOrdered(source(), 3, async (i) => i)
    for (let i = 0; i < 5; i++) await results.next()
    await wait(5)
    expect(read).toBeLessThanOrEqual(9)
    await results.return(undefined)
  })

  it('gives what went before a failure, of the source and of the map', async () => {
    const got: number[] = []
    await expect(
      collect(
        mapOrdered(count(9, 5), 3, async (i) => i),
        got,
      ),
    ).rejects.toThrow('no 5')
    expect(got).toEqual([0, 1, 2, 3, 4])

    const some: number[] = []
    const failing = mapOrdered(count(9), 3, async (i) => {
      if (i === 4) throw new Error('four')
      return i
    })
    await expect(collect(failing, some)).rejects.toThrow('four')
    expect(some).toEqual([0, 1, 2, 3])
  })

  it('closes its source when the consumer leaves', async () => {
    let closed = false
    async function* source() {
      try {
        for (let i = 0; ; i++) yield i
      } finally {
        closed = true
      }
    }
    for await (const i of mapOrdered(source(), 2, async (i) => i)) if (i === 3) break
    await wait(1)
    expect(closed).toBe(true)
  })
})

describe('inBatches', () => {
  it('fills batches while items come fast', async () => {
    expect((await collect(inBatches(count(10), 4, 1000))).map((batch) => batch.length)).toEqual([4, 4, 2])
    expect(await collect(inBatches(count(0), 4))).toEqual([])
    expect((await collect(inBatches(count(4), 4))).length).toBe(1)
  })

  it('gives what there is when no more comes', async () => {
    async function* slow() {
      yield 1
      yield 2
      await wait(80)
      yield 3
    }
    expect(await collect(inBatches(slow(), 100, 10))).toEqual([[1, 2], [3]])
  })

  it('gives what went before a failure', async () => {
    const got: number[][] = []
    await expect(collect(inBatches(count(9, 5), 3), got)).rejects.toThrow('no 5')
    expect(got).toEqual([
      [0, 1, 2],
      [3, 4],
    ])
  })
})

describe('fitStream', () => {
  const behave = (): FakeBehaviour => ({ batches: [], options: [], open: 0 })
  const item = (index: number, scheme = 's', id = `f${index}`): ObservationItem => ({
    id,
    source: `x:${index}`,
    index,
    observation: { id, scheme, points: [[0, 0]] },
  })
  async function* items(all: readonly ObservationItem[]) {
    yield* all
  }
  const fitted = async (all: readonly ObservationItem[], behaviour: FakeBehaviour, into: Outcome[][] = []) => {
    const fitter = await fakeModel(behaviour).createFitter()
    return (await collect(fitStream(fitter, items(all), { batchSize: 8 }), into)).flat()
  }

  it('keeps the order over batches that end in another', async () => {
    const behaviour = { ...behave(), delay: (batch: number) => [20, 0, 10][batch % 3]! }
    const outcomes = await fitted(
      Array.from({ length: 50 }, (_, i) => item(i)),
      behaviour,
    )
    expect(outcomes.map(({ id }) => id)).toEqual(Array.from({ length: 50 }, (_, i) => `f${i}`))
    expect(behaviour.batches).toEqual([8, 8, 8, 8, 8, 8, 2])
  })

  it('puts what cannot be fitted in its place', async () => {
    const unread: ObservationItem = {
      id: 'u',
      source: 'x:1',
      index: 1,
      error: new SfmError('INVALID_INPUT', 'x:1: not JSON'),
    }
    const outcomes = await fitted([item(0), unread, item(2, 'unknown'), item(3, 's', 'bad3'), item(4)], behave())
    expect(outcomes.map(({ id, usable, record }) => [id, usable, record.status])).toEqual([
      ['f0', true, 'converged'],
      ['u', false, 'failed'],
      ['f2', false, 'failed'],
      ['bad3', false, 'max-iterations'],
      ['f4', true, 'converged'],
    ])
    expect(outcomes[1]!.message).toBe('x:1: not JSON')
    expect(outcomes[2]!.message).toBe('scheme: the model has no scheme "unknown"')
    expect(Object.keys(outcomes[1]!.record)).toEqual(expect.arrayContaining(['identity', 'embedding', 'pose', 'rmse']))
    expect(await fitted([unread], behave())).toHaveLength(1)
  })

  it('ends at an error that is no face’s fault, after what was fitted before', async () => {
    const behaviour = behave()
    const got: Outcome[][] = []
    const failing = fitted(
      Array.from({ length: 20 }, (_, i) => item(i)),
      {
        ...behaviour,
        failure: new SfmError('OUT_OF_MEMORY', 'no memory'),
      },
      got,
    )
    await expect(failing).rejects.toThrow('no memory')
    expect(got).toEqual([])
  })
})

describe('table', () => {
  it('has words to the left and numbers to the right', () => {
    expect(
      table(
        ['', 'batch', 'faces/s'],
        [
          ['decode', '1', '12,345'],
          ['fit', '512', '7'],
        ],
      ),
    ).toBe('        batch  faces/s\ndecode      1   12,345\nfit       512        7\n')
    expect(
      table(
        ['', ''],
        [
          ['a', 'b'],
          ['long', 'c'],
        ],
      ),
    ).toBe('a     b\nlong  c\n')
  })
})
