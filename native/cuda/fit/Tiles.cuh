// A symmetric matrix in the registers of a block, as tiles of its lower triangle, and its factorisation there.
//
// Rows of the Jacobian, and rows of the factor U after them, lie in shared memory; both enter the tiles as products of a
// row with itself, added or subtracted. So the matrix never is in memory while it is made and factored: what remains
// of a panel's columns goes to shared memory when its turn comes.
#pragma once

#include "cuda/Device.cuh"
#include "cuda/FitPlan.h"

namespace sfm::cuda {

// Where column c of a row is: the halves of every second group of four tiles are exchanged, so that eight threads that
// read the same half of neighbouring tiles find them in different banks.
__device__ __forceinline__ int slot(int column) { return column ^ ((column >> 3) & 4); }

// The tile of a thread. Tiles are counted column by column, so that whole warps are done early in a factorisation.
struct TilePlace {
  int row, column;  // of its first entry
  // There are more threads than tiles.
  __device__ __forceinline__ bool any() const { return row >= 0; }
};

__device__ inline TilePlace tilePlace(int thread, int tiles) {
  int column = 0, left = thread;
  while (column < tiles && left >= tiles - column) left -= tiles - column++;
  return {column < tiles ? kTile * (column + left) : -1, kTile * column};
}

__device__ __forceinline__ float4 load4(const float* from) { return *reinterpret_cast<const float4*>(from); }
__device__ __forceinline__ void store4(float* to, float a, float b, float c, float d) {
  *reinterpret_cast<float4*>(to) = make_float4(a, b, c, d);
}

// Rows whose products are added at a time: the second's numbers are on their way while the first's are used.
constexpr int kRowsAtOnce = 2;

struct Tile {
  float at[kTile][kTile];

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int r = 0; r < kTile; ++r)
#pragma unroll
      for (int c = 0; c < kTile; ++c) at[r][c] = 0;
  }

  // += or -= x x^T for each of `count` rows x.
  template <bool kSubtract>
  __device__ __forceinline__ void addProducts(const TilePlace& place, const float* rows, int stride, int count) {
    const float* left[2] = {rows + slot(place.row), rows + slot(place.row + 4)};
    const float* right[2] = {rows + slot(place.column), rows + slot(place.column + 4)};
#pragma unroll kRowsAtOnce
    for (const float* const end = left[0] + count * stride; left[0] != end;) {
      const float4 a0 = load4(left[0]), a1 = load4(left[1]);
      const float a[kTile] = {a0.x, a0.y, a0.z, a0.w, a1.x, a1.y, a1.z, a1.w};
      const float4 b0 = load4(right[0]), b1 = load4(right[1]);
      const float b[kTile] = {b0.x, b0.y, b0.z, b0.w, b1.x, b1.y, b1.z, b1.w};
#pragma unroll
      for (int r = 0; r < kTile; ++r)
#pragma unroll
        for (int c = 0; c < kTile; ++c) at[r][c] += (kSubtract ? -a[r] : a[r]) * b[c];
      for (int half = 0; half < 2; ++half) left[half] += stride, right[half] += stride;
    }
  }

  // The tile as rows of the panel that its columns make: row k of it is column k of the tile.
  __device__ __forceinline__ void storePanel(const TilePlace& place, float* panel, int stride) const {
    float* to[2] = {panel + slot(place.row) - place.column, panel + slot(place.row + 4) - place.column};
#pragma unroll
    for (int k = 0; k < kTile; ++k) {
      store4(to[0] + k * stride, at[0][k], at[1][k], at[2][k], at[3][k]);
      store4(to[1] + k * stride, at[4][k], at[5][k], at[6][k], at[7][k]);
    }
  }

  // The lower triangle as rows of `stride` numbers.
  __device__ __forceinline__ void store(const TilePlace& place, float* matrix, int stride) const {
#pragma unroll
    for (int r = 0; r < kTile; ++r) {
      float* to = matrix + (place.row + r) * stride + place.column;
      store4(to, at[r][0], at[r][1], at[r][2], at[r][3]);
      store4(to + 4, at[r][4], at[r][5], at[r][6], at[r][7]);
    }
  }
  __device__ __forceinline__ void load(const TilePlace& place, const float* matrix, int stride) {
#pragma unroll
    for (int r = 0; r < kTile; ++r) {
      const float* from = matrix + (place.row + r) * stride + place.column;
      const float4 low = load4(from), high = load4(from + 4);
      at[r][0] = low.x, at[r][1] = low.y, at[r][2] = low.z, at[r][3] = low.w;
      at[r][4] = high.x, at[r][5] = high.y, at[r][6] = high.z, at[r][7] = high.w;
    }
  }

  // Calls body(entries, row) for each row.
  template <class Body>
  __device__ __forceinline__ void forRows(const TilePlace& place, Body body) {
#pragma unroll
    for (int r = 0; r < kTile; ++r) body(at[r], place.row + r);
  }
  // Calls body(entry, column) for the diagonal's, where the tile stands on it.
  template <class Body>
  __device__ __forceinline__ void forDiagonal(const TilePlace& place, Body body) {
    if (place.row != place.column) return;
#pragma unroll
    for (int r = 0; r < kTile; ++r) body(at[r][r], place.row + r);
  }
  // Calls body(entry, column) for the right-hand side's, where the tile holds them.
  template <class Body>
  __device__ __forceinline__ void forResidual(const TilePlace& place, int residual, Body body) {
    if (place.row != residual) return;
#pragma unroll
    for (int c = 0; c < kTile; ++c) body(at[0][c], place.column + c);
  }
};

