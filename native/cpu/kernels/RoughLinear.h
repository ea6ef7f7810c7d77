// SimdKernels with a second way to J^T J, for vectors that have products of pairs of bf16 numbers.
#pragma once

#include "cpu/FitWorkspace.h"
#include "cpu/kernels/Linear.h"

namespace sfm {
namespace {

struct RoughKernels : SimdKernels {
  static_assert(kTile == Vec::kLanes);
  static constexpr bool kRough = true;

  // Two rows of J, n columns wide, rounded to bf16 (8 bits) as the pair `k` of `packed`. There a tile's columns lie
  // together, `capacity` pairs of them.
  static void packRows(const float* row, int n, int ld, int k, int capacity, float* packed) {
    for (int j = 0; j < n; j += kTile)
      store(packed + (static_cast<long>(j) * capacity + static_cast<long>(k) * kTile),
            pair(load(row + j), load(row + ld + j)));
  }

  // gram of packed rows, in half its time: what an iteration needs to know of H. Blocks are twice as wide as high, since
  // the products are as fast as their numbers can be loaded.
  SFM_NEVER_INLINE static void roughGram(bool add, const float* packed, int pairs, int capacity, int n, int ld,
                                         float* h) {
    constexpr int kRows = kTile / 2, kColumns = 2 * kTile;
    static_assert(kColumnMultiple % kColumns == 0);
    for (int j = 0; j < n; j += kColumns)
      for (int i = 0; i < j + kColumns && i < n; i += kRows) {
        Vec t[kRows][2];
        float* c = h + static_cast<long>(i) * ld + j;
        for (int r = 0; r < kRows; ++r)
          for (int v = 0; v < 2; ++v) t[r][v] = add ? load(c + static_cast<long>(r) * ld + v * kTile) : zero();
        const float* a = packed + static_cast<long>(i / kTile) * kTile * capacity + i % kTile;
        const float* b = packed + static_cast<long>(j) * capacity;
        for (int k = 0; k < pairs; ++k, a += kTile, b += kTile) {
          const Vec first = load(b), second = load(b + static_cast<long>(kTile) * capacity);
          for (int r = 0; r < kRows; ++r) {
            const Vec left = broadcast(a[r]);
            t[r][0] = multiplyAddPairs(left, first, t[r][0]);
            t[r][1] = multiplyAddPairs(left, second, t[r][1]);
          }
        }
        for (int r = 0; r < kRows; ++r)
          for (int v = 0; v < 2; ++v) store(c + static_cast<long>(r) * ld + v * kTile, t[r][v]);
      }
  }
};

}  // namespace
}  // namespace sfm
