import { agreement, align, angleOf, type Similarity, similarityOf, transformed } from '../../alignment.js'
import type { Split, TrainingData } from '../../corpus/TrainingData.js'
import { SfmError } from '../../errors.js'
import type { MatrixLike } from '../../linear/index.js'
import { firstNonFinite } from '../../model/finite.js'
import { asFloat32 } from '../../model/half.js'
import type { ModelData } from '../../model/ModelData.js'
import { eyeDistance } from './eyeDistance.js'

/** Scans brought onto the template: [n,3N] mm from it to each of them. */
export interface DisplacementShard {
  displacements: MatrixLike & { data: Float32Array }
  /** [n] */
  subjects: string[]
}

/** A face of half the template's size or of twice it is no face in millimetres. */
const SIZES = [0.5, 2] as const

/** Units that people have meshes in, by how many millimetres they have. */
const UNITS = [
  ['metres', 1000],
  ['centimetres', 10],
  ['inches', 25.4],
  ['micrometres', 0.001],
] as const

/** Beyond this, scans that should share the template's axes do not. Heads are never turned that far in a scanner. */
const LARGEST_TURN = Math.PI / 3

/** Surfaces whose points correspond agree better than this; shuffled points do not agree at all. */
const LEAST_AGREEMENT = 0.8

/**
 * Reads scans, checks each and brings it onto the template by a rigid motion. Coefficients of expressions, where they
 * are known, are taken out.
 *
 * @throws SfmError INVALID_INPUT naming the subject and scan; what reading the data throws.
 */
export async function* readScans(
  data: TrainingData,
  template: ModelData,
  split: Split,
  signal?: AbortSignal,
): AsyncGenerator<DisplacementShard> {
  const width = template.vertexCount * 3
  const expected = new Set(data.subjects(split, 'scans'))
  const expressionBasis = asFloat32(template.expressionBasis)
  const counts = new Map<string, number>()
  for await (const { vertices, subjects, expressions } of data.scans({ split, ...(signal && { signal }) })) {
    if (vertices.length !== subjects.length * width) throw wrongSize(vertices.length, subjects.length, template)
    const displacements = new Float32Array(vertices.length)
    for (const [row, subject] of subjects.entries()) {
      const number = (counts.get(subject) ?? 0) + 1
      counts.set(subject, number)
      const name = `scan ${number} of ${JSON.stringify(subject)}`
      if (!expected.has(subject)) throw invalid(name, `a subject of the split "${split}"`, 'another')
      const points = vertices.subarray(row * width, (row + 1) * width)
      const placed = transformed(points, alignmentOf(points, template, name))
      const out = displacements.subarray(row * width, (row + 1) * width)
      for (let i = 0; i < width; i++) out[i] = placed[i]! - template.mean[i]!
      const E = template.expressionCount
      if (expressions) subtract(expressionBasis, expressions.subarray(row * E, (row + 1) * E), out, name)
    }
    yield { displacements: { rows: subjects.length, columns: width, data: displacements }, subjects: [...subjects] }
  }
}

/**
 * Refuses a corpus in which somebody to be tested on is learned from.
 *
 * @throws SfmError INVALID_INPUT naming them.
 */
export function requireDisjointSplits(data: TrainingData): void {
  const trained = new Set(data.subjects('train'))
  for (const split of ['validation', 'test'] as const) {
    const shared = data.subjects(split).filter((key) => trained.has(key))
    if (shared.length > 0)
      throw new SfmError(
        'INVALID_INPUT',
        `splits: expected nobody of "${split}" in training, received ${shared.slice(0, 5).map(quoted).join(', ')}` +
          `${shared.length > 5 ? ` and ${shared.length - 5} more` : ''}`,
      )
  }
}

/** The rigid motion of a scan onto the template. */
function alignmentOf(points: Float32Array, template: ModelData, name: string): Similarity {
  const wrong = firstNonFinite(points)
  if (wrong >= 0) throw invalid(name, 'finite coordinates', `${points[wrong]} at vertex ${Math.floor(wrong / 3)}`)
  const alignment = align(points, template.mean)
  const { proper, improper } = alignment
  const size = Math.sqrt(alignment.fromSpread / alignment.toSpread)
  if (!(size > 1e-6)) throw invalid(name, 'a surface', 'all its points in one place')
  if (size < SIZES[0] || size > SIZES[1]) throw invalid(name, 'millimetres', describeSize(points, size, template))
  if (improper.gain > proper.gain)
    throw invalid(
      name,
      "the template's axes (x to the left of the face, y up, z to the front)",
      'a mirror image of them',
    )
  const alike = agreement(proper, alignment)
  if (alike < LEAST_AGREEMENT)
    throw invalid(
      name,
      'points in the order of the template',
      `points that agree with it by ${alike.toFixed(2)} at best, 1 being perfect`,
    )
  const angle = angleOf(proper.matrix)
  if (angle > LARGEST_TURN)
    throw invalid(
      name,
      "the template's axes (x to the left of the face, y up, z to the front)",
      `a face turned by ${Math.round((angle * 180) / Math.PI)} degrees: have axes been swapped?`,
    )
  return similarityOf(alignment, proper.matrix)
}

/** What the unit might be, from the distance between the eyes. */
function describeSize(points: Float32Array, size: number, template: ModelData): string {
  const distance = eyeDistance(points, template)
  const seen =
    distance === undefined
      ? `a face of ${size.toPrecision(2)} times the template's size`
      : `${distance.toPrecision(3)} between the eyes`
  const unit = UNITS.find(([, factor]) => size * factor > SIZES[0] && size * factor < SIZES[1])
  return unit === undefined ? seen : `${seen}, as if it were in ${unit[0]}`
}

/** field -= sum of coefficients times blendshapes. */
function subtract(basis: Float32Array, coefficients: Float32Array, field: Float32Array, name: string): void {
  const wrong = firstNonFinite(coefficients)
  if (wrong >= 0) throw invalid(`expressions of ${name}`, 'finite coefficients', String(coefficients[wrong]))
  for (const [e, coefficient] of coefficients.entries()) {
    if (coefficient === 0) continue
    const shape = basis.subarray(e * field.length, (e + 1) * field.length)
    for (let i = 0; i < field.length; i++) field[i]! -= coefficient * shape[i]!
  }
}

function wrongSize(length: number, scans: number, { vertexCount }: ModelData): SfmError {
  return invalid('scans', `${vertexCount} vertices each, as the template has`, `${length / 3 / scans} a scan`)
}

function invalid(what: string, expected: string, received: string): SfmError {
  return new SfmError('INVALID_INPUT', `${what}: expected ${expected}, received ${received}`)
}

function quoted(name: string): string {
  return JSON.stringify(name)
}
