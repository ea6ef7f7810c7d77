// Products of dense matrices in double precision, of operands in either precision and either orientation.
//
// Every number of the result is a sum of partial sums, each over kDepth terms in ascending order, whatever the
// instruction set and the number of threads: the bits are always the same.
#pragma once

#include <cstdint>

#include "linear/Engine.h"

namespace sfm::linear {

// A matrix to read: numbers of one of the two types, at i * rowStride + j * columnStride, one of which is 1.
struct Operand {
  const double* doubles = nullptr;
  const float* floats = nullptr;
  int64_t rows = 0, columns = 0;
  int64_t rowStride = 0, columnStride = 0;

  Operand transposed() const { return {doubles, floats, columns, rows, columnStride, rowStride}; }
};

// Row-major numbers, rows `stride` apart.
inline Operand rowMajor(const double* data, int64_t rows, int64_t columns, int64_t stride) {
  return {data, nullptr, rows, columns, stride, 1};
}
inline Operand rowMajor(const float* data, int64_t rows, int64_t columns, int64_t stride) {
  return {nullptr, data, rows, columns, stride, 1};
}

// Which numbers of the result are wanted. With kLower those above the diagonal are left in an undefined state.
enum class Part { kAll, kLower };

// C <- A B, C + A B or C - A B. C is row-major, rows `stride` apart, and apart from A and B.
void multiply(const Engine& engine, const Operand& a, const Operand& b, Update update, double* c, int64_t stride,
              Part part = Part::kAll);

// Copies what stands below the diagonal of a [n,n] matrix to above it.
void mirrorLower(double* c, int64_t n, int64_t stride);

// C <- A^T A or C + A^T A, for [m,n] A; C [n,n] is symmetric to the bit, if it was before.
void gram(const Engine& engine, const Operand& a, Update update, double* c, int64_t stride);

}  // namespace sfm::linear
