import { invalidArgument } from '../errors.js'
import { sequential } from './colour.js'
import { makeScale, numberLabel } from './scale.js'
import { element, INK, picture, text } from './svg.js'

/** What {@link heatMap} is given. */
export interface HeatMapOptions {
  title: string
  description?: string | undefined
  /** [N, 3] mm, +X the subject's left, +Y up, +Z out of the face. */
  vertices: ArrayLike<number>
  /** [F, 3] counter-clockwise seen from outside. */
  triangles: ArrayLike<number>
  /** [N] a number of at least 0 for each vertex; triangles with one that is not finite are grey. */
  values: ArrayLike<number>
  /** Of the colour bar, such as `RMS error (mm)`. */
  label: string
  /** The number that has the brightest colour; rounded up from the largest in 99% of the vertices where absent. */
  maximum?: number | undefined
  /** Turns of the head in degrees, one picture each: positive shows the subject's right cheek. Default 0 and 50. */
  views?: readonly number[]
  /** Pixels; 380 by default. */
  height?: number | undefined
}

/** Steps of the colour bar: fewer than the eye sees, enough for it not to see the steps. */
const COLOURS = 36
/** Steps of light and shade. */
const SHADES = 10
/** Slices of depth, drawn from the back to the front. Within one, triangles are sorted by colour. */
const SLICES = 80
const BAR_WIDTH = 14

/**
 * Numbers on a face in colours: the mesh in parallel projection, its triangles painted from the back to the front. Those
 * of one colour and depth are one path, which keeps a face of 17,000 triangles below a megabyte.
 *
 * @throws SfmError INVALID_ARGUMENT
 * @example
 * heatMap({ title: 'Mean error', vertices, triangles, values: errors, label: 'mean error (mm)' })
 */
export function heatMap(options: HeatMapOptions): string {
  const { vertices, triangles, values, views = [0, 50], height = 380 } = options
  check(options)
  const maximum = options.maximum ?? roundMaximum(values)
  const margin = 8
  const drawn = views.map((yaw) => projected(vertices, yaw))
  const tall = Math.max(...drawn.map(({ top, bottom }) => top - bottom))
  const scale = tall > 0 ? (height - 2 * margin) / tall : 1
  let left = margin
  const faces: string[] = []
  for (const view of drawn) {
    faces.push(drawFace(view, triangles, values, maximum, [left, margin], scale))
    left += (view.right - view.left) * scale + 18
  }
  const bar = colourBar(options.label, maximum, left + 6, 24, height - 48)
  return picture({ width: left + 78, height, title: options.title, description: options.description }, ...faces, bar)
}

interface View {
  /** [N, 3] right, up, towards the reader; mm. */
  points: Float64Array
  left: number
  right: number
  top: number
  bottom: number
}

/** The vertices as seen by who stands in front of the face, the head turned by some degrees. */
function projected(vertices: ArrayLike<number>, yaw: number): View {
  const [c, s] = [Math.cos((yaw * Math.PI) / 180), Math.sin((yaw * Math.PI) / 180)]
  const points = new Float64Array(vertices.length)
  const view = { points, left: Infinity, right: -Infinity, top: -Infinity, bottom: Infinity }
  for (let i = 0; i < vertices.length; i += 3) {
    const [x, y, z] = [vertices[i], vertices[i + 1], vertices[i + 2]]
    points[i] = c * x + s * z
    points[i + 1] = y
    points[i + 2] = c * z - s * x
    view.left = Math.min(view.left, points[i] as number)
    view.right = Math.max(view.right, points[i] as number)
    view.bottom = Math.min(view.bottom, y)
    view.top = Math.max(view.top, y)
  }
  return view
}

