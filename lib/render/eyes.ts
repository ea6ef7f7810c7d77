import { at, between, type ColouredSurface, centreOf, type OpenFace, type Point, SurfaceBuilder } from './openings.js'

/** mm: of the ball that a model's lids lie on; no less and no more is believed. */
const RADIUS = { least: 11, usual: 14, most: 18 }
/** mm: so much behind the lids, and more of it while they are closed, since they do not move on a sphere. */
const BEHIND = { open: 0.35, closed: 1.6 }

/** What lies at which angle from the axis of an eye, in radians. */
const RINGS: ReadonlyArray<readonly [angle: number, colour: readonly [number, number, number]]> = [
  [0, [0.004, 0.004, 0.004]],
  [0.14, [0.004, 0.004, 0.004]],
  [0.165, [0.12, 0.07, 0.035]],
  [0.29, [0.19, 0.115, 0.06]],
  [0.38, [0.07, 0.045, 0.03]],
  [0.41, [0.04, 0.03, 0.028]],
  [0.44, [0.5, 0.46, 0.44]],
  [0.52, [0.72, 0.68, 0.66]],
  [0.85, [0.68, 0.6, 0.57]],
  [1.1, [0.55, 0.38, 0.34]],
  [1.35, [0.4, 0.2, 0.17]],
]
const SPOKES = 40

/** The reflection of a window, up and to the left of the pupil. */
const GLINT = { angle: 0.2, radius: 0.05, spokes: 10, colour: [1.6, 1.6, 1.6] }

/** Skin between ball and lids. */
const SOCKET = [0.42, 0.2, 0.16]

/** Degrees that an eye turns at a weight of 1. */
const REACH = { up: 22, down: 28, in: 32, out: 32 }

/**
 * Eyes behind the lids of a face. They look where its `eyeLook...` expressions say, blinking does not move them.
 */
export function eyes({ vertices, openings, morphs = [] }: OpenFace): ColouredSurface[] {
  const weights = new Map(morphs.map(({ name, weight }) => [name, weight]))
  return (['left', 'right'] as const).flatMap((side) => {
    const weight = (name: string) => weights.get(`eye${name}_${side === 'left' ? 'L' : 'R'}`) ?? 0
    const outwards = REACH.out * weight('LookOut') - REACH.in * weight('LookIn')
    const rim = (side === 'left' ? openings.leftEye : openings.rightEye).map((vertex) => at(vertices, vertex))
    const { centre, radius } = sphereThrough(rim)
    const closed = Math.min(1, Math.max(0, weight('Blink')))
    const behind = BEHIND.open + closed * (BEHIND.closed - BEHIND.open)
    // The subject's left is +X.
    const turn = rotation(
      side === 'left' ? outwards : -outwards,
      REACH.up * weight('LookUp') - REACH.down * weight('LookDown'),
    )
    return [eyeball(centre, radius - behind, turn), socket(rim, centre)]
  })
}

function eyeball(centre: Point, radius: number, turn: (point: Point) => Point): ColouredSurface {
  const builder = new SurfaceBuilder()
  const place = (direction: Point, length: number) => direction.map((d, axis) => centre[axis]! + length * d)
  let last: number[] | undefined
  for (const [angle, colour] of RINGS) {
    const ring = Array.from({ length: SPOKES + 1 }, (_, spoke) => {
      const around = (2 * Math.PI * (spoke % SPOKES)) / SPOKES
      const direction: Point = [Math.sin(angle) * Math.cos(around), Math.sin(angle) * Math.sin(around), Math.cos(angle)]
      return builder.vertex(place(turn(direction), radius), colour)
    })
    if (last) builder.strip(last, ring)
    last = ring
  }
  // The room stays where it is while the eye turns.
  const gaze = turn([0, 0, 1])
  const middle = unit([gaze[0] - 0.6 * GLINT.angle, gaze[1] + GLINT.angle, gaze[2]])
  const hub = builder.vertex(place(middle, radius + 0.15), GLINT.colour)
  const spokes = Array.from({ length: GLINT.spokes + 1 }, (_, spoke) => {
    const around = (2 * Math.PI * spoke) / GLINT.spokes
    const rim: Point = [
      middle[0] + GLINT.radius * Math.cos(around),
      middle[1] + GLINT.radius * Math.sin(around),
      middle[2],
    ]
    return builder.vertex(place(unit(rim), radius + 0.15), GLINT.colour)
  })
  for (let i = 0; i < GLINT.spokes; i++) builder.triangle(hub, spokes[i]!, spokes[i + 1]!)
  return builder.build()
}

