#include "core/Normals.h"

#include <cmath>

namespace sfm {

void vertexNormals(const FaceModel& model, const float* vertices, float* faceNormals, float* normals) {
  const std::vector<int32_t>& triangles = model.triangles();
  const size_t triangleCount = triangles.size() / 3;
  for (size_t t = 0; t < triangleCount; ++t) {
    const float* a = vertices + 3 * static_cast<size_t>(triangles[3 * t]);
    const float* b = vertices + 3 * static_cast<size_t>(triangles[3 * t + 1]);
    const float* c = vertices + 3 * static_cast<size_t>(triangles[3 * t + 2]);
    const float u[3] = {b[0] - a[0], b[1] - a[1], b[2] - a[2]}, v[3] = {c[0] - a[0], c[1] - a[1], c[2] - a[2]};
    // Twice the area long: the weight comes for free.
    faceNormals[3 * t] = u[1] * v[2] - u[2] * v[1];
    faceNormals[3 * t + 1] = u[2] * v[0] - u[0] * v[2];
    faceNormals[3 * t + 2] = u[0] * v[1] - u[1] * v[0];
  }
  // Gathered vertex by vertex, so that the sum's order is fixed and nothing is written twice.
  const std::vector<int32_t>& start = model.adjacencyStart();
  for (int i = 0; i < model.vertexCount(); ++i) {
    float n[3] = {0, 0, 0};
    for (int32_t at = start[i]; at < start[i + 1]; ++at) {
      const float* face = faceNormals + 3 * static_cast<size_t>(model.adjacency()[at]);
      for (int a = 0; a < 3; ++a) n[a] += face[a];
    }
    const float length = std::sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]);
    for (int a = 0; a < 3; ++a) normals[3 * static_cast<size_t>(i) + a] = length > 0 ? n[a] / length : 0;
  }
}

}  // namespace sfm
