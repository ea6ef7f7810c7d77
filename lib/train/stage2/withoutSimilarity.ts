/**
 * Offsets less the similarity in them: translation, turn and scale of the landmarks as a whole belong to the pose, and would
 * draw a face of the wrong size over its photo. To first order, by least squares.
 *
 * @param offset [L,3] mm
 * @param landmarks [L,3] mm, of the mean face.
 * @param present Landmarks that the model has.
 */
export function withoutSimilarity(
  offset: Float32Array,
  landmarks: Float32Array | Float64Array,
  present: readonly number[],
): Float32Array {
  const centre = (values: Float32Array | Float64Array) =>
    [0, 1, 2].map((a) => present.reduce((sum, l) => sum + values[3 * l + a]!, 0) / present.length) as Vector
  const [from, by] = [centre(landmarks), centre(offset)]
  const at = (l: number) => [0, 1, 2].map((a) => landmarks[3 * l + a]! - from[a]!) as Vector
  const moved = (l: number) => [0, 1, 2].map((a) => offset[3 * l + a]! - by[a]!) as Vector
  // Scale, then turns about the axes in turn: they are not orthogonal over the landmarks, so a few sweeps.
  const rest = new Map(present.map((l) => [l, moved(l)]))
  const fields: ((x: Vector) => Vector)[] = [
    (x) => x,
    ([, y, z]) => [0, -z, y],
    ([x, , z]) => [z, 0, -x],
    ([x, y]) => [-y, x, 0],
  ]
  for (let sweep = 0; sweep < 50; sweep++) {
    for (const field of fields) {
      let [along, square] = [0, 0]
      for (const [l, r] of rest) {
        const f = field(at(l))
        along += dot(f, r)
        square += dot(f, f)
      }
      for (const [l, r] of rest) {
        const f = field(at(l))
        for (let a = 0; a < 3; a++) r[a]! -= (along / square) * f[a]!
      }
    }
  }
  const result = new Float32Array(offset.length)
  for (const [l, r] of rest) result.set(r, 3 * l)
  return result
}

type Vector = [number, number, number]

function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}
