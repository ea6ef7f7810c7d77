import { encodeShard, type Rows } from './shardFile.js'

/** A full shard: its file's bytes, and what the manifest says of it. */
export interface EncodedShard {
  bytes: Uint8Array
  count: number
  subjects: string[]
}

/** Gathers rows until they are as many as a shard holds. */
export class RowBuffer {
  /** Sizes of a row by column. */
  readonly rows: ReadonlyMap<string, number[]>
  readonly #capacity: number
  #count = 0
  #index: number[] = []
  #placeOf = new Map<string, number>()
  #arrays = new Map<string, Float32Array>()

  /**
   * @param rows Sizes of a row by column.
   * @param shardBytes What a shard holds at most, unless a single row is larger.
   */
  constructor(rows: ReadonlyMap<string, number[]>, shardBytes: number) {
    this.rows = rows
    const rowBytes = [...rows.values()].reduce((sum, sizes) => sum + 4 * product(sizes), 4)
    this.#capacity = Math.max(1, Math.floor(shardBytes / rowBytes))
  }

  /** Whether rows of these columns fit in with those that are here. */
  takes({ arrays }: Rows): boolean {
    return arrays.size === this.rows.size && [...arrays.keys()].every((name) => this.rows.has(name))
  }

  /** Copies rows, and gives the shards that have become full. */
  *add({ subjects, arrays }: Rows): Generator<EncodedShard> {
    for (let from = 0; from < subjects.length; ) {
      const some = Math.min(subjects.length - from, this.#capacity - this.#count)
      for (const [name, sizes] of this.rows) {
        const width = product(sizes)
        const target = this.#room(name, (this.#count + some) * width)
        target.set(arrays.get(name)!.subarray(from * width, (from + some) * width), this.#count * width)
      }
      for (const subject of subjects.slice(from, from + some)) this.#index.push(this.#place(subject))
      this.#count += some
      from += some
      if (this.#count === this.#capacity) yield* this.take()
    }
  }

  /** What has gathered, if anything; the buffer is empty afterwards. */
  *take(): Generator<EncodedShard> {
    if (this.#count === 0) return
    const columns = new Map(
      [...this.rows].map(([name, row]) => {
        const array = this.#arrays.get(name)!.subarray(0, this.#count * product(row))
        return [name, { row, array }]
      }),
    )
    const shard = {
      bytes: encodeShard(Int32Array.from(this.#index), columns),
      count: this.#count,
      subjects: [...this.#placeOf.keys()],
    }
    this.#count = 0
    this.#index = []
    this.#placeOf = new Map()
    yield shard
  }

  /** Room for so many numbers: doubled as needed, since most corpora are smaller than one shard. */
  #room(name: string, length: number): Float32Array {
    const present = this.#arrays.get(name) ?? new Float32Array(0)
    if (length <= present.length) return present
    const most = this.#capacity * product(this.rows.get(name)!)
    const larger = new Float32Array(Math.min(most, Math.max(length, 2 * present.length)))
    larger.set(present)
    this.#arrays.set(name, larger)
    return larger
  }

  #place(subject: string): number {
    const known = this.#placeOf.get(subject)
    if (known !== undefined) return known
    this.#placeOf.set(subject, this.#placeOf.size)
    return this.#placeOf.size - 1
  }
}

function product(sizes: readonly number[]): number {
  return sizes.reduce((p, size) => p * size, 1)
}
