// The dense products and the factorisation of a fit, on the vectors of the including translation unit's instruction
// set. Matrices are row-major; symmetric ones live in their upper triangle (what stands below the diagonal is scratch).
// Leading dimensions are multiples of kColumnMultiple, and every matrix has kRowSlack spare rows, so register tiles may
// overshoot.
#pragma once

#include <math.h>

#include "core/Platform.h"
#include "cpu/PoseBlock.h"

namespace sfm {
namespace {

struct SimdKernels {
  using Real = float;
  using Lanes = VectorLane;
  static constexpr bool kRough = false;  // see RoughKernels
  static constexpr int kTile = Vec::kLanes * Vec::kTileVectors;  // rows and columns of a register tile
  // Of the inverse, in registers: as much as a tile takes.
  static constexpr int kInverseRows = 4, kInverseVectors = kTile * Vec::kTileVectors / kInverseRows;
  static constexpr int kInverseColumns = kInverseVectors * Vec::kLanes;

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

  // out += a x + b y + c z; n a multiple of the lanes.
  static void addCombination(float a, const float* x, float b, const float* y, float c, const float* z, int n,
                             float* out) {
    const Vec va = broadcast(a), vb = broadcast(b), vc = broadcast(c);
    for (int i = 0; i < n; i += Vec::kLanes)
      store(out + i,
            multiplyAdd(va, load(x + i), multiplyAdd(vb, load(y + i), multiplyAdd(vc, load(z + i), load(out + i)))));
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
    if (i < n) s = multiplyAdd(loadFirst(a + i, n - i), loadFirst(b + i, n - i), s);
    return sum(s);
  }

  // A square block of a matrix in registers.
  struct Tile {
    Vec row[kTile][Vec::kTileVectors];
  };

  static SFM_ALWAYS_INLINE void clearTile(Tile& t) {
    for (int i = 0; i < kTile; ++i)
      for (int j = 0; j < Vec::kTileVectors; ++j) t.row[i][j] = zero();
  }

  static SFM_ALWAYS_INLINE void loadTile(const float* c, int ld, Tile& t) {
    for (int i = 0; i < kTile; ++i)
      for (int j = 0; j < Vec::kTileVectors; ++j) t.row[i][j] = load(c + static_cast<long>(i) * ld + j * Vec::kLanes);
  }

  static SFM_ALWAYS_INLINE void storeTile(const Tile& t, int rows, int ld, float* c) {
    for (int i = 0; i < kTile; ++i)
      for (int j = 0; j < Vec::kTileVectors; ++j)
        if (i < rows) store(c + static_cast<long>(i) * ld + j * Vec::kLanes, t.row[i][j]);
  }

  // t +-= A^T B for the columns a of A and b of B, each `m` rows deep.
  template <bool kSubtract>
  static SFM_ALWAYS_INLINE void addProduct(const float* a, const float* b, int m, int ld, Tile& t) {
    for (int k = 0; k < m; ++k, a += ld, b += ld) {
      Vec right[Vec::kTileVectors];
      for (int j = 0; j < Vec::kTileVectors; ++j) right[j] = load(b + j * Vec::kLanes);
      for (int i = 0; i < kTile; ++i) {
        const Vec left = broadcast(a[i]);
        for (int j = 0; j < Vec::kTileVectors; ++j)
          t.row[i][j] =
              kSubtract ? negativeMultiplyAdd(left, right[j], t.row[i][j]) : multiplyAdd(left, right[j], t.row[i][j]);
      }
    }
  }

  // Upper triangle of H = J^T J, or H += J^T J, for the n columns and m rows of J. By columns of tiles: theirs of J stay in
  // the first-level cache. A function of its own: inside a larger one, compilers have been seen to spill the tile.
  SFM_NEVER_INLINE static void gram(bool add, const float* jacobian, int m, int n, int ld, float* h) {
    for (int j = 0; j < n; j += kTile)
      for (int i = 0; i <= j; i += kTile) {
        Tile t;
        float* c = h + static_cast<long>(i) * ld + j;
        if (add)
          loadTile(c, ld, t);
        else
          clearTile(t);
        addProduct<false>(jacobian + i, jacobian + j, m, ld, t);
        storeTile(t, kTile, ld, c);
      }
  }

