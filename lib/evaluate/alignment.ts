import { align, type Similarity, similarityOf } from '../alignment.js'
import { invalidArgument } from '../errors.js'
import { requireFinite, requireLength } from './checks.js'

/**
 * The rigid motion, or similarity, that brings points nearest to others in least squares, never a reflection. The scale is
 * that of the error measured on the side of the target (Umeyama 1991).
 *
 * @param source [n, 3] at least three points that are not on a line.
 * @param target [n, 3] where they should be.
 * @param options.scale Whether the size is free; by default it is kept.
 * @throws SfmError INVALID_ARGUMENT where the points do not determine a rotation.
 * @example
 * const aligned = transformed(mesh.vertices, alignPoints(meshLandmarks, scanLandmarks))
 */
export function alignPoints(
  source: ArrayLike<number>,
  target: ArrayLike<number>,
  { scale = false }: { scale?: boolean } = {},
): Similarity {
  requireFinite('source', source)
  requireFinite('target', target)
  if (source.length < 9 || source.length % 3 !== 0) throw invalidArgument('source', 'three points or more', source)
  requireLength('target', target, source.length)
  const alignment = align(source, target)
  const { proper, isUnique, fromSpread } = alignment
  if (!isUnique)
    throw invalidArgument('source and target', 'points that determine a rotation: not all on a line', source)
  return similarityOf(alignment, proper.matrix, scale ? proper.gain / fromSpread : 1)
}
