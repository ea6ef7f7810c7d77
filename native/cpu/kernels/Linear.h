// The dense products and the factorisation of a fit, on the vectors of the including translation unit's instruction
// set. Matrices are row-major; symmetric ones live in their upper triangle (what stands below the diagonal is scratch).
// Leading dimensions are multiples of kColumnMultiple, and every matrix has kRowSlack spare rows, so register tiles may
// overshoot.
#pragma once

#include <math.h>

#include "core/Platform.h"

namespace sfm {
namespace {

struct SimdKernels {
  using Real = float;
  static constexpr int kTileColumns = Vec::kLanes * Vec::kTileVectors;
  static constexpr int kInverseColumns = 8 * Vec::kLanes;

  // out[i] = rows[i][0..n) . x, for `count` rows of floats; n a multiple of 16, x padded with zeros.
  static void rowDots(const float* SFM_RESTRICT rows, int count, int stride, int n, const float* SFM_RESTRICT x,
                      float* SFM_RESTRICT out) {
    int i = 0;
    for (; i + 4 <= count; i += 4) {
      const float* r = rows + static_cast<long>(i) * stride;
      Vec s0 = zero(), s1 = zero(), s2 = zero(), s3 = zero();
      for (int c = 0; c < n; c += Vec::kLanes) {
        const Vec xc = load(x + c);
        s0 = multiplyAdd(load(r + c), xc, s0);
        s1 = multiplyAdd(load(r + stride + c), xc, s1);
        s2 = multiplyAdd(load(r + 2 * stride + c), xc, s2);
        s3 = multiplyAdd(load(r + 3 * stride + c), xc, s3);
      }
      out[i] = sum(s0);
      out[i + 1] = sum(s1);
      out[i + 2] = sum(s2);
      out[i + 3] = sum(s3);
    }
    for (; i < count; ++i) {
      const float* r = rows + static_cast<long>(i) * stride;
      Vec s = zero();
      for (int c = 0; c < n; c += Vec::kLanes) s = multiplyAdd(load(r + c), load(x + c), s);
      out[i] = sum(s);
    }
  }

  // out = a x + b y + c z; n a multiple of the lanes.
  static void combine(float a, const float* x, float b, const float* y, float c, const float* z, int n, float* out) {
    const Vec va = broadcast(a), vb = broadcast(b), vc = broadcast(c);
    for (int i = 0; i < n; i += Vec::kLanes)
      store(out + i, multiplyAdd(va, load(x + i), multiplyAdd(vb, load(y + i), multiply(vc, load(z + i)))));
  }

  // y += a x; n a multiple of the lanes.
  static void addScaled(float a, const float* x, int n, float* y) {
    const Vec va = broadcast(a);
    for (int i = 0; i < n; i += Vec::kLanes) store(y + i, multiplyAdd(va, load(x + i), load(y + i)));
  }

  static float dotProduct(const float* a, const float* b, int n) {
    Vec s = zero();
    int i = 0;
    for (; i + Vec::kLanes <= n; i += Vec::kLanes) s = multiplyAdd(load(a + i), load(b + i), s);
    float result = sum(s);
    for (; i < n; ++i) result += a[i] * b[i];
    return result;
  }

  // One register tile of C +-= P^T P: rows i0.., columns j0.. of C, over the `m` rows of P.
  template <bool kSubtract>
  static SFM_ALWAYS_INLINE void tile(const float* SFM_RESTRICT p, int m, int ld, int i0, int j0,
                                     float* SFM_RESTRICT c) {
    constexpr int kRows = Vec::kTileRows, kVectors = Vec::kTileVectors;
    Vec s[kRows][kVectors];
    for (int i = 0; i < kRows; ++i)
      for (int j = 0; j < kVectors; ++j) s[i][j] = load(c + static_cast<long>(i0 + i) * ld + j0 + j * Vec::kLanes);
    for (int k = 0; k < m; ++k) {
      const float* row = p + static_cast<long>(k) * ld;
      Vec b[kVectors];
      for (int j = 0; j < kVectors; ++j) b[j] = load(row + j0 + j * Vec::kLanes);
      for (int i = 0; i < kRows; ++i) {
        const Vec a = broadcast(row[i0 + i]);
        for (int j = 0; j < kVectors; ++j)
          s[i][j] = kSubtract ? negativeMultiplyAdd(a, b[j], s[i][j]) : multiplyAdd(a, b[j], s[i][j]);
      }
    }
    for (int i = 0; i < kRows; ++i)
      for (int j = 0; j < kVectors; ++j) store(c + static_cast<long>(i0 + i) * ld + j0 + j * Vec::kLanes, s[i][j]);
  }

  // Upper triangle of C[first.., first..] +-= P^T P, for n columns.
  template <bool kSubtract>
  static void symmetricProduct(const float* p, int m, int ld, int first, int n, float* c) {
    for (int i0 = first; i0 < n; i0 += Vec::kTileRows)
      for (int j0 = i0 / kTileColumns * kTileColumns; j0 < n; j0 += kTileColumns) tile<kSubtract>(p, m, ld, i0, j0, c);
  }

