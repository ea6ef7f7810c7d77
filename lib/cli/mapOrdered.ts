/**
 * Maps a stream with up to `limit` calls under way, and gives the results in the stream's order, each as soon as it and
 * all before it are there. Nothing is read ahead beyond those calls, so that a slow consumer holds the whole pipeline
 * back.
 *
 * When the source fails, what is under way is given first, then the error is thrown.
 *
 * @example
 * for await (const result of mapOrdered(batches, 3, (batch) => fitter.fit(batch))) console.log(result.length)
 */
export async function* mapOrdered<A, B>(
  source: AsyncIterable<A> | Iterable<A>,
  limit: number,
  map: (item: A) => Promise<B>,
): AsyncGenerator<B> {
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
  const running: Array<Promise<B>> = []
  let reading: Promise<IteratorResult<A>> | undefined
  let ended = false
  let failure: { error: unknown } | undefined
  try {
    for (;;) {
      if (!ended && running.length < limit) reading ??= Promise.resolve(iterator.next())
      const [oldest] = running
      if (oldest === undefined) {
        if (reading === undefined) break
      } else if (reading === undefined || (await firstOf(reading, oldest)) === 'second') {
        yield await oldest
        running.shift()
        continue
      }
      try {
        const next: IteratorResult<A> = await reading
        if (next.done) ended = true
        else running.push(handled(map(next.value)))
      } catch (error) {
        ended = true
        failure = { error }
      }
      reading = undefined
    }
    if (failure) throw failure.error
  } finally {
    // Not awaited: a source that waits for input that never comes must not keep the consumer from leaving.
    if (!ended) Promise.resolve(iterator.return?.()).catch(() => undefined)
  }
}

/** Marks a promise as looked after: it is awaited in its turn, and may fail long before that. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined)
  return promise
}

function firstOf(first: Promise<unknown>, second: Promise<unknown>): Promise<'first' | 'second'> {
  const name = <T>(promise: Promise<unknown>, name: T) =>
    promise.then(
      () => name,
      () => name,
    )
  return Promise.race([name(first, 'first' as const), name(second, 'second' as const)])
}
