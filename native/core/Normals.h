// Vertex normals: the area-weighted mean of the triangles around a vertex, unit length (zero where there is none).
#pragma once

#include "core/FaceModel.h"

namespace sfm {

// vertices, normals: [N,3]; faceNormals: scratch of [F,3].
void vertexNormals(const FaceModel& model, const float* vertices, float* faceNormals, float* normals);

}  // namespace sfm
