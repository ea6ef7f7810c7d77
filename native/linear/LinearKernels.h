// The innermost loops of the double-precision linear algebra, as a table that each instruction set fills in.
//
// All of them give the same bits: a sum runs over its terms in an order that does not depend on the width of the
// vectors, and every multiplication that is followed by an addition is fused with it, everywhere.
#pragma once

#include <cstdint>
#include <vector>

#include "core/Platform.h"

namespace sfm::linear {

// What becomes of the numbers that a product is written over.
enum class Update { kSet, kAdd, kSubtract };

// The largest register tile of any table, for the buffers at a matrix's edges.
constexpr int kMaximumTile = 12 * 16;

struct LinearKernels {
  const char* name;
  bool (*supported)();
  int tileRows, tileColumns;
  // C <- C ? A B for one full tile: a [depth][tileRows], b [depth][tileColumns], rows of C `stride` apart. Each number
  // is the sum over the depth in ascending order, then joined with C.
  void (*productTile)(const double* a, const double* b, int depth, Update update, double* c, int64_t stride);
  // out[i] = rows[i][0..n) . x in eight partial sums, term k in sum k mod 8.
  void (*dots)(const double* rows, int64_t stride, int64_t count, int64_t n, const double* x, double* out);
  // y += a x
  void (*addScaled)(double a, const double* x, int64_t n, double* y);
  // A chain of `count` plane rotations over `count` + 1 rows, which stand `stride` apart (it may be negative):
  // (row i, row i+1) <- (c row i + s row i+1, c row i+1 - s row i), i = 0, 1, ..; [c, s] pairs in `rotations`.
  void (*rotateRows)(double* rows, int64_t stride, int64_t columns, const double* rotations, int64_t count);
};

// Those compiled in and supported here, best first; the last is the portable one.
const std::vector<const LinearKernels*>& linearKernels();
// By name, as findCpuKernels; null where it is not to be had.
const LinearKernels* findLinearKernels(const char* name);
// Those for an instruction set of the face model's kernels; the best where it brings nothing of double precision.
const LinearKernels& linearKernelsFor(const char* instructionSet);

extern const LinearKernels kPortableLinearKernels;
#if defined(SFM_X86_64)
extern const LinearKernels kAvx2LinearKernels;
extern const LinearKernels kAvx512LinearKernels;
#elif defined(SFM_ARM64)
extern const LinearKernels kNeonLinearKernels;
#endif

}  // namespace sfm::linear
