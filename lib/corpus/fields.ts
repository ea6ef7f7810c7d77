/**
 * Displacement fields of a mesh, [3N] mm each, any number of them one after the other: modes of identity, blendshapes,
 * smooth random deformations.
 */

/** What is left of a vector below this share of its length is rounding: it lay in the span of the others. */
const NEGLIGIBLE = 1e-6

/**
 * out += sum over k of coefficients[k] * fields[k].
 *
 * @param out [3N]
 * @param fields [n,3N]
 * @param coefficients [n]
 */
export function addFields(
  out: Float64Array,
  fields: Float32Array | Float64Array,
  coefficients: ArrayLike<number>,
): void {
  const { length } = out
  const active: number[] = []
  for (let k = 0; k < coefficients.length; k++) if (coefficients[k] !== 0) active.push(k)
  // Four fields a pass: what costs is to read and to write `out`.
  let a = 0
  for (; a + 4 <= active.length; a += 4) {
    const [k0, k1, k2, k3] = [active[a]!, active[a + 1]!, active[a + 2]!, active[a + 3]!]
    const [c0, c1, c2, c3] = [coefficients[k0]!, coefficients[k1]!, coefficients[k2]!, coefficients[k3]!]
    const f0 = fields.subarray(k0 * length, (k0 + 1) * length)
    const f1 = fields.subarray(k1 * length, (k1 + 1) * length)
    const f2 = fields.subarray(k2 * length, (k2 + 1) * length)
    const f3 = fields.subarray(k3 * length, (k3 + 1) * length)
    for (let i = 0; i < length; i++) out[i]! += c0 * f0[i]! + c1 * f1[i]! + c2 * f2[i]! + c3 * f3[i]!
  }
  for (; a < active.length; a++) {
    const k = active[a]!
    const c = coefficients[k]!
    const field = fields.subarray(k * length, (k + 1) * length)
    for (let i = 0; i < length; i++) out[i]! += c * field[i]!
  }
}

/**
 * Root mean square over the vertices of how far a field moves them, in mm: the one measure of size for deformations in
 * this folder.
 *
 * @param field [3N]
 */
export function rmsLength(field: Float64Array): number {
  return norm(field) / Math.sqrt(field.length / 3)
}

/** Scales a field in place to this RMS length; one that is zero stays zero. */
export function scaleTo(field: Float64Array, rms: number): Float64Array {
  const length = rmsLength(field)
  const scale = length > 0 ? rms / length : 0
  for (let i = 0; i < field.length; i++) field[i]! *= scale
  return field
}

/**
 * The six fields of small rigid motions of a shape: translations along the axes, rotations about those of its space.
 *
 * @param shape [3N]
 */
export function rigidFields(shape: ArrayLike<number>): Float64Array[] {
  const fields = Array.from({ length: 6 }, () => new Float64Array(shape.length))
  for (let i = 0; i < shape.length; i += 3) {
    for (let axis = 0; axis < 3; axis++) {
      const [next, last] = [(axis + 1) % 3, (axis + 2) % 3]
      fields[axis]![i + axis] = 1
      fields[3 + axis]![i + next] = -shape[i + last]!
      fields[3 + axis]![i + last] = shape[i + next]!
    }
  }
  return fields
}

/**
 * An orthonormal basis of what some fields span (Gram-Schmidt): those that add nothing to the ones before
 * them are left out.
 *
 * @param fields [3N] each.
 * @returns [n,3N]
 */
export function orthonormal(fields: readonly Float64Array[]): Float64Array {
  const length = fields[0]?.length ?? 0
  const basis = new Float64Array(fields.length * length)
  let used = 0
  for (const field of fields) {
    const before = norm(field)
    const known = basis.subarray(0, used)
    const rest = project(Float64Array.from(field), known)
    // Where most of it has gone, what is left is rounding to a part that a second pass takes out.
    if (norm(rest) < before / 2) project(rest, known)
    const after = norm(rest)
    if (after <= NEGLIGIBLE * before) continue
    for (let i = 0; i < length; i++) basis[used + i] = rest[i]! / after
    used += length
  }
  return basis.subarray(0, used)
}

/**
 * Takes out of a field, in place, its part in the span of an orthonormal basis.
 *
 * @param field [3N]
 * @param basis [n,3N]
 */
export function project(field: Float64Array, basis: Float64Array): Float64Array {
  const { length } = field
  const along = new Float64Array(basis.length / length)
  for (let k = 0; k < along.length; k++) along[k] = -dot(field, basis.subarray(k * length, (k + 1) * length))
  addFields(field, basis, along)
  return field
}

/** Gram matrix of fields, [n,n] row-major. */
export function gramMatrix(fields: Float32Array, count: number): Float64Array {
  const length = count === 0 ? 0 : fields.length / count
  const rows = Array.from({ length: count }, (_, k) => Float64Array.from(fields.subarray(k * length, (k + 1) * length)))
  const gram = new Float64Array(count * count)
  for (let a = 0; a < count; a++)
    for (let b = 0; b <= a; b++) gram[a * count + b] = gram[b * count + a] = dot(rows[a]!, rows[b]!)
  return gram
}

function norm(field: Float64Array): number {
  return Math.sqrt(dot(field, field))
}

/** Four sums side by side: one alone would wait for itself at every step. */
function dot(a: Float64Array, b: Float64Array): number {
  const { length } = a
  let [s0, s1, s2, s3] = [0, 0, 0, 0]
  let i = 0
  for (; i + 4 <= length; i += 4) {
    s0 += a[i]! * b[i]!
    s1 += a[i + 1]! * b[i + 1]!
    s2 += a[i + 2]! * b[i + 2]!
    s3 += a[i + 3]! * b[i + 3]!
  }
  for (; i < length; i++) s0 += a[i]! * b[i]!
  return s0 + s1 + (s2 + s3)
}
