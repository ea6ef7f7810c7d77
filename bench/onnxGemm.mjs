// The peer for decoding: onnxruntime running one Gemm, vertices = latents * basis + mean, of the same sizes.

const FLOAT = 1
const encoder = new TextEncoder()

/** The few forms of the protobuf wire format that an ONNX model needs. */
const varint = (value) => {
  const bytes = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.from([...bytes, rest])
    bytes.push((rest % 128) + 128)
  }
}
const integer = (field, value) => concat(varint(field * 8), varint(value))
const bytes = (field, value) => concat(varint(field * 8 + 2), varint(value.length), value)
const text = (field, value) => bytes(field, encoder.encode(value))

function concat(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** TensorProto: dims = 1, data_type = 2, name = 8, raw_data = 9. */
const tensor = (name, dimensions, values) =>
  concat(
    ...dimensions.map((dimension) => integer(1, dimension)),
    integer(2, FLOAT),
    text(8, name),
    bytes(9, new Uint8Array(values.buffer, values.byteOffset, values.byteLength)),
  )

/** ValueInfoProto of a float matrix; a name instead of a number leaves that dimension open. */
const matrix = (name, dimensions) => {
  const shape = dimensions.map((d) => bytes(1, typeof d === 'number' ? integer(1, d) : text(2, d)))
  return concat(text(1, name), bytes(2, bytes(1, concat(integer(1, FLOAT), bytes(2, concat(...shape))))))
}

/** A ModelProto of one Gemm: output [B,n] = input [B,k] * basis [k,n] + mean [n]. */
export function gemmModel(k, n, basis, mean) {
  const node = concat(text(1, 'latents'), text(1, 'basis'), text(1, 'mean'), text(2, 'vertices'), text(4, 'Gemm'))
  const graph = concat(
    bytes(1, node),
    text(2, 'decode'),
    bytes(5, tensor('basis', [k, n], basis)),
    bytes(5, tensor('mean', [n], mean)),
    bytes(11, matrix('latents', ['batch', k])),
    bytes(12, matrix('vertices', ['batch', n])),
  )
  return concat(integer(1, 8), bytes(7, graph), bytes(8, integer(2, 13)))
}
