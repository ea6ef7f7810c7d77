import { at, between, type ColouredSurface, centreOf, type OpenFace, type Point, SurfaceBuilder } from './openings.js'

const LIP = [0.26, 0.09, 0.075]
const GUMS = [0.05, 0.014, 0.012]
const THROAT = [0.004, 0.0015, 0.0015]
/** mm from the lips. */
const DEPTH = { gums: 14, throat: 45 }

const TEETH = [0.66, 0.62, 0.54]
/** How dark it is between two of them. */
const GAP = 0.62
/** mm, from the middle outwards, of the upper and the lower teeth; of them to the lips' inner edge; how far they reach. */
const UPPER = { widths: [8.4, 6.6, 7.4, 6], behind: 1.5, above: 6, below: 4.5 }
const LOWER = { widths: [5.4, 5.8, 6.6, 6.6], behind: 3, above: 1.5, below: 6 }
/** mm back, at a millimetre to a side, squared: the arch of the teeth. */
const ARCH = 0.028

/** Expressions that take the lower teeth with them. */
const JAW = ['jawOpen', 'jawLeft', 'jawRight', 'jawForward']

/**
 * The inside of an open mouth: a pocket behind the lips, and teeth. The upper ones belong to the skull, the lower ones
 * move with the jaw.
 *
 * @param shown [N,3] the face as it looks, with its expression.
 */
export function mouth({ vertices, openings, morphs = [] }: OpenFace, shown: Float32Array): ColouredSurface[] {
  const loop = openings.mouth
  if (loop === undefined) return []
  const rest = loop.map((vertex) => at(vertices, vertex))
  const middle = centreOf(rest)
  const lower = midline(loop, rest, -1)
  const jaw = morphs
    .filter(({ name }) => JAW.includes(name))
    .reduce(
      (sum, { displacements, weight }) => sum.map((s, a) => s + weight * displacements[lower * 3 + a]!),
      [0, 0, 0],
    )
  // Where the lips meet at rest; of some people they do not quite.
  const line: Point = [middle[0], middle[1], at(vertices, lower)[2]]
  const rim = loop.map((vertex) => at(shown, vertex))
  const reach = Math.max(...rim.map(([x]) => Math.abs(x - middle[0])))
  return [
    pocket(rim),
    teeth(line, UPPER, reach),
    teeth(line.map((value, axis) => value + jaw[axis]!) as Point, LOWER, reach),
  ]
}

/** The vertex of the rim that lies at the middle of the lower (-1) or the upper lip (1). */
function midline(loop: readonly number[], rest: readonly Point[], side: number): number {
  const middle = centreOf(rest)
  const off = (point: Point) => Math.abs(point[0] - middle[0]) - side * (point[1] - middle[1])
  const best = rest.reduce((a, b) => (off(b) < off(a) ? b : a))
  return loop[rest.indexOf(best)]!
}

function pocket(rim: readonly Point[]): ColouredSurface {
  const builder = new SurfaceBuilder()
  const middle = centreOf(rim)
  const back = (depth: number): Point => [middle[0], middle[1], middle[2] - depth]
  const ring = (place: (point: Point) => Point, colour: readonly number[]) => {
    const made = rim.map((point) => builder.vertex(place(point), colour))
    return [...made, made[0]!]
  }
  const lips = ring((point) => point, LIP)
  const gums = ring((point) => [...between(point, back(0), -0.12).slice(0, 2), point[2] - DEPTH.gums] as Point, GUMS)
  const throat = builder.vertex(back(DEPTH.throat), THROAT)
  builder.strip(lips, gums)
  for (let i = 0; i + 1 < gums.length; i++) builder.triangle(gums[i]!, throat, gums[i + 1]!)
  return builder.build()
}

interface Row {
  widths: readonly number[]
  behind: number
  above: number
  below: number
}

/**
 * A row of teeth along an arch behind a point between the lips.
 *
 * @param reach mm to either side: beyond the corners of the mouth teeth could come out through the cheeks.
 */
function teeth([x, y, z]: Point, { widths, behind, above, below }: Row, reach: number): ColouredSurface {
  const builder = new SurfaceBuilder()
  for (const side of [-1, 1])
    widths.reduce((from, full, i) => {
      const width = Math.max(0, Math.min(full, reach - from))
      // Four columns a tooth: its sides are in the shadow of the gaps, and the farther back the darker.
      const columns = [0, 0.14, 0.86, 1].map((share, column) => {
        const across = side * (from + share * width)
        const dark = (column === 0 || column === 3 ? GAP : 1) * 0.88 ** i
        const depth = z - behind - ARCH * across * across
        const top = [x + across, y + above, depth - 1]
        const bottom = [x + across, y - below, depth]
        const shade = (value: number) => TEETH.map((channel) => channel * value)
        return [builder.vertex(top, shade(dark * 0.75)), builder.vertex(bottom, shade(dark))]
      })
      const ordered = side > 0 ? columns : columns.reverse()
      builder.strip(
        ordered.map(([top]) => top!),
        ordered.map(([, bottom]) => bottom!),
      )
      return from + width
    }, 0)
  return builder.build()
}
