/**
 * Light on a face, as in a portrait: a key light from the upper left, a weaker one from the right, a rim from behind,
 * and the sky. Worked out at the vertices, which lie closer together than anything that light does.
 */

type Triple = readonly [number, number, number]

interface Light {
  /** To the light, in camera space: right, down, forward. */
  direction: Triple
  colour: Triple
}

const LIGHTS: readonly Light[] = [
  { direction: unit([-0.5, -0.62, -0.75]), colour: [0.86, 0.82, 0.78] },
  { direction: unit([0.85, -0.1, -0.5]), colour: [0.2, 0.22, 0.26] },
  { direction: unit([0.55, -0.45, 0.75]), colour: [0.3, 0.32, 0.36] },
]

/** From above and from below. */
const SKY: Triple = [0.24, 0.25, 0.27]
const GROUND: Triple = [0.11, 0.095, 0.085]

/** Skin lets light through: it goes on behind where a stone would be dark, red the furthest. */
const WRAP: Triple = [0.3, 0.17, 0.12]

/** Skin in neutral light, linear. */
export const SKIN: Triple = [0.62, 0.4, 0.3]

const SHINE = 0.075
const SHININESS = 14

/** Light on the vertices of a surface. */
export interface Shading {
  /** [N,3] what a white and matt surface would send to the camera. */
  diffuse: Float32Array
  /** [N] what is mirrored on top of that, white. */
  specular: Float32Array
}

/**
 * Lights a surface.
 *
 * @param space [N,3] vertices in camera space.
 * @param normals [N,3] unit vectors in camera space.
 * @param hollowness [N] of {@link hollows}: how much of the sky a vertex does not see.
 */
export function shade(space: Float32Array, normals: Float32Array, hollowness?: Float32Array): Shading {
  const diffuse = new Float32Array(space.length)
  const specular = new Float32Array(space.length / 3)
  for (let i = 0, v = 0; i < space.length; i += 3, v++) {
    const [nx, ny, nz] = [normals[i]!, normals[i + 1]!, normals[i + 2]!]
    const [x, y, z] = [space[i]!, space[i + 1]!, space[i + 2]!]
    const distance = Math.sqrt(x * x + y * y + z * z) || 1
    const open = 1 - (hollowness ? hollowness[v]! : 0)
    const up = 0.5 - 0.5 * ny
    let red = open * (GROUND[0] + up * (SKY[0] - GROUND[0]))
    let green = open * (GROUND[1] + up * (SKY[1] - GROUND[1]))
    let blue = open * (GROUND[2] + up * (SKY[2] - GROUND[2]))
    let shine = 0
    for (const { direction, colour } of LIGHTS) {
      const [lx, ly, lz] = direction
      const cosine = nx * lx + ny * ly + nz * lz
      red += open * colour[0] * wrapped(cosine, WRAP[0])
      green += open * colour[1] * wrapped(cosine, WRAP[1])
      blue += open * colour[2] * wrapped(cosine, WRAP[2])
      if (cosine <= 0) continue
      const [hx, hy, hz] = [lx - x / distance, ly - y / distance, lz - z / distance]
      const along = (nx * hx + ny * hy + nz * hz) / (Math.sqrt(hx * hx + hy * hy + hz * hz) || 1)
      if (along > 0) shine += colour[1] * along ** SHININESS * Math.min(1, 4 * cosine)
    }
    diffuse[i] = red
    diffuse[i + 1] = green
    diffuse[i + 2] = blue
    specular[v] = SHINE * open * shine
  }
  return { diffuse, specular }
}

/** Lambert's cosine, reaching round the edge of the shadow. */
function wrapped(cosine: number, wrap: number): number {
  const light = (cosine + wrap) / (1 + wrap)
  return light > 0 ? light : 0
}

/** mm: how deep a hollow is, seen from its neighbours, that is as dark as they get. */
const DEEP = 1.1

/** Rounds of spreading: a crease darkens the skin beside it. */
const ROUNDS = 3

/**
 * Where a surface is hollow (creases, corners of eyes and mouth, the inside of an ear) and sees less of the sky.
 *
 * @param vertices [N,3] mm.
 * @param normals [N,3] unit vectors.
 * @param triangles [F,3].
 * @returns [N] 0 open to 0.75 hollow.
 */
export function hollows(vertices: Float32Array, normals: Float32Array, triangles: ArrayLike<number>): Float32Array {
  const count = vertices.length / 3
  const depth = new Float32Array(count)
  const neighbours = new Float32Array(count)
  for (let t = 0; t < triangles.length; t += 3)
    for (let corner = 0; corner < 3; corner++) {
      const a = triangles[t + corner]!
      const b = triangles[t + ((corner + 1) % 3)]!
      let rise = 0
      let fall = 0
      for (let axis = 0; axis < 3; axis++) {
        const step = vertices[b * 3 + axis]! - vertices[a * 3 + axis]!
        rise += step * normals[a * 3 + axis]!
        fall -= step * normals[b * 3 + axis]!
      }
      depth[a]! += rise
      depth[b]! += fall
      neighbours[a]!++
      neighbours[b]!++
    }
  let values = depth.map((sum, v) => sum / (neighbours[v]! || 1))
  for (let round = 0; round < ROUNDS; round++) {
    const sums = Float32Array.from(values)
    const weights = new Float32Array(count).fill(1)
    for (let t = 0; t < triangles.length; t += 3)
      for (let corner = 0; corner < 3; corner++) {
        const a = triangles[t + corner]!
        const b = triangles[t + ((corner + 1) % 3)]!
        sums[a]! += values[b]!
        sums[b]! += values[a]!
        weights[a]!++
        weights[b]!++
      }
    values = sums.map((sum, v) => sum / weights[v]!)
  }
  return values.map((value) => 0.75 * Math.min(1, Math.max(0, value / DEEP)))
}

function unit([x, y, z]: Triple): Triple {
  const length = Math.hypot(x, y, z)
  return [x / length, y / length, z / length]
}
