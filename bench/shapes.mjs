// How alike two faces' shapes are.

export const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length

/**
 * The mean distance of two faces of one size and place, mm, and how much wider the first is for its height.
 *
 * @param data The model's, for what belongs to the face.
 */
export function compareShapes({ region, metadata }, a, b) {
  const face = ['face', 'nose', 'lips']
  const indices = [...region.keys()].filter((i) => face.includes(metadata.regionNames[region[i]]))
  const centred = (vertices) =>
    [0, 1, 2].map((axis) => {
      const values = indices.map((i) => vertices[3 * i + axis])
      const middle = mean(values)
      return values.map((value) => value - middle)
    })
  const [first, second] = [centred(a), centred(b)]
  const dot = (p, q) =>
    p.reduce((sum, values, axis) => sum + values.reduce((s, value, i) => s + value * q[axis][i], 0), 0)
  const scale = dot(first, second) / dot(first, first)
  const distances = indices.map((_, i) =>
    Math.hypot(...[0, 1, 2].map((axis) => scale * first[axis][i] - second[axis][i])),
  )
  const extent = (values) => Math.max(...values) - Math.min(...values)
  const aspect = ([x, y]) => extent(x) / extent(y)
  return { distance: mean(distances), width: aspect(first) / aspect(second) - 1 }
}
