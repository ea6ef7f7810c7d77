// Eigenvalues and eigenvectors of symmetric matrices.
#pragma once

#include <cstdint>

#include "linear/Engine.h"

namespace sfm::linear {

// A = vectors diag(values) vectors^T for a row-major [n,n] matrix, of which the lower triangle is read: values [n] in
// descending order, vectors [n,n] row-major, one a column, each with its number of largest magnitude positive. The
// error of a value is a small multiple of the unit roundoff times the largest. Throws Error(NUMERICAL) for numbers that
// are not finite.
void symmetricEigen(const Engine& engine, const double* a, int64_t n, double* values, double* vectors);

}  // namespace sfm::linear