  static void addGram(const float* j, int m, int n, int ld, float* h) { symmetricProduct<false>(j, m, ld, 0, n, h); }

  // g += J^T r.
  static void addGradient(const float* j, int m, int n, int ld, const float* r, float* g) {
    const int padded = (n + Vec::kLanes - 1) / Vec::kLanes * Vec::kLanes;
    for (int k = 0; k < m; ++k) addScaled(r[k], j + static_cast<long>(k) * ld, padded, g);
  }

  // H = U^T U in place, for the first `eliminated` rows; the rest of the upper triangle becomes their Schur complement.
  // False where a pivot is not positive.
  static bool factor(float* h, int n, int eliminated, int ld) {
    constexpr int kBlock = 16;
    for (int k0 = 0; k0 < eliminated; k0 += kBlock) {
      const int k1 = k0 + kBlock < eliminated ? k0 + kBlock : eliminated;
      for (int k = k0; k < k1; ++k) {
        float* pivotRow = h + static_cast<long>(k) * ld;
        const float pivot = pivotRow[k];
        if (!(pivot > 0)) return false;
        const Vec inverse = broadcast(1 / sqrtf(pivot));
        for (int j = k / Vec::kLanes * Vec::kLanes; j < n; j += Vec::kLanes)
          store(pivotRow + j, multiply(inverse, load(pivotRow + j)));
        for (int i = k + 1; i < k1; ++i) {
          float* row = h + static_cast<long>(i) * ld;
          const Vec f = broadcast(pivotRow[i]);
          for (int j = i / Vec::kLanes * Vec::kLanes; j < n; j += Vec::kLanes)
            store(row + j, negativeMultiplyAdd(f, load(pivotRow + j), load(row + j)));
        }
      }
      symmetricProduct<true>(h + static_cast<long>(k0) * ld, k1 - k0, ld, k1, n, h);
    }
    return true;
  }

  // Solves U^T y = b for the first `eliminated` entries of b and takes their part out of the rest.
  static void forward(const float* u, int n, int eliminated, int ld, float* b) {
    const int padded = (n + Vec::kLanes - 1) / Vec::kLanes * Vec::kLanes;
    for (int k = 0; k < eliminated; ++k) {
      const float* row = u + static_cast<long>(k) * ld;
      const float y = b[k] / row[k];
      // Whole vectors: what this spoils at and before k is restored or already final.
      const int start = k / Vec::kLanes * Vec::kLanes;
      float kept[Vec::kLanes];
      for (int i = 0; i < Vec::kLanes; ++i) kept[i] = b[start + i];
      const Vec f = broadcast(y);
      for (int j = start; j < padded; j += Vec::kLanes)
        store(b + j, negativeMultiplyAdd(f, load(row + j), load(b + j)));
      for (int i = 0; start + i < k; ++i) b[start + i] = kept[i];
      b[k] = y;
    }
  }

  // Solves U x = b for the first `rows` entries, the entries rows..n of x being given in b.
  static void backward(const float* u, int n, int rows, int ld, float* b) {
    for (int k = rows - 1; k >= 0; --k) {
      const float* row = u + static_cast<long>(k) * ld;
      b[k] = (b[k] - dotProduct(row + k + 1, b + k + 1, n - k - 1)) / row[k];
    }
  }

  // trace((U^T U)^-1) = the squared norm of U^-1, for the block of U from row and column `first` on. Strips of columns
  // of the inverse are formed from the bottom up, a row's accumulators staying in registers; `strip` holds n rows of
  // them.
  static double inverseTrace(const float* u, int first, int n, int ld, float* strip) {
    constexpr int kVectors = kInverseColumns / Vec::kLanes, kColumns = kInverseColumns;
    double trace = 0;
    for (int j0 = first; j0 < n; j0 += kColumns) {
      const int last = j0 + kColumns < n
                           ? j0 + kColumns
                           : n;  // the inverse is upper triangular: rows below the strip's columns are zero
      for (int i = last - 1; i >= first; --i) {
        const float* row = u + static_cast<long>(i) * ld;
        Vec s[kVectors];
        for (int j = 0; j < kVectors; ++j) s[j] = zero();
        for (int k = i + 1; k < last; ++k) {
          const Vec f = broadcast(row[k]);
          const float* from = strip + static_cast<long>(k) * kColumns;
          for (int j = 0; j < kVectors; ++j) s[j] = negativeMultiplyAdd(f, load(from + j * Vec::kLanes), s[j]);
        }
        float* out = strip + static_cast<long>(i) * kColumns;
        const Vec inverse = broadcast(1 / row[i]);
        for (int j = 0; j < kVectors; ++j) store(out + j * Vec::kLanes, multiply(inverse, s[j]));
        if (i >= j0) out[i - j0] = 1 / row[i];
        for (int j = 0; j < last - j0; ++j) trace += static_cast<double>(out[j]) * static_cast<double>(out[j]);
      }
    }
    return trace;
  }
};

}  // namespace
}  // namespace sfm
