// The factorisation A = L L^T of a symmetric positive definite matrix, and systems with its triangular factor.
#pragma once

#include <cstdint>

#include "linear/Engine.h"

namespace sfm::linear {

// Replaces the lower triangle of a row-major [n,n] matrix with L, and what stands above the diagonal with zeros. Reads
// the lower triangle alone. Throws Error(NUMERICAL) where a pivot is not positive or not finite.
void cholesky(const Engine& engine, double* a, int64_t n);

// L X = B in place of the row-major [n,m] matrix B; throws Error(NUMERICAL) where L is singular.
void solveLower(const Engine& engine, const double* l, int64_t n, double* b, int64_t m);

// L^T X = B, likewise.
void solveLowerTransposed(const Engine& engine, const double* l, int64_t n, double* b, int64_t m);

// log det(L L^T) = 2 log det L.
double logDeterminant(const double* l, int64_t n);

}  // namespace sfm::linear
