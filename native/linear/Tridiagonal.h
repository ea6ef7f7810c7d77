// Symmetric matrices and the tridiagonal ones that Householder reflections turn them into.
#pragma once

#include <cstdint>

#include "core/AlignedBuffer.h"
#include "linear/Engine.h"

namespace sfm::linear {

// A = Q T Q^T
struct Tridiagonal {
  int64_t n;
  AlignedBuffer<double> diagonal;     // [n] of T
  AlignedBuffer<double> offDiagonal;  // [n], the last unused
  AlignedBuffer<double> rotation;     // [n,n] Q^T, row-major
};

// Reduces a symmetric row-major [n,n] matrix, both triangles given, numbers of magnitude 1 at most; `a` is destroyed.
Tridiagonal tridiagonalise(const Engine& engine, double* a, int64_t n);

// Turns T into a diagonal matrix and Q into the eigenvectors, by implicitly shifted QR iterations: afterwards A =
// Q diag(diagonal) Q^T, in no particular order. Throws Error(NUMERICAL) if they do not converge.
void diagonalise(const Engine& engine, Tridiagonal& tridiagonal);

}  // namespace sfm::linear
