// Orthonormal bases of what the columns of a matrix span.
#pragma once

#include <cstdint>

#include "core/AlignedBuffer.h"
#include "linear/Engine.h"

namespace sfm::linear {

struct OrthonormalBasis {
  int64_t rank = 0;
  AlignedBuffer<double> vectors;  // [n,m], the first `rank` rows of which are the basis
  AlignedBuffer<uint8_t> kept;    // [n] whether a column was taken up
};

// An orthonormal basis of the columns of a row-major [m,n] matrix: the first k vectors span what the first k columns
// span that were kept, so that Q^T A is upper triangular with a positive diagonal. A column is left out where less than
// `tolerance` times its length is new (1e-13 at least: below, rounding errors would pass for news). Throws
// Error(NUMERICAL) for numbers that are not finite.
OrthonormalBasis orthonormalise(const Engine& engine, const double* a, int64_t m, int64_t n, double tolerance);

}  // namespace sfm::linear
