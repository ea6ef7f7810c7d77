import { createHash } from 'node:crypto'
import { type Alignment, align, misfit, similarityOf, transformed } from '../../alignment.js'
import { SfmError } from '../../errors.js'
import { asFloat32 } from '../../model/half.js'
import type { ModelData } from '../../model/ModelData.js'
import { addFields } from '../fields.js'
import { type Axes, axesMatrix, describeAxes, nearestAxes } from './axes.js'
import { detectUnit, type Gauge, gaugeOf, isPlausible, UNITS, type Unit } from './units.js'

/** How scans are to be taken. */
export interface ScanImportOptions {
  /** Of all scans; `auto` tells it by the size of each. */
  units: Unit | 'auto'
  /** Which axis of the scans stands for each of the model's. */
  axes: Axes
  /** Whether scans are moved onto the template: turned and shifted, never scaled. */
  align: boolean
}

/** A scan that can be learned from. */
export interface ImportedScan {
  /** [N,3] mm */
  vertices: Float32Array
  unit: Unit
  /** What whoever imports it should know. */
  warnings: string[]
}

/** Above this misfit vertices do not correspond: people and expressions differ by 0.05 to 0.15. */
const NO_RELATION = 0.4

/** A reflection has to leave this share of what a rotation leaves before the scan is taken for a mirror image. */
const FAR_BETTER = 0.5

/** cos 30 degrees: turned by nearly a right angle, or half a circle, a scan has other axes; by less, it is just turned. */
const NEAR_AXES = Math.cos(Math.PI / 6)

/** Brings scans of a folder to one size and place, and finds those that are none. */
export class ScanImporter {
  readonly #template: ModelData
  readonly #options: ScanImportOptions
  readonly #mean: Float64Array
  readonly #gauge: Gauge
  readonly #matrix: readonly number[]
  /** Whose scan, and which, by the hash of its content. */
  readonly #known = new Map<string, { source: string; subject: string }>()

  constructor(template: ModelData, options: ScanImportOptions) {
    this.#template = template
    this.#options = options
    this.#mean = Float64Array.from(template.mean)
    // The sphere's centre is no face; its pole is.
    if (template.identityPriorMean) addFields(this.#mean, asFloat32(template.identityBasis), template.identityPriorMean)
    this.#gauge = gaugeOf(template, this.#mean)
    this.#matrix = axesMatrix(options.axes)
  }

  /**
   * Checks a scan, and brings it to the template's units and place.
   *
   * @param vertices [N,3] as its file has them, finite.
   * @param source What it is called in messages about others.
   * @returns Undefined for one that this person has already: twice the same tells no more than once.
   * @throws SfmError INVALID_INPUT
   */
  take(vertices: Float64Array, source: string, subject: string): ImportedScan | undefined {
    const { vertexCount } = this.#template
    if (vertices.length !== 3 * vertexCount)
      throw invalid(`expected ${vertexCount} vertices, as the template has, received ${vertices.length / 3}`)
    if (isConstant(vertices)) throw invalid('expected a shape, received vertices that are all in one place')
    if (this.#isKnown(vertices, source, subject)) return undefined

    const warnings: string[] = []
    const turned = this.#turned(vertices)
    const unit = this.#unit(turned, warnings)
    const scaled = turned.map((x) => x * UNITS[unit])
    const alignment = align(scaled, this.#mean)
    this.#requireAxes(alignment)
    const placed = this.#options.align ? transformed(scaled, similarityOf(alignment, alignment.proper.matrix)) : scaled
    return { vertices: Float32Array.from(placed), unit, warnings }
  }

  #isKnown(vertices: Float64Array, source: string, subject: string): boolean {
    const hash = createHash('sha256').update(vertices).digest('base64')
    const same = this.#known.get(hash)
    if (same === undefined) {
      this.#known.set(hash, { source, subject })
      return false
    }
    if (same.subject === subject) return true
    throw invalid(
      `expected different scans of different people, received one of ${subject} that is ${same.source} of ${same.subject}`,
    )
  }

  /** By the axes that were said. */
  #turned(vertices: Float64Array): Float64Array {
    const [a, b, c, d, e, f, g, h, i] = this.#matrix as readonly [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ]
    const turned = new Float64Array(vertices.length)
    for (let v = 0; v < vertices.length; v += 3) {
      const [x, y, z] = [vertices[v]!, vertices[v + 1]!, vertices[v + 2]!]
      turned[v] = a * x + b * y + c * z
      turned[v + 1] = d * x + e * y + f * z
      turned[v + 2] = g * x + h * y + i * z
    }
    return turned
  }

  #unit(vertices: Float64Array, warnings: string[]): Unit {
    const { units } = this.#options
    const length = this.#gauge.measure(vertices)
    const detected = detectUnit(length, this.#gauge)
    const found = `a ${this.#gauge.name} of ${Number(length.toPrecision(3))}`
    if (units !== 'auto') {
      if (!isPlausible(length * UNITS[units], this.#gauge.expected))
        warnings.push(
          `said to be in ${units}, but ${found} ${detected ? `looks like ${detected}` : 'is that of no face'}`,
        )
      return units
    }
    if (detected !== undefined) return detected
    const expected = Object.entries(UNITS).map(
      ([unit, mm]) => `${Number((this.#gauge.expected / mm).toPrecision(2))} ${unit}`,
    )
    throw invalid(
      `expected a ${this.#gauge.name} of about ${expected.join(', ')}, received ${Number(length.toPrecision(3))}`,
    )
  }

  #requireAxes(alignment: Alignment): void {
    const { proper, improper } = alignment
    const [turn, mirror] = [misfit(proper, alignment), misfit(improper, alignment)]
    const isMirrored = mirror < FAR_BETTER * turn
    const best = isMirrored ? improper : proper
    if (Math.min(turn, mirror) > NO_RELATION)
      throw invalid(
        "expected vertices in the template's order, received others: they do not fit, however they are turned",
      )
    const { axes, cosine } = nearestAxes(best.matrix)
    if (cosine > NEAR_AXES && axes.join() !== 'x,y,z')
      throw invalid(
        `expected +X to the subject's left, +Y up, +Z out of the face, received other axes: ${describeAxes(axes)} (axes ${this.#combined(axes)} would be right)`,
      )
    if (isMirrored) throw invalid('expected a right-handed scan, received a mirror image')
  }

  /** What to say for axes that have come out after those that were said. */
  #combined(axes: Axes): string {
    const said = this.#options.axes
    return axes
      .map((axis) => {
        const of = said['xyz'.indexOf(axis.at(-1)!)]!
        return axis.startsWith('-') ? (of.startsWith('-') ? of.slice(1) : `-${of}`) : of
      })
      .join(',')
  }
}

function isConstant(vertices: Float64Array): boolean {
  for (let i = 3; i < vertices.length; i++) if (vertices[i] !== vertices[i % 3]) return false
  return true
}

function invalid(message: string): SfmError {
  return new SfmError('INVALID_INPUT', message)
}