/** From the rim inwards, so that there is no gap beside the ball. */
function socket(rim: readonly Point[], centre: Point): ColouredSurface {
  const builder = new SurfaceBuilder()
  const outer = rim.map((point) => builder.vertex(point, SOCKET))
  const inner = rim.map((point) => builder.vertex(between(point, centre, 0.4), SOCKET))
  builder.strip([...outer, outer[0]!], [...inner, inner[0]!])
  return builder.build()
}

/**
 * The sphere that a rim lies on, by least squares: |p - c|^2 = r^2 is linear in c and k = r^2 - |c|^2. Of a rim that is
 * nearly flat no sphere can be told; then it is one of a usual size.
 */
function sphereThrough(rim: readonly Point[]): { centre: Point; radius: number } {
  const middle = centreOf(rim)
  const matrix = Array.from({ length: 4 }, () => [0, 0, 0, 0])
  const right = [0, 0, 0, 0]
  for (const point of rim) {
    const [x, y, z] = point.map((value, axis) => value - middle[axis]!) as Point
    const row = [2 * x, 2 * y, 2 * z, 1]
    row.forEach((value, i) => {
      right[i]! += value * (x * x + y * y + z * z)
      row.forEach((other, j) => {
        matrix[i]![j]! += value * other
      })
    })
  }
  const [x = 0, y = 0, z = 0, k = 0] = solve(matrix, right) ?? []
  const radius = Math.sqrt(Math.max(0, k + x * x + y * y + z * z))
  // Behind the lids, and of a size that eyes have.
  if (z < 0 && radius >= RADIUS.least && radius <= RADIUS.most)
    return { centre: [middle[0] + x, middle[1] + y, middle[2] + z], radius }
  return { centre: [middle[0], middle[1], middle[2] - 0.9 * RADIUS.usual], radius: RADIUS.usual }
}

/** Gaussian elimination with pivoting; undefined for a singular matrix. */
function solve(matrix: number[][], right: readonly number[]): number[] | undefined {
  const size = right.length
  const rows = matrix.map((row, i) => [...row, right[i]!])
  for (let column = 0; column < size; column++) {
    const rest = rows.slice(column)
    const best = rest.reduce((a, b) => (Math.abs(b[column]!) > Math.abs(a[column]!) ? b : a))
    if (Math.abs(best[column]!) < 1e-6) return undefined
    rows.splice(rows.indexOf(best), 1)
    rows.splice(column, 0, best)
    for (const row of rows) {
      if (row === best) continue
      const share = row[column]! / best[column]!
      for (let i = column; i <= size; i++) row[i]! -= share * best[i]!
    }
  }
  return rows.map((row, i) => row[size]! / row[i]!)
}

/** Turns up by `pitch`, then to the subject's left by `yaw`; degrees. */
function rotation(yaw: number, pitch: number): (point: Point) => Point {
  const [cy, sy] = circle(yaw)
  const [cp, sp] = circle(pitch)
  return ([x, y, z]) => [cy * x + sy * (cp * z - sp * y), cp * y + sp * z, cy * (cp * z - sp * y) - sy * x]
}

function circle(degrees: number): [number, number] {
  const radians = (degrees * Math.PI) / 180
  return [Math.cos(radians), Math.sin(radians)]
}

function unit(direction: Point): Point {
  const length = Math.hypot(...direction)
  return direction.map((value) => value / length) as Point
}
