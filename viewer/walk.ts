/**
 * Walks on the sphere of identities: the same exponential and logarithmic map as lib/model/sphere.ts,
 * carried over to the face. Since the face is linear in the latent, all that is needed of the basis is the face's own
 * column and those of the directions that can be walked along.
 */

/** The columns of a model that a walk needs; [N,3] mm each. */
export interface WalkColumns {
  latent: 'sphere' | 'gaussian'
  /** The face at the mean. */
  average: Float32Array
  /** What the latent of the mean adds to it. */
  pole: Float32Array
  /** [D] of a tangent vector each, and its column. */
  directions: readonly Place[]
  /** [E] */
  expressions: readonly Float32Array[]
}

/** A tangent vector [K] at the mean, and what it is on the face, [N,3] mm. */
export interface Place {
  tangent: ArrayLike<number>
  column: Float32Array
}

/** Where one has walked to. */
export interface Whereabouts {
  /** Along the geodesic from the mean (0) to the face (1), and beyond. */
  share: number
  /** Along the geodesic from there to another face (1). */
  towards?: { place: Place; share: number } | undefined
  /** [D] along each direction, in standard deviations. */
  along: ArrayLike<number>
  /** [E] */
  expression: ArrayLike<number>
}

/**
 * The face where one has walked to.
 *
 * @param out [N,3] mm; written to.
 */
export function shapeAt(columns: WalkColumns, face: Place, where: Whereabouts, out: Float32Array): Float32Array {
  const parts: Array<{ place: Place; weight: number }> = [
    ...between(columns.latent, face, where),
    ...columns.directions.map((place, d) => ({ place, weight: where.along[d] ?? 0 })),
  ].filter(({ weight }) => weight !== 0)
  const angle = columns.latent === 'sphere' ? lengthOf(parts) : 0
  const pole = Math.cos(angle) - 1
  const tangent = sinc(angle)
  for (let i = 0; i < out.length; i++) out[i] = columns.average[i]! + pole * columns.pole[i]!
  for (const { place, weight } of parts) add(out, tangent * weight, place.column)
  columns.expressions.forEach((column, e) => {
    const weight = where.expression[e] ?? 0
    if (weight !== 0) add(out, weight, column)
  })
  return out
}

/**
 * The point between a face and another one, as tangent vectors at the mean and their weights: on the sphere
 * z = sin((1 - t) angle) / sin(angle) a + sin(t angle) / sin(angle) b, brought back to the mean by its logarithm.
 */
function between(latent: WalkColumns['latent'], face: Place, { share, towards }: Whereabouts) {
  const own = { place: face, weight: share }
  if (!towards || towards.share === 0) return [own]
  const other = { place: towards.place, weight: 1 }
  const t = towards.share
  if (latent === 'gaussian')
    return [
      { ...own, weight: (1 - t) * share },
      { ...other, weight: t },
    ]
  const [a, b] = [onSphere(own), onSphere(other)]
  const cosine = a.along * b.along + a.across * b.across * dot(own.place.tangent, other.place.tangent) * share
  const angle = Math.acos(Math.min(1, Math.max(-1, cosine)))
  const [p, q] =
    angle < 1e-6 ? [1 - t, t] : [Math.sin((1 - t) * angle), Math.sin(t * angle)].map((s) => s / Math.sin(angle))
  const mixed = [
    { ...own, weight: p! * a.across * share },
    { ...other, weight: q! * b.across },
  ]
  const length = lengthOf(mixed)
  const logarithm = length < 1e-9 ? 1 : Math.atan2(length, p! * a.along + q! * b.along) / length
  return mixed.map(({ place, weight }) => ({ place, weight: weight * logarithm }))
}

/** The exponential of a tangent vector v: how far along the mean, and by what v is multiplied. */
function onSphere(part: { place: Place; weight: number }) {
  const angle = lengthOf([part])
  return { along: Math.cos(angle), across: sinc(angle) }
}

/** Of a sum of tangent vectors. */
function lengthOf(parts: ReadonlyArray<{ place: Place; weight: number }>): number {
  const [first] = parts
  if (!first) return 0
  let square = 0
  for (let k = 0; k < first.place.tangent.length; k++) {
    let value = 0
    for (const { place, weight } of parts) value += weight * place.tangent[k]!
    square += value * value
  }
  return Math.sqrt(square)
}

function add(out: Float32Array, weight: number, column: Float32Array): void {
  for (let i = 0; i < out.length; i++) out[i]! += weight * column[i]!
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

function sinc(angle: number): number {
  return angle === 0 ? 1 : Math.sin(angle) / angle
}
