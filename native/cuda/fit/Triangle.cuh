// Small symmetric systems in shared memory: the lower triangle, packed row by row, and the sweep operator on it.
//
// Sweeping variable k of a symmetric A: a_kk <- -1 / a_kk, a_ik <- a_ik / a_kk, a_ij <- a_ij - a_ik a_kj / a_kk. With a
// set F of variables swept, A_FF has become -A_FF^-1, A_BF has become A_BF A_FF^-1, and the rest is the Schur complement
// A_BB - A_BF A_FF^-1 A_FB. Sweeping out undoes it. One number of the triangle to a thread and step, whatever is swept:
// what factors and triangular solutions make of the same system waits longer than it computes.
#pragma once

#include "core/Fit.h"
#include "cuda/Device.cuh"
#include "cuda/FitPlan.h"

namespace sfm::cuda {

__device__ __forceinline__ int packed(int i, int j) {
  const int row = i > j ? i : j, column = i > j ? j : i;
  return row * (row + 1) / 2 + column;
}

// Which variables are to be swept in: all, or those that are free.
__device__ __forceinline__ bool isWanted(const int* state, int k) { return !state || state[k] == kFree; }

// The first of the variables from k on that is not as it is wanted.
__device__ __forceinline__ int nextToSweep(const int* state, const int* swept, int variables, int k) {
  while (k < variables && isWanted(state, k) == (swept[k] != 0)) ++k;
  return k;
}

// Some of up to 96 variables, a bit each, the same in all threads: which comes next is known without asking memory.
class Variables {
 public:
  static constexpr int kMost = 96;
  // Those for which has(k).
  template <class Has>
  __device__ __forceinline__ Variables(int count, Has has) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
    for (int w = 0; w < kWords; ++w) words_[w] = __ballot_sync(kAllLanes, 32 * w + lane < count && has(32 * w + lane));
  }
  // kMost: there is none.
  __device__ __forceinline__ int first() const {
    int k = kMost;
#pragma unroll
    for (int w = kWords - 1; w >= 0; --w)
      if (words_[w] != 0) k = 32 * w + __ffs(static_cast<int>(words_[w])) - 1;
    return k;
  }
  __device__ __forceinline__ bool has(int k) const {
    unsigned word = words_[0];
#pragma unroll
    for (int w = 1; w < kWords; ++w)
      if (k >= 32 * w) word = words_[w];
    return (word >> (k % 32) & 1) != 0;
  }
  __device__ __forceinline__ void remove(int k) {
#pragma unroll
    for (int w = 0; w < kWords; ++w)
      if (k / 32 == w) words_[w] &= ~(1u << (k % 32));
  }

 private:
  static constexpr int kWords = kMost / 32;
  unsigned words_[kWords];
};

// A sweep's variable: its inverse, and what its row and column are multiplied by.
struct SweepPivot {
  float inverse, side;
  bool possible;

  __device__ __forceinline__ SweepPivot(float pivot, bool in)
      : inverse(1 / pivot), side(in ? inverse : -inverse), possible(in ? pivot > 0 : pivot < 0) {}
  // What becomes of a number of the matrix; `own` and `other` of the variable's column, in its row and in its column.
  __device__ __forceinline__ float swept(float value, float own, float other, bool onRow, bool onColumn) const {
    const float inside = value - own * inverse * other, edge = (onRow ? other : own) * side;
    return onRow || onColumn ? (onRow && onColumn ? -inverse : edge) : inside;
  }
};

// Where a sweep is: the triangle a, n rows of it; room for 2 n numbers, of which each sweep uses the half that the one
// before filled with its column, so that one barrier serves.
struct SweptTriangle {
  float* a;
  int n;
  int variables;
  const int* state;
  const int* swept;
  float* room;
};

// With the triangle in the threads' registers meanwhile, kMost numbers each: what is in them is found and put back once.
template <int kThreads, int kMost>
__device__ __forceinline__ bool sweepInRegisters(const SweptTriangle& s) {
  static_assert(triangleSize(Variables::kMost) >= kMost * kThreads);
  const int thread = static_cast<int>(threadIdx.x), size = triangleSize(s.n);
  float value[kMost];
  int place[kMost];  // row and column
#pragma unroll
  for (int e = 0, at = thread, row = 0; e < kMost; ++e, at += kThreads) {
    // Whoever has none left has the first once more, which is not put back.
    if (at >= size) at = row = 0;
    while ((row + 1) * (row + 2) / 2 <= at) ++row;
    place[e] = row << 16 | (at - row * (row + 1) / 2);
    value[e] = s.a[at];
  }
  const Variables swept(s.variables, [&](int k) { return s.swept[k] != 0; });
  Variables left(s.variables, [&](int k) { return isWanted(s.state, k) != (s.swept[k] != 0); });
  int k = left.first();
  for (int half = 0; k < Variables::kMost; half = 1 - half) {
    const float* column = s.room + half * s.n;
    float* after = s.room + (1 - half) * s.n;
    const SweepPivot pivot(column[k], !swept.has(k));
    if (!pivot.possible) return false;
    left.remove(k);
    const int then = left.first();
#pragma unroll
    for (int e = 0; e < kMost; ++e) {
      const int i = place[e] >> 16, j = place[e] & 0xffff;
      value[e] = pivot.swept(value[e], column[i], column[j], i == k, j == k);
      if (i == then) after[j] = value[e];
      if (j == then) after[i] = value[e];
    }
    k = then;
    __syncthreads();
  }
#pragma unroll
  for (int e = 0; e < kMost; ++e)
    if (thread + e * kThreads < size) s.a[thread + e * kThreads] = value[e];
  __syncthreads();
  return true;
}

// With the triangle in shared memory.
template <int kThreads>
__device__ __forceinline__ bool sweepInPlace(const SweptTriangle& s) {
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  int k = nextToSweep(s.state, s.swept, s.variables, 0);
  for (int half = 0; k < s.variables; half = 1 - half) {
    const float* column = s.room + half * s.n;
    float* after = s.room + (1 - half) * s.n;
    const SweepPivot pivot(column[k], s.swept[k] == 0);
    if (!pivot.possible) return false;
    const int then = nextToSweep(s.state, s.swept, s.variables, k + 1);
    for (int j = lane; j < s.n; j += 32) {
      const int first = j - lane + warp;  // rows before it have no such column
      for (int i = first; i < s.n; i += kThreads / 32) {
        if (j > i) continue;
        float& entry = s.a[i * (i + 1) / 2 + j];
        entry = pivot.swept(entry, column[i], column[j], i == k, j == k);
        if (i == then) after[j] = entry;
        if (j == then) after[i] = entry;
      }
    }
    k = then;
    __syncthreads();
  }
  return true;
}

// Sweeps those of the first `variables` variables in that are wanted and not `swept`, and those out that are swept and not
// wanted, in their order; false where a pivot does not let one, after which the matrix is of no use. `swept` is not
// updated. Uniform; with barriers before and after. Small blocks sweep in registers: FitPlan gives them triangles of at most
// kMost numbers to a thread.
template <int kThreads, int kMost>
__device__ __forceinline__ bool sweep(const SweptTriangle& s) {
  __syncthreads();
  const int k = nextToSweep(s.state, s.swept, s.variables, 0);
  if (k < s.variables)
    for (int i = static_cast<int>(threadIdx.x); i < s.n; i += kThreads) s.room[i] = s.a[packed(i, k)];
  __syncthreads();
  if constexpr (kThreads == kSmallBlock)
    return sweepInRegisters<kThreads, kMost>(s);
  else
    return sweepInPlace<kThreads>(s);
}

}  // namespace sfm::cuda
