// Small symmetric systems in shared memory: the lower triangle, packed row by row, and the sweep operator on it.
//
// Sweeping variable k of a symmetric A: a_kk <- -1 / a_kk, a_ik <- a_ik / a_kk, a_ij <- a_ij - a_ik a_kj / a_kk. With a
// set F of variables swept, A_FF has become -A_FF^-1, A_BF has become A_BF A_FF^-1, and the rest is the Schur complement
// A_BB - A_BF A_FF^-1 A_FB. Sweeping out undoes it. One number of the triangle to a thread and step, whatever is swept:
// what factors and triangular solutions make of the same system waits longer than it computes.
#pragma once

#include "cuda/Device.cuh"
#include "cuda/FitPlan.h"

namespace sfm::cuda {

__device__ __forceinline__ int packed(int i, int j) {
  const int row = i > j ? i : j, column = i > j ? j : i;
  return row * (row + 1) / 2 + column;
}

// Sweeps those of the first `variables` variables of a matrix of n rows for which wanted(k) is not swept[k], in their
// order; false where a pivot does not let one, which leaves the matrix as it is then. `room`: for 2 n numbers, of which
// each sweep uses the half that the one before filled with its column, so that one barrier serves. `swept` is not
// updated. Uniform; with barriers before and after.
template <int kThreads, class Wanted>
__device__ bool sweep(float* a, int n, int variables, Wanted wanted, const int* swept, float* room) {
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  const auto next = [&](int k) {
    while (k < variables && wanted(k) == (swept[k] != 0)) ++k;
    return k;
  };
  __syncthreads();
  int k = next(0);
  if (k < variables)
    for (int i = thread; i < n; i += kThreads) room[i] = a[packed(i, k)];
  __syncthreads();
  for (int half = 0; k < variables; half = 1 - half) {
    const float* column = room + half * n;
    float* after = room + (1 - half) * n;
    const float pivot = column[k];
    const bool in = swept[k] == 0;
    if (in ? !(pivot > 0) : !(pivot < 0)) return false;
    const float inverse = 1 / pivot, side = in ? inverse : -inverse;
    const int then = next(k + 1);
    for (int j = lane; j < n; j += 32) {
      const float other = column[j];
      const int first = j - lane + warp;  // rows before it have no such column
#pragma unroll 4
      for (int i = first; i < n; i += kThreads / 32) {
        if (j > i) continue;
        const float own = column[i];
        float& entry = a[i * (i + 1) / 2 + j];
        float value = entry - own * inverse * other;
        if (i == k) value = j == k ? -inverse : other * side;
        if (j == k && i != k) value = own * side;
        entry = value;
        if (i == then) after[j] = value;
        if (j == then) after[i] = value;
      }
    }
    k = then;
    __syncthreads();
  }
  return true;
}

}  // namespace sfm::cuda