function drawFace(
  { points, left, top }: View,
  triangles: ArrayLike<number>,
  values: ArrayLike<number>,
  maximum: number,
  [offsetX, offsetY]: readonly [number, number],
  scale: number,
): string {
  // Tenths of a pixel, so that neighbours share their corners to the last digit.
  const pixel = (vertex: number): [number, number] => [
    Math.round(10 * (offsetX + (points[3 * vertex]! - left) * scale)),
    Math.round(10 * (offsetY + (top - points[3 * vertex + 1]!) * scale)),
  ]
  let [near, far] = [-Infinity, Infinity]
  for (let i = 2; i < points.length; i += 3) {
    near = Math.max(near, points[i]!)
    far = Math.min(far, points[i]!)
  }
  const lights = lightOf(points, triangles)
  // By slice and colour: the path of its triangles.
  const slices = Array.from({ length: SLICES }, () => new Map<number, string[]>())
  for (let f = 0; f < triangles.length; f += 3) {
    const corners = [triangles[f], triangles[f + 1], triangles[f + 2]] as const
    if (normalOf(points, corners)[2] <= 0) continue
    const light = corners.reduce((sum, v) => sum + Math.max(0, lights[v]!), 0) / 3
    const depth = corners.reduce((sum, v) => sum + points[3 * v + 2]!, 0) / 3
    const slice = Math.min(SLICES - 1, Math.floor((SLICES * (depth - far)) / (near - far || 1)))
    const value = corners.reduce((sum, v) => sum + values[v], 0) / 3
    const step = Number.isFinite(value) ? Math.min(COLOURS - 1, Math.floor((COLOURS * value) / maximum)) : -1
    const key = step * SHADES + Math.min(SHADES - 1, Math.floor(SHADES * light))
    const paths = slices[slice]!.get(key) ?? []
    slices[slice]!.set(key, paths)
    paths.push(trianglePath(corners.map(pixel)))
  }
  const paths = slices.flatMap((slice) =>
    [...slice]
      .sort(([a], [b]) => a - b)
      .map(([key, parts]) => element('path', { color: colourOf(key), d: parts.join('') })),
  )
  // The hair's breadth of stroke closes the seams between triangles.
  const style = { fill: 'currentColor', stroke: 'currentColor', 'stroke-width': 6, 'stroke-linejoin': 'round' }
  return element('g', { transform: 'scale(.1)', ...style }, ...paths)
}

/** Steps away from the first corner, which are shorter to write. Tenths of pixels are whole numbers here. */
function trianglePath(corners: readonly (readonly [number, number])[]): string {
  const [a, b, c] = corners as [[number, number], [number, number], [number, number]]
  const step = (from: readonly [number, number], to: readonly [number, number]) => {
    const [dx, dy] = [to[0] - from[0], to[1] - from[1]]
    return `${dx}${dy < 0 ? '' : ','}${dy}`
  }
  const toC = step(b, c)
  return `M${a[0]},${a[1]}l${step(a, b)}${toC.startsWith('-') ? '' : ','}${toC}z`
}

/** [N] the cosine between each vertex's normal, that of the triangles around it, and the reader. */
function lightOf(points: Float64Array, triangles: ArrayLike<number>): Float64Array {
  const normals = new Float64Array(points.length)
  for (let f = 0; f < triangles.length; f += 3) {
    const corners = [triangles[f], triangles[f + 1], triangles[f + 2]] as const
    const normal = normalOf(points, corners)
    for (const corner of corners) for (let axis = 0; axis < 3; axis++) normals[3 * corner + axis]! += normal[axis]!
  }
  return Float64Array.from({ length: points.length / 3 }, (_, v) => {
    const length = Math.hypot(normals[3 * v]!, normals[3 * v + 1]!, normals[3 * v + 2]!)
    return length > 0 ? normals[3 * v + 2]! / length : 0
  })
}

