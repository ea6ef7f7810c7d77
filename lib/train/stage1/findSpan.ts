import { Matrix, multiply, orthonormalise } from '../../linear/index.js'
import type { ModelData } from '../../model/ModelData.js'
import { Random } from '../../random.js'
import { besides, columnsOf } from '../matrices.js'
import type { Mirror } from './mirror.js'
import type { DisplacementShard } from './readScans.js'
import { Span } from './Span.js'

/** Of {@link Random.stream}. */
const SKETCH = 0x5ba4

/**
 * The span of scans by a randomised range finder with one power iteration (Halko, Martinsson and Tropp, 2011): two
 * passes over the scans, memory for the basis and one shard, cost linear in the scans. With a mirror half of the
 * directions go to the symmetric parts of the scans and half to the antisymmetric ones, as if every scan's mirror image
 * were among them.
 *
 * @param scans A pass over the scans, as often as asked for.
 * @param options.rank Directions, besides those of the expressions.
 */
export async function findSpan(
  scans: () => AsyncIterable<DisplacementShard>,
  template: ModelData,
  { rank, seed, mirror }: { rank: number; seed: number; mirror?: Mirror | undefined },
): Promise<Span> {
  const width = template.vertexCount * 3
  const random = Random.stream(seed, SKETCH)
  const sketch = new Matrix(width, rank)
  for await (const { displacements } of scans()) {
    const weights = new Matrix(displacements.rows, rank)
    for (let i = 0; i < weights.data.length; i++) weights.data[i] = random.normal()
    multiply(displacements, weights, { transposeA: true, addTo: sketch })
  }
  const { basis: range, symmetric } = orthonormal(sketch, mirror, Math.ceil(rank / 2))
  const refined = new Matrix(width, range.columns)
  for await (const { displacements } of scans()) {
    const along = multiply(displacements, range)
    multiply(displacements, along, { transposeA: true, addTo: refined })
  }
  return Span.of(template, orthonormal(refined, mirror, symmetric).basis, mirror)
}

/**
 * An orthonormal basis of fields; with a mirror, of the symmetric part of the first `symmetric` ones and of the
 * antisymmetric part of the rest.
 *
 * @returns Also how many fields of the basis come first and are symmetric.
 */
function orthonormal(
  fields: Matrix,
  mirror: Mirror | undefined,
  symmetric: number,
): { basis: Matrix; symmetric: number } {
  if (mirror === undefined) return { basis: orthonormalise(fields).basis, symmetric: 0 }
  const even = orthonormalise(mirror.part(columnsOf(fields, 0, symmetric), 1)).basis
  const odd = orthonormalise(mirror.part(columnsOf(fields, symmetric, fields.columns), -1)).basis
  return { basis: besides(even, odd), symmetric: even.columns }
}
