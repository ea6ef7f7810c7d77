// The kernels of one instruction set, made from the Doubles that the including translation unit has chosen.
#pragma once

#include <cmath>

#include "cpu/CpuFeatures.h"
#include "linear/LinearKernels.h"

namespace sfm::linear {
namespace {

constexpr int kTileColumns = Doubles::kLanes * Doubles::kTileVectors;
static_assert(Doubles::kTileRows * kTileColumns <= kMaximumTile);

void productTile(const double* SFM_RESTRICT a, const double* SFM_RESTRICT b, int depth, Update update,
                 double* SFM_RESTRICT c, int64_t stride) {
  constexpr int kRows = Doubles::kTileRows, kVectors = Doubles::kTileVectors, kLanes = Doubles::kLanes;
  Doubles s[kRows][kVectors];
  for (int i = 0; i < kRows; ++i)
    for (int j = 0; j < kVectors; ++j) s[i][j] = zero();
  for (int k = 0; k < depth; ++k, a += kRows, b += kTileColumns) {
    Doubles bk[kVectors];
    for (int j = 0; j < kVectors; ++j) bk[j] = load(b + j * kLanes);
    for (int i = 0; i < kRows; ++i) {
      const Doubles ai = broadcast(a[i]);
      for (int j = 0; j < kVectors; ++j) s[i][j] = multiplyAdd(ai, bk[j], s[i][j]);
    }
  }
  for (int i = 0; i < kRows; ++i)
    for (int j = 0; j < kVectors; ++j) {
      double* at = c + i * stride + j * kLanes;
      if (update == Update::kSet)
        store(at, s[i][j]);
      else
        store(at, update == Update::kAdd ? add(load(at), s[i][j]) : subtract(load(at), s[i][j]));
    }
}

// Eight partial sums, whatever the vectors' width, and their total in one order.
struct PartialSums {
  static constexpr int kCount = 8;
  static constexpr int kVectors = kCount / Doubles::kLanes;
  Doubles s[kVectors];

  SFM_ALWAYS_INLINE void clear() {
    for (int j = 0; j < kVectors; ++j) s[j] = zero();
  }
  SFM_ALWAYS_INLINE void addProducts(const double* a, const double* x) {
    for (int j = 0; j < kVectors; ++j)
      s[j] = multiplyAdd(load(a + j * Doubles::kLanes), load(x + j * Doubles::kLanes), s[j]);
  }
  SFM_ALWAYS_INLINE double total() const {
    double t[kCount];
    for (int j = 0; j < kVectors; ++j) store(t + j * Doubles::kLanes, s[j]);
    return ((t[0] + t[4]) + (t[2] + t[6])) + ((t[1] + t[5]) + (t[3] + t[7]));
  }
};

// kRows dot products with the same x at a time.
template <int kRows>
void dotsOf(const double* rows, int64_t stride, int64_t n, const double* x, double* out) {
  constexpr int kCount = PartialSums::kCount;
  PartialSums s[kRows];
  for (int i = 0; i < kRows; ++i) s[i].clear();
  const int64_t whole = n / kCount * kCount;
  for (int64_t k = 0; k < whole; k += kCount)
    for (int i = 0; i < kRows; ++i) s[i].addProducts(rows + i * stride + k, x + k);
  if (whole < n) {
    double xTail[kCount] = {}, tail[kCount] = {};
    for (int64_t k = whole; k < n; ++k) xTail[k - whole] = x[k];
    for (int i = 0; i < kRows; ++i) {
      for (int64_t k = whole; k < n; ++k) tail[k - whole] = rows[i * stride + k];
      s[i].addProducts(tail, xTail);
    }
  }
  for (int i = 0; i < kRows; ++i) out[i] = s[i].total();
}

void dots(const double* rows, int64_t stride, int64_t count, int64_t n, const double* x, double* out) {
  constexpr int kRows = Doubles::kLanes >= 4 ? 4 : 1;
  int64_t i = 0;
  for (; i + kRows <= count; i += kRows) dotsOf<kRows>(rows + i * stride, stride, n, x, out + i);
  for (; i < count; ++i) dotsOf<1>(rows + i * stride, stride, n, x, out + i);
}

void addScaled(double a, const double* SFM_RESTRICT x, int64_t n, double* SFM_RESTRICT y) {
  const Doubles va = broadcast(a);
  int64_t k = 0;
  for (; k + Doubles::kLanes <= n; k += Doubles::kLanes) store(y + k, multiplyAdd(va, load(x + k), load(y + k)));
  for (; k < n; ++k) y[k] = std::fma(a, x[k], y[k]);
}

// The chain on a strip of kVectors vectors of columns; the row that two rotations share stays in registers.
template <int kVectors>
SFM_ALWAYS_INLINE void rotateStrip(double* row, int64_t stride, const double* rotations, int64_t count) {
  Doubles carried[kVectors];
  for (int j = 0; j < kVectors; ++j) carried[j] = load(row + j * Doubles::kLanes);
  for (int64_t i = 0; i < count; ++i, row += stride) {
    const Doubles c = broadcast(rotations[2 * i]), s = broadcast(rotations[2 * i + 1]),
                  minus = broadcast(-rotations[2 * i + 1]);
    for (int j = 0; j < kVectors; ++j) {
      const Doubles next = load(row + stride + j * Doubles::kLanes);
      store(row + j * Doubles::kLanes, multiplyAdd(c, carried[j], multiply(s, next)));
      carried[j] = multiplyAdd(minus, carried[j], multiply(c, next));
    }
  }
  for (int j = 0; j < kVectors; ++j) store(row + j * Doubles::kLanes, carried[j]);
}

void rotateRows(double* rows, int64_t stride, int64_t columns, const double* rotations, int64_t count) {
  constexpr int kVectors = 4, kLanes = Doubles::kLanes;
  int64_t j = 0;
  for (; j + kVectors * kLanes <= columns; j += kVectors * kLanes)
    rotateStrip<kVectors>(rows + j, stride, rotations, count);
  for (; j + kLanes <= columns; j += kLanes) rotateStrip<1>(rows + j, stride, rotations, count);
  for (; j < columns; ++j) {
    double* row = rows + j;
    double carried = *row;
    for (int64_t i = 0; i < count; ++i, row += stride) {
      const double c = rotations[2 * i], s = rotations[2 * i + 1], next = row[stride];
      row[0] = std::fma(c, carried, s * next);
      carried = std::fma(-s, carried, c * next);
    }
    *row = carried;
  }
}

constexpr LinearKernels makeTable(const char* name, bool (*supported)()) {
  return {name, supported, Doubles::kTileRows, kTileColumns, &productTile, &dots, &addScaled, &rotateRows};
}

}  // namespace
}  // namespace sfm::linear