/** A vector at right angles to a triangle, outwards, twice its area long. */
function normalOf(p: Float64Array, [a, b, c]: readonly [number, number, number]): [number, number, number] {
  const [ux, uy, uz] = [p[3 * b]! - p[3 * a]!, p[3 * b + 1]! - p[3 * a + 1]!, p[3 * b + 2]! - p[3 * a + 2]!]
  const [vx, vy, vz] = [p[3 * c]! - p[3 * a]!, p[3 * c + 1]! - p[3 * a + 1]!, p[3 * c + 2]! - p[3 * a + 2]!]
  return [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx]
}

/** From the number of a colour and a shade. */
function colourOf(key: number): string {
  const step = Math.floor(key / SHADES)
  const shade = (key - step * SHADES) / (SHADES - 1)
  if (step < 0) return '#999999'
  return sequential((step + 0.5) / COLOURS, shade)
}

function colourBar(label: string, maximum: number, x: number, top: number, height: number): string {
  const step = height / COLOURS
  const boxes = Array.from({ length: COLOURS }, (_, i) =>
    element('rect', {
      x,
      y: top + height - (i + 1) * step,
      width: BAR_WIDTH,
      // Overlaps its neighbour, which leaves no seam.
      height: step + (i === 0 ? 0 : 0.5),
      fill: sequential((i + 0.5) / COLOURS),
    }),
  )
  const scale = makeScale({ label, from: 0, to: maximum }, [], [top + height, top])
  const ticks = scale.ticks.map(({ value }) =>
    element('text', { x: x + BAR_WIDTH + 8, y: scale.place(value) + 4 }, text(numberLabel(value))),
  )
  const marks = scale.ticks.map(({ value }) => `M${x + BAR_WIDTH},${Math.round(10 * scale.place(value)) / 10}h4`)
  const middle = top + height / 2
  return element(
    'g',
    { 'font-size': 11 },
    ...boxes,
    element('path', { d: marks.join(''), stroke: INK, fill: 'none' }),
    ...ticks,
    element(
      'text',
      { x: x + 58, y: middle, 'text-anchor': 'middle', 'font-size': 12, transform: `rotate(-90 ${x + 58} ${middle})` },
      text(label),
    ),
  )
}

/** The number below which 99% of the values lie, rounded up to 1, 1.5, 2, 3, 5 or 7 times a power of ten. */
function roundMaximum(values: ArrayLike<number>): number {
  const sorted = Float64Array.from(values).filter(Number.isFinite).sort()
  const most = sorted[Math.floor(0.99 * (sorted.length - 1))] ?? 0
  if (!(most > 0)) return 1
  const power = 10 ** Math.floor(Math.log10(most))
  return power * ([1, 1.5, 2, 3, 5, 7].find((digit) => digit * power >= most * (1 - 1e-9)) ?? 10)
}

function check({ vertices, triangles, values, maximum, views }: HeatMapOptions): void {
  if (!(vertices?.length > 0 && vertices.length % 3 === 0))
    throw invalidArgument('vertices', 'x, y, z of points', vertices)
  for (let i = 0; i < vertices.length; i++)
    if (!Number.isFinite(vertices[i])) throw invalidArgument(`vertices[${i}]`, 'a finite number', vertices[i])
  if (triangles?.length % 3 !== 0) throw invalidArgument('triangles', 'three indices each', triangles)
  for (let i = 0; i < triangles.length; i++)
    if (!(Number.isInteger(triangles[i]) && triangles[i] >= 0 && 3 * triangles[i] < vertices.length))
      throw invalidArgument(`triangles[${i}]`, `an index below ${vertices.length / 3}`, triangles[i])
  if (values?.length !== vertices.length / 3)
    throw invalidArgument('values', `${vertices.length / 3} numbers, one a vertex`, values)
  if (maximum !== undefined && !(maximum > 0 && Number.isFinite(maximum)))
    throw invalidArgument('maximum', 'a number above 0', maximum)
  if (views?.length === 0 || views?.some((yaw) => !Number.isFinite(yaw)))
    throw invalidArgument('views', 'angles in degrees', views)
}
