// The argument check of what takes symmetric matrices.
#pragma once

#include <cstdint>

namespace sfm::linear {

// Whether the two triangles of a row-major [n,n] matrix agree, to 1e-9 of its largest magnitude. Numbers that are not
// finite are not its matter.
bool isSymmetric(const double* a, int64_t n);

}  // namespace sfm::linear
