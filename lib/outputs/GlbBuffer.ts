/** Numbers of the glTF specification. */
const COMPONENT = { uint16: 5123, uint32: 5125, float32: 5126 } as const
const TARGET = { vertices: 34962, indices: 34963 } as const

/** Where parts of a GLB begin: at multiples of what its largest numbers take. */
const ALIGNMENT = 4

type Numbers = Float32Array | Uint16Array | Uint32Array

/** An array in which most vertices are at zero: those that are not, and what they are. */
export interface SparseVectors {
  /** [S] ascending. */
  indices: Uint16Array | Uint32Array
  /** [S,3] */
  values: Float32Array
  low: readonly number[]
  high: readonly number[]
}

/**
 * Collects the binary part of a GLB and describes it: every array becomes an accessor, which the rest of the file names
 * by its number.
 */
export class GlbBuffer {
  readonly accessors: object[] = []
  readonly bufferViews: object[] = []
  readonly #parts: Uint8Array[] = []
  #length = 0

  /** Bytes without the last part's filling. */
  get length(): number {
    return this.#length
  }

  /** Three indices a triangle. */
  indices(array: Uint16Array | Uint32Array): number {
    return this.#accessor({
      bufferView: this.view(array, TARGET.indices),
      componentType: componentOf(array),
      count: array.length,
      type: 'SCALAR',
    })
  }

  /** Vectors of two or three numbers, one a vertex. Positions need their bounds. */
  vectors(
    array: Float32Array,
    width: 2 | 3,
    bounds?: readonly [low: readonly number[], high: readonly number[]],
  ): number {
    return this.#accessor({
      bufferView: this.view(array, TARGET.vertices),
      componentType: COMPONENT.float32,
      count: array.length / width,
      type: `VEC${width}`,
      ...(bounds && { min: bounds[0], max: bounds[1] }),
    })
  }

  /** Vectors of which most are zero, of `count` vertices. */
  sparse({ indices, values, low, high }: SparseVectors, count: number): number {
    return this.#accessor({
      componentType: COMPONENT.float32,
      count,
      type: 'VEC3',
      min: low,
      max: high,
      // Without any there is nothing to say: what no bytes are given for is zero.
      ...(indices.length > 0 && {
        sparse: {
          count: indices.length,
          indices: { bufferView: this.view(indices), componentType: componentOf(indices) },
          values: { bufferView: this.view(values) },
        },
      }),
    })
  }

  /** Bytes, as they are. */
  view(array: Numbers | Uint8Array, target?: number): number {
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
    this.bufferViews.push({
      buffer: 0,
      byteOffset: this.#length,
      byteLength: bytes.length,
      ...(target !== undefined && { target }),
    })
    this.#parts.push(bytes)
    this.#length += Math.ceil(bytes.length / ALIGNMENT) * ALIGNMENT
    return this.bufferViews.length - 1
  }

  /** Writes all parts one after the other. */
  copyTo(bytes: Uint8Array, offset: number): void {
    let at = offset
    for (const part of this.#parts) {
      bytes.set(part, at)
      at += Math.ceil(part.length / ALIGNMENT) * ALIGNMENT
    }
  }

  #accessor(accessor: object): number {
    this.accessors.push(accessor)
    return this.accessors.length - 1
  }
}

function componentOf(array: Numbers): number {
  if (array instanceof Float32Array) return COMPONENT.float32
  return array instanceof Uint16Array ? COMPONENT.uint16 : COMPONENT.uint32
}
