/**
 * Unit normals of a surface's vertices: the mean of the normals of the triangles around, weighed by their areas.
 *
 * @param vertices [N,3].
 * @param triangles [F,3] counter-clockwise seen from outside.
 * @returns [N,3]; (0, 0, 1) for a vertex without triangles, as every normal in a file has to be a unit vector.
 * @example
 * const normals = vertexNormals(mesh.vertices, mesh.triangles)
 */
export function vertexNormals(vertices: Float32Array, triangles: Int32Array): Float32Array {
  const sums = new Float64Array(vertices.length)
  for (let f = 0; f < triangles.length; f += 3) {
    const a = triangles[f]! * 3
    const b = triangles[f + 1]! * 3
    const c = triangles[f + 2]! * 3
    const ux = vertices[b]! - vertices[a]!
    const uy = vertices[b + 1]! - vertices[a + 1]!
    const uz = vertices[b + 2]! - vertices[a + 2]!
    const vx = vertices[c]! - vertices[a]!
    const vy = vertices[c + 1]! - vertices[a + 1]!
    const vz = vertices[c + 2]! - vertices[a + 2]!
    // The cross product's length is twice the area, which is the weight.
    const nx = uy * vz - uz * vy
    const ny = uz * vx - ux * vz
    const nz = ux * vy - uy * vx
    sums[a]! += nx
    sums[a + 1]! += ny
    sums[a + 2]! += nz
    sums[b]! += nx
    sums[b + 1]! += ny
    sums[b + 2]! += nz
    sums[c]! += nx
    sums[c + 1]! += ny
    sums[c + 2]! += nz
  }
  const normals = new Float32Array(vertices.length)
  for (let i = 0; i < sums.length; i += 3) {
    // Not Math.hypot, which guards against overflow and takes ten times as long.
    const length = Math.sqrt(sums[i]! * sums[i]! + sums[i + 1]! * sums[i + 1]! + sums[i + 2]! * sums[i + 2]!)
    if (length > 0) for (let axis = 0; axis < 3; axis++) normals[i + axis] = sums[i + axis]! / length
    else normals[i + 2] = 1
  }
  return normals
}