  // H = U^T U in place, for the first `eliminated` rows; the rest of the upper triangle becomes their Schur complement.
  // False where a pivot is not positive. Row by row of tiles, each of which is read and written once: what the rows above
  // take from it is summed up in registers.
  SFM_NEVER_INLINE static bool factor(float* h, int n, int eliminated, int ld) {
    for (int k = 0; k < eliminated; k += kTile) {
      const int rows = k + kTile < eliminated ? kTile : eliminated - k;
      float* diagonal = h + static_cast<long>(k) * ld + k;
      Tile t;
      loadTile(diagonal, ld, t);
      addProduct<true>(h + k, h + k, k, ld, t);
      storeTile(t, rows, ld, diagonal);
      float inverse[kTile] = {};
      if (!factorDiagonal(diagonal, rows, ld, inverse)) return false;
      for (int j = k + kTile; j < n; j += kTile) {
        float* c = h + static_cast<long>(k) * ld + j;
        loadTile(c, ld, t);
        addProduct<true>(h + k, h + j, k, ld, t);
        solveTile(diagonal, inverse, rows, ld, t);
        storeTile(t, rows, ld, c);
      }
    }
    for (int i = eliminated; i < n; i += kTile)
      for (int j = i / kTile * kTile; j < n; j += kTile) {
        Tile t;
        float* c = h + static_cast<long>(i) * ld + j;
        loadTile(c, ld, t);
        addProduct<true>(h + i, h + j, eliminated, ld, t);
        storeTile(t, kTile, ld, c);
      }
    return true;
  }

  // The same for one tile on the diagonal, of which only that many rows count. `inverse`: of U's diagonal.
  static bool factorDiagonal(float* h, int rows, int ld, float* inverse) {
    return rows == kTile ? factorRows<true>(h, rows, ld, inverse) : factorRows<false>(h, rows, ld, inverse);
  }

  template <bool kWhole>
  static SFM_ALWAYS_INLINE bool factorRows(float* h, int rows, int ld, float* inverse) {
    Tile t;
    loadTile(h, ld, t);
    SFM_UNROLLED
    for (int k = 0; k < kTile; ++k) {
      if (!kWhole && k >= rows) break;
      float* pivotRow = h + static_cast<long>(k) * ld;
      for (int j = 0; j < Vec::kTileVectors; ++j) store(pivotRow + j * Vec::kLanes, t.row[k][j]);
      if (!(pivotRow[k] > 0)) return false;
      inverse[k] = 1 / sqrtf(pivotRow[k]);
      const Vec scale = broadcast(inverse[k]);
      for (int j = 0; j < Vec::kTileVectors; ++j) {
        t.row[k][j] = multiply(scale, t.row[k][j]);
        store(pivotRow + j * Vec::kLanes, t.row[k][j]);
      }
      SFM_UNROLLED
      for (int i = k + 1; i < kTile; ++i) {
        const Vec factor = broadcast(pivotRow[i]);
        for (int j = 0; j < Vec::kTileVectors; ++j) t.row[i][j] = negativeMultiplyAdd(factor, t.row[k][j], t.row[i][j]);
      }
    }
    return true;
  }

  // t <- U^-T t for the factor of a tile on the diagonal.
  static SFM_ALWAYS_INLINE void solveTile(const float* u, const float* inverse, int rows, int ld, Tile& t) {
    if (rows == kTile)
      solveRows<true>(u, inverse, rows, ld, t);
    else
      solveRows<false>(u, inverse, rows, ld, t);
  }

