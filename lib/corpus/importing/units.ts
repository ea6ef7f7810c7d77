import type { LandmarkScheme, ModelData } from '../../model/ModelData.js'

/** Units of length that meshes come in, as mm. */
export const UNITS = { mm: 1, cm: 10, m: 1000, in: 25.4 } as const

/** One of {@link UNITS}. */
export type Unit = keyof typeof UNITS

/** The outer corners of the eyes by scheme: adults have 85 to 100 mm between them. */
const EYE_CORNERS: Readonly<Record<string, readonly [number, number]>> = { ibug68: [36, 45], mediapipe478: [33, 263] }

/**
 * How far a length may be from the template's for its unit to be believed: half of the way from centimetres to inches,
 * which are nearer to each other than any other two; no adult is as far from another.
 */
const TOLERANCE = 1.55

/** A length by which the size of a face is known. */
export interface Gauge {
  /** For messages. */
  name: string
  /** Of the template, in mm. */
  expected: number
  /** Of a scan, in its own units. */
  measure(vertices: ArrayLike<number>): number
}

/**
 * The distance between the outer corners of the eyes, where the template has a scheme that knows them; otherwise the
 * root mean square distance of the vertices from their middle.
 *
 * @param mean [N,3] mm, the template's mean face.
 */
export function gaugeOf({ schemes }: ModelData, mean: ArrayLike<number>): Gauge {
  for (const [name, [left, right]] of Object.entries(EYE_CORNERS)) {
    const scheme = schemes.get(name)
    if (scheme === undefined || scheme.count <= Math.max(left, right)) continue
    const measure = (vertices: ArrayLike<number>) => {
      const [a, b] = [landmark(vertices, scheme, left), landmark(vertices, scheme, right)]
      return Math.hypot(a[0]! - b[0]!, a[1]! - b[1]!, a[2]! - b[2]!)
    }
    const expected = measure(mean)
    if (expected > 0) return { name: 'distance between the outer corners of the eyes', expected, measure }
  }
  return { name: 'size', expected: radius(mean), measure: radius }
}

/**
 * The unit in which a scan has about the size of the template.
 *
 * @param length Of the scan, by the gauge, in its own units.
 * @returns Undefined where no unit makes a face of it.
 */
export function detectUnit(length: number, { expected }: Gauge): Unit | undefined {
  return (Object.keys(UNITS) as Unit[]).find((unit) => isPlausible(length * UNITS[unit], expected))
}

/** Whether a length in mm is that of some face. */
export function isPlausible(length: number, expected: number): boolean {
  return length > expected / TOLERANCE && length < expected * TOLERANCE
}

function landmark(vertices: ArrayLike<number>, { indices, weights }: LandmarkScheme, l: number): number[] {
  return [0, 1, 2].map((axis) =>
    [0, 1, 2].reduce((sum, c) => sum + weights[3 * l + c]! * vertices[3 * indices[3 * l + c]! + axis]!, 0),
  )
}

function radius(vertices: ArrayLike<number>): number {
  const count = vertices.length / 3
  const middle = [0, 0, 0]
  for (let i = 0; i < vertices.length; i++) middle[i % 3]! += vertices[i]! / count
  let sum = 0
  for (let i = 0; i < vertices.length; i++) sum += (vertices[i]! - middle[i % 3]!) ** 2
  return Math.sqrt(sum / count)
}
