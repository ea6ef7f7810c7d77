/**
 * Collects a stream into batches: of `size` while items come fast, and of what has come `patience` milliseconds after
 * the first where they come slowly, so that a person who types, or another program, has an answer at once.
 *
 * When the source fails, what has come before is given first, then the error is thrown.
 *
 * @example
 * for await (const batch of inBatches(observations, 256)) console.log(batch.length)
 */
export async function* inBatches<T>(source: AsyncIterable<T>, size: number, patience = 10): AsyncGenerator<T[]> {
  const iterator = source[Symbol.asyncIterator]()
  let reading: Promise<IteratorResult<T>> | undefined
  let ended = false
  try {
    while (!ended) {
      const batch: T[] = []
      let failure: { error: unknown } | undefined
      let late: Promise<undefined> | undefined
      let timer: NodeJS.Timeout | undefined
      while (batch.length < size) {
        reading ??= iterator.next()
        reading.catch(() => undefined)
        try {
          const next: IteratorResult<T> | undefined = await (late === undefined
            ? reading
            : Promise.race([reading, late]))
          if (next === undefined) break
          reading = undefined
          ended = next.done === true
          if (next.done) break
          batch.push(next.value)
        } catch (error) {
          ended = true
          failure = { error }
          break
        }
        late ??= new Promise((resolve) => {
          timer = setTimeout(resolve, patience, undefined)
        })
      }
      clearTimeout(timer)
      if (batch.length > 0) yield batch
      if (failure) throw failure.error
    }
  } finally {
    if (!ended) Promise.resolve(iterator.return?.()).catch(() => undefined)
  }
}
