/** Row-major 3x3. */
export type Rotation = readonly number[]

/**
 * The rotation from model space to the camera's (docs/coordinates.md) of a head that nods by `pitch` (positive: looks
 * up), then turns by `yaw` (positive: to the image's left), then tilts by `roll` (positive: clockwise in the image).
 * Degrees.
 */
export function headRotation(yaw: number, pitch: number, roll: number): Rotation {
  const [cy, sy] = circle(yaw)
  const [cp, sp] = circle(pitch)
  const [cr, sr] = circle(roll)
  // The rows of diag(1, -1, -1) Ry(-yaw) Rx(-pitch): right, down and forward of a camera that is not tilted.
  const right = [cy, sy * sp, -sy * cp]
  const down = [0, -cp, -sp]
  const forward = [-sy, cy * sp, -cy * cp]
  return [...right.map((x, i) => cr * x - sr * down[i]!), ...right.map((x, i) => sr * x + cr * down[i]!), ...forward]
}

function circle(degrees: number): [number, number] {
  const radians = (degrees * Math.PI) / 180
  return [Math.cos(radians), Math.sin(radians)]
}
