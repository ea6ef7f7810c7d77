/**
 * The closed loops along the border of a surface: the rims of its holes, and of itself.
 *
 * @param triangles [F,3] of a surface whose neighbours agree in their direction.
 * @returns Vertices in order, each loop beginning with its smallest index.
 */
export function borderLoops(triangles: ArrayLike<number>): number[][] {
  const key = (a: number, b: number) => a * 2 ** 26 + b
  const edges = new Set<number>()
  const each = (visit: (a: number, b: number) => void) => {
    for (let t = 0; t < triangles.length; t += 3)
      for (let corner = 0; corner < 3; corner++) visit(triangles[t + corner]!, triangles[t + ((corner + 1) % 3)]!)
  }
  each((a, b) => edges.add(key(a, b)))
  // An edge of the border has no triangle on its other side.
  const next = new Map<number, number>()
  each((a, b) => {
    if (!edges.has(key(b, a))) next.set(a, b)
  })
  const loops: number[][] = []
  for (const start of [...next.keys()].sort((a, b) => a - b)) {
    const loop: number[] = []
    let vertex: number | undefined = start
    while (vertex !== undefined && next.has(vertex)) {
      loop.push(vertex)
      const following: number | undefined = next.get(vertex)
      next.delete(vertex)
      vertex = following
    }
    if (vertex === start && loop.length >= 3) loops.push(loop)
  }
  return loops
}