  template <bool kWhole>
  static SFM_ALWAYS_INLINE void solveRows(const float* u, const float* inverse, int rows, int ld, Tile& t) {
    SFM_UNROLLED
    for (int k = 0; k < kTile; ++k) {
      if (!kWhole && k >= rows) break;
      const Vec scale = broadcast(inverse[k]);
      for (int j = 0; j < Vec::kTileVectors; ++j) t.row[k][j] = multiply(scale, t.row[k][j]);
      const float* row = u + static_cast<long>(k) * ld;
      SFM_UNROLLED
      for (int i = k + 1; i < kTile; ++i) {
        const Vec factor = broadcast(row[i]);
        for (int j = 0; j < Vec::kTileVectors; ++j) t.row[i][j] = negativeMultiplyAdd(factor, t.row[k][j], t.row[i][j]);
      }
    }
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

  // Solves U x = b for the first `rows` entries, the entries rows..n of x being given in b. Blocks of rows from the
  // bottom up: first all that is known is taken out of a block, then it is solved.
  static void backward(const float* u, int n, int rows, int ld, float* b) {
    constexpr int kBlock = 8;
    for (int end = rows; end > 0;) {
      const int begin = (end - 1) / kBlock * kBlock;
      for (int k = begin; k < end; k += 4) {
        // Rows beyond the block are read and not used.
        const float* row = u + static_cast<long>(k) * ld;
        Vec s[4] = {zero(), zero(), zero(), zero()};
        int c = end;
        for (; c + Vec::kLanes <= n; c += Vec::kLanes) {
          const Vec x = load(b + c);
          for (int i = 0; i < 4; ++i) s[i] = multiplyAdd(load(row + static_cast<long>(i) * ld + c), x, s[i]);
        }
        if (c < n) {
          const Vec x = loadFirst(b + c, n - c);
          for (int i = 0; i < 4; ++i)
            s[i] = multiplyAdd(loadFirst(row + static_cast<long>(i) * ld + c, n - c), x, s[i]);
        }
        for (int i = 0; i < 4 && k + i < end; ++i) b[k + i] -= sum(s[i]);
      }
      for (int k = end - 1; k >= begin; --k) {
        b[k] /= u[static_cast<long>(k) * ld + k];
        for (int i = begin; i < k; ++i) b[i] -= u[static_cast<long>(i) * ld + k] * b[k];
      }
      end = begin;
    }
  }

  // trace((U^T U)^-1) = the squared norm of U^-1, for the block of U from row and column `first` on. Strips of columns
  // of the inverse are formed from the bottom up, some rows at a time, whose accumulators stay in registers; `strip` holds n
  // rows of them.
  static double inverseTrace(const float* u, int first, int n, int ld, float* strip) {
    double trace = 0;
    for (int j0 = first; j0 < n; j0 += kInverseColumns) {
      // The inverse is upper triangular: rows below the strip's columns are zero, and so are columns left of the diagonal.
      const int last = j0 + kInverseColumns < n ? j0 + kInverseColumns : n;
      const int vectors = (last - j0 + Vec::kLanes - 1) / Vec::kLanes;
      Vec squares = zero();
      int i = last;
      for (; (i - first) % kInverseRows != 0; --i) invertRows<1>(vectors, u, i - 1, j0, last, ld, strip, squares);
      for (; i > first; i -= kInverseRows)
        invertRows<kInverseRows>(vectors, u, i - kInverseRows, j0, last, ld, strip, squares);
      trace += static_cast<double>(sum(squares));
    }
    return trace;
  }

  // Rows i, i + 1, ... of the strip, that many vectors wide.
  template <int kRows>
  static SFM_ALWAYS_INLINE void invertRows(int vectors, const float* u, int i, int j0, int last, int ld, float* strip,
                                           Vec& squares) {
    const int zeros = i < j0 ? 0 : (i - j0) / Vec::kLanes;
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < zeros; ++v)
        store(strip + static_cast<long>(i + r) * kInverseColumns + v * Vec::kLanes, zero());
    invertRows<kRows, kInverseVectors>(vectors - zeros, u, i, j0 + zeros * Vec::kLanes, last, ld,
                                       strip + zeros * Vec::kLanes, squares);
  }

  // The same for the columns from j0 on, at most `kMost` vectors of them.
  template <int kRows, int kMost>
  static SFM_ALWAYS_INLINE void invertRows(int vectors, const float* u, int i, int j0, int last, int ld, float* strip,
                                           Vec& squares) {
    if constexpr (kMost > 1)
      if (vectors < kMost) return invertRows<kRows, kMost - 1>(vectors, u, i, j0, last, ld, strip, squares);
    u += static_cast<long>(i) * ld;
    // U X = I, row by row, less what the rows below have in it.
    Vec x[kRows][kMost];
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kMost; ++v) x[r][v] = unitVector(i + r - j0 - v * Vec::kLanes);
    const float* below = strip + static_cast<long>(i + kRows) * kInverseColumns;
    for (int k = i + kRows; k < last; ++k, below += kInverseColumns) {
      Vec row[kMost];
      for (int v = 0; v < kMost; ++v) row[v] = load(below + v * Vec::kLanes);
      for (int r = 0; r < kRows; ++r) {
        const Vec factor = broadcast(u[static_cast<long>(r) * ld + k]);
        for (int v = 0; v < kMost; ++v) x[r][v] = negativeMultiplyAdd(factor, row[v], x[r][v]);
      }
    }
    SFM_UNROLLED
    for (int r = kRows - 1; r >= 0; --r) {
      const float* row = u + static_cast<long>(r) * ld + i;
      SFM_UNROLLED
      for (int k = r + 1; k < kRows; ++k) {
        const Vec factor = broadcast(row[k]);
        for (int v = 0; v < kMost; ++v) x[r][v] = negativeMultiplyAdd(factor, x[k][v], x[r][v]);
      }
      const Vec inverse = broadcast(1 / row[r]);
      float* out = strip + static_cast<long>(i + r) * kInverseColumns;
      for (int v = 0; v < kMost; ++v) {
        x[r][v] = multiply(inverse, x[r][v]);
        squares = multiplyAdd(x[r][v], x[r][v], squares);
        store(out + v * Vec::kLanes, x[r][v]);
      }
    }
  }

  // 1 at that place, 0 elsewhere, and everywhere where the place is not the vector's.
  static SFM_ALWAYS_INLINE Vec unitVector(int place) {
    struct Unit {
      float numbers[2 * Vec::kLanes] = {};
      constexpr Unit() { numbers[Vec::kLanes] = 1; }
    };
    static constexpr Unit kUnit;
    return place >= 0 && place < Vec::kLanes ? load(kUnit.numbers + Vec::kLanes - place) : zero();
  }
};

}  // namespace
}  // namespace sfm
