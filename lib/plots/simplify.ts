type Place = readonly [number, number]

/**
 * A line with fewer points that no eye tells from the one given (Douglas and Peucker, 1973).
 *
 * @param tolerance Pixels by which a point left out may miss the line.
 */
export function simplify(line: readonly Place[], tolerance = 0.15): Place[] {
  const points = line.filter(([x, y], i) => {
    const before = line[i - 1]
    return before === undefined || i === line.length - 1 || Math.abs(x - before[0]) + Math.abs(y - before[1]) > 1e-9
  })
  const keep = new Uint8Array(points.length)
  keep.fill(1, 0, 1).fill(1, -1)
  const spans: [number, number][] = [[0, points.length - 1]]
  for (let span = spans.pop(); span !== undefined; span = spans.pop()) {
    const [start, end] = span
    let [farthest, most] = [-1, tolerance]
    for (let i = start + 1; i < end; i++) {
      const distance = toSegment(points[i] as Place, points[start] as Place, points[end] as Place)
      if (distance > most) [farthest, most] = [i, distance]
    }
    if (farthest < 0) continue
    keep[farthest] = 1
    spans.push([start, farthest], [farthest, end])
  }
  return points.filter((_, i) => keep[i])
}

function toSegment([x, y]: Place, [ax, ay]: Place, [bx, by]: Place): number {
  const [dx, dy] = [bx - ax, by - ay]
  const square = dx * dx + dy * dy
  const part = square > 0 ? Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / square)) : 0
  return Math.hypot(ax + part * dx - x, ay + part * dy - y)
}