__device__ __forceinline__ float inverseRoot(float x) {
  const float estimate = rsqrtf(x);
  return estimate * (1.5f - 0.5f * x * estimate * estimate);
}

// Makes `width` rows of U of what remains of a panel's columns: U_d^T U = panel, U_d^T U_d its diagonal block. Every warp
// has the diagonal block's 8 columns in its first lanes and 56 columns of its own, two to a lane, so that none waits for
// another. `columns`: of the panel, from its diagonal on. The inverses of the pivots go to `inversePivots`, and where one
// is not positive false to `positive`. With a barrier; the block is to have another one behind it.
__device__ __forceinline__ void factorPanel(int thread, int number, float* panel, int stride, int columns, int width,
                                            float* inversePivots, int* positive) {
  constexpr int kOwn = 2 * 32 - kTile;
  const int lane = thread % 32, warp = thread / 32, begin = kTile + warp * kOwn;
  const bool works = warp == 0 || begin < columns;
  // Columns stand in their slots. Only of the diagonal block's does it matter which is which.
  const int first = lane < kTile ? lane ^ (number & 4) : begin + lane - kTile, second = begin + 32 - kTile + lane;
  const bool hasFirst = works && first < columns, hasSecond = works && second < columns;
  float x[kTile], y[kTile];
#pragma unroll
  for (int k = 0; k < kTile; ++k) {
    x[k] = hasFirst ? panel[k * stride + first] : 0;
    y[k] = hasSecond ? panel[k * stride + second] : 0;
  }
  __syncthreads();
  if (!works) return;
#pragma unroll
  for (int k = 0; k < kTile; ++k) {
    if (k >= width) break;
    const float pivot = __shfl_sync(kAllLanes, x[k], k);
    if (!(pivot > 0)) {
      if (thread == 0) *positive = 0;
      return;
    }
    // The next pivot waits for what is subtracted, and that for no root: rows are scaled when nobody waits for them.
    const float inverse = inverseRoot(pivot), squared = inverse * inverse;
    if (thread == 0) inversePivots[k] = inverse;
#pragma unroll
    for (int q = k + 1; q < kTile; ++q) {
      const float factor = __shfl_sync(kAllLanes, x[k], q) * squared;
      x[q] -= factor * x[k];
      y[q] -= factor * y[k];
    }
    x[k] *= inverse;
    y[k] *= inverse;
  }
#pragma unroll
  for (int k = 0; k < kTile; ++k) {
    if (k >= width) break;
    if (hasFirst && (warp == 0 || lane >= kTile)) panel[k * stride + first] = x[k];
    if (hasSecond) panel[k * stride + second] = y[k];
  }
}

// The tiles' matrix = U^T U for the first `eliminated` columns, whose rows of U go to panels from `panel` on; what remains
// of the other columns stays in the tiles. False where a pivot is not positive. Uniform; a barrier must stand before it,
// and another before the panels are used for anything else.
__device__ __forceinline__ bool factorTiles(int thread, const TilePlace& place, int tiles, int eliminated, Tile& tile,
                                            float* panel, float* inversePivots, int* positive) {
  if (thread == 0) *positive = 1;
  for (int p = 0; kTile * p < eliminated; ++p) {
    const int width = eliminated - kTile * p < kTile ? eliminated - kTile * p : kTile;
    const int stride = panelStride(tiles, p);
    if (place.any() && place.column == kTile * p) tile.storePanel(place, panel, stride);
    __syncthreads();
    factorPanel(thread, p, panel, stride, kTile * (tiles - p), width, inversePivots + kTile * p, positive);
    __syncthreads();
    if (!*positive) return false;
    if (place.any() && place.column + kTile > kTile * p + width)
      tile.addProducts<true>(place, panel - kTile * p, stride, width);
    panel += kTile * stride;
  }
  return true;
}

}  // namespace sfm::cuda
