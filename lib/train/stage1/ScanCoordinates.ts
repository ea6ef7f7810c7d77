import { SfmError } from '../../errors.js'
import { gram, Matrix } from '../../linear/index.js'
import { stacked } from '../matrices.js'
import type { DisplacementShard } from './readScans.js'
import type { Span } from './Span.js'

/** Scans in the coordinates of a span. n scans of g people. */
export interface ScanCoordinates {
  /** [n,R] */
  coordinates: Matrix
  /** [n] number of the person, 0 to g - 1. */
  person: Int32Array
  /** [g] keys, in the order in which they first came. */
  people: string[]
  /** [g] scans of each. */
  counts: Int32Array
  /** Share of the scans' squared length, rigid motions apart, that lies within the span; 1 for all. */
  captured: number
}

/**
 * One pass over scans, which takes down their coordinates.
 *
 * @throws SfmError INVALID_INPUT for two scans that are the same to the bit.
 */
export async function readCoordinates(scans: AsyncIterable<DisplacementShard>, span: Span): Promise<ScanCoordinates> {
  const parts: Matrix[] = []
  const numbers = new Map<string, number>()
  const person: number[] = []
  let squares = 0
  let within = 0
  for await (const { displacements, subjects } of scans) {
    const part = span.coordinates(displacements)
    parts.push(part)
    for (const subject of subjects) person.push(numbers.get(subject) ?? numbers.set(subject, numbers.size).size - 1)
    squares += sumOfSquares(displacements.data)
    within += sumOfSquares(part.data)
  }
  const people = [...numbers.keys()]
  const coordinates = stacked(parts, span.rank)
  const result = {
    coordinates,
    person: Int32Array.from(person),
    people,
    counts: countsOf(person, people.length),
    captured: squares > 0 ? within / squares : 1,
  }
  requireDifferent(result)
  return result
}

/**
 * The scans of the first people, of all of them who together have no more scans than that, and of two at least.
 *
 * @param most Scans.
 */
export function firstPeople(scans: ScanCoordinates, most: number): ScanCoordinates {
  let people = 0
  let total = 0
  for (const count of scans.counts) {
    if (people >= 2 && total + count > most) break
    total += count
    people++
  }
  if (people === scans.counts.length) return scans
  const { coordinates } = scans
  const kept = Array.from(scans.person.keys()).filter((i) => scans.person[i]! < people)
  const part = new Matrix(kept.length, coordinates.columns)
  for (const [row, i] of kept.entries()) part.row(row).set(coordinates.row(i))
  return {
    ...scans,
    coordinates: part,
    person: Int32Array.from(kept, (i) => scans.person[i]!),
    people: scans.people.slice(0, people),
    counts: scans.counts.slice(0, people),
  }
}

/**
 * Means over the scans of each person.
 *
 * @param rows [n,R] one a scan.
 * @returns [g,R]
 */
export function personMeans(rows: Matrix, { person, counts }: Pick<ScanCoordinates, 'person' | 'counts'>): Matrix {
  const means = new Matrix(counts.length, rows.columns)
  for (const [i, p] of person.entries()) {
    const mean = means.row(p)
    const row = rows.row(i)
    for (let j = 0; j < row.length; j++) mean[j]! += row[j]! / counts[p]!
  }
  return means
}

/**
 * What scans differ by from the means of their people.
 *
 * @returns [n,R]
 */
export function deviations(rows: Matrix, means: Matrix, person: Int32Array): Matrix {
  const result = rows.copy()
  for (const [i, p] of person.entries()) {
    const row = result.row(i)
    const mean = means.row(p)
    for (let j = 0; j < row.length; j++) row[j]! -= mean[j]!
  }
  return result
}

/** a^T a / count. */
export function covariance(rows: Matrix, count: number): Matrix {
  const product = gram(rows)
  for (let i = 0; i < product.data.length; i++) product.data[i]! /= count
  return product
}

function countsOf(person: readonly number[], people: number): Int32Array {
  const counts = new Int32Array(people)
  for (const p of person) counts[p]!++
  return counts
}

/** Two scans that are one and the same would have a person vary less than they do, or two people be one. */
function requireDifferent({ coordinates, person, people }: ScanCoordinates): void {
  const met = new Map<number, number[]>()
  const counted = new Int32Array(people.length)
  const names: string[] = []
  for (const [i, p] of person.entries()) {
    counted[p]!++
    names.push(`scan ${counted[p]} of ${JSON.stringify(people[p])}`)
    const row = coordinates.row(i)
    const key = row[0]!
    const candidates = met.get(key) ?? []
    const twin = candidates.find((other) => coordinates.row(other).every((value, j) => value === row[j]))
    if (twin !== undefined)
      throw new SfmError(
        'INVALID_INPUT',
        `scans: expected every scan once, received ${names[twin]} as ${names[i]} again`,
      )
    met.set(key, [...candidates, i])
  }
}

function sumOfSquares(values: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]! * values[i]!
  return sum
}
